"""What a hook for metrics is called with, and what it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar


@dataclass(frozen=True)
class RetryDetails:
    """A request that will be sent again.

    Attributes:
        destination: Its name.
        platform: The kind of API that it speaks.
        attempt: How often the request was sent, at least 1.
        seconds: Until it is sent again.
        throttled: The platform said that it was asked too often.
        reason: What came back, such as an HTTP status.
    """

    destination: str
    platform: str
    attempt: int
    seconds: float
    throttled: bool
    reason: str


@dataclass(frozen=True)
class ResultDetails:
    """Rows whose final state was just committed, and the requests that it took.

    Attributes:
        destination: Its name.
        platform: The kind of API that it speaks.
        delivered: Rows.
        rejected: Rows.
        expired: Rows.
        suppressed: Rows.
        requests: Requests, with all that were sent again.
    """

    destination: str
    platform: str
    delivered: int
    rejected: int
    expired: int
    suppressed: int
    requests: int


RetryHook = Callable[[RetryDetails], None]
ResultHook = Callable[[ResultDetails], None]
Details = TypeVar("Details", RetryDetails, ResultDetails)
