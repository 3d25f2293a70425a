"""Events of apps, shops and CRMs: each platform's own fields, for the rows that have them alone.

Sources: shared facts of November 2026, from developers.facebook.com (app-events,
payload-specification of CRM leads), TikTok's business API SDK, developers.snap.com, Pinterest
v5/openapi.yaml, learn.microsoft.com/linkedin, and Reddit's Conversions API v3.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.platforms.parts import AS_OF, everything, full, minimal, on_paper
from tests.platforms.test_golden import at, first_record
from tests.support.previews import preview

APP = {
    "action_source": "app",
    "mobile_os": "ios",
    "os_version": "17.5",
    "ad_tracking": False,
    "app_id": "com.shop.example",
    "app_version": "4.2.1",
    "device_model": "iPhone15,2",
    "locale": "en_US",
}
EXTINFO = ["i2", "com.shop.example", "4.2.1", "", "17.5", "iPhone15,2", "en_US", *[""] * 9]


def outcome(name: str, row: dict[str, Any], **changes: Any) -> dict[str, Any]:
    (item,) = preview(on_paper(name, **changes), [row], as_of=AS_OF)
    return item


def record(name: str, row: dict[str, Any], **changes: Any) -> Any:
    return first_record(outcome(name, row, **changes)["request"]["body"])


def test_meta_gets_sixteen_texts_of_the_device_with_an_app_event() -> None:
    sent = record("meta", minimal("meta", **APP))
    assert sent["app_data"] == {
        "advertiser_tracking_enabled": 0,
        "application_tracking_enabled": 0,
        "extinfo": EXTINFO,
    }
    assert "app_data" not in record("meta", full(conversion_id="c1"))


@pytest.mark.parametrize("column", ["mobile_os", "os_version", "ad_tracking"])
def test_meta_takes_no_app_event_without_what_it_requires(column: str) -> None:
    item = outcome("meta", minimal("meta", **{**APP, column: None}))
    assert item["rejected"]["reason"] == f"missing_{column}"


def test_snapchat_gets_the_same_with_an_app_event() -> None:
    sent = record("snapchat", minimal("snapchat", **APP))
    assert sent["action_source"] == "MOBILE_APP"
    assert sent["app_data"] == {
        "app_id": "com.shop.example",
        "advertiser_tracking_enabled": 0,
        "extinfo": EXTINFO,
    }
    assert "app_data" not in record("snapchat", full(conversion_id="c1"))


def test_a_stage_of_a_lead_goes_to_meta_as_of_a_crm() -> None:
    crm = {
        "action_source": "system_generated",
        "lead_id": "1234567890123456",
        "event_name": "Qualified",
    }
    sent = record("meta", minimal("meta", **crm, lead_source="HubSpot"))
    assert sent["user_data"]["lead_id"] == 1234567890123456
    assert (
        sent["custom_data"].items()
        >= {"event_source": "crm", "lead_event_source": "HubSpot"}.items()
    )
    assert outcome("meta", minimal("meta", **crm))["rejected"]["reason"] == "missing_lead_source"
    assert "event_source" not in record("meta", full(conversion_id="c1"))["custom_data"]


def tiktok(source: str, **row: Any) -> dict[str, Any]:
    account = {"event_source": source, "event_source_id": "id1"}
    return outcome("tiktok", minimal("tiktok", **row), account=account)


@pytest.mark.parametrize(
    ("system", "allowed", "status"),
    [
        ("ios", True, "AUTHORIZED"),
        ("ios", False, "DENIED"),
        ("android", True, "NOT_APPLICABLE"),
        (None, True, None),
    ],
)
def test_tiktok_is_told_the_app_and_whether_it_may_track(
    system: str | None, allowed: bool, status: str | None
) -> None:
    sent = tiktok(
        "app", mobile_os=system, ad_tracking=allowed, app_id="com.x", app_name="X", app_version="1"
    )
    event = sent["request"]["body"]["data"][0]
    assert event["app"] == {"app_id": "com.x", "app_name": "X", "app_version": "1"}
    assert event["user"].get("att_status") == status


def test_tiktok_wants_a_lead_of_a_crm_and_a_person_of_a_shop() -> None:
    assert tiktok("crm", lead_source="HubSpot")["rejected"]["reason"] == "missing_lead_id"
    sent = tiktok("crm", lead_id="77", lead_source="HubSpot")["request"]["body"]["data"][0]
    assert sent["lead"] == {"lead_id": "77", "lead_event_source": "HubSpot"}
    assert tiktok("offline")["rejected"]["reason"] == "missing_person"
    assert "request" in tiktok("offline", email="jane@shop.example")
    web = tiktok("web", lead_id="77", lead_source="HubSpot", app_id="com.x")["request"]["body"]
    assert web["data"][0].keys().isdisjoint({"lead", "app"})


def test_pinterest_gets_the_app_with_app_events_alone() -> None:
    keys = {"app_id", "app_version", "device_model", "os_version"}
    assert keys <= record("pinterest", minimal("pinterest", **APP)).keys()
    assert keys.isdisjoint(record("pinterest", full(conversion_id="c1")))


def test_linkedins_lead_is_enough_by_itself() -> None:
    urn = "urn:li:leadGenFormResponse:4c8c-ad6b"
    sent = record("linkedin", minimal("linkedin", li_fat_id=None, lead_id=urn))
    assert sent["user"] == {"userIds": [], "lead": urn}


def test_linkedin_gets_company_and_title_beside_the_names_where_they_are_listed() -> None:
    sent = record("linkedin", full(conversion_id="c1"), identifiers=everything("linkedin"))
    assert (
        sent["user"]["userInfo"].items() >= {"title": "Engineer", "companyName": "Acme Ltd"}.items()
    )
    assert "userInfo" not in record("linkedin", full(conversion_id="c1"))["user"]


def test_reddit_gets_no_click_cookie_or_device_of_a_shop() -> None:
    website, shop = (
        record(
            "reddit",
            full(
                conversion_id="c1",
                action_source=source,
                gaid="cdda802e-fb9c-47ad-9866-0794d394c912",
            ),
        )
        for source in ("website", "physical_store")
    )
    for path in ("click_id", "event_source_url", "user.uuid", "user.idfa", "user.aaid"):
        assert at(website, path) is not None, path
        assert at(shop, path) is None, path
    assert at(website, "user.uuid") == "1677712978045.b8f7d2c1"


def test_reddit_gets_value_and_currency_together_or_not_at_all() -> None:
    for alone in ({"value": "1"}, {"currency": "EUR"}):
        assert record("reddit", minimal("reddit", **alone))["metadata"].keys() == {"conversion_id"}
