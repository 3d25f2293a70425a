"""The sender against a platform that takes batches: each record gets its verdict, at a price."""

from __future__ import annotations

import contextlib
import datetime as dt
import itertools
import math
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import orjson
import pytest

from connector.arrow.records import Records
from connector.delivery.auth.base import AuthScheme, NoAuth
from connector.delivery.auth.hmac import HmacAuth
from connector.delivery.auth.oauth2 import OAuth2
from connector.delivery.concurrency import ConcurrencyLimit
from connector.delivery.rate_limit import RateLimiter
from connector.delivery.redact import UNREGISTERED, Redactor
from connector.delivery.retry_budget import RetryBudget
from connector.delivery.sender import Sender
from connector.delivery.transports.base import HttpRequest
from connector.delivery.transports.requests import RequestsTransport
from connector.engine.checkpoint import NullCheckpointer
from connector.engine.pipeline import deliver_pages
from connector.errors import ConnectorError, EndpointError, Fenced, InternalError, Postponed
from connector.model import Batch, Mark, Page, PageResult, RowState
from connector.platforms.answers import Answers
from connector.state.tables import quarantine
from tests.delivery.conftest import Kind
from tests.support.servers import (
    BatchingPlatform,
    Behaviour,
    Reply,
    Request,
    Server,
    answering,
    closed_port,
    record,
    serving,
)

made: Kind = RequestsTransport


@pytest.fixture(autouse=True)
def _on_both_transports(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{__name__}.made", kind)


AS_OF = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
COUNTED = {
    "success": {"status": [200], "count": "received"},
    "codes": {"path": ["code"]},
    "message": ["message"],
}
SPEC = Answers.model_validate(COUNTED)
BY_INDEX = Answers.model_validate(
    {
        **COUNTED,
        "located": {
            "path": ["bad"],
            "index": "index",
            "code": "code",
            "message": "why",
            "field": "field",
        },
    }
)
PARTIAL = BY_INDEX.model_copy(update={"partial": [400]})
IN_ORDER = Answers.model_validate(
    {"success": {"status": [200]}, "located": {"path": ["events"], "ok": {"state": ["ok"]}}}
)


def page_of(records: Sequence[bytes], size: int = 1000, number: int = 0) -> Page:
    """A page whose rows are all to be sent, `size` records a request."""
    rows = range(len(records))
    batches = [
        Batch(Records.of(records[start : start + size]), list(rows[start : start + size]))
        for start in range(0, len(records), size)
    ]
    upto = Mark(str(number), (str(number),))
    return Page(
        0,
        number,
        "range",
        None,
        upto,
        [b"%016d" % row for row in rows],
        [str(row) for row in rows],
        None,
        {},
        batches,
        AS_OF,
        size,
    )


class Run:
    """A sender and its server."""

    def __init__(self, sender: Sender, server: Server) -> None:
        self.sender, self.server = sender, server

    def deliver(self, records: Sequence[bytes], size: int = 1000) -> PageResult:
        return self.sender.finish(self.sender.submit(page_of(records, size)))

    @property
    def requests(self) -> int:
        return len(self.server.requests)


@contextlib.contextmanager
def run(
    behave: Callable[[Request], Reply] | Behaviour,
    spec: Answers = SPEC,
    *,
    raw: bool = False,
    concurrency: int = 1,
    validates: bool = False,
    auth: AuthScheme | None = None,
    **options: Any,
) -> Iterator[Run]:
    with serving(behave if raw else answering(behave)) as server:  # type: ignore[arg-type]
        transport = made(timeout=5, connections=concurrency)

        def build(_page: Page, batch: Batch) -> HttpRequest:
            return HttpRequest(
                "POST", server.url, {}, b'{"data":[' + b",".join(batch.records) + b"]}"
            )

        def build_validation(page: Page, batch: Batch) -> HttpRequest:
            return build(page, batch)._replace(url=server.url + "/validate")

        sender = Sender(
            transport,
            auth or NoAuth(),
            spec,
            build,
            concurrency=ConcurrencyLimit.fixed(concurrency),
            rate_limiter=options.pop("rate_limiter", RateLimiter(None)),
            redactor=options.pop("redactor", Redactor("redacted", spec.codes)),
            build_validation=build_validation if validates else None,
            **options,
        )
        try:
            yield Run(sender, server)
        finally:
            sender.close()
            transport.close()


def rows(result: PageResult, state: RowState | int) -> list[int]:
    return np.flatnonzero(result.states == state).tolist()


# Bisection: exactly the bad records are refused.

THOUSAND = [record(number) for number in range(1000)]


@pytest.mark.parametrize("bad", [0, 1, 2, 5, 10, 50])
def test_exactly_the_bad_records_are_refused_after_few_requests(bad: int) -> None:
    chosen = sorted(random.Random(bad).sample(range(1000), bad))
    platform = BatchingPlatform(chosen)
    with run(platform) as sender:
        result = sender.deliver(THOUSAND)
        print(f"\n{bad} bad of 1000: {sender.requests} requests")
        assert (
            sender.requests == result.requests <= 2 * bad * (math.log2(1000 / max(bad, 1)) + 1) + 12
        )
    assert rows(result, RowState.REJECTED) == chosen == sorted(result.refusals)
    assert rows(result, RowState.DELIVERED) == [
        number for number in range(1000) if number not in chosen
    ]
    assert set(platform.taken) == {
        f"event-{number:05d}" for number in range(1000) if number not in chosen
    }
    assert {refused.code for refused in result.refusals.values()} == ({"E7"} if bad else set())


@pytest.mark.parametrize("bad", [1, 10])
def test_no_record_that_was_taken_is_sent_again(bad: int) -> None:
    platform = BatchingPlatform(range(0, 100 * bad, 100))
    with run(platform) as sender:
        sender.deliver(THOUSAND)
    assert max(platform.taken.values()) == 1


def test_of_a_batch_that_breaks_off_what_was_taken_is_not_sent_again() -> None:
    """The whole is refused, its first single record taken, and then the credentials expire."""
    platform = BatchingPlatform([999])

    def reply(request: Request) -> Reply:
        return platform(request) if len(sender.server.requests) <= 2 else Reply(401)

    with run(reply) as sender:
        result = sender.deliver(THOUSAND)
    assert isinstance(sender.sender.error, EndpointError)
    assert {f"event-{row:05d}" for row in rows(result, RowState.DELIVERED)} == set(platform.taken)
    assert (len(platform.taken), len(rows(result, 0)), result.refusals, result.open_ambiguous) == (
        1,
        999,
        {},
        False,
    )


def test_a_batch_that_breaks_off_in_doubt_is_sent_again_as_it_was() -> None:
    """A record was taken for certain, and any other may have been.

    The same bytes in the same batch tell the platform.
    """
    platform = BatchingPlatform([999])

    def reply(request: Request) -> Reply:
        number = len(sender.server.requests)
        return Reply(500) if number == 1 else platform(request) if number <= 3 else Reply(401)

    with run(reply) as sender:
        result = sender.deliver(THOUSAND)
    assert len(platform.taken) == 1
    assert (rows(result, 0), result.open_ambiguous) == (list(range(1000)), True)


def test_doubt_about_some_records_ends_with_their_verdict() -> None:
    """The first half is in doubt for a moment and then taken; then the run ends over the second."""
    platform = BatchingPlatform([15])

    def reply(request: Request) -> Reply:
        number = len(sender.server.requests)
        return Reply(500) if number == 2 else Reply(403) if number >= 4 else platform(request)

    with run(reply) as sender:
        result = sender.deliver(THOUSAND[:16])
    assert (rows(result, RowState.DELIVERED), rows(result, 0), result.open_ambiguous) == (
        list(range(8)),
        list(range(8, 16)),
        False,
    )


EXCHANGE, TRANSPORTS = "connector.delivery.exchange", "connector.delivery.transports"
MISTAKES = {
    "RequestsTransport": [
        f"{EXCHANGE}.interpret",
        f"{TRANSPORTS}.requests.RequestsTransport._exchange",
        f"{TRANSPORTS}.requests._Adapter.send",
    ],
    "LibcurlTransport": [
        f"{EXCHANGE}.interpret",
        f"{TRANSPORTS}.curl_handle.CurlHandle.prepare",
        f"{TRANSPORTS}.curl_handle.CurlHandle.response",
        f"{TRANSPORTS}.curl_handle.CurlHandle.release",
        f"{TRANSPORTS}.curl_handle.CurlHandle._before_send",
        f"{TRANSPORTS}.curl_handle.CurlHandle._write",
        f"{TRANSPORTS}.libcurl.LibcurlTransport._seconds_until_due",
        f"{TRANSPORTS}.libcurl.LibcurlTransport._watch_socket",
        f"{TRANSPORTS}.libcurl.LibcurlTransport._set_timer",
    ],
}


def test_a_mistake_of_our_own_ends_the_run_without_a_word_of_what_was_sent(
    kind: Kind, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Wherever it happens, in whatever thread; of several requests none waits for ever."""

    def broken(*_arguments: Any, **_options: Any) -> Any:
        raise KeyError("jane@example.org")

    for where in MISTAKES[kind.__name__]:
        with monkeypatch.context() as patch:
            patch.setattr(where, broken)
            error, result = in_time(eight_requests)
        assert isinstance(error, InternalError), where
        assert rows(result, 0) == list(range(8)), where
        assert result.open_ambiguous, where
        printed = capfd.readouterr()
        for said in (str(error), printed.out, printed.err):
            assert "jane" not in said, where


def eight_requests() -> tuple[ConnectorError | None, PageResult]:
    with run(lambda _request: Reply(body={"received": 1}), concurrency=4) as sender:
        result = sender.deliver(THOUSAND[:8], size=1)
    return sender.sender.error, result


def in_time(work: Callable[[], Any]) -> Any:
    """The result of some work, which may have been left waiting for ever."""
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(work()), daemon=True)
    thread.start()
    thread.join(30)
    assert results, "the run hangs"
    return results[0]


def test_a_mistake_over_the_books_ends_the_run_and_blocks_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A page is finished, and a slot free again,
    whatever happens when its verdicts are added up.
    """

    def broken(*_arguments: Any) -> None:
        raise KeyError("jane@example.org")

    monkeypatch.setattr("connector.delivery.in_flight._write", broken)
    with run(lambda _request: Reply(body={"received": 1})) as sender:
        result = sender.deliver(THOUSAND[:3], size=1)
    assert isinstance(sender.sender.error, InternalError)
    assert rows(result, 0) == [0, 1, 2]


@pytest.mark.parametrize("known", [False, True])
def test_a_host_that_nobody_reaches_is_an_error_of_the_endpoint(
    known: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it was reached before in this run, its absence may pass."""
    monkeypatch.setattr("connector.delivery.retry.BACKOFF_BASE", 0.0)
    with run(lambda _request: Reply(body={"received": 1})) as sender:
        if known:
            assert rows(sender.deliver(THOUSAND[:1]), RowState.DELIVERED) == [0]
        sender.server.url = f"http://127.0.0.1:{closed_port()}"
        result = sender.deliver(THOUSAND[:3], size=1)
    error = sender.sender.error
    assert isinstance(error, Postponed if known else EndpointError)
    assert "no connection to the host" in str(error)
    assert error.exit_code == (1 if known else 3)
    assert (rows(result, 0), result.open_ambiguous) == ([0, 1, 2], False)


def test_a_batch_of_nothing_but_bad_records_is_blamed_on_the_request() -> None:
    with run(BatchingPlatform(range(1000))) as sender:
        result = sender.deliver(THOUSAND)
        assert sender.requests <= 12
        assert isinstance(sender.sender.error, EndpointError)
    assert "code E7" in str(sender.sender.error)
    assert rows(result, 0) == list(range(1000))
    assert result.refusals == {}
    assert not result.open_ambiguous


def test_a_page_of_single_records_that_are_all_refused_is_blamed_on_the_request() -> None:
    with run(BatchingPlatform(range(30)), concurrency=4) as sender:
        result = sender.deliver(THOUSAND[:30], size=1)
        assert isinstance(sender.sender.error, EndpointError)
    assert rows(result, 0) == list(range(30))


def test_where_one_batch_shows_that_all_is_refused_refusals_of_another_do_not_count() -> None:
    """A small batch is refused record by record, before a large one shows that none is to blame."""
    page = page_of(THOUSAND)
    page.batches = [
        page.batches[0].part(list(range(10))),
        page.batches[0].part(list(range(10, 1000))),
    ]
    with run(BatchingPlatform(range(1000))) as sender:
        result = sender.sender.finish(sender.sender.submit(page))
        assert result.statuses["400"] > 19
    assert isinstance(sender.sender.error, EndpointError)
    assert (len(rows(result, 0)), result.refusals) == (1000, {})


@pytest.mark.parametrize(("bad", "systemic"), [(26, False), (27, True)])
def test_nine_tenths_of_a_page_with_one_code_is_systemic(bad: int, systemic: bool) -> None:
    with run(BatchingPlatform(range(bad)), concurrency=4) as sender:
        result = sender.deliver(THOUSAND[:30], size=1)
    assert isinstance(sender.sender.error, EndpointError) == systemic
    assert len(result.refusals) == (0 if systemic else bad)
    assert rows(result, RowState.DELIVERED) == list(range(bad, 30))


def test_refusals_for_different_reasons_are_not_systemic() -> None:
    codes = iter(range(1000))
    with run(
        BatchingPlatform(range(30), lambda _bad, _count: Reply(400, {"code": f"E{next(codes)}"}))
    ) as sender:
        result = sender.deliver(THOUSAND[:30], size=1)
    assert sender.sender.error is None
    assert len(rows(result, RowState.REJECTED)) == 30


def test_twenty_bad_of_twenty_are_refused_one_by_one() -> None:
    with run(BatchingPlatform(range(20))) as sender:
        result = sender.deliver(THOUSAND[:20])
        assert sender.requests == 39
    assert sender.sender.error is None
    assert sorted(result.refusals) == list(range(20))


def test_a_person_may_say_that_all_are_bad() -> None:
    with run(BatchingPlatform(range(64)), accept_all=True) as sender:
        result = sender.deliver(THOUSAND[:64])
    assert sender.sender.error is None
    assert sorted(result.refusals) == list(range(64))


# Answers that name the records, and batches that are too large.


def named(bad: list[int], _count: int) -> Reply:
    return Reply(
        400, {"bad": [{"index": index, "code": "E9", "why": "no", "field": "em"} for index in bad]}
    )


def test_records_that_an_answer_names_are_left_out_of_one_more_request() -> None:
    chosen = [0, 17, 500, 999]
    platform = BatchingPlatform(chosen, named)
    with run(platform, BY_INDEX) as sender:
        result = sender.deliver(THOUSAND)
        assert sender.requests == 2
    assert rows(result, RowState.REJECTED) == chosen
    assert len(rows(result, RowState.DELIVERED)) == 996
    assert max(platform.taken.values()) == 1
    assert (result.refusals[17].code, result.refusals[17].message, result.refusals[17].field) == (
        "E9",
        "no",
        "em",
    )


def test_a_platform_that_takes_the_rest_is_asked_once() -> None:
    platform = BatchingPlatform([3, 4], named)
    platform.takes_the_rest = True
    with run(platform, PARTIAL) as sender:
        result = sender.deliver(THOUSAND)
        assert sender.requests == 1
    assert rows(result, RowState.REJECTED) == [3, 4]
    assert max(platform.taken.values()) == 1


def test_a_verdict_for_each_record_is_taken_as_it_is() -> None:
    with run(
        lambda _request: Reply(
            207, {"events": [{"state": "ok"}, {"state": "no"}, {"state": "ok"}]}
        ),
        IN_ORDER,
    ) as sender:
        result = sender.deliver(THOUSAND[:3])
        assert sender.requests == 1
    assert result.states.tolist() == [RowState.DELIVERED, RowState.REJECTED, RowState.DELIVERED]


def test_records_without_a_verdict_are_asked_about_again_alone() -> None:
    """One verdict an answer, which is a doubtful answer for the rest."""

    def reply(request: Request) -> Reply:
        count = len(orjson.loads(request.body)["data"])
        return Reply(207, {"events": [{"state": "ok"}] + [None] * (count - 1)})

    with run(reply, IN_ORDER) as sender:
        result = sender.deliver(THOUSAND[:3])
        assert [len(orjson.loads(request.body)["data"]) for request in sender.server.requests] == [
            3,
            2,
            1,
        ]
    assert (
        len(rows(result, RowState.DELIVERED)),
        result.retries,
        result.ambiguous,
        sender.sender.error,
    ) == (3, 2, 2, None)


def test_a_platform_that_never_gives_a_verdict_is_left_to_the_next_run() -> None:
    with (
        run(lambda _request: Reply(200, {"events": [None, None]}), IN_ORDER) as sender,
        contextlib.suppress(RecursionError),
    ):
        result = sender.deliver(THOUSAND[:2])
        assert rows(result, 0) == [0, 1]
    assert sender.requests < 20
    assert isinstance(sender.sender.error, Postponed)


def test_a_platform_that_names_one_record_at_a_time_is_followed_to_the_end() -> None:
    bad = range(0, 1000, 2)
    with run(
        BatchingPlatform(bad, lambda found, count: named(found[:1], count)), BY_INDEX
    ) as sender:
        result = sender.deliver(THOUSAND)
    assert rows(result, RowState.REJECTED) == list(bad)


BAD = [0, 17, 500, 999]


@pytest.mark.parametrize(
    ("said", "requests"),
    [
        ("names all", 3),
        ("takes all", 1 + 1 + len(BAD)),
        ("is not there", 1 + 1 + len(BAD)),
        ("wants to be left alone", 1 + 1 + len(BAD)),
    ],
)
def test_a_refused_batch_is_validated_once_and_nothing_counts_as_taken_for_that(
    said: str, requests: int
) -> None:
    platform = BatchingPlatform(BAD, lambda found, count: named(found[:1], count))
    judging = BatchingPlatform(BAD, named)
    otherwise = {
        "takes all": Reply(200, {"received": len(THOUSAND) - 1}),
        "is not there": Reply(404, {}),
        "wants to be left alone": Reply(429, {}, {"Retry-After": "0"}),
    }

    def behave(request: Request) -> Reply:
        if request.target.endswith("/validate"):
            return otherwise.get(said) or judging(request)
        return platform(request)

    with run(behave, BY_INDEX, validates=True) as sender:
        result = sender.deliver(THOUSAND)
        assert sender.requests == requests
        assert sum(each.target.endswith("/validate") for each in sender.server.requests) == 1
    assert sender.sender.error is None
    assert rows(result, RowState.REJECTED) == BAD
    assert len(platform.taken) == len(rows(result, RowState.DELIVERED)) == 996
    assert max(platform.taken.values()) == 1
    assert (result.requests, result.ambiguous) == (requests, 0)


def test_a_body_that_is_too_large_is_cut_by_bytes_and_a_record_that_is_too_large_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """At once: waiting makes no body smaller, whatever the answer says."""
    slept: list[float] = []
    monkeypatch.setattr("connector.delivery.retry.sleep_using_event", lambda _event: slept.append)
    records = [record(number, text="x" * (200 if number < 10 else 5)) for number in range(100)]
    records[42] = record(42, text="x" * 3000)
    largest = 2000

    def limited(request: Request) -> Reply:
        if len(request.body) > largest:
            return Reply(413, {"message": "too large"}, {"Retry-After": "30"})
        return Reply(body={"received": len(orjson.loads(request.body)["data"])})

    with run(limited) as sender:
        result = sender.deliver(records)
        assert sender.requests < 30
    assert slept == []
    assert rows(result, RowState.REJECTED) == [42]
    assert result.refusals[42].code == "413"
    assert len(rows(result, RowState.DELIVERED)) == 99


# What is told of a refusal.


def refusal(**answer: Any) -> Any:
    """The refusal of one record about Jane, whatever the platform says."""
    with run(lambda _request: Reply(400, {"bad": [{"index": 0, **answer}]}), BY_INDEX) as sender:
        return sender.deliver([record(1, name="Jane Doe", order="A-77")]).refusals[0]


def test_words_of_the_platform_are_kept_without_the_record() -> None:
    found = refusal(
        code="E1",
        why="Jane Doe <jane@example.org> of order A-77 is not valid",
        field="data.A-77.name",
    )
    assert (found.code, found.message, found.field) == (
        "E1",
        "*** <***> of order *** is not valid",
        "data.***.name",
    )
    assert len(refusal(why="very " * 1000).message) == 200


def test_codes_that_are_not_kept_are_told_apart_all_the_same() -> None:
    """Thirty records with thirty troubles are no sign that the request is to blame."""
    number = itertools.count()
    several = BatchingPlatform(
        range(30), lambda _bad, _count: Reply(400, {"code": f"secret {next(number)}"})
    )
    one = BatchingPlatform(range(30), lambda _bad, _count: Reply(400, {"code": "secret"}))
    for platform, refused in ((several, 30), (one, 0)):
        with run(platform, redactor=Redactor()) as sender:
            result = sender.deliver(THOUSAND[:30], size=1)
            assert ("nearly everything" in str(sender.sender.error)) == (not refused)
        assert len(result.refusals) == refused
        assert {each.code for each in result.refusals.values()} <= {UNREGISTERED}
        assert "secret" not in str(sender.sender.error)


def test_a_code_that_repeats_the_record_is_cleaned_too() -> None:
    assert "Jane" not in refusal(code="INVALID:Jane Doe").code


@pytest.mark.parametrize(
    ("code", "said"), [("order_total", "order_total"), ("order_sum", "***_sum")]
)
def test_a_code_that_the_platform_file_knows_is_kept_whatever_the_record_holds(
    code: str, said: str
) -> None:
    spec = Answers.model_validate(
        {
            **BY_INDEX.model_dump(),
            "codes": {"known": {"order_total": {"means": "refused", "remedy": "send a total"}}},
        }
    )
    with run(lambda _request: Reply(400, {"bad": [{"index": 0, "code": code}]}), spec) as sender:
        assert sender.deliver([record(1, kind="order")]).refusals[0].code == said


def test_a_field_fits_its_column() -> None:
    assert len(refusal(field="a" * 30 + ".b" * 300).field) <= quarantine.c.field.type.length


def test_a_systemic_refusal_does_not_repeat_a_record() -> None:
    with run(
        BatchingPlatform(
            range(30), lambda _bad, _count: Reply(400, {"code": "no such user: jane@example.org"})
        )
    ) as sender:
        sender.deliver(THOUSAND[:30])
    assert "jane" not in str(sender.sender.error)


# Failures: what is tried again, what stops the run, and how soon.


def test_an_attempt_whose_answer_is_lost_is_repeated_with_the_same_bytes_and_a_new_signature() -> (
    None
):
    times = iter([1000.0, 1060.0])

    def lose_the_first(peer: Any) -> None:
        number = len(sender.server.requests)
        while peer.read() is not None:
            peer.reset() if number == 0 else peer.answer(body=b'{"received":1}')

    with run(
        lose_the_first, raw=True, auth=HmacAuth("X-Signature", "key", clock=lambda: next(times))
    ) as sender:
        result = sender.deliver(THOUSAND[:1])
        first, second = sender.server.requests
    assert first.body == second.body
    assert [request.headers["x-signature"][:6] for request in (first, second)] == [
        "t=1000",
        "t=1060",
    ]
    assert (
        rows(result, RowState.DELIVERED),
        result.requests,
        result.retries,
        result.ambiguous,
    ) == (
        [0],
        2,
        1,
        1,
    )
    assert not result.open_ambiguous


def test_an_answer_that_nobody_understands_is_asked_three_times_and_left_open() -> None:
    with run(
        lambda _request: Reply(200, b"<html>It works!</html>", {"Content-Type": "text/html"})
    ) as sender:
        result = sender.deliver(THOUSAND[:2])
        assert sender.requests == result.ambiguous == 3
    assert isinstance(sender.sender.error, Postponed)
    assert (rows(result, 0), result.open_ambiguous) == ([0, 1], True)


def test_refused_credentials_stop_all_others_at_once_and_leave_nothing_open_to_doubt() -> None:
    with run(lambda _request: Reply(401), concurrency=4) as sender:
        result = sender.deliver(THOUSAND[:200], size=1)
        assert sender.requests <= 4
    assert isinstance(sender.sender.error, EndpointError)
    assert (len(rows(result, 0)), result.open_ambiguous) == (200, False)


@pytest.mark.parametrize(
    "status",
    [503, 429],
)
def test_an_end_wakes_those_who_wait(status: int) -> None:
    """Three requests arrive, and one is told to wait.

    When the fourth is being held back, the third is refused for its credentials.
    """
    arrived, free = threading.Barrier(3), threading.Event()

    def reply(request: Request) -> Reply:
        if len(sender.server.requests) <= 3:
            arrived.wait(5)
        if b"event-00000" in request.body:
            return Reply(status, headers={"Retry-After": "59"})
        if b"event-00002" in request.body:
            free.wait(0.5)
            return Reply(401)
        free.wait(0.2)
        return Reply(body={"received": 1})

    with run(reply, concurrency=3) as sender:
        in_time(lambda: sender.deliver(THOUSAND[:4], size=1))
        assert isinstance(sender.sender.error, EndpointError)


def test_throttling_pauses_everybody() -> None:
    """Of two requests one is throttled;
    while the limiter's clock stands still nobody else leaves.
    """
    now, paused = [1000.0], threading.Event()
    bodies: list[bytes] = []

    class Limiter(RateLimiter):
        def pause(self, seconds: float) -> None:
            super().pause(seconds)
            paused.set()

    def reply(request: Request) -> Reply:
        bodies.append(request.body)
        if len(bodies) == 3:
            now[0] += 60
        if b"event-00000" in request.body and bodies.count(request.body) == 1:
            return Reply(429, headers={"Retry-After": "0.05"})
        paused.wait(30)
        return Reply(body={"received": 1})

    with run(reply, concurrency=2, rate_limiter=Limiter(None, lambda: now[0])) as sender:
        result = in_time(lambda: sender.deliver(THOUSAND[:20], size=1))
    assert len(rows(result, RowState.DELIVERED)) == 20
    assert result.statuses["429"] == 1
    assert bodies[2] in bodies[:2], "the throttled one itself, after its wait"


def test_a_platform_that_asks_for_an_hour_gets_it() -> None:
    with run(
        lambda _request: Reply(429, headers={"Retry-After": "3600"}), clock=lambda: 5_000.0
    ) as sender:
        result = sender.deliver(THOUSAND[:3], size=1)
        assert sender.requests == 1
    assert isinstance(sender.sender.error, Postponed)
    assert sender.sender.not_before == 8_600.0
    assert (rows(result, 0), result.open_ambiguous) == ([0, 1, 2], False)


def test_where_throttling_outlasts_our_patience_the_platforms_last_word_is_remembered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("connector.delivery.retry.PATIENCE", 0.0)
    with run(
        lambda _request: Reply(429, headers={"Retry-After": "1"}), clock=lambda: 5_000.0
    ) as sender:
        sender.deliver(THOUSAND[:1])
    assert isinstance(sender.sender.error, Postponed)
    assert sender.sender.not_before == 5_001.0


def test_senders_of_one_run_share_its_retries() -> None:
    budget = RetryBudget(share=0, floor=3)
    requests = []
    for _ in range(4):
        with run(lambda _request: Reply(503), budget=budget) as sender:
            sender.deliver(THOUSAND[:1])
            requests.append(sender.requests)
    assert requests == [4, 1, 1, 1]


def authorizing(valid: str, together: int) -> Callable[[Request], Reply]:
    """An API and its authorization server; tokens are numbered.

    The first `together` requests wait for each other.
    """
    barrier, numbers = threading.Barrier(together), iter(range(1, 1000))

    def reply(request: Request) -> Reply:
        if request.body.startswith(b"grant_type"):
            return Reply(body={"access_token": f"token-{next(numbers)}"})
        if request.headers["authorization"] != f"Bearer {valid}":
            with contextlib.suppress(threading.BrokenBarrierError):
                barrier.wait(2)
            return Reply(401)
        return Reply(body={"received": 1})

    return reply


@pytest.mark.parametrize(
    "concurrency",
    [1, 4],
)
def test_a_token_that_expires_is_renewed_and_the_run_goes_on(concurrency: int) -> None:
    """Every request under way meets the old token, as when it runs out in the middle of a run."""
    with (
        serving(answering(authorizing("token-2", concurrency))) as server,
        contextlib.closing(RequestsTransport(timeout=5)) as transport,
    ):
        auth = OAuth2(transport, server.url, {"refresh_token": "r"})
        auth.sign(HttpRequest("POST", server.url, {}, b""))

        def build(_page: Page, batch: Batch) -> HttpRequest:
            return HttpRequest("POST", server.url, {}, b"{}")

        sender = Sender(
            transport,
            auth,
            SPEC,
            build,
            concurrency=ConcurrencyLimit.fixed(concurrency),
            rate_limiter=RateLimiter(None),
        )
        result = sender.finish(sender.submit(page_of(THOUSAND[:8], size=1)))
        sender.close()
    assert sender.error is None
    assert len(rows(result, RowState.DELIVERED)) == 8


def test_a_token_that_worked_may_expire_again() -> None:
    """A run that takes longer than two tokens live."""
    served = Counter[str]()
    tokens = iter(range(1, 1000))

    def reply(request: Request) -> Reply:
        if request.body.startswith(b"grant_type"):
            return Reply(body={"access_token": f"token-{next(tokens)}"})
        served[request.headers["authorization"]] += 1
        return (
            Reply(401)
            if served[request.headers["authorization"]] > 3
            else Reply(body={"received": 1})
        )

    with (
        serving(answering(reply)) as server,
        contextlib.closing(RequestsTransport(timeout=5)) as transport,
    ):
        auth = OAuth2(transport, server.url, {"refresh_token": "r"})
        sender = Sender(
            transport,
            auth,
            SPEC,
            lambda _page, _batch: HttpRequest("POST", server.url, {}, b"{}"),
            concurrency=ConcurrencyLimit.fixed(1),
            rate_limiter=RateLimiter(None),
        )
        result = sender.finish(sender.submit(page_of(THOUSAND[:10], size=1)))
        sender.close()
    assert sender.error is None
    assert len(rows(result, RowState.DELIVERED)) == 10
    assert served == {
        "Bearer token-1": 4,
        "Bearer token-2": 4,
        "Bearer token-3": 4,
        "Bearer token-4": 1,
    }


def test_a_token_that_is_refused_again_after_renewal_stops_the_run() -> None:
    with (
        serving(answering(authorizing("never", 1))) as tokens,
        contextlib.closing(RequestsTransport(timeout=5)) as transport,
    ):
        with run(
            lambda _request: Reply(401), auth=OAuth2(transport, tokens.url, {"refresh_token": "r"})
        ) as sender:
            sender.deliver(THOUSAND[:8], size=1)
            assert (sender.requests, len(tokens.requests)) == (2, 2)
        assert isinstance(sender.sender.error, EndpointError)


# Pages under way: recorded in order, and never after another run took over.


class Notes(NullCheckpointer):
    """Remembers which pages were recorded, and fails when told."""

    def __init__(self, fail_after: int = 1000) -> None:
        super().__init__()
        self.done: list[int] = []
        self.aside: list[int] = []
        self._fail_after = fail_after

    def advance(self, done: Sequence[PageResult], starting: Sequence[Page]) -> None:
        if len(self.done) >= self._fail_after:
            raise Fenced("another run took over")
        self.done += [result.page.number for result in done]

    def record_unfinished(self, unfinished: Sequence[PageResult]) -> None:
        self.aside += [result.page.number for result in unfinished]


def pages(number: int, size: int = 3) -> Iterator[list[Page]]:
    for page in range(number):
        yield [page_of([record(page * size + row) for row in range(size)], 1, page)]


def test_pages_are_recorded_in_order_though_they_finish_in_any() -> None:
    slow = threading.Event()

    def reply(request: Request) -> Reply:
        if b"event-00000" in request.body:
            slow.wait(0.3)
        return Reply(body={"received": 1})

    notes = Notes()
    with run(reply, concurrency=8) as sender:
        assert deliver_pages(pages(12), lambda: sender.sender, notes) is None
    assert (notes.done, notes.aside) == (list(range(12)), [])


def test_at_an_early_end_no_page_behind_a_gap_is_recorded_as_done() -> None:
    def reply(request: Request) -> Reply:
        return Reply(401) if b"event-00004" in request.body else Reply(body={"received": 1})

    notes = Notes()
    with run(reply, concurrency=2) as sender:
        assert isinstance(deliver_pages(pages(6), lambda: sender.sender, notes), EndpointError)
    assert notes.done == [0][: len(notes.done)]
    assert 1 in notes.aside
    assert not set(notes.done) & set(notes.aside)


def test_a_run_that_was_taken_over_sends_nothing_more() -> None:
    """Pages that had begun before it was noticed may leave: those of the first two commits."""
    notes = Notes(fail_after=1)
    with run(lambda _request: Reply(body={"received": 1})) as sender:
        with pytest.raises(Fenced):
            deliver_pages(pages(50), lambda: sender.sender, notes)
        sender.sender.close()
        assert sender.requests <= 2 * (1 + Sender.ready + len(page_of(THOUSAND[:3], 1).batches))


def test_a_person_who_interrupts_a_departure_is_not_made_to_wait_for_it() -> None:
    class Interrupted(NoAuth):
        def sign(self, call: HttpRequest) -> HttpRequest:
            raise KeyboardInterrupt

    with serving(answering(BatchingPlatform())) as server:
        transport = made(timeout=5, connections=1)
        sender = Sender(
            transport,
            Interrupted(),
            SPEC,
            lambda _page, _batch: HttpRequest("POST", server.url, {}, b"{}"),
            concurrency=ConcurrencyLimit.fixed(1),
            rate_limiter=RateLimiter(None),
        )
        with pytest.raises(KeyboardInterrupt):
            sender.submit(page_of(THOUSAND[:1]))
        closing = threading.Thread(target=sender.close, daemon=True)
        closing.start()
        closing.join(10)
        assert not closing.is_alive()
        transport.close()
