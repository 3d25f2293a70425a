"""Thirteen wrong versions of the connector,
each the plausible mistake of somebody who writes such a program.

A mutant is a function that replaces one part of the connector in a process that is thrown away
afterwards. It stands at a seam that the design names, so that it survives refactoring; where its
seam is gone it raises, and the run ends with code 97, which no test takes for being caught.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.chaos.mutants import answers, reading, recording

NO_SEAM = 97

MUTANTS: dict[str, Callable[[], None]] = {
    "commit_before_send": recording.commit_before_send,
    "greater_than_on_ties": reading.greater_than_on_ties,
    "no_lag": reading.no_lag,
    "random_event_id": reading.random_event_id,
    "status_only_success": answers.status_only_success,
    "r_ok": answers.r_ok,
    "any_answer_is_success": answers.any_answer_is_success,
    "follow_redirects": answers.follow_redirects,
    "drop_the_batch_on_400": answers.drop_the_batch_on_400,
    "raise_on_400": answers.raise_on_400,
    "advance_on_error": recording.advance_on_error,
    "split_commit": recording.split_commit,
    "no_fencing": recording.no_fencing,
}


def apply(name: str) -> None:
    """Replace one part of the connector in this process."""
    MUTANTS[name]()
