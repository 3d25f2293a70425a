"""The exact requests of every platform, as files that people can read: `golden/<platform>.json`.

Each was checked by hand against the platform's documents. After a change that is meant, write them
anew and read the difference: `python -m tests.platforms.test_golden`.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest

from connector.config.destination import Destination
from connector.sandbox.dialect import Dialect, DialectState, Received, Reply, Secrets
from connector.sandbox.dialects import all_dialects, shapes
from connector.sandbox.server import Receiver
from tests.platforms.parts import (
    AS_OF,
    NAMES,
    everything,
    full,
    minimal,
    on_paper,
    on_receiver,
    recent,
)
from tests.support.previews import preview
from tests.support.projects import Project

FOLDER = Path(__file__).parent / "golden"
TOKYO = {
    "conversion_id": "c2",
    "event_id": None,
    "event_name": "Lead",
    "event_time": dt.datetime(
        2026, 6, 1, 21, 0, 0, 999_999, tzinfo=dt.timezone(dt.timedelta(hours=9))
    ),
    "value": "1250",
    "currency": "JPY",
    "email": "Yuki.Sato@例え.jp",
    "phone": "+81 3-1234-5678",
    "first_name": "裕貴",
    "last_name": "佐藤",
    "city": "東京",
    "state": None,
    "postal_code": "100-0001",
    "country": "JPN",
    "action_source": "physical_store",
    "event_source_url": None,
    "user_agent": None,
    "client_ip": "2001:4860:4860::8888, 10.0.0.1",
    "fbc": None,
    "contents": None,
    "content_ids": None,
    "num_items": None,
}

NOBODY = {
    **dict.fromkeys(
        (
            *("guid", "gclid", "li_fat_id", "fbp", "msclkid", "rdt_cid", "ttclid", "twclid"),
            *("tblci", "tdid"),
        )
    ),
    "email": "nobody",
}


ANDROID = {"action_source": "app", "mobile_os": "android", "event_source_url": None}
IN_APP = full(conversion_id="c1", action_source="app", event_source_url=None)
_ANALYTICS = {"account_type": "GOOGLE_ANALYTICS_PROPERTY", "account_id": "123456789"}
_FLOODLIGHT = {
    "account_type": "FLOODLIGHT_CONFIG",
    "account_id": "7654321",
    "floodlight_activity_id": "222",
}

MORE: dict[str, dict[str, tuple[dict[str, Any], list[dict[str, Any]]]]] = {
    "google": {
        "analytics_of_a_web_stream": (
            {"account": {**_ANALYTICS, "measurement_id": "G-ABC123"}, "events": {}},
            [full(conversion_id="c1")],
        ),
        "analytics_of_an_app": (
            {"account": {**_ANALYTICS, "measurement_id": "1:123:android:ab"}, "events": {}},
            [full(conversion_id="c1", ga_client_id=None, event_name="add_to_cart")],
        ),
        "floodlight": (
            {"account": _FLOODLIGHT, "events": {"Lead": "333"}},
            [full(conversion_id="c1"), full(conversion_id="c2", event_name="Lead", event_id="e2")],
        ),
        "display_video": (
            {
                "account": {
                    **_FLOODLIGHT,
                    "account_type": "DISPLAY_VIDEO_ADVERTISER",
                    "login_account_id": "55",
                },
                "events": {},
            },
            [full(conversion_id="c1")],
        ),
    },
    "meta": {
        "app": ({"account": {"pixel_id": "1", "partner_agent": "acme-1.0"}}, [IN_APP]),
        "whatsapp": (
            {"account": {"pixel_id": "1", "whatsapp_business_account_id": "17841"}},
            [full(conversion_id="c1", action_source="business_messaging", limited_data_use=True)],
        ),
        "lead_of_a_crm": (
            {},
            [minimal("meta", action_source="system_generated", lead_id="123", lead_source="Acme")],
        ),
    },
    "openai": {
        "integration": (
            {"account": {"pixel_id": "px_abc", "integration_source": "acme"}},
            [minimal("openai")],
        )
    },
    "pinterest": {
        "app": (
            {"account": {"ad_account_id": "549755885175", "partner_name": "ss-acme"}},
            [IN_APP, full(conversion_id="c2", event_id="e2", limited_data_use=True, **ANDROID)],
        )
    },
    "reddit": {
        "partner": (
            {"account": {"pixel_id": "a2_abc", "partner": "ACME", "partner_version": "1.2"}},
            [minimal("reddit")],
        )
    },
    "snapchat": {"app": ({}, [IN_APP])},
    "linkedin": {
        "lead_alone": (
            {},
            [minimal("linkedin", li_fat_id=None, lead_id="urn:li:leadGenFormResponse:77")],
        ),
        "company": (
            {"identifiers": everything("linkedin")},
            [minimal("linkedin", first_name="Al", last_name="Doe", company="Acme", job_title="MD")],
        ),
    },
    "microsoft": {
        "page": (
            {},
            [full(conversion_id="c1", event_name="Page View", page_type="product", hotel_id=None)],
        )
    },
    "tiktok": {
        "app": (
            {"account": {"event_source": "app", "event_source_id": "73", "partner_name": "ACME"}},
            [IN_APP, full(conversion_id="c2", event_id="e2", **ANDROID)],
        ),
        "lead_of_a_crm": (
            {"account": {"event_source": "crm", "event_source_id": "77"}},
            [
                {
                    "conversion_id": "c1",
                    "event_name": "qualified",
                    "event_time": "2026-05-31T10:00:00Z",
                    "lead_id": "7123",
                    "lead_source": "HubSpot",
                }
            ],
        ),
    },
}
"""Further cases of single platforms: what the destination says otherwise, and its rows."""


def cases(name: str) -> dict[str, tuple[Destination, list[dict[str, Any]]]]:
    """What is previewed: the destination and its rows."""
    batch = [
        full(conversion_id="c1"),
        full(**TOKYO),
        full(conversion_id="c3", event_id=None, limited_data_use=True),
        full(conversion_id="c4", event_id=None, opt_out=True),
        full(conversion_id="c5", event_id=None, consent=False),
        full(conversion_id="c6", event_id=None, event_time="2026-01-01T00:00:00Z"),
        minimal(name, conversion_id="c7", **NOBODY),
    ]
    everyone = on_paper(name, identifiers=everything(name))
    return {
        "full": (everyone, [full(conversion_id="c1")]),
        "minimal": (on_paper(name), [minimal(name)]),
        "batch": (on_paper(name), batch),
        **{
            case: (on_paper(name, **changes), rows)
            for case, (changes, rows) in MORE.get(name, {}).items()
        },
    }


def requests(name: str) -> dict[str, list[dict[str, Any]]]:
    return {
        case: list(preview(destination, rows, as_of=AS_OF))
        for case, (destination, rows) in cases(name).items()
    }


def golden(name: str) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = orjson.loads((FOLDER / f"{name}.json").read_bytes())
    return found


@pytest.mark.parametrize("name", NAMES)
def test_requests_are_the_golden_ones(name: str) -> None:
    assert requests(name) == golden(name)


@pytest.mark.parametrize("name", NAMES)
def test_a_request_is_written_in_the_same_bytes_every_time(name: str) -> None:
    assert orjson.dumps(requests(name)) == orjson.dumps(requests(name))


@pytest.mark.parametrize("name", NAMES)
def test_every_row_of_a_batch_is_in_one_request_or_rejected_with_a_reason(name: str) -> None:
    items = golden(name)["batch"]
    rows = [row for item in items for row in item.get("rows", [])] + [
        item["rejected"]["row"] for item in items if "rejected" in item
    ]
    assert sorted(rows) == list(range(7))
    why = {
        item["rejected"]["row"]: item["rejected"]["reason"] for item in items if "rejected" in item
    }
    assert why[4] == "suppressed"
    assert why[6] in ("no_identity", "bad_email")


DIALECTS = {dialect.name: dialect for dialect in all_dialects()}


@pytest.mark.parametrize(
    ("name", "case"),
    [(name, case) for name in NAMES for case in ("full", "minimal", "batch", *MORE.get(name, {}))],
)
def test_the_receiver_accepts_every_golden_request(
    name: str, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shapes.time, "time", AS_OF.timestamp)
    sent = [item["request"] for item in golden(name)[case] if "request" in item]
    assert sent
    for request in sent:
        received = as_received(DIALECTS[name], request)
        events = DIALECTS[name].events(received)
        assert not isinstance(events, Reply), events
        for event in events:
            problems = DIALECTS[name].check(event, received)
            assert [problem for problem in problems if problem.code != "too_old"] == [], (
                "not even a warning, but for Google's of the sixth row"
            )
            assert not any(
                problem.code == "too_old" and not problem.warning for problem in problems
            )


def as_received(dialect: Dialect, request: dict[str, Any]) -> Received:
    """A previewed request as the receiver would see it."""
    url = urlsplit(request["url"])
    route = dialect.routes[0]
    path = dict(
        zip(
            (part[1:-1].partition(":")[0] for part in route.split("/")),
            url.path.split("/"),
            strict=True,
        )
    )
    headers = {key.lower(): value for key, value in request["headers"].items()}
    query = {key: values[0] for key, values in parse_qs(url.query).items()}
    body = orjson.dumps(request["body"])
    return Received(
        path,
        query,
        headers,
        request["body"],
        body,
        request["method"],
        request["url"],
        route,
        DialectState(Secrets()),
    )


@pytest.mark.parametrize("name", NAMES)
def test_the_command_line_shows_the_same_requests(
    name: str, project: Project, receiver: Receiver
) -> None:
    row = recent(full(conversion_id="c1"))
    destination = on_receiver(project, receiver, [row], name)
    rows = [{**row, "event_time": row["event_time"].isoformat()}, {"event_name": "Purchase"}]
    (project.root / "rows.jsonl").write_bytes(b"".join(orjson.dumps(each) + b"\n" for each in rows))
    shown = project.capi("preview", "acme", "--rows", "rows.jsonl", "--json", check=True).lines()
    assert shown == list(preview(destination, rows))
    assert [sorted(item) for item in shown] == [["request", "rows"], ["rejected"]]
    assert receiver.inbox.arrivals == {}


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


BASIC, GMAIL, STRIPPED, ALNUM = (
    "john_smith+shop@gmail.com",
    "john_smith@gmail.com",
    "john_smith@gmail.com",
    "johnsmith@gmail.com",
)
DIGITS, E164 = "16505551212", "+16505551212"
NAMES_WITH, NAMES_WITHOUT = ("mary-ann", "valéry"), ("maryann", "valéry")
_PLACE = {"ct": "sanfrancisco", "st": "ca", "country": "us"}
HASHED: dict[str, dict[str, str]] = {
    "capi": {"ids.2.id": BASIC, "ids.4.id": DIGITS},
    "amazon": {
        f"matchKeys.{place}.values.0": text
        for place, text in enumerate(
            (
                *("johnsmith+shop@gmail.com", DIGITS, NAMES_WITHOUT[0], NAMES_WITHOUT[1]),
                *("1mainst", "sanfrancisco", "california", "941051234"),
            )
        )
    },
    "google": {
        "userData.userIdentifiers.0.emailAddress": GMAIL,
        "userData.userIdentifiers.1.phoneNumber": E164,
        "userData.userIdentifiers.2.address.givenName": NAMES_WITH[0],
        "userData.userIdentifiers.2.address.familyName": NAMES_WITH[1],
    },
    "linkedin": {"user.userIds.0.idValue": BASIC, "user.userIds.2.idValue": "8.8.4.4"},
    "meta": {
        f"user_data.{key}.0": text
        for key, text in (
            *(
                ("em", BASIC),
                ("ph", DIGITS),
                ("fn", NAMES_WITHOUT[0]),
                ("ln", NAMES_WITHOUT[1]),
                ("db", "19970216"),
                ("ge", "f"),
                ("zp", "94105"),
            ),
            *(("external_id", "u-77"), *_PLACE.items()),
        )
    },
    "microsoft": {"userData.em": STRIPPED, "userData.ph": E164},
    "openai": {
        "user.emails_sha256.0": BASIC,
        "user.phone_numbers_sha256.0": DIGITS,
        "user.external_ids_sha256.0": "u-77",
        "user.first_names_sha256.0": NAMES_WITHOUT[0],
        "user.last_names_sha256.0": NAMES_WITHOUT[1],
    },
    "pinterest": {
        f"user_data.{key}.0": text
        for key, text in (
            *(
                ("em", BASIC),
                ("ph", DIGITS),
                ("fn", NAMES_WITH[0]),
                ("ln", NAMES_WITH[1]),
                ("db", "19970216"),
                ("ge", "f"),
                ("zp", "941051234"),
            ),
            *(
                ("external_id", "u-77"),
                ("hashed_maids", "6d92078a-8246-4ba4-ae5b-76104861e7dc"),
                *_PLACE.items(),
            ),
        )
    },
    "reddit": {
        "user.email": ALNUM,
        "user.phone_number": E164,
        "user.external_id": "u-77",
        "user.idfa": "6D92078A-8246-4BA4-AE5B-76104861E7DC",
    },
    "snapchat": {
        f"user_data.{key}.0": text
        for key, text in (
            *(
                ("em", BASIC),
                ("ph", DIGITS),
                ("fn", NAMES_WITHOUT[0]),
                ("ln", NAMES_WITHOUT[1]),
                ("ge", "f"),
                ("zp", "941051234"),
            ),
            *(("external_id", "u-77"), *_PLACE.items()),
        )
    },
    **{name: {} for name in ("taboola", "thetradedesk", "thetradedesk_offline")},
    "tiktok": {
        "user.email.0": BASIC,
        "user.phone.0": E164,
        "user.external_id.0": "u-77",
        "user.first_name": NAMES_WITH[0],
        "user.last_name": NAMES_WITH[1],
        "user.zip_code": "941051234",
    },
    "x": {"identifiers.1.hashed_email": BASIC, "identifiers.2.hashed_phone_number": E164},
}
"""Path of a digest in the full record -> the normal form that its platform documents."""


@pytest.mark.parametrize("name", NAMES)
def test_every_digest_is_of_the_documented_normal_form_and_nothing_personal_is_readable(
    name: str,
) -> None:
    (item,) = golden(name)["full"]
    record = first_record(item["request"]["body"])
    found = {path: at(record, path) for path in digests(record)}
    assert found == {path: sha(text) for path, text in HASHED[name].items()}
    text = orjson.dumps(golden(name)["batch"]).decode().lower()
    for secret in (
        "smith",
        "6505551212",
        "valéry",
        "mary",
        "shop.example/thanks?",
        "token=secret",
        "sandbox-",
        "1 main st",
    ):
        assert secret not in text, secret


def test_the_base_platform_is_exactly_that_of_its_reference() -> None:
    """Field for field, in name, type and order."""
    (item,) = golden("capi")["full"]
    assert item["request"]["headers"] == {
        "Content-Type": "application/json",
        "Authorization": "Bearer ***",
    }
    assert orjson.dumps(item["request"]["body"]) == orjson.dumps(
        {
            "advertiser_id": 12,
            "conversion_type": "Purchase",
            "data_source_key": "abc123def456",
            "event_id": "order-1001",
            "ids": [
                {"id": "85b04ded-09dd-4015-ad30-581e45452dd9", "name": "Guid"},
                {"id": BASIC, "name": "Email"},
                {"id": sha(BASIC), "name": "HashedEmail"},
                {"id": DIGITS, "name": "Phone"},
                {"id": sha(DIGITS), "name": "HashedPhone"},
                {"id": "customer_12345", "name": "FirstPartyId"},
            ],
            "order_id": "1001",
            "user_agent": {"browser": "Chrome", "operating_system": "Mac OS X"},
            "timestamp": "2026-05-31T10:00:00Z",
            "value": 99.99,
            "currency": "EUR",
        }
    )
    (least,) = golden("capi")["minimal"]
    made = hashlib.sha256(b"v1\x1fc1\x1fPurchase").hexdigest()
    assert least["request"]["body"]["event_id"] == made
    assert least["request"]["body"].keys() == {
        "advertiser_id",
        "conversion_type",
        "data_source_key",
        "event_id",
        "ids",
        "timestamp",
    }


def first_record(body: Any) -> Any:
    """The first record of a request."""
    for path in (
        *("data.events.0", "data.0", "events.0", "elements.0", "conversions.0", "actions.0"),
        "Items.0",
    ):
        found = at(body, path)
        if found is not None:
            return found
    return body


def at(value: Any, path: str) -> Any:
    for key in path.split("."):
        if isinstance(value, list):
            value = value[int(key)] if key.isdigit() and int(key) < len(value) else None
        else:
            value = value.get(key) if isinstance(value, dict) else None
    return value


def digests(value: Any, path: str = "") -> list[str]:
    """Paths of everything that looks like a SHA-256 in hex."""
    entries = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    inner = [
        found for key, entry in entries for found in digests(entry, f"{path}.{key}".lstrip("."))
    ]
    return [path] if isinstance(value, str) and len(value) == 64 else inner


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for each in NAMES:
        (FOLDER / f"{each}.json").write_bytes(
            orjson.dumps(requests(each), option=orjson.OPT_INDENT_2) + b"\n"
        )
