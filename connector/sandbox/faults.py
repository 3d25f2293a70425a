"""Faults that the receiver makes on request.

Wrong statuses, broken connections, answers that say nothing. A fault says whether the events of
its request are taken before it happens: that is what makes an answer ambiguous.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import orjson
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from connector.errors import ConfigError

Kind = Literal[
    "status",
    "throttle",
    "answer",
    "reset",
    "truncate",
    "drip",
    "garbage",
    "empty",
    "redirect",
    "hang",
]
_TYPES: dict[str, type | tuple[type, ...]] = {
    "kind": str,
    "times": int,
    "after": int,
    "take": bool,
    "status": int,
    "headers": dict,
    "body": object,
    "seconds": (int, float),
    "match": str,
    "path": str,
    "answer": str,
}


@dataclass(frozen=True)
class Fault:
    """One way to fail.

    Attributes:
        kind: What happens; `throttle` answers as the platform of the request does when it is asked
            too often, `answer` as in the case of that name in `sandbox/answers/`.
        times: How many requests fail.
        after: How many requests pass before.
        take: The events of the request are taken although the answer fails.
        status, headers, body: Of the answer, where the kind has one.
        seconds: How long a drip or a hang lasts.
        match: Only requests whose body contains this text fail.
        path: Only requests whose path contains this text fail; the addresses that take no events,
            such as the one for tokens, fail only when a fault names them here.
        answer: Name of a case.
    """

    kind: Kind = "status"
    times: int = 1
    after: int = 0
    take: bool = False
    status: int = 503
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None
    seconds: float = 60.0
    match: str = ""
    path: str = ""
    answer: str = ""

    @classmethod
    def of(cls, values: Any) -> Fault:
        """A fault from JSON. Raises ConfigError that says what there is."""
        if (
            not isinstance(values, dict)
            or not set(values) <= set(_TYPES)
            or values.get("kind", "status") not in get_args(Kind)
        ):
            raise ConfigError(
                f"a fault has {', '.join(_TYPES)}, and its kind is one of"
                f" {', '.join(get_args(Kind))}"
            )
        for name, value in values.items():
            if not isinstance(value, _TYPES[name]) or (
                isinstance(value, bool) and name not in ("take", "body")
            ):
                raise ConfigError(f"{name} of a fault has the wrong type")
        if not all(isinstance(value, str) for value in values.get("headers", {}).values()):
            raise ConfigError("headers of a fault are strings")
        if not 200 <= values.get("status", 503) <= 599:
            raise ConfigError("status of a fault is an HTTP status from 200 to 599")
        return cls(**values)


class Script:
    """Faults in the order in which they are due."""

    def __init__(self) -> None:
        self._due: list[list[Any]] = []
        self._lock = threading.Lock()

    def add(self, fault: Fault) -> None:
        """Put a fault at the end of the script."""
        with self._lock:
            self._due.append([fault, fault.after, fault.times])

    def clear(self) -> None:
        """Behave from now on."""
        with self._lock:
            self._due.clear()

    def next(self, body: bytes, path: str, *, named: bool = False) -> Fault | None:
        """Return the fault that meets this request, if one is due.

        Args:
            body: Of the request.
            path: Of the request.
            named: Whether only a fault that names a path may meet it.
        """
        with self._lock:
            for entry in self._due:
                fault, wait, _ = entry
                if (
                    fault.match.encode() not in body
                    or fault.path not in path
                    or (named and not fault.path)
                ):
                    continue
                if wait > 0:
                    entry[1] -= 1
                    continue
                entry[2] -= 1
                if entry[2] <= 0:
                    self._due.remove(entry)
                return fault
        return None


async def commit(fault: Fault, request: Request) -> Response:
    """The answer of a fault, if it has one; a reset has none."""
    if fault.kind == "reset":
        _transport(request).abort()
        return Response(status_code=500)
    if fault.kind == "hang":
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(
                request.receive(), fault.seconds
            )  # the body was read: what comes next is the caller's hanging up
        return Response(status_code=503)
    if fault.kind == "redirect":
        return Response(status_code=302, headers={"Location": "/elsewhere", **fault.headers})
    if fault.kind == "empty":
        return Response(b"", status_code=200)
    if fault.kind == "garbage":
        return Response(
            b"<html><body>It works!</body></html>", status_code=200, media_type="text/html"
        )
    if fault.kind == "truncate":
        return StreamingResponse(
            _broken_off(request),
            headers={"Content-Length": "1000", "Content-Type": "application/json"},
        )
    if fault.kind == "drip":
        return StreamingResponse(_drip(fault.seconds), headers={"Content-Type": "application/json"})
    body = (
        {"error": {"code": "scripted", "message": "a scripted fault"}}
        if fault.body is None
        else fault.body
    )
    return Response(
        body if isinstance(body, str) else orjson.dumps(body),
        status_code=fault.status,
        headers={"Content-Type": "application/json", **fault.headers},
    )


async def _broken_off(request: Request) -> Any:
    yield b'{"status":'
    await asyncio.sleep(0.05)
    _transport(request).abort()


async def _drip(seconds: float) -> Any:
    for _ in _ticks(seconds):
        yield b" "
        await asyncio.sleep(0.1)
    yield b"{}"


def _ticks(seconds: float) -> Iterator[int]:
    yield from range(int(seconds * 10))


def _transport(request: Request) -> asyncio.Transport:
    """Return the socket under a request.

    ASGI does not offer it; uvicorn's receive function belongs to the object that holds it.
    """
    return request.receive.__self__.transport  # type: ignore[attr-defined]
