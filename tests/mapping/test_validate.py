"""Which rows may be sent: consent, age, required columns, identity;
and the reason that a person is told.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.arrow.masks import mask
from connector.mapping.serializer import Serialized, Serializer
from tests.support.encoding import (
    AS_OF,
    GUID,
    bodies,
    capi,
    encode,
    ids,
    reasons,
    row,
    table_of_rows,
)


def ago(**span: float) -> dt.datetime:
    return AS_OF - dt.timedelta(**span)


def ruled(rows: list[dict[str, Any]], **overrides: Any) -> Serialized:
    """What becomes of rows under changed rules of the platform."""
    return encode(rows, capi(overrides=overrides))


def test_rows_of_people_who_refused_are_not_sent() -> None:
    encoded = encode(
        [
            row(consent=True),
            row(consent=False),
            row(consent=None),
            row(opt_out=True),
            row(opt_out=False),
            row(),
        ]
    )
    assert encoded.suppressed.tolist() == [1, 3]
    assert encoded.positions.tolist() == [0, 2, 4, 5]
    assert encoded.rejected == {}


def test_rows_that_the_caller_leaves_out_are_nothing_else() -> None:
    """By their event_time: of the row without one it is not known, though it gets a default."""
    old = ago(days=50)
    rows = [
        row(event_time=old),
        row(event_time=old, consent=False),
        row(event_time=old, guid=None),
        row(event_time=None),
        row(event_time=ago(days=1)),
    ]
    asked: list[pa.Array] = []

    def leave_out(times: pa.Array) -> np.ndarray:
        asked.append(times)
        return mask(pc.less(times, pa.scalar(ago(days=30), times.type)))

    keys = pa.array([str(number) for number in range(len(rows))])
    encoded = Serializer(capi()).encode(table_of_rows(rows), keys, AS_OF, leave_out=leave_out)
    assert asked[0].to_pylist() == [old, old, old, None, ago(days=1)]
    assert (encoded.left_out.tolist(), encoded.positions.tolist()) == ([0, 1, 2], [3, 4])
    assert (encoded.suppressed.tolist(), encoded.expired.tolist(), encoded.rejected) == ([], [], {})


def test_where_consent_is_required_silence_is_a_refusal() -> None:
    encoded = encode(
        [
            row(consent=True),
            row(consent=False),
            row(consent=None),
            row(consent="perhaps"),
            row(consent=True, opt_out=True),
        ],
        capi(consent={"require": True}),
    )
    assert (encoded.positions.tolist(), encoded.suppressed.tolist()) == ([0], [1, 2, 3, 4])
    assert encode([row(), row()], capi(consent={"require": True})).suppressed.tolist() == [0, 1]


def test_a_platform_with_a_field_for_it_is_told_instead() -> None:
    opted_out = ruled(
        [row(opt_out=True), row(opt_out=None)],
        consent={"opt_out": "send"},
        event={"opt_out": "opt_out"},
    )
    assert [record.get("opt_out") for record in bodies(opted_out)] == [True, None]
    denied = encode(
        [row(consent=False)],
        capi(consent={"denied": "send"}, overrides={"event": {"consent": "consent"}}),
    )
    assert [record["consent"] for record in bodies(denied)] == [False]


@pytest.mark.parametrize("value", ["opted out", "x", "2", "yes please"])
def test_an_opt_out_that_is_not_understood_never_sends_the_person(value: str) -> None:
    assert encode([row(opt_out=value)]).records == []
    told = ruled(
        [row(opt_out=value), row()], consent={"opt_out": "send"}, event={"opt_out": "opt_out"}
    )
    assert (told.suppressed.tolist(), told.positions.tolist(), told.dropped) == (
        [0],
        [1],
        {("opt_out", "bad_opt_out"): 1},
    )


@pytest.mark.parametrize("value", ["refused", "no consent", "withdrawn"])
def test_a_consent_that_is_not_understood_never_sends_the_person(value: str) -> None:
    assert encode([row(consent=value)]).records == []
    assert encode(
        [row(consent=value)],
        capi(consent={"denied": "send"}, overrides={"event": {"consent": "consent"}}),
    ).suppressed.tolist() == [0]


def test_a_limit_on_the_use_of_data_that_is_not_understood_never_sends_the_person() -> None:
    rows = [row(limited_data_use=value) for value in ("some", "yes", "no", None)]
    limited = ruled(rows, event={"ldu": "limited_data_use"}, consent={"limited_data_use": "send"})
    assert (limited.suppressed.tolist(), [record.get("ldu") for record in bodies(limited)]) == (
        [0],
        [True, False, None],
    )
    assert encode(rows).suppressed.tolist() == [0, 1], (
        "a platform that cannot be told of the limit does not get the row"
    )


def test_the_edge_of_the_age_window_is_inside() -> None:
    encoded = ruled(
        [row(event_time=ago(days=7)), row(event_time=ago(days=7, microseconds=1)), row()],
        windows={"max_age": "7d"},
    )
    assert (encoded.positions.tolist(), encoded.expired.tolist()) == ([0, 2], [1])
    assert encode([row(event_time=ago(days=9000))]).positions.tolist() == [0]


def test_age_is_counted_at_the_moment_of_sending() -> None:
    destination = capi(overrides={"windows": {"max_age": "7d"}})
    rows = [row(event_time=ago(days=6))]
    assert encode(rows, destination).expired.tolist() == []
    assert encode(rows, destination, as_of=AS_OF + dt.timedelta(days=2)).expired.tolist() == [0]


def test_the_age_window_may_depend_on_where_it_happened() -> None:
    windows = {"max_age": "7d", "max_age_by": {"physical_store": "62d", "chat": "1d"}}
    sources = ["physical_store", "website", None, "chat", "shop?"]
    encoded = ruled(
        [
            *(row(event_time=ago(days=30), action_source=source) for source in sources),
            row(event_time=ago(days=2), action_source="chat"),
        ],
        windows=windows,
    )
    assert (encoded.positions.tolist(), encoded.expired.tolist()) == ([0], [1, 2, 3, 4, 5])


def test_one_place_alone_may_have_an_age_window() -> None:
    encoded = ruled(
        [row(event_time=ago(days=2), action_source="chat"), row(event_time=ago(days=2))],
        windows={"max_age_by": {"chat": "1d"}},
    )
    assert encoded.expired.tolist() == [0]


def test_a_time_too_far_ahead_is_rejected() -> None:
    encoded = encode(
        [
            row(event_time=AS_OF + dt.timedelta(minutes=10)),
            row(event_time=AS_OF + dt.timedelta(minutes=10, microseconds=1)),
        ]
    )
    assert reasons(encoded) == [(1, "future_timestamp", "event_time")]
    wider = ruled([row(event_time=AS_OF + dt.timedelta(hours=23))], windows={"max_future": "1d"})
    assert wider.positions.tolist() == [0]


def test_a_row_that_is_too_old_and_wrong_is_expired_and_one_without_consent_is_suppressed() -> None:
    old = {"event_time": ago(days=8), "guid": None}
    encoded = ruled(
        [row(**old), row(**old, consent=False), row(guid=None, consent=False), row(guid=None)],
        windows={"max_age": "7d"},
    )
    assert (encoded.expired.tolist(), encoded.suppressed.tolist(), list(encoded.rejected)) == (
        [0],
        [1, 2],
        [3],
    )


def test_required_columns_are_missing_or_unusable_and_the_reason_says_which() -> None:
    rows = [row(value="ten"), row(), row(value="5")]
    assert reasons(ruled(rows, required=["event_name", "value"])) == [
        (0, "bad_value", "value"),
        (1, "missing_value", "value"),
    ]


def test_a_column_may_be_required_for_some_rows() -> None:
    rule = [{"column": "event_name", "values": ["Purchase", "Sale"], "need": ["value", "order_id"]}]
    rows = [
        row(),
        row(event_name="Lead"),
        row(value=1),
        row(value=1, order_id="1"),
        row(event_name="sold", order_id="1"),
    ]
    encoded = encode(rows, capi(overrides={"required_when": rule}, events={"sold": "Sale"}))
    assert reasons(encoded) == [
        (0, "missing_value", "value"),
        (2, "missing_order_id", "order_id"),
        (4, "missing_value", "value"),
    ]


def test_a_required_field_may_be_made_from_a_column() -> None:
    overrides = {
        "fields": {"where": "action_source | lookup(places)"},
        "tables": {"places": {"website": "WEB"}},
        "required": ["where"],
        "event": {"where": "field.where"},
    }
    encoded = ruled(
        [
            row(action_source="website"),
            row(action_source="chat"),
            row(action_source="nowhere"),
            row(),
        ],
        **overrides,
    )
    assert [record["where"] for record in bodies(encoded)] == ["WEB"]
    assert reasons(encoded) == [
        (1, "bad_action_source", "action_source"),
        (2, "bad_action_source", "action_source"),
        (3, "missing_where", "action_source"),
    ]


def test_a_row_that_names_nobody_is_rejected_and_one_broken_value_is_told_as_the_reason() -> None:
    nobody = {"guid": None}
    encoded = encode(
        [
            row(**nobody),
            row(**nobody, email="jane"),
            row(**nobody, phone="911"),
            row(**nobody, email="jane", phone="911"),
            row(guid="no"),
        ]
    )
    assert reasons(encoded) == [
        (0, "no_identity", None),
        (1, "bad_email", "email"),
        (2, "bad_phone", "phone"),
        (3, "no_identity", None),
        (4, "bad_guid", "guid"),
    ]


def test_a_broken_value_beside_a_good_one_is_left_out_and_counted() -> None:
    encoded = encode([row(email="jane", phone="911"), row(email="jane@example.org")])
    assert [sorted(ids(record)) for record in bodies(encoded)] == [
        ["Guid"],
        ["Guid", "HashedEmail"],
    ]
    assert encoded.dropped == {("email", "bad_email"): 1, ("phone", "bad_phone"): 1}


NAMES = ["Guid", "HashedEmail", "HashedPhone", "FirstPartyId"]
VALUES = {
    "Guid": {"guid": GUID},
    "HashedEmail": {"email": "jane@example.org"},
    "HashedPhone": {"phone": "+14155552671"},
    "FirstPartyId": {"first_party_id": "7"},
}
GROUPS = st.lists(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True), max_size=3)


@settings(max_examples=60, deadline=None)
@given(GROUPS, GROUPS, st.lists(st.sets(st.sampled_from(NAMES)), min_size=1, max_size=6))
def test_identity_is_sufficient_exactly_where_the_rule_says(
    any_of: list[list[str]], not_only: list[list[str]], present: list[set[str]]
) -> None:
    rows = [
        row(
            **{
                "guid": None,
                **{column: value for name in names for column, value in VALUES[name].items()},
            }
        )
        for names in present
    ]
    encoded = ruled(rows, identity={"any_of": any_of, "not_only": not_only})
    expected = [
        number
        for number, names in enumerate(present)
        if (any(names >= set(group) for group in any_of) if any_of else names)
        and all(names - set(group) for group in not_only)
    ]
    assert encoded.positions.tolist() == expected
    assert {why.reason for why in encoded.rejected.values()} <= {"no_identity"}


def test_an_identifier_that_the_destination_does_not_send_identifies_nobody() -> None:
    encoded = encode([row(guid=None, email="jane@example.org"), row()], capi(identifiers=["Guid"]))
    assert reasons(encoded) == [(0, "no_identity", None)]
    assert encoded.dropped == {}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (
            {"email": "973dfe463ec85785f5f95af5ba3906eedb2d931c24e69824a89ea65dba4e813b"},
            ("looks_hashed", "email"),
        ),
        (
            {"phone": "973DFE463EC85785F5F95AF5BA3906EEDB2D931C24E69824A89EA65DBA4E813B"},
            ("looks_hashed", "phone"),
        ),
        ({"first_party_id": "jane@example.org"}, ("personal_id", "first_party_id")),
        ({"order_id": "order of jane@example.org"}, ("personal_id", "order_id")),
        ({"event_id": "jane@example.org-1"}, ("personal_id", "event_id")),
    ],
)
def test_a_value_in_the_wrong_column_is_neither_hashed_nor_sent(
    changes: dict[str, str], reason: tuple[str, str]
) -> None:
    encoded = encode([row(**changes), row()])
    assert reasons(encoded) == [(0, *reason)]
    assert encoded.positions.tolist() == [1]


def test_an_id_in_a_column_that_is_not_sent_may_hold_anything() -> None:
    assert (
        encode([row(first_party_id="jane@example.org")], capi(identifiers=["Guid"])).rejected == {}
    )


def test_event_names_may_be_limited_to_what_the_platform_knows() -> None:
    names = {
        "names": {"order_paid": "Purchase"},
        "known": ["Purchase", "Lead"],
        "mapping": "listed",
    }
    encoded = encode(
        [row(event_name=name) for name in ("Purchase", "order_paid", "sold", "lead", "Lead")],
        capi(overrides={"event_names": names}, events={"sold": "Lead"}),
    )
    assert [record["conversion_type"] for record in bodies(encoded)] == [
        "Purchase",
        "Purchase",
        "Lead",
        "Lead",
    ]
    assert reasons(encoded) == [(3, "unknown_event_name", "event_name")]


def test_every_event_name_may_have_to_be_mapped() -> None:
    encoded = encode(
        [row(), row(event_name="sold")],
        capi(overrides={"event_names": {"mapping": "required"}}, events={"sold": "77"}),
    )
    assert [record["conversion_type"] for record in bodies(encoded)] == ["77"]
    assert reasons(encoded) == [(0, "unknown_event_name", "event_name")]
