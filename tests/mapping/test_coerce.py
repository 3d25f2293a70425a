"""The canonical conversion: what is trimmed, what is set aside, and what makes a row unusable."""

from __future__ import annotations

import datetime as dt
import itertools
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.errors import ConfigError
from connector.identifiers.ip import public_ip
from connector.identifiers.placeholders import PLACEHOLDERS
from connector.mapping.coerce import conform
from connector.mapping.conversions import Conversions, Rules
from connector.mapping.texts import MAX_TEXT
from connector.platforms.columns import ACTION_SOURCES, COLUMNS, column_table
from tests.support.encoding import TEXTS, applied, table_of_rows

MOMENT = dt.datetime(2026, 5, 31, 10, tzinfo=dt.UTC)
GOOD: dict[str, Any] = {"event_name": "Purchase", "event_time": MOMENT}
TEXT_COLUMNS = sorted(name for name, column in COLUMNS.items() if column.kind == "text")


def conformed(*rows: dict[str, Any], **rules: Any) -> Conversions:
    return conform(table_of_rows([{**GOOD, **row} for row in rows]), Rules(**rules))


def column(name: str, *values: Any, **rules: Any) -> list[Any]:
    return conformed(*({name: value} for value in values), **rules).table[name].to_pylist()


def bad(conversions: Conversions) -> dict[str, list[int]]:
    return {name: rows.nonzero()[0].tolist() for name, rows in conversions.bad.items()}


def why(conversions: Conversions) -> dict[int, tuple[str, str | None]]:
    return {
        number: (reason.reason, reason.field) for number, reason in conversions.rejected.items()
    }


INVISIBLE = "\u00ad\u061c\u180e\ufeff" + "".join(
    map(
        chr,
        (*range(0x200B, 0x2010), *range(0x202A, 0x202D), *range(0x2060, 0x2065)),
    )
)
ISOLATES = "\u2066\u2067\u2068\u2069"
SPACES = "".join(chr(point) for point in range(0x110000) if chr(point).isspace())


@settings(max_examples=150, deadline=None)
@given(st.lists(st.none() | TEXTS | st.text(INVISIBLE + "a \u202e", max_size=5), min_size=1))
def test_texts_are_trimmed_and_otherwise_as_they_came(texts: list[str | None]) -> None:
    found = column("order_id", *texts)
    for text, kept in zip(texts, found, strict=True):
        plain = None if text is None else text.strip(SPACES + INVISIBLE + ISOLATES)
        assert kept == (
            None if plain is None or plain.lower() in PLACEHOLDERS or "\x00" in plain else plain
        )


@pytest.mark.parametrize("placeholder", sorted(PLACEHOLDERS))
@pytest.mark.parametrize(
    "name",
    [
        "email",
        "order_id",
        "event_id",
        "first_party_id",
        "currency",
        "value",
        "event_time",
        "consent",
        "num_items",
        "action_source",
    ],
)
def test_a_placeholder_is_no_value_in_any_column(name: str, placeholder: str) -> None:
    spellings = {placeholder, placeholder.upper(), placeholder.title(), f"  {placeholder}\n"}
    found = conformed(
        *(
            {name: spelling, **({} if name == "event_time" else {"event_time": MOMENT.isoformat()})}
            for spelling in spellings
        ),
        default_time=MOMENT,
    )
    expected = MOMENT if name == "event_time" else None
    assert found.table[name].to_pylist() == [expected] * len(spellings)


def test_what_is_too_long_or_holds_nul_is_set_aside() -> None:
    found = conformed(
        {"order_id": "a\x00b"},
        {"order_id": "x" * (MAX_TEXT + 1)},
        {"order_id": "x" * MAX_TEXT},
        {"order_id": None},
    )
    assert found.table["order_id"].to_pylist() == [None, None, "x" * MAX_TEXT, None]
    assert bad(found) == {"order_id": [0, 1]}
    assert why(found) == {}


@pytest.mark.parametrize("name", [None, "", "N/A", "a\nb", "a\x7f", "\x01"])
def test_a_row_without_a_usable_event_name_is_rejected(name: str | None) -> None:
    assert why(conformed({"event_name": name}, {"event_name": "😀 Kauf"})) == {
        0: ("missing_event_name", "event_name")
    }


@pytest.mark.parametrize(
    ("value", "flag"),
    [
        *(
            (word, True)
            for word in (True, 1, "true", " TRUE ", "t", "Yes", "y", "granted", "CONSENT_GRANTED")
        ),
        *(
            (word, False)
            for word in (False, 0, "false", "F", "no", "N", "denied", "consent_denied")
        ),
        (None, None),
        ("", None),
    ],
)
@pytest.mark.parametrize("name", ["consent", "opt_out", "limited_data_use"])
def test_flags_are_read_from_what_people_write(name: str, value: Any, flag: bool | None) -> None:
    found = conformed({name: value})
    assert found.table[name].to_pylist() == [flag]
    assert bad(found) == {}


@pytest.mark.parametrize("value", ["maybe", "2", 2, "on", "opted out"])
def test_a_flag_that_is_not_understood_is_set_aside(value: Any) -> None:
    found = conformed({"consent": value})
    assert found.table["consent"].to_pylist() == [None]
    assert bad(found) == {"consent": [0]}


def test_numbers_of_items_are_whole() -> None:
    assert column("num_items", 2, None, 0) == [2, None, 0]
    assert column("num_items", "2", " 12 ", "007") == [2, 12, 7]
    assert column("num_items", 2.0, None) == [2, None]
    assert column("num_items", Decimal("3.00")) == [3]
    found = conformed(
        {"num_items": "-1"},
        {"num_items": "2.5"},
        {"num_items": "many"},
        {"num_items": "9" * 10},
        {"num_items": "1"},
    )
    assert found.table["num_items"].to_pylist() == [None] * 4 + [1]
    assert bad(found) == {"num_items": [0, 1, 2, 3]}


@pytest.mark.parametrize("number", [2.5, float("nan")])
def test_a_broken_number_of_items_is_counted(number: float) -> None:
    assert bad(conformed({"num_items": number}, {"num_items": 2.0})) == {"num_items": [0]}


def test_where_it_happened_is_one_of_a_few_words() -> None:
    assert column("action_source", *ACTION_SOURCES) == list(ACTION_SOURCES)
    found = conformed({"action_source": " Website "}, {"action_source": "web"})
    assert (found.table["action_source"].to_pylist(), bad(found)) == (
        ["website", None],
        {"action_source": [1]},
    )


@pytest.mark.parametrize(
    ("unit", "factor"), [("s", 1), ("ms", 10**3), ("us", 10**6), ("ns", 10**9)]
)
def test_integer_times_need_a_unit(unit: str, factor: int) -> None:
    seconds = int(MOMENT.timestamp())
    assert column("event_time", seconds * factor, time_unit=unit) == [MOMENT]
    assert (
        column("event_time", str(seconds * factor), "2026-05-31T10:00:00Z", time_unit=unit)
        == [MOMENT] * 2
    )
    assert why(
        conformed({"event_time": str(seconds * factor)}, {"event_time": MOMENT.isoformat()})
    ) == {0: ("bad_timestamp", "event_time")}
    with pytest.raises(ConfigError, match=r"event_time.*source\.time_unit"):
        conformed({"event_time": seconds * factor})
    assert conformed({"event_time": None}, default_time=MOMENT).table["event_time"].to_pylist() == [
        MOMENT
    ]


@pytest.mark.parametrize(
    ("declared", "real"),
    [pair for pair in itertools.product(("s", "ms", "us", "ns"), repeat=2) if pair != ("s", "ns")],
)
def test_a_time_in_another_unit_than_declared_is_rejected(declared: str, real: str) -> None:
    factors = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
    found = conformed({"event_time": int(MOMENT.timestamp()) * factors[real]}, time_unit=declared)
    assert why(found) == ({} if declared == real else {0: ("bad_timestamp", "event_time")})


@pytest.mark.parametrize(
    ("declared", "real"), [("s", "ms"), ("ms", "s"), ("ms", "us"), ("us", "ns")]
)
def test_a_page_of_times_in_another_unit_is_a_mistake_of_the_configuration(
    declared: str, real: str
) -> None:
    factors = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
    rows = [
        {"event_time": int(MOMENT.timestamp()) * factors[real] + number} for number in range(10)
    ]
    with pytest.raises(ConfigError, match=f"time_unit is {declared}, but .* in {real}"):
        conformed(*rows, time_unit=declared)
    assert (
        len(
            conformed(
                *rows,
                {"event_time": int(MOMENT.timestamp()) * factors[declared]},
                time_unit=declared,
            ).rejected
        )
        == 10
    )


def test_times_that_cannot_be_exact_are_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="event_time comes as a floating-point number"):
        conformed({"event_time": 1780221600.5})
    with pytest.raises(
        ConfigError, match=r"event_time comes without a zone; set source\.time_zone"
    ):
        conformed({"event_time": MOMENT.replace(tzinfo=None)})
    assert column("event_time", MOMENT.replace(tzinfo=None), time_zone="UTC") == [MOMENT]


@pytest.mark.parametrize("kind", [pa.uint64(), pa.uint32(), pa.int32()])
def test_seconds_of_every_type_of_integer_are_read(kind: pa.DataType) -> None:
    found = conform(
        pa.table(
            {
                "event_name": ["a", "b"],
                "event_time": pa.array([int(MOMENT.timestamp()), None], kind),
            }
        ),
        Rules(time_unit="s"),
    )
    assert found.table["event_time"].to_pylist() == [MOMENT, None]
    if kind == pa.uint64():
        huge = conform(
            pa.table({"event_name": ["a"], "event_time": pa.array([2**64 - 1], kind)}),
            Rules(time_unit="s"),
        )
        assert why(huge) == {0: ("bad_timestamp", "event_time")}


@pytest.mark.parametrize("number", [18_448_460_300_000, int(MOMENT.timestamp()) * 10**9])
def test_a_number_that_is_no_time_in_its_unit_never_becomes_one(number: int) -> None:
    assert why(conformed({"event_time": number}, time_unit="s")) == {
        0: ("bad_timestamp", "event_time")
    }


@pytest.mark.parametrize(
    "moment",
    [
        dt.datetime(1999, 12, 31, 23, 59, tzinfo=dt.UTC),
        dt.datetime(9999, 12, 31, tzinfo=dt.UTC),
        dt.datetime(1, 1, 1, tzinfo=dt.UTC),
    ],
)
def test_times_that_stand_for_no_time_are_rejected(moment: dt.datetime) -> None:
    assert why(conformed({"event_time": moment}, {})) == {0: ("bad_timestamp", "event_time")}
    assert why(
        conformed({"event_time": moment.isoformat()}, {"event_time": MOMENT.isoformat()})
    ) == {0: ("bad_timestamp", "event_time")}


@pytest.mark.parametrize("unit", ["s", "ms", "us"])
def test_infinity_in_a_zone_is_rejected_and_its_neighbour_is_not(unit: str) -> None:
    times = pa.array([2**63 - 1, 0, None], pa.int64()).cast(pa.timestamp(unit))
    found = conform(
        pa.table({"event_name": ["a"] * 3, "event_time": times}), Rules(time_zone="Asia/Kolkata")
    )
    assert why(found) == dict.fromkeys(range(3), ("bad_timestamp", "event_time"))


@pytest.mark.parametrize(
    ("unit", "number"),
    [(unit, number) for unit in ("s", "ms", "us") for number in (2**63 - 1, -(2**63) + 1, -1, 0)],
)
def test_infinity_as_databases_write_it_is_rejected(unit: str, number: int) -> None:
    times = pa.array([number], pa.int64()).cast(pa.timestamp(unit, "UTC"))
    found = conform(pa.table({"event_name": ["Purchase"], "event_time": times}), Rules())
    assert why(found) == {0: ("bad_timestamp", "event_time")}


def test_a_missing_time_is_the_moment_of_reading_or_a_reason_to_reject() -> None:
    found = conformed({"event_time": None}, {}, default_time=MOMENT + dt.timedelta(days=1))
    assert found.table["event_time"].to_pylist() == [MOMENT + dt.timedelta(days=1), MOMENT]
    assert (found.defaulted, why(found)) == (1, {})
    assert why(conformed({"event_time": None}, {})) == {0: ("bad_timestamp", "event_time")}


def test_an_unusable_time_is_never_replaced_by_the_clock() -> None:
    found = conformed({"event_time": "tomorrow"}, {"event_time": None}, default_time=MOMENT)
    assert (found.defaulted, why(found), bad(found)) == (
        1,
        {0: ("bad_timestamp", "event_time")},
        {"event_time": [0]},
    )


def test_an_amount_without_known_money_is_left_out_with_its_currency() -> None:
    found = conformed(
        {"value": "5", "currency": "US$"},
        {"value": "5", "currency": " usd "},
        {"value": "5", "currency": None},
        {"value": None, "currency": "XXX"},
    )
    assert found.table["value"].to_pylist() == [None, "5", "5", None]
    assert found.table["currency"].to_pylist() == [None, "USD", None, None]
    assert bad(found) == {"currency": [0, 3]}
    assert column("currency", None, "EUR", default_currency="USD") == [None, "EUR"]
    assert conformed({"value": "5"}, default_currency="USD").table["currency"].to_pylist() == [
        "USD"
    ]


@pytest.mark.parametrize("value", [-1, "-0.01", 10**9 + 1, "1000000000.01", "1e9", Decimal("-5")])
def test_an_amount_out_of_bounds_rejects_its_row(value: Any) -> None:
    assert why(conformed({"value": value}, {"value": 10**9})) == {0: ("bad_value", "value")}


@pytest.mark.parametrize("value", [True, "ten", "1,5", "$5"])
def test_an_amount_that_is_none_is_left_out_and_counted(value: Any) -> None:
    found = conformed({"value": value}, {"value": None})
    assert (found.table["value"].to_pylist(), bad(found), why(found)) == (
        [None, None],
        {"value": [0]},
        {},
    )


def test_the_first_reason_to_reject_a_row_stays() -> None:
    assert why(conformed({"event_name": None, "event_time": "never", "value": "-1"})) == {
        0: ("missing_event_name", "event_name")
    }


@pytest.mark.parametrize("name", ["consent", "currency", "action_source"])
def test_columns_of_words_refuse_floats_by_name(name: str) -> None:
    with pytest.raises(ConfigError, match=f"the column {name} "):
        conformed({name: 1.0})


def test_the_table_in_the_documentation_lists_every_column() -> None:
    lines = column_table().splitlines()
    assert [line.split("`")[1] for line in lines[2:]] == list(COLUMNS)


PLAIN_EXAMPLES = {
    name: column.example for name, column in COLUMNS.items() if "..." not in column.example
}


@pytest.mark.parametrize("name", sorted(PLAIN_EXAMPLES))
def test_the_example_in_the_documentation_is_a_good_value(name: str) -> None:
    found = conformed({name: PLAIN_EXAMPLES[name]})
    assert (bad(found), why(found)) == ({}, {})
    assert found.table[name].to_pylist() != [None]


def test_the_address_in_the_documentation_is_sent() -> None:
    assert applied(public_ip, COLUMNS["client_ip"].example) == [COLUMNS["client_ip"].example]
