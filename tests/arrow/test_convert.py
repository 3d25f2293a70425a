"""From a driver's values to Arrow columns and back:
nothing is rounded, guessed or lost on the way.
"""

from __future__ import annotations

import datetime as dt
import decimal
import re
import uuid
from decimal import Decimal
from typing import Any

import numpy as np
import orjson
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.arrow.convert import array_of_values, to_frame, to_table
from connector.arrow.masks import mask, present
from connector.arrow.text import text_array, time_text
from connector.errors import ConfigError
from connector.platforms.columns import COLUMNS
from tests.support.encoding import GUID, TEXTS, bodies, encode, encode_table, ids, reasons, row

HUGE = 2**53 + 1
ZONED = dt.datetime(2026, 5, 31, 12, 0, 0, 123_456, tzinfo=dt.timezone(dt.timedelta(hours=2)))
EARLY = dt.datetime(1, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=5)))
LATE = dt.datetime(9999, 12, 31, 23, 59, tzinfo=dt.timezone(dt.timedelta(hours=-5)))


def texts(values: list[Any]) -> list[str | None]:
    return text_array(array_of_values(values)).to_pylist()


@settings(max_examples=100, deadline=None)
@given(st.lists(st.none() | st.integers(-(2**70), 2**70), min_size=1, max_size=8))
def test_integers_beside_null_keep_every_digit(numbers: list[int | None]) -> None:
    expected = [None if number is None else str(number) for number in numbers]
    assert texts(numbers) == expected
    there_and_back = to_table(to_frame(pa.table({"a": array_of_values(numbers)})))
    assert text_array(there_and_back["a"]).to_pylist() == expected


@settings(max_examples=200, deadline=None)
@given(st.lists(st.none() | st.decimals(-(10**12), 10**12, places=4), min_size=1, max_size=8))
def test_decimals_keep_every_digit(amounts: list[Decimal | None]) -> None:
    with decimal.localcontext(prec=60):
        assert [None if text is None else Decimal(text) for text in texts(amounts)] == amounts


def test_whole_decimals_are_written_as_integers() -> None:
    assert texts([Decimal("1001.00"), Decimal("-7"), Decimal("1E+2"), None]) == [
        "1001",
        "-7",
        "100",
        None,
    ]
    assert texts([Decimal("1001.00"), "x"]) == ["1001", "x"]


def test_a_decimal_has_the_same_text_whatever_its_neighbours_are() -> None:
    assert (
        texts([Decimal("1.5"), Decimal("2.25")])[0]
        == texts([Decimal("1.50")])[0]
        == texts([Decimal("1.50"), "x"])[0]
        == "1.5"
    )
    assert texts([Decimal("0.000000001"), Decimal(0), Decimal("-0.0")]) == ["0.000000001", "0", "0"]
    assert texts([Decimal("1E-9"), Decimal("-0.0"), "x"]) == ["0.000000001", "0", "x"]


@settings(max_examples=200, deadline=None)
@given(
    st.decimals(allow_nan=False, allow_infinity=False).filter(
        lambda number: abs(number.adjusted()) < 30 and len(number.as_tuple().digits) < 30
    )
)
def test_a_decimal_is_written_in_plain_digits_alone_or_in_company(number: Decimal) -> None:
    alone, mixed = texts([number])[0], texts([number, "x"])[0]
    assert alone == mixed
    assert alone is not None
    assert re.fullmatch(r"-?(0|[1-9]\d*)(\.\d*[1-9])?", alone)
    assert Decimal(alone) == number


@settings(max_examples=60, deadline=None)
@given(st.lists(st.none() | st.uuids(), min_size=1, max_size=5))
def test_uuids_are_dashed_text(values: list[uuid.UUID | None]) -> None:
    expected = [None if value is None else str(value) for value in values]
    assert texts(values) == expected
    arrow = pa.array([None if value is None else value.bytes for value in values], pa.uuid())
    assert text_array(arrow).to_pylist() == expected
    assert text_array(to_table(to_frame(pa.table({"a": arrow})))["a"]).to_pylist() == expected


def test_zoned_times_are_instants_and_naive_ones_stay_wall_clocks() -> None:
    zoned, naive = array_of_values([ZONED, None]), array_of_values([ZONED.replace(tzinfo=None)])
    assert (zoned.type, naive.type) == (pa.timestamp("us", "UTC"), pa.timestamp("us"))
    assert text_array(zoned).to_pylist() == ["2026-05-31T10:00:00.123456Z", None]
    assert text_array(naive).to_pylist() == ["2026-05-31T12:00:00.123456"]
    assert texts([ZONED, ZONED.replace(tzinfo=None)]) == [
        "2026-05-31T12:00:00.123456+02:00",
        "2026-05-31T12:00:00.123456",
    ]


@settings(max_examples=100, deadline=None)
@given(
    st.datetimes(
        timezones=st.timezones(),
        min_value=dt.datetime(1900, 1, 2),
        max_value=dt.datetime(9998, 1, 1),
    )
)
def test_a_zoned_time_is_the_same_instant_in_text(moment: dt.datetime) -> None:
    (text,) = texts([moment])
    assert text is not None
    assert dt.datetime.fromisoformat(text) == moment.astimezone(dt.UTC)


@pytest.mark.parametrize("moment", [EARLY, LATE])
def test_a_sentinel_date_does_not_fail_its_page(moment: dt.datetime) -> None:
    assert array_of_values([ZONED, moment])[0].as_py() == ZONED


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_times_are_written_with_the_digits_of_their_unit(unit: str) -> None:
    fraction = {"s": "", "ms": ".123", "us": ".123456", "ns": ".123456000"}[unit]
    moment = pa.array([ZONED], pa.timestamp("us", "UTC")).cast(
        pa.timestamp(unit, "UTC"), safe=False
    )
    assert time_text(moment).to_pylist() == [f"2026-05-31T10:00:00{fraction}Z"]
    assert time_text(moment.cast(pa.timestamp(unit, "America/New_York"))).to_pylist() == [
        f"2026-05-31T10:00:00{fraction}Z"
    ]
    assert time_text(moment.cast(pa.timestamp(unit))).to_pylist() == [
        f"2026-05-31T10:00:00{fraction}"
    ]


@settings(max_examples=100, deadline=None)
@given(TEXTS)
def test_bytes_are_the_text_that_they_encode(text: str) -> None:
    assert texts([text.encode(), None]) == [text, None]
    assert texts([memoryview(text.encode()), bytearray(text.encode()), "x"]) == [text, text, "x"]


def test_bytes_that_are_no_text_are_null() -> None:
    assert texts([b"\xff\xfe", b"a"]) == [None, "a"]
    assert texts([memoryview(b"\xff"), "a"]) == [None, "a"]


def test_text_that_is_no_unicode_is_null_and_spares_its_neighbours() -> None:
    assert texts(["\ud800", "b", None]) == [None, "b", None]
    assert texts(["\ud800", 1]) == [None, "1"]


def test_lists_and_objects_are_json() -> None:
    assert [
        orjson.loads(text or "")
        for text in texts([[1, "a", None], {"b": Decimal("1.10"), "c": ZONED}])
    ] == [
        [1, "a", None],
        {"b": "1.1", "c": ZONED.isoformat()},
    ]
    nested = pa.array([[{"id": "a", "quantity": 2}], None, []])
    assert text_array(nested).to_pylist() == ['[{"id":"a","quantity":2}]', None, "[]"]


@pytest.mark.parametrize(
    "value",
    [["\ud800"], {"id": 2**70}, {1: "a"}, Decimal("Infinity")],
    ids=["surrogate", "huge", "key", "infinity"],
)
def test_a_value_that_has_no_json_or_decimal_form_does_not_fail_its_page(value: Any) -> None:
    neighbour = Decimal("1.5") if isinstance(value, Decimal) else ["a"]
    assert texts([neighbour, value])[0] in ("1.5", '["a"]')


def test_json_keeps_integers_of_any_size_and_drops_what_is_no_text() -> None:
    assert texts([[{"id": 2**70, 1: "a", "b": ["\ud800", b"\xff", Decimal("1.50")]}]]) == [
        '[{"id":"1180591620717411303424","1":"a","b":[null,null,"1.5"]}]'
    ]


def test_values_of_many_types_become_exact_text() -> None:
    mixed = [
        1,
        "007",
        HUGE,
        True,
        2.0,
        0.1,
        Decimal("9.50"),
        dt.date(2026, 5, 31),
        None,
        uuid.UUID(GUID),
        np.int64(HUGE),
    ]
    assert texts(mixed) == [
        "1",
        "007",
        str(HUGE),
        "true",
        "2",
        "0.1",
        "9.5",
        "2026-05-31",
        None,
        GUID,
        str(HUGE),
    ]
    assert texts([2.0**53, "a"]) == [repr(2.0**53), "a"]


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (pa.array([1, None], pa.uint8()), ["1", None]),
        (pa.array(["a", None], pa.large_string()), ["a", None]),
        (pa.array(["a", None], pa.string_view()), ["a", None]),
        (pa.array(["a", None]).dictionary_encode(), ["a", None]),
        (pa.array([1, None]).dictionary_encode(), ["1", None]),
        (pa.array([dt.date(2026, 5, 31), None]), ["2026-05-31", None]),
        (pa.array([b"a", None], pa.large_binary()), ["a", None]),
        (pa.nulls(2), [None, None]),
        (pa.chunked_array([["a"], [None]]), ["a", None]),
    ],
    ids=lambda value: str(value.type) if hasattr(value, "type") else "",
)
def test_every_type_that_a_driver_returns_has_a_text(
    array: pa.Array | pa.ChunkedArray, expected: list[str | None]
) -> None:
    assert text_array(array).to_pylist() == expected
    assert text_array(to_table(to_frame(pa.table({"a": array})))["a"]).to_pylist() == expected


@pytest.mark.parametrize("array", [pa.array([1.5]), pa.array([True])])
def test_a_type_without_exact_text_is_refused(array: pa.Array) -> None:
    with pytest.raises(TypeError, match=str(array.type)):
        text_array(array)


def test_a_frame_keeps_arrow_types_and_nulls() -> None:
    table = pa.table(
        {
            "id": [HUGE, None],
            "when": pa.array([ZONED, None]),
            "money": [Decimal("9.50"), None],
            "text": ["", None],
        }
    )
    frame = to_frame(table)
    assert all(isinstance(kind, pd.ArrowDtype) for kind in frame.dtypes)
    assert to_table(frame).equals(table)
    assert to_table(frame.iloc[1:]).equals(table.slice(1))


def test_a_frame_without_rows_keeps_its_columns() -> None:
    table = pa.table({"id": pa.array([], pa.int64()), "text": pa.nulls(0, pa.string())})
    assert to_table(to_frame(table)).equals(table)
    assert array_of_values([]).to_pylist() == []


def test_masks_count_null_as_false() -> None:
    assert mask(pa.array([True, None, False])).tolist() == [True, False, False]
    assert present(pa.chunked_array([["a"], [None]])).tolist() == [True, False]


IDS = sorted(name for name, column in COLUMNS.items() if column.kind == "text" and name != "phone")


@pytest.mark.parametrize("column", IDS)
@pytest.mark.parametrize("kind", [pa.float64(), pa.float32(), pa.bool_()])
def test_an_id_that_came_as_a_float_is_refused_by_name(column: str, kind: pa.DataType) -> None:
    table = pa.table(
        {
            **{name: [value] for name, value in row().items()},
            column: pa.array([1], pa.int8()).cast(kind),
        }
    )
    with pytest.raises(ConfigError, match=rf"\b{column}\b.*cast it to text"):
        encode_table(table)


def test_ids_beyond_what_floats_can_count_arrive_exactly_even_beside_null() -> None:
    encoded = encode(
        [row(first_party_id=HUGE), row(first_party_id=None), row(first_party_id=HUGE + 1)]
    )
    assert [ids(record).get("FirstPartyId") for record in bodies(encoded)] == [
        str(HUGE),
        None,
        str(HUGE + 1),
    ]


def test_columns_that_hold_nothing_and_frames_without_rows_are_no_surprise() -> None:
    assert encode_table(pa.table({name: pa.nulls(2) for name in COLUMNS})).records == []
    assert reasons(encode_table(pa.table({name: pa.nulls(1) for name in COLUMNS}))) == [
        (0, "missing_event_name", "event_name")
    ]
    empty = encode_table(pa.table({name: pa.nulls(0) for name in COLUMNS}))
    assert (empty.rows, empty.records, empty.rejected, empty.dropped) == (0, [], {}, {})


@pytest.mark.parametrize(
    "array", [pa.array([dt.time(10)]), pa.array([dt.timedelta(1)])], ids=["time", "interval"]
)
def test_a_column_of_a_useless_type_is_refused_by_name(array: pa.Array) -> None:
    with pytest.raises(ConfigError, match="order_id"):
        encode_table(
            pa.table({**{name: [value] for name, value in row().items()}, "order_id": array})
        )
