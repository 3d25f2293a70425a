"""Wrong readings of what a platform answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from urllib.request import urlopen

from connector.delivery import exchange
from connector.delivery.outcome import Delivered, Outcome, PerRecord, Refusal
from connector.delivery.response import interpret
from connector.delivery.transports.base import HttpResponse, TransportFailure
from connector.errors import EndpointError


def _where(wrong: Callable[[HttpResponse], bool]) -> None:
    """Take everything for delivered where `wrong` holds of the answer."""

    def misread(
        answer: HttpResponse | TransportFailure, records: Sequence[bytes], *rest: Any
    ) -> Outcome:
        return (
            Delivered()
            if isinstance(answer, HttpResponse) and wrong(answer)
            else interpret(answer, records, *rest)
        )

    _replace(misread)


def _replace(misread: Callable[..., Outcome]) -> None:
    assert exchange.interpret is interpret
    exchange.interpret = misread


def status_only_success() -> None:
    """A status of 2xx is success, whatever the body says."""
    _where(lambda answer: 200 <= answer.status < 300)


def r_ok() -> None:
    """What `requests` calls ok is success: everything below 400, redirects as well."""
    _where(lambda answer: answer.status < 400)


def any_answer_is_success() -> None:
    """The request went through, so the events arrived."""
    _where(lambda answer: True)


def drop_the_batch_on_400() -> None:
    """A batch that is refused is rejected as a whole, the good records with the bad."""

    def misread(
        answer: HttpResponse | TransportFailure, records: Sequence[bytes], *rest: Any
    ) -> Outcome:
        if isinstance(answer, HttpResponse) and answer.status == 400:
            return PerRecord(refused=dict.fromkeys(range(len(records)), Refusal("400", "refused")))
        return interpret(answer, records, *rest)

    _replace(misread)


def raise_on_400() -> None:
    """`raise_for_status`: a refused record ends the run,
    and is the first thing that the next run meets.
    """

    def misread(
        answer: HttpResponse | TransportFailure, records: Sequence[bytes], *rest: Any
    ) -> Outcome:
        if isinstance(answer, HttpResponse) and answer.status == 400:
            raise EndpointError("400 Client Error")
        return interpret(answer, records, *rest)

    _replace(misread)


def follow_redirects() -> None:
    """What `requests` does unasked: a redirected POST becomes a GET without a body,
    and its 200 is the answer.
    """

    def misread(
        answer: HttpResponse | TransportFailure, records: Sequence[bytes], *rest: Any
    ) -> Outcome:
        if isinstance(answer, HttpResponse) and answer.status == 302:
            with urlopen(answer.headers["location"], timeout=5) as response:
                answer = HttpResponse(
                    response.status,
                    {name.lower(): value for name, value in response.headers.items()},
                    response.read(),
                )
        return interpret(answer, records, *rest)

    _replace(misread)
