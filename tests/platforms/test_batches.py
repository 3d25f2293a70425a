"""A thousand conversions of which the platform refuses some:
who is delivered, who is quarantined and why, and how many requests it takes.
"""

from __future__ import annotations

import math
import random
from typing import Any

import pytest

from connector.commands.check import check
from connector.commands.sync import sync
from connector.sandbox.server import Receiver
from tests.platforms.parts import (
    BATCHING,
    UNVALIDATED,
    minimal,
    on_receiver,
    quarantined,
    recent,
)
from tests.support.projects import Project

ROWS = 1000
LOCATED = {
    **{"linkedin": 3, "google": 3, "reddit": 2, "microsoft": 1, "pinterest": 1},
    "snapchat": 3,
    **{"amazon": 2, "thetradedesk": 20, "thetradedesk_offline": 1},
}
"""Platforms that name every bad record at once -> requests for a batch with bad ones,
however many they are.
"""

ONE_BY_ONE = ("tiktok",)
"""Platforms that name the first bad record alone."""

UNLOCATED = ("meta", "openai", "x")

BATCHES = {"x": 2, "amazon": 2, "thetradedesk": 10}
"""Batches that a thousand rows make, where it is not one."""

TEN = 10
"""Single records that are tried before a refused batch is halved."""


SPOILED: dict[str, tuple[str, Any, str]] = {
    "amazon": ("dataSet", "red", "dataSet"),
    "google": ("colour", "red", "colour"),
    "linkedin": ("colour", "red", "/colour"),
    "meta": ("custom_data.status", 7, "custom_data.status must be a string"),
    "microsoft": ("customData.pageType", "nowhere", "must be one of home"),
    "openai": ("user.colour", "red", "user.colour is not a known field"),
    "pinterest": ("partner_name", "acme", "partner_name must be direct"),
    "reddit": ("user.uuid", "", "user.uuid user.uuid: must not be empty"),
    "snapchat": ("custom_data.status", 7, "custom_data.status must be a string"),
    "thetradedesk": ("td1", 7, "td1 must be a string"),
    "thetradedesk_offline": ("TD1", 7, "TD1 must be a string"),
    "tiktok": ("properties.description", 7, "Not a valid string"),
    "x": ("description", 7, "Description must be a string"),
}
"""Where a column of the user's own goes in the record,
a value of it that the platform refuses, and what it says of that.
"""


def rows_with_bad_ones(name: str, bad: int) -> tuple[list[dict[str, Any]], set[int]]:
    """A thousand rows, and the numbers of those that the platform refuses though nothing in our own
    rules speaks against them.
    """
    chosen = set(random.Random(bad).sample(range(ROWS), bad))
    spoiler = SPOILED[name][1]
    rows = [
        recent(
            minimal(
                name,
                conversion_id=f"c{number:06d}",
                event_id=f"e{number}",
                spoiler=spoiler if number in chosen else None,
            )
        )
        for number in range(ROWS)
    ]
    return rows, chosen


def most(name: str, bad: int) -> int:
    """The most requests that this many bad ones may cost."""
    batches = BATCHES.get(name, 1)
    if name in LOCATED:
        return LOCATED[name]
    if name in ONE_BY_ONE:
        return bad + batches
    return math.ceil(2 * bad * math.log2(ROWS)) + (1 + TEN) * batches


@pytest.mark.parametrize("bad", [0, 1, 10, 50])
@pytest.mark.parametrize("name", [name for name in BATCHING if name not in UNVALIDATED])
def test_good_rows_are_delivered_and_bad_ones_quarantined_with_their_reason(
    name: str, bad: int, project: Project, receiver: Receiver
) -> None:
    path, _, said = SPOILED[name]
    rows, chosen = rows_with_bad_ones(name, bad)
    changes = {"extra": {path: "spoiler"}, "privacy": {"platform_messages": "redacted"}}
    report = sync(on_receiver(project, receiver, rows, name, **changes))
    assert report.failure is None
    assert (report.rows_read, report.delivered, report.rejected, report.expired) == (
        ROWS,
        ROWS - bad,
        bad,
        0,
    )
    entries = quarantined(project)
    assert sorted(entry["key"] for entry in entries) == sorted(
        f'["c{number:06d}"]' for number in chosen
    )
    for entry in entries:
        assert said in f"{entry['field']} {entry['message']}", entry
        assert entry["code"]
    taken = {event_id: seen.copies for (_, event_id), seen in receiver.inbox.arrivals.items()}
    assert taken == {f"e{number}": 1 for number in range(ROWS) if number not in chosen}
    print(
        f"{name}: {bad} bad of {ROWS}: {report.http_requests} requests, at most {most(name, bad)}"
    )
    assert report.http_requests <= most(name, bad)


@pytest.mark.parametrize("bad", [0, 1, 10, 50])
def test_what_taboola_takes_unseen_counts_as_delivered_and_only_the_receiver_knows(
    bad: int, project: Project, receiver: Receiver
) -> None:
    chosen = set(random.Random(bad).sample(range(ROWS), bad))
    rows = [
        recent(
            minimal(
                "taboola",
                conversion_id=f"c{number:06d}",
                event_id=f"e{number}",
                **({"tblci": "cut-short"} if number in chosen else {}),
            )
        )
        for number in range(ROWS)
    ]
    report = sync(on_receiver(project, receiver, rows, "taboola"))
    assert (report.failure, report.delivered, report.rejected) == (None, ROWS, 0)
    assert (report.http_requests, receiver.inbox.summary()["refused"]) == (1, bad)
    (first, second) = [
        warning
        for warning in check(project.path(), root=project.root).warnings
        if warning.startswith("unproven: ")
    ]
    assert '"delivered" means received' in first
    assert "waits for a person" in second
