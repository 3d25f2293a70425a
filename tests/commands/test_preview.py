"""`capi preview`: the exact requests, with nothing sent, nothing recorded and no secret read."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector.commands.sync import sync
from connector.config.destination import Destination
from connector.errors import ConfigError
from connector.sandbox.server import Receiver
from tests.conftest import Make
from tests.support.previews import preview, sample
from tests.support.projects import Project
from tests.support.warehouses import DuckDb, TestWarehouse, conversion

ENDPOINT = "https://px.dsp.example/signal/v1/conversion"
GOOD = {
    "event_name": "Purchase",
    "event_time": "2026-01-02T03:04:05Z",
    "email": "jane@shop.example.org",
    "value": 9.5,
    "currency": "USD",
}


def made(project: Project, **changes: Any) -> Destination:
    """A destination without a warehouse."""
    project.write("duckdb:///nothing.duckdb", ENDPOINT, **changes)
    return project.load()


def rows_of(items: Sequence[dict[str, Any]]) -> list[int]:
    """The rows that are spoken of, in the order in which they are."""
    return [
        row
        for item in items
        for row in (item["rows"] if "request" in item else [item["rejected"]["row"]])
    ]


def test_a_request_is_shown_whole_with_its_secret_as_stars(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ACME_TOKEN")
    (item,) = preview(made(project), [GOOD])
    assert item["rows"] == [0]
    assert item["request"].keys() == {"method", "url", "headers", "body"}
    assert (item["request"]["method"], item["request"]["url"]) == ("POST", ENDPOINT)
    assert item["request"]["headers"] == {
        "Content-Type": "application/json",
        "Authorization": "Bearer ***",
    }
    body = item["request"]["body"]
    assert (body["conversion_type"], body["timestamp"], body["value"], body["currency"]) == (
        "Purchase",
        "2026-01-02T03:04:05Z",
        9.5,
        "USD",
    )
    assert [entry["name"] for entry in body["ids"]] == ["HashedEmail"]


@pytest.mark.parametrize(
    ("auth", "headers"),
    [
        ({"api_key": "env:NOT_THERE"}, {"X-Api-Key": "***"}),
        ({"api_key": "env:NOT_THERE", "header": "X-Key"}, {"X-Key": "***"}),
        ({"hmac": "file:not/there"}, {"X-Signature": "t=***,v1=***"}),
        (
            {"bearer": "env:NOT_THERE", "hmac": "env:NOT_THERE"},
            {"Authorization": "Bearer ***", "X-Signature": "t=***,v1=***"},
        ),
    ],
)
def test_no_way_to_sign_shows_its_secret(
    project: Project, auth: dict[str, str], headers: dict[str, str]
) -> None:
    (item,) = preview(made(project, auth=auth), [GOOD])
    assert item["request"]["headers"] == {"Content-Type": "application/json", **headers}


def test_what_would_not_be_sent_is_told_with_row_reason_and_field_in_order(
    project: Project,
) -> None:
    now = dt.datetime(2026, 1, 5, tzinfo=dt.UTC)
    rows = [
        GOOD,
        {**GOOD, "email": None},
        {**GOOD, "value": -1},
        {**GOOD, "event_time": "2025-01-01T00:00:00Z"},
        {**GOOD, "opt_out": True},
        GOOD,
    ]
    items = list(preview(made(project, overrides={"windows": {"max_age": "7d"}}), rows, as_of=now))
    assert rows_of(items) == [0, 1, 2, 3, 4, 5]
    assert [item["rejected"] for item in items if "rejected" in item] == [
        {"row": 1, "reason": "no_identity", "field": None},
        {"row": 2, "reason": "bad_value", "field": "value"},
        {"row": 3, "reason": "expired", "field": "event_time"},
        {"row": 4, "reason": "suppressed", "field": "consent"},
    ]


def test_a_row_may_use_the_names_of_the_query_or_the_canonical_ones(project: Project) -> None:
    destination = made(project, columns={"email": "customer_email"})
    renamed = {
        **{name: value for name, value in GOOD.items() if name != "email"},
        "customer_email": GOOD["email"],
    }
    (first,), (second,) = (
        preview(destination, [GOOD], as_of=dt.datetime.now(dt.UTC)),
        preview(destination, [renamed], as_of=dt.datetime.now(dt.UTC)),
    )
    assert first["request"]["body"]["ids"] == second["request"]["body"]["ids"]


def test_a_column_that_means_nothing_is_named_and_its_value_is_not(project: Project) -> None:
    with pytest.raises(ConfigError, match="columns that are not canonical: mail") as caught:
        list(preview(made(project), [{**GOOD, "mail": "jane@shop.example.org"}]))
    assert "jane" not in str(caught.value)


def test_the_key_decides_the_event_id_and_rows_without_one_are_told_apart_by_their_content(
    project: Project,
) -> None:
    def ids(*rows: dict[str, Any]) -> list[str]:
        return [item["request"]["body"]["event_id"] for item in preview(made(project), rows)]

    keyed = {**GOOD, "conversion_id": "c1"}
    assert ids(keyed) == ids({**keyed, "value": 1}), "a resend with other values has the same id"
    first, second, third = ids(GOOD, {**GOOD, "value": 1}, GOOD)
    assert first == third != second


def test_the_preview_of_a_warehouse_is_what_a_run_sends(
    destination: Make, warehouse: TestWarehouse, receiver: Receiver
) -> None:
    warehouse.insert(
        *(conversion(number, order_id=f"o{number}", phone="+14155552671") for number in range(4)),
        conversion(4, email=None),
    )
    shown = list(sample(destination(), 10))
    assert receiver.inbox.summary()["requests"] == 0
    assert sync(destination()).delivered == 4
    sent = {entry["event_id"]: entry["event"] for entry in receiver.inbox.latest}
    assert {
        item["request"]["body"]["event_id"]: item["request"]["body"]
        for item in shown
        if "request" in item
    } == sent
    assert rows_of(shown) == [0, 1, 2, 3, 4]


def test_a_preview_records_nothing_and_takes_no_more_than_it_was_asked_for(
    project: Project, duck_destination: Make, duck: DuckDb
) -> None:
    duck.insert(*(conversion(number) for number in range(5)))
    assert rows_of(list(sample(duck_destination(), 3))) == [0, 1, 2]
    assert not (project.root / ".capi").exists()
    assert sync(duck_destination()).delivered == 5


def test_the_preview_of_an_empty_table_is_empty(duck_destination: Make) -> None:
    assert list(sample(duck_destination(), 3)) == []
    assert list(preview(duck_destination(), [])) == []


@pytest.mark.parametrize("limit", ["0", "-1"])
def test_a_preview_of_less_than_one_row_is_a_mistake_of_usage(
    project: Project, duck_destination: Make, duck: DuckDb, limit: str
) -> None:
    duck.insert(conversion(1), conversion(2))
    duck_destination()
    done = project.capi("preview", "acme", "--json", "--limit", limit)
    assert (done.code, "share the key" in done.err) == (2, False)


VALUES = (
    st.none()
    | st.text(max_size=12)
    | st.integers(-(10**12), 10**12)
    | st.floats()
    | st.booleans()
    | st.lists(st.text(max_size=3), max_size=2)
)
NAMES = [
    "event_name",
    "event_time",
    "email",
    "phone",
    "value",
    "currency",
    "guid",
    "order_id",
    "user_agent",
    "contents",
    "consent",
    "conversion_id",
]
ROWS = st.lists(st.dictionaries(st.sampled_from(NAMES), VALUES) | st.just(GOOD), max_size=8)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(ROWS)
def test_whatever_rows_hold_each_is_in_one_request_or_rejected_once(
    project: Project, rows: list[dict[str, Any]]
) -> None:
    try:
        items = list(preview(made(project), rows))
    except ConfigError as error:
        message = str(error)
    else:
        message = ""
        assert rows_of(items) == list(range(len(rows)))
    assert not message or "column" in message, "ids must not come as floating-point numbers"
