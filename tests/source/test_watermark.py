"""Marks as exact text, and ranges of rows as SQL conditions."""

from __future__ import annotations

import calendar
import datetime as dt
import re
from collections.abc import Iterator
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from hypothesis import example, given, settings
from hypothesis import strategies as st

from connector.errors import ConfigError
from connector.model import Mark, Range
from connector.source.column_types import ColumnType, IsoForm, iso_form
from connector.source.dialects import dialect_of
from connector.source.dialects.base import UnorderedType
from connector.source.dialects.generic import type_of
from connector.source.watermark import Cursor, where

UTC = dt.UTC
MOMENTS = st.datetimes(dt.datetime(1000, 1, 2), dt.datetime(9998, 12, 31), timezones=st.just(UTC))
ZONES = st.sampled_from(
    [
        "UTC",
        "America/New_York",
        "Asia/Kolkata",
        "Europe/Berlin",
        "Pacific/Apia",
        "Australia/Lord_Howe",
    ]
)
FORMS = [IsoForm(separator, zone) for separator in "T " for zone in ("Z", "+00:00", "")]


def floored(moment: dt.datetime, unit: str) -> dt.datetime:
    """A moment, cut to a unit of epoch time; before 1970 too it is the earlier one."""
    size = {"s": 1_000_000, "ms": 1_000}.get(unit, 1)
    epoch = dt.datetime(1970, 1, 1, tzinfo=UTC)
    return epoch + dt.timedelta(
        microseconds=(moment - epoch) // dt.timedelta(microseconds=1) // size * size
    )


@settings(max_examples=200, deadline=None)
@given(MOMENTS)
def test_a_moment_survives_its_text_to_the_microsecond(moment: dt.datetime) -> None:
    for cursor in (
        Cursor(ColumnType("zoned", "X")),
        Cursor(ColumnType("naive", "X"), "UTC"),
        *(Cursor(ColumnType("iso_text"), "UTC", None, form) for form in FORMS),
    ):
        assert cursor.moment_of(cursor.text_of(moment)) == moment


@settings(max_examples=200, deadline=None)
@given(MOMENTS, st.sampled_from(["s", "ms", "us", "ns"]))
def test_epoch_numbers_are_floored_and_never_rounded(moment: dt.datetime, unit: Any) -> None:
    cursor = Cursor(ColumnType("integer"), None, unit)
    text = cursor.text_of(moment)
    assert text == str(int(text))
    if unit == "ns" and not 1678 <= moment.year < 2262:
        assert -(2**63) < int(text) < 2**63, "cut off at what 64 bits can hold"
    else:
        assert cursor.moment_of(text) == floored(moment, unit) <= moment


@pytest.mark.parametrize("zone", ["America/New_York", "Pacific/Apia"])
@pytest.mark.parametrize("kind", ["zoned", "naive", "date", "integer"])
@pytest.mark.parametrize("moment", [dt.datetime.min, dt.datetime.max])
def test_a_moment_at_the_end_of_time_is_cut_off_and_no_error(
    kind: Any, zone: str, moment: dt.datetime
) -> None:
    cursor = Cursor(ColumnType(kind, "X"), zone, "us" if kind == "integer" else None)
    text = cursor.text_of(moment.replace(tzinfo=UTC))
    again = cursor.moment_of(text)
    assert again is not None
    assert abs(again.replace(tzinfo=None) - moment) < dt.timedelta(days=4)


@pytest.mark.parametrize(
    ("text", "year"), [("99999999999999999999", 9999), ("-99999999999999999999", 1)]
)
def test_a_number_that_is_no_moment_is_the_nearest_one(text: str, year: int) -> None:
    moment = Cursor(ColumnType("integer"), None, "s").moment_of(text)
    assert moment is not None
    assert moment.year == year


@settings(max_examples=200, deadline=None)
@given(MOMENTS, ZONES)
def test_a_day_begins_when_it_does_in_the_zone_of_the_source(
    moment: dt.datetime, zone: str
) -> None:
    cursor = Cursor(ColumnType("date", "DATE"), zone)
    assert cursor.text_of(moment) == moment.astimezone(ZoneInfo(zone)).date().isoformat()


@settings(max_examples=300, deadline=None)
@given(MOMENTS, ZONES)
def test_wall_clock_time_survives_but_for_the_hour_that_a_zone_repeats(
    moment: dt.datetime, zone: str
) -> None:
    cursor = Cursor(ColumnType("naive", "X"), zone)
    again = cursor.moment_of(cursor.text_of(moment))
    assert again is not None
    repeated = moment.astimezone(ZoneInfo(zone)).fold == 1
    assert again < moment if repeated else again == moment


@settings(max_examples=200, deadline=None)
@given(st.lists(MOMENTS, min_size=2, max_size=4), st.sampled_from(["zoned", "iso", "s", "us"]))
def test_later_moments_have_later_texts(moments: list[dt.datetime], kind: str) -> None:
    """The bound of a run is such a text: were the order another one, rows would be passed over."""
    cursor = {
        "zoned": Cursor(ColumnType("zoned", "X")),
        "iso": Cursor(ColumnType("iso_text"), None, None, IsoForm("T", "+00:00")),
        "s": Cursor(ColumnType("integer"), None, "s"),
        "us": Cursor(ColumnType("integer"), None, "us"),
    }[kind]
    texts: list[Any] = [cursor.text_of(moment) for moment in sorted(moments)]
    assert sorted(texts, key=int if kind in ("s", "us") else str) == texts


@pytest.mark.parametrize("zone", ["Asia/Kolkata", "America/New_York"])
def test_text_in_utc_stays_utc_whatever_zone_the_naive_columns_have(zone: str) -> None:
    cursor = Cursor(ColumnType("iso_text"), zone, None, IsoForm("T", "Z"))
    moment = dt.datetime(2026, 1, 1, 12, 0, 0, 5, tzinfo=UTC)
    assert cursor.moment_of(cursor.text_of(moment)) == moment


@pytest.mark.parametrize("kind", ["zoned", "naive", "date"])
def test_years_have_four_digits(kind: Any) -> None:
    assert (
        Cursor(ColumnType(kind, "X"), "UTC")
        .text_of(dt.datetime(500, 1, 1, tzinfo=UTC))
        .startswith("0500-01-01")
    )


def test_nanoseconds_are_read_to_the_microsecond() -> None:
    naive = Cursor(ColumnType("naive", "TIMESTAMP_NS"), "UTC")
    assert naive.moment_of("2026-01-01T00:00:00.123456789") == dt.datetime(
        2026, 1, 1, 0, 0, 0, 123456, tzinfo=UTC
    )
    epoch = Cursor(ColumnType("integer"), None, "ns")
    assert epoch.moment_of("1767225600123456789") == dt.datetime(
        2026, 1, 1, 0, 0, 0, 123456, tzinfo=UTC
    )


def test_a_cursor_that_is_a_plain_number_is_no_time() -> None:
    for cursor in (Cursor(ColumnType("integer", "BIGINT")), Cursor(ColumnType("xid8", "XID8"))):
        assert not cursor.is_time
        assert cursor.moment_of("761") is None


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-01",
        "20260101T000000Z",
        "2026-01-01T00:00:00+02:00",
        "2026-01-01T00:00Z",
        "now",
        "",
        "2026-01-01T00:00:00z",
    ],
)
def test_text_whose_order_is_not_that_of_time_is_no_iso_form(text: str) -> None:
    with pytest.raises(ConfigError, match="not an ISO 8601 time in UTC"):
        iso_form(text)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (dt.datetime(2026, 1, 1, tzinfo=UTC), "zoned"),
        (dt.datetime(2026, 1, 1), "naive"),
        (dt.date(2026, 1, 1), "date"),
        (7, "integer"),
        (2**70, "integer"),
        ("abc", "text"),
    ],
)
def test_the_type_of_a_column_by_a_value_of_it(value: Any, kind: str) -> None:
    assert type_of(value).kind == kind


@pytest.mark.parametrize("value", [True, 1.5, b"x"])
def test_a_value_that_has_no_exact_order_is_refused(value: Any) -> None:
    with pytest.raises(UnorderedType):
        type_of(value)


@pytest.mark.parametrize(
    "name",
    [
        "DOUBLE",
        "FLOAT",
        "DECIMAL(12,2)",
        "TIME",
        "BOOLEAN",
        "BLOB",
        "INTERVAL",
        "STRUCT(a INTEGER)",
        "VARCHAR[]",
        "UHUGEINT",
    ],
)
def test_what_has_no_exact_order_is_refused(connection: sa.Connection, name: str) -> None:
    with pytest.raises(UnorderedType):
        dialect_of("duckdb").column_type(connection, sa.column("a"), ("a", name))


@pytest.fixture(scope="module")
def connection() -> Iterator[sa.Connection]:
    """An empty SQLite database in memory."""
    with sa.create_engine("sqlite://").connect() as opened:
        yield opened


CURSORS = st.integers(0, 3)
TEXTS = st.sampled_from(["", "a", "A", "ab", "b", "é", "z", "10", "9"])
NUMBERS = st.sampled_from([-1, 0, 2, 9, 10, 2**53 + 1])
PLACES = st.tuples(CURSORS, TEXTS, NUMBERS)
TYPES = [ColumnType("integer"), ColumnType("text"), ColumnType("integer")]


def as_mark(place: tuple[int, str, int], keyed: bool) -> Mark:
    """A place as it is stored."""
    return Mark(str(place[0]), (place[1], str(place[2])) if keyed else None)


def ordered(place: tuple[int, str, int]) -> tuple[int, bytes, int]:
    """A place by its order in the database: text byte by byte, numbers as numbers."""
    return place[0], place[1].encode(), place[2]


def within(
    place: tuple[int, str, int],
    after: tuple[Any, bool] | None,
    upto: tuple[Any, bool] | None,
    before: int | None,
) -> bool:
    """What the documentation of Range says, in Python."""
    if after is not None and (
        ordered(place) <= ordered(after[0]) if after[1] else place[0] < after[0][0]
    ):
        return False
    if upto is not None and (
        ordered(place) > ordered(upto[0]) if upto[1] else place[0] > upto[0][0]
    ):
        return False
    return before is None or place[0] < before


@settings(max_examples=300, deadline=None)
@given(
    st.sets(PLACES, max_size=12),
    st.none() | st.tuples(PLACES, st.booleans()),
    st.none() | st.tuples(PLACES, st.booleans()),
    st.none() | CURSORS,
)
def test_a_range_holds_the_rows_that_it_says_and_no_other(
    connection: sa.Connection,
    places: set[tuple[int, str, int]],
    after: tuple[Any, bool] | None,
    upto: tuple[Any, bool] | None,
    before: int | None,
) -> None:
    """Random rows with ties on the cursor and on the first key column,
    and a NULL cursor, against the same rule in Python.
    """
    rows = (
        sa.values(
            sa.column("c", sa.Integer),
            sa.column("t", sa.String),
            sa.column("n", sa.Integer),
            name="rows",
        )
        .data([*places, (None, "a", 0)])
        .cte("rows")
    )
    chosen = Range(
        None if after is None else as_mark(*after),
        None if upto is None else as_mark(*upto),
        None if before is None else str(before),
    )
    statement = sa.select(rows).where(where(chosen, rows.c.c, [rows.c.t, rows.c.n], TYPES))
    assert {tuple(row) for row in connection.execute(statement)} == {
        place for place in places if within(place, after, upto, before)
    }


@settings(max_examples=200, deadline=None)
@given(st.sets(PLACES, min_size=1, max_size=12), st.data())
def test_a_mark_cuts_the_rows_in_two_and_none_is_in_both_or_neither(
    connection: sa.Connection, places: set[tuple[int, str, int]], data: st.DataObject
) -> None:
    mark = as_mark(data.draw(st.sampled_from(sorted(places)) | PLACES), True)
    rows = (
        sa.values(
            sa.column("c", sa.Integer),
            sa.column("t", sa.String),
            sa.column("n", sa.Integer),
            name="rows",
        )
        .data(list(places))
        .cte("rows")
    )
    columns = rows.c.c, [rows.c.t, rows.c.n], TYPES
    left, right = (
        {tuple(row) for row in connection.execute(sa.select(rows).where(where(part, *columns)))}
        for part in (Range(None, mark), Range(mark))
    )
    assert not left & right
    assert left | right == places


def two_digits(most: int) -> st.SearchStrategy[str]:
    return st.integers(0, most).map("{:02d}".format)


DAYS = st.dates(dt.date(1, 1, 1)).map(str) | st.builds(
    "{}-{}-{}".format,
    st.sampled_from(["0000", "1900", "2000", "2023", "2024"]),
    two_digits(13),
    two_digits(32),
)
CLOCK = (
    st.times().map("{:%H:%M:%S}".format)
    | st.builds("{}:{}:{}".format, two_digits(25), two_digits(61), two_digits(61))
    | st.just("23:59:59")
)
FRACTIONS = st.sampled_from(
    [
        "",
        ".",
        ".5",
        ".50",
        ".123456",
        ".9999",
        ".999999",
        ".9999999",
        ".1234567",
        ".5x",
        ".1 ",
        "x",
        ",5",
    ]
)
WRITTEN = st.builds(
    "{}{}{}{}{}".format,
    DAYS,
    st.sampled_from("TTT t_"),
    CLOCK,
    FRACTIONS,
    st.sampled_from(["", "Z", "Z", "z", "+00:00", "+01:00", "-00:00", " "]),
)
MISWRITTEN = st.builds(
    lambda text, at, length, odd: text[:at] + odd + text[at + length :],
    WRITTEN,
    st.integers(0, 28),
    st.integers(0, 2),
    st.sampled_from([*"0 9-:.+TZx", "٣", "é", "１"]),
)
A_FORM = st.builds(
    IsoForm, st.sampled_from("T "), st.sampled_from(["Z"]), st.integers(0, 7)
) | st.builds(IsoForm, st.sampled_from("T "), st.sampled_from(["", "+00:00"]), st.none())


def parsed(text: str, form: IsoForm) -> tuple[int, ...] | None:
    """A time in a form as year, month, day, hour, minute, second and nanoseconds;
    None where it is not in that form.
    """
    time_of_day = r"(\d\d):(\d\d):(\d\d)(?:\.(\d+))?"
    pattern = rf"(\d{{4}})-(\d\d)-(\d\d){form.separator}{time_of_day}{re.escape(form.zone)}"
    match = re.fullmatch(pattern, text, re.ASCII)
    if match is None or (form.digits is not None and len(match[7] or "") != form.digits):
        return None
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    exists = (
        1 <= month <= 12
        and 1 <= day <= calendar.monthrange(year, month)[1]
        and hour < 24
        and minute < 60
        and second < 60
    )
    return (
        (year, month, day, hour, minute, second, int((match[7] or "").ljust(9, "0")))
        if exists
        else None
    )


@pytest.mark.slow
@settings(max_examples=500, deadline=None)
@given(st.lists(WRITTEN | MISWRITTEN, min_size=1, max_size=40), A_FORM)
@example(
    [
        "2024-02-29T23:59:59.9999999Z",
        "2023-02-29T23:59:59.9999999Z",
        "9999-12-31T23:59:59.9999999Z",
    ],
    IsoForm("T", "Z", 7),
)
@example(
    [
        "2026-01-01T24:00:00Z",
        "2026-01-01T23:59:60Z",
        "2026-04-31T00:00:00Z",
        "0000-02-29T00:00:00Z",
    ],
    IsoForm("T", "Z", 0),
)
@example(
    [
        "2026-01-01T00:00:00.12Z",
        "2026-01-01T00:00:00.1xZ",
        "2026-01-01T00:00:00.1 Z",
        "2026-01-01T00:00:00.1٣Z",
    ],
    IsoForm("T", "Z", 2),
)
@example(
    ["2026-01-01 23:59:59.9999999", "2026-01-01 00:00:00. 5", "2026-01-01 00:00:00."],
    IsoForm(" ", ""),
)
def test_texts_of_one_form_are_times_whose_order_is_that_of_their_texts(
    connection: sa.Connection, texts: list[str], form: IsoForm
) -> None:
    rows = (
        sa.values(sa.column("t", sa.String), name="rows")
        .data([(text,) for text in texts])
        .cte("rows")
    )
    irregular = dialect_of("sqlite").irregular(rows.c.t, ColumnType("iso_text"), form)
    assert irregular is not None
    fitting = [
        text for (text,) in connection.execute(sa.select(rows.c.t).where(sa.not_(irregular)))
    ]
    assert fitting == [text for text in texts if parsed(text, form) is not None]
    times = [parsed(text, form) or () for text in sorted(fitting)]
    assert times == sorted(times)
    for text in fitting:
        if form.digits is not None and not text.startswith("0000"):
            cursor = Cursor(ColumnType("iso_text"), None, None, form)
            moment = cursor.moment_of(text)
            assert moment is not None
            assert cursor.text_of(moment)[:19] == text[:19] or moment.year in (1, 9999)
