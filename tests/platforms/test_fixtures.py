"""What the platforms answer, as published, and what the connector makes of it.

Each case stands in `connector/sandbox/answers/` with its source; the receiver answers with the
same cases.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import orjson
import pytest

from connector import sandbox
from connector.delivery.json_path import values_at
from connector.delivery.outcome import (
    Delivered,
    Halt,
    Outcome,
    PerRecord,
    Retry,
    Unlocated,
)
from connector.delivery.response import interpret
from connector.delivery.transports.base import HttpResponse
from connector.platforms import loader as platforms
from connector.sandbox import dialects
from connector.sandbox.dialects import all_dialects, google
from connector.sandbox.fixtures import Fixture, fixtures

NAMES = [dialect.name for dialect in all_dialects()]
ALL = [(name, fixture) for name in NAMES for fixture in fixtures(name)]
CASES = [(name, case) for name, case in ALL if case.kind not in ("later", "token")]


def case_id(value: Any) -> str:
    return value.name if isinstance(value, Fixture) else str(value)


def read(name: str, case: Fixture) -> Outcome:
    """What the connector makes of a case."""
    platform, reply = platforms.load(name), fixtures(name).example(case.name)
    answers = platform.answers
    if case.test_mode and platform.test_mode and platform.test_mode.success:
        answers = answers.model_copy(update={"success": platform.test_mode.success})
    body = reply.body if isinstance(reply.body, bytes) else orjson.dumps(reply.body)
    headers = {"content-type": "application/json"}
    headers |= {key.lower(): value for key, value in reply.headers.items()}
    response = HttpResponse(reply.status, headers, b"" if reply.body is None else body)
    count = 1 if platform.limits.max_events == 1 else len(case.records)
    records = [orjson.dumps(record) for record in case.records[:count]]
    return interpret(response, records, answers, 0.0)


@pytest.mark.parametrize(("name", "case"), CASES, ids=case_id)
def test_a_published_answer_is_understood(name: str, case: Fixture) -> None:
    outcome = read(name, case)
    single = platforms.load(name).limits.max_events == 1 or len(case.records) == 1
    everyone = frozenset(range(len(case.records)))
    if case.kind == "success":
        assert isinstance(outcome, Delivered) or (
            isinstance(outcome, PerRecord) and outcome.delivered == everyone
        )
    elif case.kind in ("partial", "located"):
        assert isinstance(outcome, PerRecord)
        assert tuple(sorted(outcome.refused)) == case.blames != ()
        taken = everyone - set(case.blames) if case.kind == "partial" else frozenset()
        assert outcome.delivered == taken
        assert all(refusal.message for refusal in outcome.refused.values())
    elif case.kind == "refused":
        assert isinstance(outcome, PerRecord if single else Unlocated)
    elif case.kind in ("auth", "halted"):
        assert isinstance(outcome, Halt)
        assert outcome.auth == (case.kind == "auth")
    else:
        assert isinstance(outcome, Retry)
        assert outcome.throttled == (case.kind == "throttled")
        assert outcome.not_understood == (case.kind == "unclear")
        assert not (outcome.throttled and outcome.ambiguous)


@pytest.mark.parametrize("name", NAMES)
def test_every_platform_has_the_cases_that_matter(name: str) -> None:
    kinds = {fixture.kind for fixture in fixtures(name)}
    credentials = platforms.load(name).auth.method != "none"
    assert kinds >= {"success", "throttled", *(["auth"] if credentials else [])}
    assert kinds & {"located", "refused"}
    answers = platforms.load(name).answers
    partial = answers.partial or answers.located.taken or name in ("pinterest", "linkedin")
    assert ("partial" in kinds) == bool(partial)


@pytest.mark.parametrize(("name", "case"), ALL, ids=case_id)
def test_every_case_names_who_published_it(name: str, case: Fixture) -> None:
    assert len(case.source.split()) > 2


def test_a_result_that_comes_later_is_found_where_the_file_says() -> None:
    poll = platforms.load("google").answers.poll
    assert poll is not None
    states, counted = {}, {}
    for case in fixtures("google"):
        if case.kind == "later":
            body = fixtures("google").example(case.name).body
            states[case.name] = values_at(body, poll.states)
            counted[case.name] = values_at(body, poll.counts or "")
    assert states == {
        "processing": ["PROCESSING"],
        "processed": ["SUCCESS"],
        "processed_in_part": ["PARTIAL_SUCCESS"],
    }
    assert poll.pending == states["processing"]
    ((entry,),) = counted["processed_in_part"]
    assert (entry[poll.count], entry[poll.reason]) == (
        "1",
        "PROCESSING_ERROR_REASON_EVENT_TOO_OLD",
    )


def test_googles_reasons_are_words_of_its_own_client() -> None:
    """Those that the platform file registers, that the receiver says, and that the cases hold."""
    package = pytest.importorskip("google.ads.datamanager_v1", reason="the extra `judges`")
    words = {reason.name for reason in package.ErrorReason}
    statuses = {"UNAUTHENTICATED", "INTERNAL", "UNAVAILABLE"}  # of google.rpc.Code
    said = {*google._REASONS.values(), *re.findall(r"reason: ([A-Z_]+)", cases_of("google"))}
    known = platforms.load("google").answers.codes.known
    said |= {code for code in known if not code.endswith("*")} - statuses
    said.discard("PROCESSING_ERROR_REASON_EVENT_TOO_OLD")  # of the results, another enumeration
    assert said <= words
    begins = [code[:-1] for code in known if code.endswith("*")]
    assert all(any(word.startswith(begin) for word in words) for begin in begins)


def cases_of(name: str) -> str:
    folder = Path(sandbox.__file__).with_name("answers")
    return (folder / f"{name}.yaml").read_text(encoding="utf-8")


def test_the_receiver_has_no_answers_of_its_own() -> None:
    """A dialect takes every body from the cases, so it cannot drift from what was published."""
    made = []
    for path in Path(dialects.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                made += [path.name] if node.func.id == "Reply" else []
    assert made == []
