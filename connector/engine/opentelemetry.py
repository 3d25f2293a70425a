"""OpenTelemetry's counters as hooks.

    capi.rows      settled rows, by destination, platform and state
    capi.requests  HTTP requests, by destination and platform
    capi.retries   requests that are sent again, by destination, platform and throttled

They go to the meter provider that the process has. Where it has none, and OTEL_METRICS_EXPORTER
names an exporter, they go to that one; the SDK reads the other standard variables
(OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_SERVICE_NAME, OTEL_METRIC_EXPORT_INTERVAL, ...).
"""

from __future__ import annotations

import os
from importlib.metadata import entry_points

from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

from connector.engine.hooks import ResultDetails, ResultHook, RetryDetails, RetryHook

STATES = ("delivered", "rejected", "expired", "suppressed")


def counters() -> tuple[RetryHook, ResultHook]:
    """The hooks for retries and for results."""
    meter = metrics.get_meter("connector", meter_provider=_provider())
    rows = meter.create_counter("capi.rows", "{row}", "rows whose state was recorded")
    requests = meter.create_counter("capi.requests", "{request}", "HTTP requests")
    retries = meter.create_counter("capi.retries", "{request}", "requests that are sent again")

    def on_retry(details: RetryDetails) -> None:
        retries.add(1, {**_labels(details), "throttled": details.throttled})

    def on_result(details: ResultDetails) -> None:
        labels = _labels(details)
        requests.add(details.requests, labels)
        for state in STATES:
            rows.add(getattr(details, state), {**labels, "state": state})

    return on_retry, on_result


def _labels(details: RetryDetails | ResultDetails) -> dict[str, str]:
    return {"destination": details.destination, "platform": details.platform}


def _provider() -> metrics.MeterProvider | None:
    """A provider of our own where the process has none and the environment names an exporter."""
    names = os.environ.get("OTEL_METRICS_EXPORTER", "none").split(",")
    if isinstance(metrics.get_meter_provider(), MeterProvider) or names == ["none"]:
        return None
    exporters = [
        entry.load()()
        for name in names
        for entry in entry_points(group="opentelemetry_metrics_exporter", name=name.strip())
    ]
    return MeterProvider([PeriodicExportingMetricReader(exporter) for exporter in exporters])
