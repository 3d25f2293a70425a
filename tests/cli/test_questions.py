"""The ten questions of docs/questions.md: each command is run as it stands there, and answers."""

from __future__ import annotations

import re
from collections.abc import Callable

from tests.conftest import Make
from tests.support.fates import EARLY, rows_in_every_state
from tests.support.projects import REPOSITORY, Finished, Project
from tests.support.warehouses import DuckDb

PAGE = (REPOSITORY / "docs" / "questions.md").read_text(encoding="utf-8")

QUESTIONS = dict(re.findall(r"^## \d+\. (.+)\n\n    capi (.+)$", PAGE, re.MULTILINE))
"""Question -> the command that answers it."""

ANSWERS: dict[str, tuple[int, Callable[[Finished], object]]] = {
    "Is everything in order?": (0, lambda done: re.search(r"acme.+capi.+complete", done.out)),
    "How many conversions of each day were delivered?": (
        0,
        lambda done: re.search(rf"{EARLY.date()} +│ 5 +│ 2 +│ 1 +│ 1 ", done.out),
    ),
    "Why were conversions not delivered?": (0, lambda done: "no_identity" in done.out),
    "Which ones were refused last week?": (0, lambda done: "c000003" in done.out),
    "Which ones were too old?": (0, lambda done: "c000004" in done.out),
    "Which ones did consent hold back?": (0, lambda done: "c000006" in done.out),
    "What became of this one?": (
        0,
        lambda done: "no identifier that the platform accepts" in done.out,
    ),
    "The data is mended: how are they sent again?": (1, lambda done: "rows read" in done.out),
    "Is anything missing that no run will find?": (
        1,
        lambda done: "without a record: 1" in done.out,
    ),
    "Are our identifiers any good?": (0, lambda done: "HashedEmail" in done.out),
}


def test_there_are_ten() -> None:
    assert list(QUESTIONS) == list(ANSWERS)
    assert len(ANSWERS) == 10


def test_each_is_answered_by_its_command(
    project: Project, duck: DuckDb, duck_destination: Make
) -> None:
    rows_in_every_state(project, duck, duck_destination)
    for question, command in QUESTIONS.items():
        done = project.capi(*command.replace("c1001", "c000003").split())
        code, answers = ANSWERS[question]
        assert done.code == code, (question, done)
        assert answers(done), (question, done)
