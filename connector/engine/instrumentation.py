"""Calls the hooks for metrics: for each retry that is scheduled and for the results of each commit.

Where the OpenTelemetry SDK is installed, its counters are the default hooks
(`engine/opentelemetry.py`). Hooks are called in threads of the run: they return soon, and what they
raise is logged and dropped.
"""

from __future__ import annotations

import functools
import importlib.util
import logging
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable

from connector.config.destination import Destination
from connector.engine.hooks import Details, ResultDetails, ResultHook, RetryDetails, RetryHook

log = logging.getLogger(__name__)

_CHOOSES_PROVIDER = ("OTEL_METRICS_EXPORTER", "OTEL_PYTHON_METER_PROVIDER")
"""Settings by which OpenTelemetry takes counts to somewhere."""

_hooks: tuple[tuple[RetryHook, ...], tuple[ResultHook, ...]] | None = None


def set_hooks(
    *, on_retry: Iterable[RetryHook] | None = None, on_result: Iterable[ResultHook] | None = None
) -> None:
    """Set the hooks of this process, in place of those that were set before.

    Without arguments the default is in force again: OpenTelemetry's counters where its SDK is
    installed. Empty lists switch all off.

    Args:
        on_retry: Called for each retry that is scheduled.
        on_result: Called for each commit that settles rows.
    """
    global _hooks
    default = on_retry is None and on_result is None
    _hooks = None if default else (tuple(on_retry or ()), tuple(on_result or ()))


class Instrumentation:
    """Calls the hooks for one destination."""

    def __init__(self, destination: Destination) -> None:
        self._who = destination.name, destination.platform_name

    def retry(self, attempt: int, seconds: float, throttled: bool, reason: str) -> None:
        """A request will be sent again; arguments as of `RetryDetails`."""
        _call(_active()[0], RetryDetails(*self._who, attempt, seconds, throttled, reason))

    def result(self, counts: Counter[str]) -> None:
        """A commit settled rows.

        Args:
            counts: Of the commit, by the names of a report.
        """
        if not (counts["rows_read"] or counts["http_requests"]):
            return
        details = ResultDetails(
            *self._who,
            delivered=counts["delivered"],
            rejected=counts["rejected"],
            expired=counts["expired"],
            suppressed=counts["suppressed"],
            requests=counts["http_requests"],
        )
        _call(_active()[1], details)


def _call(hooks: Iterable[Callable[[Details], None]], details: Details) -> None:
    for hook in hooks:
        try:
            hook(details)
        except Exception as error:  # noqa: BLE001  whatever it is, rows must go on
            log.warning("a hook for metrics raised %s", type(error).__name__)


def _active() -> tuple[tuple[RetryHook, ...], tuple[ResultHook, ...]]:
    return _default() if _hooks is None else _hooks


def _default() -> tuple[tuple[RetryHook, ...], tuple[ResultHook, ...]]:
    """Nothing, and nothing is imported, while neither process nor environment names a provider."""
    is_used = "opentelemetry.metrics" in sys.modules or any(
        os.environ.get(name) for name in _CHOOSES_PROVIDER
    )
    return _counters() if is_used else ((), ())


@functools.cache
def _counters() -> tuple[tuple[RetryHook, ...], tuple[ResultHook, ...]]:
    if importlib.util.find_spec("opentelemetry") is None:
        return (), ()
    if importlib.util.find_spec("opentelemetry.sdk") is None:
        return (), ()
    # Late: it is imported only where somebody installed it.
    from connector.engine.opentelemetry import counters

    on_retry, on_result = counters()
    return (on_retry,), (on_result,)
