"""What depends on another column: `where`, `$when`, and requirements of some rows."""

from __future__ import annotations

from typing import Any

import pytest

from connector.errors import DestinationError
from connector.source.mapped_columns import required_columns
from tests.platforms.parts import AS_OF, minimal, on_paper
from tests.platforms.test_golden import at, first_record
from tests.support.encoding import body, capi, encode, reasons, row
from tests.support.previews import preview

IDFA = "6d92078a-8246-4ba4-ae5b-76104861e7dc"
GAID = "cdda802e-fb9c-47ad-9866-0794d394c912"


def record(name: str, **changes: Any) -> Any:
    (item,) = preview(on_paper(name), [minimal(name, **changes)], as_of=AS_OF)
    return first_record(item["request"]["body"])


@pytest.mark.parametrize(
    ("name", "apple", "google"),
    [
        ("tiktok", "user.idfa", "user.gaid"),
        ("microsoft", "userData.idfa", "userData.gaid"),
        ("reddit", "user.idfa", "user.aaid"),
    ],
)
def test_one_table_of_both_systems_fills_the_right_field_of_each_row(
    name: str, apple: str, google: str
) -> None:
    ios = record(name, mobile_ad_id=IDFA, mobile_os="iOS")
    android = record(name, mobile_ad_id=GAID, mobile_os="android")
    nameless = record(name, mobile_ad_id=GAID)
    named = record(name, idfa=IDFA, gaid=GAID)
    assert [at(each, apple) is not None for each in (ios, android, nameless, named)] == [
        True,
        False,
        False,
        True,
    ]
    assert [at(each, google) is not None for each in (ios, android, nameless, named)] == [
        False,
        True,
        False,
        True,
    ]
    assert at(ios, apple) == at(named, apple)
    assert at(android, google) == at(named, google)


def test_an_id_of_the_other_system_is_no_bad_value() -> None:
    found = encode(
        [minimal("tiktok", mobile_ad_id=GAID, mobile_os="android")],
        on_paper("tiktok"),
        ["c1"],
        AS_OF,
    )
    assert found.dropped == {}


def test_pinterest_is_told_which_kind_of_app_it_was() -> None:
    for system, source in (("ios", "app_ios"), ("Android", "app_android")):
        assert record("pinterest", action_source="app", mobile_os=system)["action_source"] == source
    (item,) = preview(
        on_paper("pinterest"), [minimal("pinterest", action_source="app")], as_of=AS_OF
    )
    assert item["rejected"]["reason"] == "bad_action_source"


def when(template: Any, **changes: Any) -> Any:
    return body(capi(overrides={"event": {"seen": template}}), **changes).get("seen")


@pytest.mark.parametrize(
    ("condition", "changes", "holds"),
    [
        ({"event_name": ["Purchase", "Lead"]}, {}, True),
        ({"event_name": ["Lead"]}, {}, False),
        ({"event_name": "Purchase"}, {}, True),
        ({"order_id": "present"}, {}, False),
        ({"order_id": "present"}, {"order_id": "7"}, True),
        ({"opt_out": [False]}, {"opt_out": False}, True),
        ({"opt_out": [False]}, {}, False),
        ({"num_items": [2]}, {"num_items": 2}, True),
        ({"account.advertiser_id": [12]}, {}, True),
        ({"event_name": ["Purchase"], "order_id": "present"}, {}, False),
        ({"event_name | lower": ["purchase"]}, {}, True),
    ],
)
def test_a_part_of_an_event_is_written_where_its_conditions_hold(
    condition: dict[str, Any], changes: dict[str, Any], holds: bool
) -> None:
    assert when({"$when": condition, "a": "=b"}, **changes) == ({"a": "b"} if holds else None)
    assert when({"$when": condition, "$value": "guid"}, **changes) == (
        row()["guid"] if holds else None
    )
    entries = when(
        {"$when": condition, "$each": "contents", "item": {"id": "id"}},
        contents=[{"id": "a"}],
        **changes,
    )
    assert entries == ([{"id": "a"}] if holds else None)


def test_rows_of_one_page_are_judged_one_by_one() -> None:
    destination = capi(
        overrides={"event": {"seen": {"$when": {"event_name": ["Lead"]}, "$value": "order_id"}}}
    )
    found = encode([row(order_id="1"), row(order_id="2", event_name="Lead")], destination)
    assert [b'"seen"' in record for record in found.records] == [False, True]


def test_a_column_may_be_required_beside_another() -> None:
    destination = capi(overrides={"required_when": [{"column": "order_id", "need": ["value"]}]})
    rows = [row(), row(order_id="1"), row(order_id="1", value="2")]
    assert reasons(encode(rows, destination)) == [(1, "missing_value", "value")]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"event": {"x": "guid | where(nope=1)"}}, "nope"),
        ({"event": {"x": "guid | where(mobile_os)"}}, "is not a condition"),
        ({"event": {"x": {"$when": {"nope": ["a"]}, "a": "guid"}}}, "nope"),
        ({"event": {"x": {"$when": ["a"], "a": "guid"}}}, "$when"),
        ({"event": {"x": {"$value": "guid", "a": "guid"}}}, "$value"),
        ({"event": {"x": "email[2]"}}, "only an identifier"),
    ],
)
def test_a_condition_that_cannot_be_meant_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(DestinationError) as raised:
        capi(overrides=changes)
    assert message in str(raised.value)


def test_a_column_that_one_alternative_can_do_without_is_not_required() -> None:
    assert "mobile_os" not in required_columns(on_paper("pinterest"))
    assert "action_source" in required_columns(on_paper("pinterest"))
