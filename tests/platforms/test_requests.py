"""What one request may carry together: sources of TikTok,
actions of Google, a hundred rules of LinkedIn.
"""

from __future__ import annotations

from typing import Any

import pytest

from connector.commands.sync import sync
from connector.engine.fingerprints import changed_target, target_of
from connector.sandbox.server import Receiver
from tests.platforms.parts import ACCOUNTS, AS_OF, minimal, on_paper, on_receiver, recent
from tests.support.previews import preview
from tests.support.projects import Project


def requests(
    name: str, rows: list[dict[str, Any]], **changes: Any
) -> list[tuple[dict[str, Any], list[int]]]:
    """Bodies and the rows they carry."""
    items = list(preview(on_paper(name, **changes), rows, as_of=AS_OF))
    return [(item["request"]["body"], item["rows"]) for item in items]


PERSON = {"email": "jane@shop.example"}
"""A sale in a shop carries no click id: TikTok wants a person."""

SHOPS = {"tables": {"event_source_ids": {"physical_store": "7100", "app": "7300"}}}


def test_tiktok_gets_one_request_for_each_source_and_its_id() -> None:
    sources = ["website", "physical_store", None, "app", "physical_store", "email", "website"]
    rows = [
        minimal("tiktok", conversion_id=f"c{number}", action_source=source, **PERSON)
        for number, source in enumerate(sources)
    ]
    found = requests("tiktok", rows, overrides=SHOPS)
    assert [
        ((body["event_source"], body["event_source_id"]), carried) for body, carried in found
    ] == [
        (("web", "C4PIXEL"), [0, 2, 5, 6]),
        (("offline", "7100"), [1, 4]),
        (("app", "7300"), [3]),
    ]


def test_tiktok_gets_rows_of_other_sources_under_the_accounts_own_where_they_have_no_id() -> None:
    rows = [minimal("tiktok", conversion_id="c1", action_source="physical_store")]
    ((body, _),) = requests("tiktok", rows)
    assert (body["event_source"], body["event_source_id"]) == ("web", "C4PIXEL")


def test_tiktoks_requests_are_delivered_side_by_side(project: Project, receiver: Receiver) -> None:
    sources = ["website", "physical_store", "app"] * 5
    rows = [
        recent(
            minimal(
                "tiktok",
                conversion_id=f"c{number}",
                event_id=f"e{number}",
                action_source=source,
                **PERSON,
            )
        )
        for number, source in enumerate(sources)
    ]
    report = sync(on_receiver(project, receiver, rows, "tiktok", overrides__tables=SHOPS["tables"]))
    assert (report.failure, report.delivered, report.http_requests) == (None, 15, 3)
    accounts = {(platform, event_id) for platform, event_id in receiver.inbox.arrivals}
    assert accounts == {
        (f"tiktok/{('C4PIXEL', '7100', '7300')[number % 3]}/Purchase", f"e{number}")
        for number in range(15)
    }


def test_google_gets_one_request_for_each_action() -> None:
    names = ["Purchase", "Lead", "Purchase"]
    rows = [
        minimal("google", conversion_id=f"c{number}", event_name=name)
        for number, name in enumerate(names)
    ]
    found = requests("google", rows)
    assert [
        (body["destinations"][0]["productDestinationId"], carried) for body, carried in found
    ] == [("4001", [0, 2]), ("4002", [1])]


def test_a_name_of_googles_own_goes_to_its_action_and_the_rest_to_the_accounts() -> None:
    account = {"account_type": "GOOGLE_ADS", "account_id": "1", "conversion_action_id": "77"}
    rows = [
        minimal("google", conversion_id=f"c{number}", event_name=name)
        for number, name in enumerate(["Purchase", "Refund"])
    ]
    found = requests("google", rows, account=account, events={"Purchase": "4001"})
    assert [
        (body["destinations"][0]["productDestinationId"], carried) for body, carried in found
    ] == [("4001", [0]), ("77", [1])]


def test_linkedin_gets_at_most_a_hundred_rules_in_a_request(
    project: Project, receiver: Receiver
) -> None:
    events = {f"Event {number}": str(1000 + number) for number in range(250)}
    rows = [
        minimal(
            "linkedin",
            conversion_id=f"c{number}",
            event_id=f"e{number}",
            event_name=f"Event {number % 250}",
        )
        for number in range(500)
    ]
    found = requests("linkedin", rows, events=events)
    assert sorted(
        len({event["conversion"] for event in body["elements"]}) for body, _ in found
    ) == [50, 100, 100]
    assert sorted(row for _, carried in found for row in carried) == list(range(500))
    report = sync(
        on_receiver(project, receiver, [recent(row) for row in rows], "linkedin", events=events)
    )
    assert (report.failure, report.delivered, report.http_requests) == (None, 500, 3)


def test_a_hundred_rules_or_fewer_share_their_requests() -> None:
    events = {f"Event {number}": str(1000 + number) for number in range(100)}
    rows = [
        minimal("linkedin", conversion_id=f"c{number}", event_name=f"Event {number}")
        for number in range(100)
    ]
    assert len(requests("linkedin", rows, events=events)) == 1


@pytest.mark.parametrize(
    ("name", "keys", "other"),
    [
        ("meta", {"partner_agent": "acme-2.0"}, {"pixel_id": "77"}),
        ("reddit", {"partner": "ACME", "partner_version": "2"}, {"pixel_id": "a2_b"}),
        ("tiktok", {"partner_name": "ACME"}, {"event_source_id": "77"}),
        ("pinterest", {"partner_name": "ss-acme"}, {"ad_account_id": "77"}),
        ("openai", {"integration_source": "acme"}, {"pixel_id": "px_b"}),
    ],
)
def test_the_name_of_who_sends_is_no_part_of_the_account(
    name: str, keys: dict[str, str], other: dict[str, str]
) -> None:
    """It may change without a question; another pixel may not."""
    before = target_of(on_paper(name))
    named, moved = (
        target_of(on_paper(name, account={**ACCOUNTS[name], **more})) for more in (keys, other)
    )
    assert changed_target(before, named) == []
    assert changed_target(before, moved) == [f"account.{next(iter(other))}"]
