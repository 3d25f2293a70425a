"""A report as Dagster metadata: numbers, codes and times, never a value of a row."""

from __future__ import annotations

import os
from typing import Any

import dagster as dg

from connector import Destination
from connector.engine.report import COUNTS, Report

TABLES = {
    "rejected_by_reason": ("rejected", "reason", "rows"),
    "expired_by_reason": ("expired", "reason", "rows"),
    "values_left_out": ("dropped", "column_and_reason", "rows"),
    "http_statuses": ("status", "status", "requests"),
    "told_later": ("later", "result", "records"),
    "pages_sent_again": ("resent", "compared", "pages"),
}
"""Table -> the tally that it shows, and the names of its columns."""


def metadata_of(report: Report) -> dict[str, Any]:
    """Numbers that the UI plots, and tables of reasons and statuses."""
    numbers: dict[str, Any] = {name: getattr(report, name) for name in (*COUNTS, "changed")}
    if report.unsent:
        numbers["would_be_sent"] = report.unsent
    numbers["seconds"] = report.seconds
    numbers["rows_per_second"] = (
        round(report.rows_read / report.seconds, 1) if report.seconds else 0.0
    )
    numbers["lag_seconds"] = float(report.facts.get("lag_seconds") or 0.0)
    numbers["dagster/row_count"] = report.delivered
    if report.concurrency is not None:
        numbers["concurrency"] = report.concurrency
    numbers |= {
        name: int(value)
        for name, value in report.facts.items()
        if name not in ("lag_seconds", "source_rows") and value is not None
    }
    shown = {
        title: _table(report.tallies[kind], *columns)
        for title, (kind, *columns) in TABLES.items()
        if report.tallies.get(kind)
    }
    marks = {
        name: value
        for name, value in (("mark_from", report.mark_from), ("mark_to", report.mark_to))
        if value is not None
    }
    return {**numbers, **shown, **marks, "run_id": report.run_id}


def link_of(destination: Destination) -> dict[str, Any]:
    """A link to the page of `capi dashboard`, where CAPI_DASHBOARD_URL says its address."""
    url = os.environ.get("CAPI_DASHBOARD_URL", "").rstrip("/")
    return {"dashboard": dg.MetadataValue.url(f"{url}/#{destination.name}")} if url else {}


def standing_of(report: Report) -> dict[str, Any]:
    """Of a run that found nothing: how far behind its destination is."""
    found = {
        "backlog": int(report.facts.get("waiting") or 0),
        "lag_seconds": float(report.facts.get("lag_seconds") or 0.0),
        "watermark": report.mark_to,
        "run_id": report.run_id,
    }
    return {name: value for name, value in found.items() if value is not None}


def source_of(report: Report) -> dict[str, Any]:
    """Of the warehouse table: its rows, where they were counted, and how far it is delivered."""
    found = {
        "dagster/row_count": report.facts.get("source_rows"),
        "waiting": report.facts.get("waiting"),
        "watermark": report.mark_to,
        "run_id": report.run_id,
    }
    return {name: value for name, value in found.items() if value is not None}


def _table(counts: dict[str, int], column: str, counted: str) -> dg.TableMetadataValue:
    schema = dg.TableSchema(columns=[dg.TableColumn(column), dg.TableColumn(counted, "int")])
    return dg.MetadataValue.table(
        [dg.TableRecord({column: name, counted: number}) for name, number in counts.items()], schema
    )
