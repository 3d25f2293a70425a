"""Durations and rates as people write them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.syntax.units import parse_duration, parse_rate

SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}


def refusal(parse: Callable[[str], object], text: str) -> str | None:
    """What a parser says against a text; None where it takes it."""
    try:
        parse(text)
    except ValueError as error:
        return str(error)
    return None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0s", 0), ("250ms", 0.25), ("5m", 300), ("24h", 86400), ("7d", 604800), ("007s", 7)],
)
def test_a_duration_is_a_number_and_a_unit(text: str, seconds: float) -> None:
    assert parse_duration(text).total_seconds() == seconds


@pytest.mark.parametrize(
    "text", ["", "5", "m", "5 m", "5M", "-5m", "1.5h", "5m\n", "5m 3s", "5w", "1e3s", "9999999999s"]
)
def test_anything_else_is_no_duration(text: str) -> None:
    assert refusal(parse_duration, text) == "a duration is a number and a unit: 30s, 5m, 24h or 7d"


@pytest.mark.parametrize(
    ("text", "a_second"), [("200/s", 200), ("600/m", 10), ("36000/h", 10), ("1/h", 1 / 3600)]
)
def test_a_rate_is_requests_and_a_unit(text: str, a_second: float) -> None:
    assert parse_rate(text) == a_second


@pytest.mark.parametrize(
    "text",
    [
        "",
        "200",
        "/s",
        "200/d",
        "0/s",
        "-1/s",
        "1.5/s",
        "200 /s",
        "200/s\n",
        "200/sec",
        "99999999/s",
    ],
)
def test_anything_else_is_no_rate(text: str) -> None:
    assert (
        refusal(parse_rate, text)
        == "a rate is a number of requests and a unit: 200/s, 600/m or 10000/h"
    )


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 10**9 - 1), st.sampled_from(sorted(SECONDS)))
def test_every_number_and_unit_that_are_written_are_the_ones_that_are_read(
    number: int, unit: str
) -> None:
    assert parse_duration(f"{number}{unit}").total_seconds() == pytest.approx(
        number * SECONDS[unit]
    )


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=12) | st.from_regex(r"[0-9]{0,10}[/ .]?(ms|s|m|h|d|w)?", fullmatch=True))
def test_any_text_is_taken_or_refused_with_a_sentence(text: str) -> None:
    assert refusal(parse_duration, text) in (
        None,
        "a duration is a number and a unit: 30s, 5m, 24h or 7d",
    )
    assert refusal(parse_rate, text) in (
        None,
        "a rate is a number of requests and a unit: 200/s, 600/m or 10000/h",
    )
    assert refusal(parse_duration, text) is not None or refusal(parse_rate, text) is not None
