"""Points in time: ISO 8601 text, wall clocks and what a platform is told."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from connector.arrow.times import iso_times, utc
from connector.platforms.functions import FUNCTIONS, Context
from tests.support.encoding import TEXTS

ZONES = [
    "UTC",
    "America/New_York",
    "Europe/Berlin",
    "Australia/Lord_Howe",
    "Asia/Kolkata",
    "America/Sao_Paulo",
    "Pacific/Apia",
    "Asia/Kathmandu",
]
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
MOMENTS = st.datetimes(dt.datetime(2000, 1, 2), dt.datetime(9998, 12, 30))
RECENT = st.datetimes(dt.datetime(2000, 1, 2), dt.datetime(2036, 1, 1))


def read(text: str, zone: str | None = None) -> dt.datetime | None:
    """One text as an instant; none in the year 0, which Python does not have."""
    (found,) = iso_times(pa.array([text]), zone).cast(pa.int64()).to_pylist()
    first = (dt.datetime.min.replace(tzinfo=dt.UTC) - EPOCH) // dt.timedelta(microseconds=1)
    return None if found is None or found < first else EPOCH + dt.timedelta(microseconds=found)


@st.composite
def zoned_texts(draw: st.DrawFn) -> str:
    """ISO 8601 in every form that is taken: separator, precision, fraction, offset."""
    moment = draw(MOMENTS)
    clock = draw(st.sampled_from(["%H:%M", "%H:%M:%S", "%H:%M:%S.%f"]))
    text = f"{moment:%Y-%m-%d}{draw(st.sampled_from('T '))}{moment.strftime(clock)}"
    if clock.endswith("%f"):
        text = text[: draw(st.integers(len(text) - 5, len(text)))] + draw(
            st.sampled_from(["", "0", "9", "999"])
        ) * (len(text) >= 26)
        text = draw(st.sampled_from([text, text.replace(".", ",")]))
    sign, hours, minutes = (
        draw(st.sampled_from("+-")),
        draw(st.integers(0, 14)),
        draw(st.sampled_from([0, 30, 45])),
    )
    return text + draw(
        st.sampled_from(
            [
                "Z",
                f"{sign}{hours:02d}",
                f"{sign}{hours:02d}{minutes:02d}",
                f"{sign}{hours:02d}:{minutes:02d}",
            ]
        )
    )


@settings(max_examples=300, deadline=None)
@given(zoned_texts(), st.sampled_from([None, "Asia/Kolkata"]))
@example("2026-05-31T10:00:00.123456999Z", None)
@example("2000-01-02T00:00:00.000001-14:00", None)
def test_text_with_a_zone_is_the_instant_that_python_reads(text: str, zone: str | None) -> None:
    assert read(text, zone) == dt.datetime.fromisoformat(text)


@settings(max_examples=100, deadline=None)
@given(st.lists(zoned_texts(), min_size=1, max_size=5))
def test_an_impossible_date_changes_nothing_for_its_neighbours(texts: list[str]) -> None:
    impossible = [
        "2026-13-01",
        "2026-02-30T00:00:00",
        "2026-05-31T25:00:00Z",
        "2026-05-31T10:00:00+99:00",
    ]
    together = iso_times(pa.array([*texts, *impossible]), "Europe/Berlin")
    assert together.slice(0, len(texts)).equals(iso_times(pa.array(texts), "Europe/Berlin"))
    assert together.slice(len(texts)).null_count == len(impossible)


@settings(max_examples=200, deadline=None)
@given(
    TEXTS | st.text("0123456789-+:TZ. ", min_size=8, max_size=30),
    st.sampled_from([None, "Europe/Berlin"]),
)
@example("0000-01-01", "Europe/Berlin")
def test_text_is_a_time_only_where_python_reads_it_too(text: str, zone: str | None) -> None:
    found = read(text, zone)
    if found is not None and found.year >= 2000:
        assert dt.datetime.fromisoformat(text.replace(",", ".")) is not None


@pytest.mark.parametrize(
    "text",
    [
        "now",
        "today",
        "20261123",
        "2026-13-01",
        "2026-00-10T00:00:00Z",
        "11/12/2026",
        "2026-5-1",
        "1767225600",
        "infinity",
        "2026-05-31T10",
        "2026-05-31T10:00:00 Z",
        "2026-W22-7",
        "2026-05-31T24:00:00Z",
        "2026-05-31T10:00:60Z",
        "2026-05-31T10:00:00+24:00",
        "+2026-05-31T10:00:00Z",
        "2026-05-31T10:00:00.Z",
        "2026-05-31T10:00:00 UTC",
        "Sun May 31 2026",
    ],
)
def test_what_is_not_iso_8601_is_no_time(text: str) -> None:
    assert read(text, "UTC") is None


def test_a_small_z_is_utc() -> None:
    assert read("2026-05-31T10:00:00z") == dt.datetime(2026, 5, 31, 10, tzinfo=dt.UTC)


def test_an_impossible_offset_is_no_time() -> None:
    assert read("2026-05-31T10:00:00+02:75") is None


@pytest.mark.parametrize(
    "text", ["2026-05-31", "2026-05-31T10:00", "2026-05-31 10:00:00", "2026-05-31T10:00:00.5"]
)
def test_a_wall_clock_needs_a_zone(text: str) -> None:
    wall = dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)
    assert read(text, None) is None
    assert read(text, "Asia/Kolkata") == wall - dt.timedelta(hours=5, minutes=30)


def instant_of(wall: dt.datetime, zone: ZoneInfo) -> dt.datetime:
    """The first of two passes; in a gap, the moment at which the clocks go forward."""
    first = wall.replace(tzinfo=zone).astimezone(dt.UTC)
    if first.astimezone(zone).replace(tzinfo=None) == wall:
        return first
    before, after = first - dt.timedelta(days=2), first
    offset = before.astimezone(zone).utcoffset()
    while after - before > dt.timedelta(microseconds=1):
        middle = before + (after - before) / 2
        before, after = (
            (middle, after) if middle.astimezone(zone).utcoffset() == offset else (before, middle)
        )
    return after.replace(microsecond=0) + dt.timedelta(seconds=1) * (after.microsecond > 0)


@settings(max_examples=300, deadline=None)
@given(RECENT, st.sampled_from(ZONES))
@example(dt.datetime(2026, 3, 8, 2, 30), "America/New_York")
@example(dt.datetime(2026, 11, 1, 1, 30), "America/New_York")
@example(dt.datetime(2026, 10, 4, 2, 15), "Australia/Lord_Howe")
@example(dt.datetime(2026, 4, 5, 1, 45), "Australia/Lord_Howe")
@example(dt.datetime(2011, 12, 30, 12, 0), "Pacific/Apia")
def test_wall_clocks_take_the_first_pass_and_move_forward_over_a_gap(
    wall: dt.datetime, zone: str
) -> None:
    expected = instant_of(wall, ZoneInfo(zone))
    for text in (wall.isoformat(), wall.isoformat(" ")):
        assert read(text, zone) == expected
    assert utc(pa.array([wall], pa.timestamp("us")), zone).to_pylist() == [expected]


@pytest.mark.parametrize(
    ("wall", "zone", "instant"),
    [
        ("2026-03-08T01:59:59", "America/New_York", "2026-03-08T06:59:59Z"),
        ("2026-03-08T02:00:00", "America/New_York", "2026-03-08T07:00:00Z"),
        ("2026-03-08T02:30:00", "America/New_York", "2026-03-08T07:00:00Z"),
        ("2026-03-08T03:00:00", "America/New_York", "2026-03-08T07:00:00Z"),
        ("2026-11-01T01:30:00", "America/New_York", "2026-11-01T05:30:00Z"),
        ("2026-11-01T02:00:00", "America/New_York", "2026-11-01T07:00:00Z"),
        ("2026-10-25T02:30:00", "Europe/Berlin", "2026-10-25T00:30:00Z"),
    ],
)
def test_daylight_saving_does_what_the_documentation_says(
    wall: str, zone: str, instant: str
) -> None:
    assert read(wall, zone) == dt.datetime.fromisoformat(instant)


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_timestamps_of_every_unit_are_the_same_instant(unit: str) -> None:
    moment = dt.datetime(2026, 5, 31, 10, tzinfo=dt.UTC)
    assert utc(
        pa.array([moment, None]).cast(pa.timestamp(unit, "America/New_York")), None
    ).to_pylist() == [moment, None]
    assert utc(
        pa.array([moment.replace(tzinfo=None)]).cast(pa.timestamp(unit)), "UTC"
    ).to_pylist() == [moment]
    assert utc(
        pa.array([moment.replace(tzinfo=None)]).cast(pa.timestamp(unit)), None
    ).to_pylist() == [None]


Written = Callable[[dt.datetime], object]


@settings(max_examples=100, deadline=None)
@given(MOMENTS)
@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("unix_s", lambda moment: (moment - EPOCH) // dt.timedelta(seconds=1)),
        ("unix_ms", lambda moment: (moment - EPOCH) // dt.timedelta(milliseconds=1)),
        ("iso_seconds", lambda moment: f"{moment:%Y-%m-%dT%H:%M:%SZ}"),
        ("iso_ms", lambda moment: f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"),
    ],
)
def test_platforms_are_told_the_time_floored_in_their_own_unit(
    name: str, written: Written, wall: dt.datetime
) -> None:
    moment = wall.replace(tzinfo=dt.UTC)
    column = pa.array([moment], pa.timestamp("us", "UTC"))
    context = Context(
        pa.table({"event_time": column}), column.is_valid().to_numpy(zero_copy_only=False)
    )
    assert FUNCTIONS[name](column, context, None).to_pylist() == [written(moment)]
