"""What every response means: all statuses, codes in bodies, verdicts on single records."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.delivery.outcome import (
    Delivered,
    Halt,
    Outcome,
    PerRecord,
    Refusal,
    Retry,
    Unlocated,
)
from connector.delivery.response import interpret
from connector.delivery.transports.base import HttpResponse, TransportFailure
from connector.platforms import loader as platforms
from connector.platforms.answers import Answers

NOW = 1_780_000_000.0
ONE = [b'{"id":"a"}']
THREE = [b'{"id":"a"}', b'{"id":"b"}', b'{"id":"c"}']
ERROR = {"error": {"code": "E7", "message": "no such product"}}
PLAIN = Answers.model_validate({"codes": {"path": ["error.code"]}, "success": {"error": ["error"]}})


def answer(status: int, body: Any = None, **headers: str) -> HttpResponse:
    content = body if isinstance(body, bytes) else b"" if body is None else orjson.dumps(body)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return HttpResponse(status, {"content-type": "application/json", **named}, content)


def means(
    status: int, body: Any, records: list[bytes] = THREE, spec: Answers = PLAIN, **headers: str
) -> Outcome:
    return interpret(answer(status, body, **headers), records, spec, NOW)


def spec(**parts: Any) -> Answers:
    return Answers.model_validate(parts)


AMBIGUOUS = (408, 460, 499, 500, 502, 504, *range(520, 528))
RETRIED = (418, 421, 423, 425, 503)
HALTED = (*range(300, 309), 399, 402, 404, 405, 410, 411, 414, 415, 426, 431, 451, 501, 505)


@pytest.mark.parametrize("records", [ONE, THREE], ids=["one", "batch"])
class TestStatus:
    """The table of statuses, for one record and for several."""

    @pytest.mark.parametrize("status", [200, 201])
    def test_success_needs_a_body_that_says_so(self, status: int, records: list[bytes]) -> None:
        assert means(status, {"status": "ok"}, records) == Delivered()
        assert means(status, ERROR, records) == Retry(
            f"HTTP {status} with an error in its body", ambiguous=True, not_understood=True
        )

    @pytest.mark.parametrize("status", [202, 203, 204, 205, 206, 207, 226, 299])
    def test_other_successes_are_none_unless_the_platform_says_so(
        self, status: int, records: list[bytes]
    ) -> None:
        for body in ({"status": "ok"}, None):
            found = means(status, body, records)
            assert isinstance(found, Retry)
            assert found.ambiguous
            assert found.why.startswith(f"HTTP {status}, while this platform says HTTP 200 or 201")
            assert "overrides.answers.success.status" in found.why
        assert (
            means(status, {"status": "ok"}, records, spec(success={"status": [status]}))
            == Delivered()
        )

    @pytest.mark.parametrize("status", HALTED)
    def test_a_wrong_request_halts(self, status: int, records: list[bytes]) -> None:
        found = means(status, ERROR, records)
        assert isinstance(found, Halt)
        assert not found.auth
        assert str(status) in found.why

    @pytest.mark.parametrize("status", [401, 403])
    def test_refused_credentials_halt(self, status: int, records: list[bytes]) -> None:
        assert means(status, ERROR, records) == Halt(
            f"the platform refused the credentials (HTTP {status})", auth=True
        )

    @pytest.mark.parametrize("status", [400, 422])
    def test_a_refusal_is_of_one_record_or_of_somebody_in_the_batch(
        self, status: int, records: list[bytes]
    ) -> None:
        refusal = Refusal("E7", "no such product")
        assert means(status, ERROR, records) == (
            PerRecord(refused={0: refusal}) if len(records) == 1 else Unlocated(refusal)
        )
        bare = means(status, b"<html>", records)
        assert bare == (
            PerRecord(refused={0: Refusal(str(status), "")})
            if len(records) == 1
            else Unlocated(Refusal(str(status), ""))
        )

    def test_a_body_that_is_too_large_is_halved_by_bytes(self, records: list[bytes]) -> None:
        assert means(413, ERROR, records, retry_after="5") == Unlocated(
            Refusal("E7", "no such product"), by_bytes=True
        )

    @pytest.mark.parametrize("status", AMBIGUOUS)
    def test_a_failed_server_may_have_taken_the_records(
        self, status: int, records: list[bytes]
    ) -> None:
        assert means(status, ERROR, records, retry_after="3") == Retry(
            f"HTTP {status}", ambiguous=True, wait=3
        )

    @pytest.mark.parametrize("status", RETRIED)
    def test_a_server_that_did_not_begin_is_asked_again(
        self, status: int, records: list[bytes]
    ) -> None:
        assert means(status, ERROR, records, retry_after="3") == Retry(
            f"HTTP {status}", ambiguous=False, wait=3
        )

    def test_too_many_requests_is_throttling(self, records: list[bytes]) -> None:
        assert means(429, ERROR, records) == Retry("HTTP 429", ambiguous=False, throttled=True)
        assert means(429, None, records, x_ratelimit_reset="9") == Retry(
            "HTTP 429", ambiguous=False, wait=9, throttled=True
        )
        assert means(429, None, records, retry_after="1,5") == Retry(
            "HTTP 429", ambiguous=False, throttled=True
        )

    def test_a_refusal_with_retry_after_is_throttling(self, records: list[bytes]) -> None:
        throttled = Retry("HTTP 403 with Retry-After", ambiguous=False, wait=7, throttled=True)
        for body in (ERROR, None, b"<html>"):
            assert means(403, body, records, retry_after="7") == throttled
        for headers in ({"retry_after": "soon"}, {"x_ratelimit_reset": "7"}):
            assert isinstance(means(403, ERROR, records, **headers), Halt)
        assert isinstance(means(401, ERROR, records, retry_after="7"), Halt)

    def test_twitters_old_status_of_throttling_is_known(self, records: list[bytes]) -> None:
        assert means(420, None, records) == Retry("HTTP 420", ambiguous=False, throttled=True)

    @pytest.mark.parametrize("status", [406, 407, 412, 416, 417, 424, 428, 444])
    def test_an_unknown_refusal_halts(self, status: int, records: list[bytes]) -> None:
        assert isinstance(means(status, None, records), Halt)

    @pytest.mark.parametrize("status", [506, 507, 508, 510, 511, 528, 530, 598, 599, 600, 999])
    def test_an_unknown_failure_is_ambiguous(self, status: int, records: list[bytes]) -> None:
        assert means(status, None, records) == Retry(f"HTTP {status}", ambiguous=True)

    @pytest.mark.parametrize(
        ("failure", "outcome"),
        [
            (
                TransportFailure("unsent", "no connection"),
                Retry("no connection", ambiguous=False, unreachable=True),
            ),
            (TransportFailure("unknown", "it broke"), Retry("it broke", ambiguous=True)),
        ],
    )
    def test_no_answer_is_tried_again(
        self, failure: TransportFailure, outcome: Outcome, records: list[bytes]
    ) -> None:
        assert interpret(failure, records, PLAIN, NOW) == outcome

    def test_a_host_that_is_not_trusted_halts(self, records: list[bytes]) -> None:
        found = interpret(TransportFailure("untrusted", "not verified"), records, PLAIN, NOW)
        assert isinstance(found, Halt)
        assert "delivery.ca_file" in found.why


def test_a_conflict_over_a_duplicate_is_a_delivery_and_any_other_is_tried_again() -> None:
    assert means(409, {"error": "duplicate event_id"}, ONE) == Delivered()
    assert means(409, {"error": "the event has already been processed"}, ONE) == Delivered()
    assert means(409, {"error": "locked"}, ONE) == Retry("HTTP 409", ambiguous=False)
    assert means(409, {"error": "duplicate"}, ONE, content_type="text/html") == Retry(
        "HTTP 409", ambiguous=False
    )


def test_a_conflict_over_a_duplicate_in_a_batch_is_looked_for_record_by_record() -> None:
    assert means(
        409, {"error": {"code": "E9", "message": "event 1 is a duplicate"}}, THREE
    ) == Unlocated(Refusal("E9", "event 1 is a duplicate"))


@pytest.mark.parametrize(
    ("records", "body"),
    [
        (ONE, {"error": "another import is already running, try again"}),
        (ONE, b"<html>The resource is already locked</html>"),
        (THREE, {"error": {"message": "event 1 is a duplicate; nothing was processed"}}),
    ],
)
def test_a_conflict_that_is_not_over_these_records_is_no_delivery(
    records: list[bytes], body: Any
) -> None:
    assert not isinstance(means(409, body, records), Delivered)


def test_a_platform_may_narrow_a_status() -> None:
    narrowed = spec(status={403: "halt", 404: "retry", 500: "refused"})
    assert isinstance(means(403, ERROR, ONE, narrowed), Halt)
    assert means(403, ERROR, ONE, narrowed) != means(403, ERROR, ONE)
    assert means(404, None, ONE, narrowed) == Retry("HTTP 404", ambiguous=False)
    assert isinstance(means(500, ERROR, THREE, narrowed), Unlocated)


# Bodies: success must be said, not merely not denied.

COUNTED = spec(
    success={
        "status": [200],
        "count": "received",
        "present": ["id"],
        "equals": {"state": ["done", 0]},
        "error": ["errors"],
    }
)
GOOD = {"received": 3, "id": "r-1", "state": "done"}


def test_a_body_that_says_all_that_it_should_is_a_delivery() -> None:
    assert means(200, GOOD, THREE, COUNTED) == Delivered()
    assert means(200, {**GOOD, "state": 0, "errors": []}, THREE, COUNTED) == Delivered()


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "byte order mark"])
def test_json_is_json_behind_a_byte_order_mark(mark: bytes) -> None:
    worded = spec(success={"status": [200], "text": ["ok"]})
    assert means(200, mark + orjson.dumps(GOOD), THREE, COUNTED) == Delivered()
    assert means(200, mark + b"OK", ONE, worded) == Delivered()
    assert means(400, mark + orjson.dumps(ERROR), ONE) == means(400, ERROR, ONE)
    assert isinstance(means(200, b"\xfe\xff" + mark + orjson.dumps(GOOD), THREE, COUNTED), Retry)


NO = [
    {"success": False},
    {"success": "false"},
    {"ok": False},
    {"status": "error"},
    {"status": "Failed"},
    {"status": " FAILURE "},
    {"status": "rejected", "message": "not now"},
]


@pytest.mark.parametrize("body", NO)
@pytest.mark.parametrize("name", ["capi", None])
def test_a_body_that_says_no_is_no_yes(body: dict[str, Any], name: str | None) -> None:
    """The base platform, and any file of a user that says nothing of it."""
    answers = platforms.load(name).answers if name else Answers()
    found = means(200, body, ONE, answers)
    (path,) = {"success", "ok", "status"} & body.keys()
    assert found == Retry(
        f"HTTP 200 whose {path} says failure", ambiguous=True, not_understood=True
    )
    assert means(200, {"success": True, "ok": True, "status": "ok"}, ONE, answers) == Delivered()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"ok",
        b"<html><body>It works!</body></html>",
        b'{"received":3,"id":"r-1","st',
        b"null",
        b"true",
        b"3",
        [GOOD],
        {},
        {**GOOD, "received": 2},
        {**GOOD, "received": 4},
        {**GOOD, "received": "3"},
        {**GOOD, "received": None},
        {**GOOD, "id": None},
        {**GOOD, "state": "queued"},
        {**GOOD, "state": None},
        {**GOOD, "errors": [{"message": "no"}]},
        orjson.dumps(GOOD) + b"x",
        b"\xff\xfe" + orjson.dumps(GOOD),
    ],
)
def test_any_other_body_of_a_success_is_ambiguous(body: Any) -> None:
    found = means(200, body, THREE, COUNTED)
    assert isinstance(found, Retry)
    assert found.ambiguous
    assert found.not_understood


@pytest.mark.parametrize(
    ("kind", "understood"),
    [
        ("application/json; charset=utf-8", True),
        ("text/plain", True),
        ("", True),
        ("text/html", False),
        ("image/png", False),
    ],
)
def test_an_answer_of_another_type_is_not_the_platforms(kind: str, understood: bool) -> None:
    assert isinstance(means(200, GOOD, THREE, COUNTED, content_type=kind), Delivered) == understood


def test_a_platform_may_say_yes_in_words_or_with_nothing() -> None:
    worded = spec(success={"status": [200, 204], "text": ["ok"], "empty": [204]})
    assert means(200, b" OK\n", ONE, worded, content_type="text/html") == Delivered()
    assert means(204, None, ONE, worded) == Delivered()
    assert isinstance(means(200, None, ONE, worded), Retry)
    assert isinstance(means(200, b"not ok", ONE, worded), Retry)


def test_a_count_may_stand_in_a_sentence() -> None:
    worded = spec(success={"status": [200], "count_in": {"message": r"processed (\d+) events"}})
    assert means(200, {"message": "Successfully processed 3 events."}, THREE, worded) == Delivered()
    for said in ("Successfully processed 2 events.", "Success", None, 3):
        assert isinstance(means(200, {"message": said}, THREE, worded), Retry)


def test_a_count_may_stand_in_one_of_several_sentences_that_agree() -> None:
    pattern = r"processed (\d+) events"
    worded = spec(success={"count_in": {"data.message": pattern, "message": pattern}})
    three, two = "processed 3 events", "processed 2 events"
    for body in ({"data": {"message": three}}, {"message": three}):
        assert means(200, body, THREE, worded) == Delivered()
    for body in (
        {},
        {"data": {}},
        {"data": {"message": two}},
        {"data": {"message": three}, "message": two},
    ):
        assert isinstance(means(200, body, THREE, worded), Retry)


# Codes: the platform's registry goes before the status.

CODED = spec(
    success={"status": [200], "equals": {"code": [0]}},
    codes={
        "path": ["sub", "code/sub", "code"],
        "known": {
            "190": {"means": "auth", "remedy": "make a new token"},
            "40*": {"means": "halt", "remedy": "check the pixel"},
            "40100": {"means": "retry"},
            "100/33": {"means": "halt"},
            "100": {"means": "refused"},
            "77": {"means": "delivered"},
            "50*": {"means": "ambiguous"},
        },
    },
    message=["message"],
)


@pytest.mark.parametrize("status", [200, 400, 404, 500])
def test_a_known_code_decides_whatever_the_status(status: int) -> None:
    assert means(status, {"code": 190}, THREE, CODED) == Halt(
        f"the platform refused the credentials (HTTP {status}, code 190); make a new token",
        auth=True,
    )
    assert means(status, {"code": "4001"}, THREE, CODED) == Halt(
        f"the platform refused the request itself (HTTP {status}, code 40*); check the pixel"
    )
    assert means(status, {"code": 40100}, THREE, CODED, retry_after="2") == Retry(
        f"HTTP {status}, code 40100", ambiguous=status >= 500, wait=2, throttled=status < 500
    )
    assert isinstance(means(status, {"code": 100, "sub": 33}, THREE, CODED), Halt)
    assert means(status, {"code": 100, "message": "bad"}, THREE, CODED) == Unlocated(
        Refusal("100", "bad")
    )
    assert means(status, {"code": 100, "message": "bad"}, ONE, CODED) == PerRecord(
        refused={0: Refusal("100", "bad")}
    )
    assert means(status, {"code": 77}, THREE, CODED) == Delivered()
    assert means(status, {"code": 50002}, THREE, CODED, retry_after="2") == Retry(
        f"HTTP {status}, code 50*", ambiguous=True, wait=2
    )


def test_a_code_that_is_known_by_its_beginning_tells_nothing_of_a_record() -> None:
    records = [b'{"id":"a","name":"Jane Doe"}', b'{"id":"b","order":"A-77"}']
    found = means(500, {"code": "40 Jane Doe A-77 jane@example.org"}, records, CODED)
    assert found == Halt(
        "the platform refused the request itself (HTTP 500, code 40*); check the pixel"
    )


def test_an_unknown_code_leaves_it_to_the_status() -> None:
    assert isinstance(means(200, {"code": 5}, THREE, CODED), Retry)
    assert means(400, {"code": 5}, THREE, CODED) == Unlocated(Refusal("5", ""))
    assert means(500, {"code": 5}, THREE, CODED) == Retry("HTTP 500", ambiguous=True)
    assert means(200, {"code": 0}, THREE, CODED) == Delivered()


# Verdicts on single records.


def test_refused_records_are_named_by_index_and_the_rest_is_open_or_taken() -> None:
    body = {
        "details": [
            {"index": 1, "code": "bad", "why": "no", "path": "em"},
            {"index": 1, "code": "worse"},
            {"index": 7},
            {"index": -1},
            {"index": "x"},
            {"index": True},
            "text",
        ]
    }
    located = {
        "path": ["nowhere", "details"],
        "index": "index",
        "code": "code",
        "message": "why",
        "field": "path",
    }
    refused = {1: Refusal("bad", "no", "em")}
    for status in (200, 400):
        assert means(status, body, THREE, spec(located=located)) == PerRecord(frozenset(), refused)
    for status, taken in ((200, frozenset({0, 2})), (400, frozenset())):
        assert means(status, body, THREE, spec(located=located, partial=[200])) == PerRecord(
            taken, refused
        )


def test_a_warning_and_an_accepted_entry_refuse_nothing() -> None:
    located = {"path": ["details"], "index": "index", "warning": "soft", "ok": {"state": ["VALID"]}}
    body = {
        "details": [
            {"index": 0, "soft": True},
            {"index": 1, "state": "VALID"},
            {"index": 2, "soft": False, "state": "INVALID"},
        ]
    }
    assert means(400, body, THREE, spec(located=located)) == PerRecord(
        frozenset(), {2: Refusal("invalid", "")}
    )


@pytest.mark.parametrize("number", [2, "2"])
def test_a_position_may_be_a_text_and_count_from_one(number: Any) -> None:
    located = {"path": ["lines"], "index": "line", "first": 1}
    body = {"lines": [{"line": number}, {"line": "0"}, {"line": 4}]}
    assert means(400, body, THREE, spec(located=located)) == PerRecord(
        frozenset(), {1: Refusal("invalid", "")}
    )


@pytest.mark.parametrize("number", ["1", "2", "3", None])
def test_what_is_repeated_of_a_record_has_the_last_word_on_its_position(number: Any) -> None:
    located = {"path": ["lines"], "index": "line", "first": 1, "echo": {"order": "id"}}
    body = {"lines": [{"line": number, "order": "b"}]}
    assert means(400, body, THREE, spec(located=located)) == PerRecord(
        frozenset(), {1: Refusal("invalid", "")}
    )


def test_of_records_that_look_alike_the_position_decides_and_a_strange_one_blames_nobody() -> None:
    located = spec(located={"path": ["lines"], "index": "line", "echo": {"order": "id"}})
    twins = [b'{"id":"a"}', b'{"id":"b"}', b'{"id":"b"}']
    for line, order, blamed in ((2, "b", 2), (0, "b", None), (1, "z", None), (0, None, 0)):
        found = means(400, {"lines": [{"line": line, "order": order}]}, twins, located)
        if blamed is None:
            assert isinstance(found, Unlocated)
        else:
            assert found == PerRecord(frozenset(), {blamed: Refusal("invalid", "")})


TWO_LISTS = spec(
    success={"status": [207]},
    located={"path": ["error"], "index": "index", "taken": "success", "code": "errors.0.code"},
)


def test_a_multi_status_names_the_taken_and_the_refused() -> None:
    good = [{"index": 0, "event": {}}, {"index": 2, "event": {}}]
    bad = [{"index": 1, "errors": [{"code": "NO"}]}]
    assert means(207, {"success": good, "error": bad}, THREE, TWO_LISTS) == PerRecord(
        frozenset({0, 2}), {1: Refusal("NO", "")}
    )
    assert means(207, {"success": good[:1], "error": []}, THREE, TWO_LISTS) == PerRecord(
        frozenset({0}), {}, unclear=True
    )
    assert means(207, {"success": [{"index": 1}], "error": bad}, THREE, TWO_LISTS) == PerRecord(
        frozenset(), {1: Refusal("NO", "")}, unclear=True
    )


def test_a_platform_may_speak_in_headers() -> None:
    spoken = spec(
        codes={
            "path": ["header.x-error-code"],
            "known": {"OLD_KEY": {"means": "auth", "remedy": "make a new key"}},
        },
        message=["header.x-error-message"],
    )
    said = {"x_error_code": "E7", "x_error_message": "no such product"}
    for body in (None, {}, b"<html>"):
        assert means(400, body, ONE, spoken, **said) == PerRecord(
            refused={0: Refusal("E7", "no such product")}
        )
    assert means(400, None, THREE, spoken, **said) == Unlocated(Refusal("E7", "no such product"))
    halted = means(400, None, THREE, spoken, x_error_code="OLD_KEY")
    assert isinstance(halted, Halt)
    assert "make a new key" in halted.why
    assert means(200, {}, ONE, spoken) == Delivered()


def test_an_empty_object_is_a_yes_where_nothing_else_may_stand_in_it() -> None:
    only = spec(success={"only": ["failed"]}, located={"path": ["failed"], "index": "index"})
    assert means(200, {}, THREE, only) == means(200, {"failed": []}, THREE, only) == Delivered()
    assert means(200, {"hello": "proxy"}, THREE, only) == Retry(
        "HTTP 200 with a body that is not the platform's", ambiguous=True, not_understood=True
    )


def test_positions_and_fields_are_read_from_sentences() -> None:
    located = {
        "text": ["errors.*.field", "message"],
        "pattern": [r"events\[(\d+)\](?:\.(?P<field>\w+))?", r"indices ([\d, ]+)"],
    }
    body = {
        "errors": [{"field": "events[2].email"}, {"field": "events[9]"}, {"other": 1}],
        "message": "bad indices 0, 2",
        "code": "X",
    }
    found = means(400, body, THREE, spec(located=located, codes={"path": ["code"]}))
    assert found == PerRecord(
        frozenset(), {2: Refusal("X", "events[2].email", "email"), 0: Refusal("X", "indices 0, 2")}
    )


def test_refused_records_are_found_again_by_what_is_repeated_of_them() -> None:
    located = {"path": ["invalid"], "echo": {"event.id": "id"}, "message": "why"}
    body = {"invalid": [{"event": {"id": "c"}, "why": "no"}, {"event": {"id": "z"}}]}
    assert means(400, body, THREE, spec(located=located)) == PerRecord(
        frozenset(), {2: Refusal("invalid", "no")}
    )


@pytest.mark.parametrize("entry", [{"why": "no"}, {"event": None}, "a text"])
def test_an_entry_that_repeats_nothing_blames_nobody(entry: Any) -> None:
    located = {"path": ["invalid"], "echo": {"event.order": "order"}}
    assert isinstance(means(400, {"invalid": [entry]}, THREE, spec(located=located)), Unlocated)


def test_a_list_in_the_order_of_the_request_judges_each_record() -> None:
    located = {"path": ["events"], "ok": {"status": ["processed"]}, "message": "why"}
    body = {
        "events": [
            {"status": "processed"},
            {"status": "failed", "why": "no"},
            {"status": "processed"},
        ]
    }
    for status in (200, 207, 422):
        assert means(status, body, THREE, spec(located=located)) == PerRecord(
            frozenset({0, 2}), {1: Refusal("invalid", "no")}
        )


def test_a_list_of_another_length_judges_nobody() -> None:
    located = {"path": ["events"], "ok": {"status": ["processed"]}}
    short = {"events": [{"status": "processed"}], "received": 1}
    assert isinstance(
        means(
            200, short, THREE, spec(located=located, success={"status": [200], "count": "received"})
        ),
        Retry,
    )
    assert isinstance(means(400, short, THREE, spec(located=located)), Unlocated)


def test_a_record_without_a_verdict_stays_open() -> None:
    located = {"path": ["events"], "ok": {"status": ["processed"]}}
    found = means(
        200, {"events": [{"status": "processed"}, None, {}]}, THREE, spec(located=located)
    )
    assert isinstance(found, PerRecord)
    assert found.delivered == {0}
    assert set(found.refused) == {2}
    assert found.unclear


@pytest.mark.parametrize("name", platforms.names())
def test_no_platform_takes_a_list_of_errors_for_a_list_of_successes(name: str) -> None:
    located = platforms.load(name).answers.located
    assert not located.path or located.index or located.echo or located.ok


# Whatever comes, there is an outcome, and it claims nothing about records that were not sent.

SPECS = [PLAIN, COUNTED, CODED, *(platforms.load(name).answers for name in platforms.names())]
NAMES = [
    "error",
    "errors",
    "code",
    "message",
    "events",
    "status",
    "elements",
    "details",
    "index",
    "invalid_events",
    "event",
    "sub",
    "state",
    "data",
    "reason",
    "0",
    ".",
]
SENTENCES = st.sampled_from(
    [
        "ok",
        "VALID",
        "processed",
        "events[1].em",
        "Batch.2.email",
        "Index: 0, ERROR :: /x",
        "indices [0, 2]",
        "events[99999999999999999999]",
        "190",
        "",
    ]
)
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 500),
    st.floats(allow_nan=False),
    SENTENCES,
    st.text(max_size=8),
)
BODIES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(
    st.sampled_from(SPECS),
    st.integers(100, 600),
    BODIES | st.binary(max_size=40),
    st.sampled_from([ONE, THREE]),
)
@settings(max_examples=300, deadline=None)
def test_every_answer_has_an_outcome(
    spec: Answers, status: int, body: Any, records: list[bytes]
) -> None:
    found = interpret(answer(status, body), records, spec, NOW)
    if isinstance(found, PerRecord):
        positions = set(range(len(records)))
        assert set(found.refused) <= positions
        assert found.delivered <= positions
        assert not found.delivered & set(found.refused)
    elif isinstance(found, Delivered):
        assert (
            status in spec.success.status
            or status == 409
            or any(code.means == "delivered" for code in spec.codes.known.values())
        )


def test_a_position_of_five_thousand_digits_is_no_position() -> None:
    assert isinstance(
        means(
            200,
            {"code": 40002, "message": "Batch." + "9" * 5000},
            THREE,
            platforms.load("tiktok").answers,
        ),
        Unlocated,
    )
    worded = spec(success={"status": [200], "count_in": {"message": r"processed (\d+) events"}})
    assert isinstance(
        means(200, {"message": f"processed {'3' * 5000} events"}, THREE, worded), Retry
    )


def test_two_entries_about_records_that_look_alike_refuse_both() -> None:
    located = {"path": ["invalid"], "echo": {"event.id": "id"}}
    records = [b'{"id":"a"}', b'{"id":"b"}', b'{"id":"a"}']
    body = {"invalid": [{"event": {"id": "a"}}, {"event": {"id": "a"}}, {"event": {"id": "a"}}]}
    found = means(400, body, records, spec(located=located))
    assert isinstance(found, PerRecord)
    assert sorted(found.refused) == [0, 2]


@pytest.mark.parametrize(
    ("receipt", "kept"),
    [
        ("r-1", "r-1"),
        (17, "17"),
        ("x" * 255, "x" * 255),
        ("x" * 256, None),
        ("r\0", None),
        ("", None),
        ([], None),
    ],
)
def test_a_receipt_is_kept_where_it_can_be(receipt: Any, kept: str | None) -> None:
    polled = spec(
        success={"status": [200]},
        poll={"receipt": "id", "path": "/later", "param": "id", "states": "state"},
    )
    assert means(200, {"id": receipt}, THREE, polled) == Delivered(kept)
