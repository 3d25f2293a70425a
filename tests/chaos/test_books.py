"""What the books call wrong, and what they do not: the judge of all chaos tests is on trial."""

from __future__ import annotations

import pytest

from tests.chaos.books import Books, Erasure, GivenUp, Restore, Row, State, violations
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


@pytest.mark.parametrize(
    ("restores", "excused"),
    [
        ([Restore(20, frozenset())], True),
        ([Restore(20, frozenset({"c1"}))], False),
        ([Restore(5, frozenset())], False),
        ([Restore(40, frozenset())], False),
    ],
)
def test_a_copy_is_needed_where_a_backup_that_knows_nothing_of_the_row_was_restored_meanwhile(
    restores: list[Restore], excused: bool
) -> None:
    books = Books(
        {"c1": Row(1, False, False)}, CALLS, TWICE, State({}, None, {}, ()), restores=restores
    )
    found = [each for each in violations(books, final=False) if each.startswith("copies")]
    assert bool(found) is not excused


RUN = {"delivered": 1, "rejected": 0, "rows_read": 1}
REFUSED = {"delivered": 0, "rejected": 1, "rows_read": 1}
BOTH = {"delivered": 1, "rejected": 1, "rows_read": 2}
GOOD, BAD = Row(1, False, False), Row(1, True, False)
ONCE = TWICE[:1]


@pytest.mark.parametrize(
    ("books", "wrong"),
    [
        (Books({"c1": GOOD}, CALLS[:1], ONCE, State({"c1": 6}, None, {"r": RUN}, ())), {"counts"}),
        (
            Books(
                {"c1": GOOD},
                CALLS[:1],
                ONCE,
                State({"c1": 6}, None, {"r": RUN}, ()),
                erased={"c1": Erasure(20, 1, 0)},
            ),
            set(),
        ),
        (
            Books(
                {"c1": GOOD},
                CALLS[:1],
                ONCE,
                State({"c1": 6}, None, {"r": RUN}, ()),
                erased={"c1": Erasure(5, 1, 0)},
            ),
            {"erased"},
        ),
        (
            Books(
                {"c1": GOOD},
                CALLS[:1],
                ONCE,
                State({"c1": 1}, None, {"r": RUN}, ()),
                erased={"c1": Erasure(20, 1, 0)},
            ),
            {"erased", "counts"},
        ),
        (
            Books(
                {"c1": BAD},
                (),
                (),
                State({"c1": 6}, None, {"r": REFUSED}, ()),
                erased={"c1": Erasure(20, 2, 1)},
            ),
            set(),
        ),
        (
            Books({"c1": GOOD}, (), (), State({}, None, {}, ()), erased={"c1": Erasure(20, 0, 0)}),
            {"erased", "unrecorded"},
        ),
    ],
)
def test_an_erased_row_is_owed_no_more_and_never_arrives_again(
    books: Books, wrong: set[str]
) -> None:
    assert {each.partition(":")[0] for each in violations(books, final=True)} == wrong


@pytest.mark.parametrize(
    ("ledger", "run", "refused", "wrong"),
    [
        (1, BOTH, {}, set()),
        (1, RUN, {}, {"counts"}),
        (2, REFUSED, {"c1": 1}, {"lost"}),
    ],
)
def test_a_mended_row_is_counted_again_and_owed(
    ledger: int, run: dict[str, int], refused: dict[str, int], wrong: set[str]
) -> None:
    arrived = ONCE if ledger == 1 else []
    books = Books(
        {"c1": GOOD},
        CALLS[:1],
        arrived,
        State({"c1": ledger}, None, {"r": run}, list(refused), refused=refused),
        mended={"c1": 1},
    )
    assert {each.partition(":")[0] for each in violations(books, final=True)} == wrong
