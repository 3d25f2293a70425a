"""What the books say about copies: each has a reason, or is a violation."""

from __future__ import annotations

import pytest

from tests.chaos.books import Books, GivenUp, Row, State, violations
from tests.chaos.receiver import Call, Entry

TWICE = [Entry(10, 1, "ok", "c1", "id", "digest"), Entry(30, 2, "ok", "c1", "id", "digest")]
CALLS = [Call(10, "ok", True, 1), Call(30, "ok", True, 1)]


@pytest.mark.parametrize(
    ("given_up", "excused"),
    [
        ([GivenUp(20, frozenset({"digest"}))], True),
        ([GivenUp(20, frozenset({"of another row"}))], False),
        ([GivenUp(40, frozenset({"digest"}))], False),
        ([GivenUp(5, frozenset({"digest"}))], False),
        ([], False),
    ],
)
def test_a_copy_is_needed_where_the_answer_to_that_very_request_came_too_late(
    given_up: list[GivenUp], excused: bool
) -> None:
    books = Books(
        {"c1": Row(1, False, False)}, CALLS, TWICE, State({}, None, {}, ()), given_up=given_up
    )
    found = [each for each in violations(books, final=False) if "without need" in each]
    assert bool(found) is not excused
