"""What platforms write into headers about patience, and how long that makes us wait."""

from __future__ import annotations

import email.utils
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.delivery.retry_after import MAX_WAIT, wait_seconds

NOW = 1_780_000_000.0
DAY = 86_400.0


def http_date(seconds: float) -> str:
    return email.utils.formatdate(NOW + seconds, usegmt=True)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("0", 0),
        ("7", 7),
        (" 7 ", 7),
        ("1.5", 1.5),
        ("-5", None),
        ("", None),
        ("abc", None),
        ("10,20", None),
        ("10 s", None),
        ("0x10", None),
        ("1e3", None),
        ("nan", None),
        ("inf", None),
        ("1_000", None),
        ("9" * 16, None),
        (str(10 * 365 * 86_400), DAY),
        (http_date(30), 30),
        (http_date(-30), 0),
        (http_date(10 * 365 * DAY), DAY),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
        ("Friday, 31-Dec-99 23:59:59 GMT", 0),
        ("Thu, 32 Jan 2026 00:00:00 GMT", None),
        ("Thu, 01 Jan 99999 00:00:00 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_anything_else_is_absent(
    header: str, seconds: float | None
) -> None:
    assert wait_seconds({"retry-after": header}, NOW) == seconds


def test_a_date_in_the_form_of_asctime_is_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        assert wait_seconds({"retry-after": time.asctime(time.gmtime(NOW + 30))}, NOW) == 30
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("name", ["x-ratelimit-reset", "x-rate-limit-reset"])
@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("12", 12),
        (str(int(NOW) + 12), 12),
        (str((int(NOW) + 12) * 1000), 12),
        (str(int(NOW) - 12), None),
        (str(int(NOW + 2 * DAY)), None),
        (str(int(2 * DAY)), None),
        ("-1", None),
        ("soon", None),
        ("", None),
    ],
)
def test_a_reset_is_a_delta_or_a_moment_of_the_next_day(
    name: str, header: str, seconds: float | None
) -> None:
    assert wait_seconds({name: header}, NOW) == seconds


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("limit=100, remaining=0, reset=9", 9),
        ('"default";r=0;t=9', 9),
        ('"burst";r=5, "daily";r=0;t=30', 30),
        ('"default";r=50', None),
        (f'"default";t={10**8}', DAY),
        ("limit=9", None),
        ("", None),
    ],
)
def test_the_draft_ratelimit_header_is_understood(header: str, seconds: float | None) -> None:
    assert wait_seconds({"ratelimit": header}, NOW) == seconds


def test_retry_after_wins_over_a_reset_and_a_bad_one_leaves_it_the_word() -> None:
    headers = {"x-ratelimit-reset": "40", "ratelimit": "reset=50"}
    assert wait_seconds({"retry-after": "3", **headers}, NOW) == 3
    assert wait_seconds({"retry-after": "nonsense", **headers}, NOW) == 40
    assert (
        wait_seconds(
            {"retry-after": "nonsense", "x-ratelimit-reset": "nonsense", "ratelimit": "reset=50"},
            NOW,
        )
        == 50
    )


def test_without_a_header_nothing_is_asked() -> None:
    assert wait_seconds({"content-type": "application/json"}, NOW) is None


NUMBERS = st.one_of(
    st.integers().map(str),
    st.floats().map(str),
    st.decimals(allow_nan=True).map(str),
    st.integers(0, 10**25).map(lambda number: f"{number}.{number}"),
)
DATES = st.datetimes().map(lambda moment: email.utils.format_datetime(moment))
ODD_DATES = st.from_regex(
    r"[A-Z][a-z]{2}, \d{1,3} [A-Z][a-z]{2} \d{1,6} \d{1,3}:\d{1,3}:\d{1,3}"
    r" ([+-]\d{1,8}|[A-Z]{0,4})",
    fullmatch=True,
)
VALUES = st.one_of(
    st.text(max_size=40),
    NUMBERS,
    DATES,
    ODD_DATES,
    st.from_regex(r"(t|reset)=\d{1,12}", fullmatch=True),
)


@given(
    headers=st.dictionaries(
        st.sampled_from(
            ["retry-after", "x-ratelimit-reset", "x-rate-limit-reset", "ratelimit", "other"]
        ),
        VALUES,
    ),
    now=st.floats(0, 4e9),
)
@settings(max_examples=300, deadline=None)
def test_any_header_gives_a_wait_within_a_day_or_none(headers: dict[str, str], now: float) -> None:
    seconds = wait_seconds(headers, now)
    assert seconds is None or 0 <= seconds <= MAX_WAIT == DAY
