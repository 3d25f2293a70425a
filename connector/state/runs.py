"""Runs and their counts; the same numbers that reports show."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from connector.state import clock
from connector.state.insert import insert
from connector.state.tables import run, tally

_LONGEST_FAILURE = 2000
"""Characters of a sentence that are kept."""

_LONGEST_NAME = 128
"""Characters of a tally's name that are kept."""


def start(
    connection: Connection, destination_id: int, run_id: str, kind: str, mark_from: str | None
) -> None:
    """Begin a run; one that was cut off is now interrupted, and one of the same name goes on."""
    now = clock.now_us()
    unfinished = sa.and_(
        run.c.destination_id == destination_id, run.c.status == "running", run.c.run_id != run_id
    )
    connection.execute(run.update().where(unfinished).values(status="interrupted", ended_at=now))
    again = run.update().where(run.c.run_id == run_id).values(status="running", ended_at=None)
    if connection.execute(again).rowcount == 0:
        values = {
            "run_id": run_id,
            "destination_id": destination_id,
            "kind": kind,
            "status": "running",
            "started_at": now,
            "mark_from": mark_from,
        }
        connection.execute(run.insert().values(values))


def refuse(
    connection: Connection,
    destination_id: int,
    run_id: str,
    kind: str,
    failure: tuple[str, str] | None = None,
) -> None:
    """Record a run that was not allowed to begin; a run that is still at work is left alone.

    Args:
        connection: A transaction that writes.
        destination_id: The destination.
        run_id: Its name.
        kind: sync, replay or reconcile.
        failure: Class of the error, and its sentence.
    """
    if connection.execute(sa.select(run.c.id).where(run.c.run_id == run_id)).first() is None:
        now = clock.now_us()
        values = {
            "run_id": run_id,
            "destination_id": destination_id,
            "kind": kind,
            "status": "refused",
            "started_at": now,
            "ended_at": now,
            "seconds": 0.0,
            **_failure(failure),
        }
        connection.execute(run.insert().values(values))


def add(
    connection: Connection,
    run_id: str,
    counts: Mapping[str, int],
    tallies: Mapping[str, Counter[str]],
    mark_to: str | None,
) -> None:
    """Add to a run's counts.

    Args:
        connection: A transaction that writes.
        run_id: The run.
        counts: Name of a count -> how many more.
        tallies: Kind -> name -> how many more.
        mark_to: Cursor text of the watermark, where it moved.
    """
    changes: dict[str, Any] = {
        name: run.c[name] + number for name, number in counts.items() if number
    }
    if mark_to is not None:
        changes["mark_to"] = mark_to
    if changes:
        connection.execute(run.update().where(run.c.run_id == run_id).values(changes))
    totals: Counter[tuple[str, str]] = Counter()
    for kind, names in tallies.items():
        for name, number in names.items():
            totals[kind, name[:_LONGEST_NAME]] += number
    # In one order, so that slices delivered side by side never wait for each other in a circle.
    rows = [
        {"run_id": run_id, "kind": kind, "name": name, "count": number}
        for (kind, name), number in sorted(totals.items())
    ]
    insert(
        connection,
        tally,
        rows,
        "ON CONFLICT (run_id, kind, name) DO UPDATE SET count = tally.count + excluded.count",
    )


def finish(
    connection: Connection, run_id: str, status: str, failure: tuple[str, str] | None = None
) -> None:
    """End a run.

    Args:
        connection: A transaction that writes.
        run_id: Its name.
        status: What it is recorded as.
        failure: Class of the error that ended it early, and its sentence.
    """
    now = clock.now_us()
    seconds = (now - run.c.started_at) / 1_000_000.0
    connection.execute(
        run.update()
        .where(run.c.run_id == run_id)
        .values(status=status, ended_at=now, seconds=seconds, **_failure(failure))
    )


def _failure(failure: tuple[str, str] | None) -> dict[str, str | None]:
    kind, message = failure or (None, None)
    return {"failure_kind": kind, "failure": message and message[:_LONGEST_FAILURE]}


def last_complete(connection: Connection, destination_id: int) -> int | None:
    """When the last scheduled run came to its end, in unix microseconds.

    Where none did, when the first one began; None before that.
    """
    chosen = sa.and_(run.c.destination_id == destination_id, run.c.kind == "sync")
    ended = connection.execute(
        sa.select(sa.func.max(run.c.ended_at)).where(chosen, run.c.status == "complete")
    ).scalar()
    first = sa.select(sa.func.min(run.c.started_at)).where(chosen)
    return ended if ended is not None else connection.execute(first).scalar()


def get(connection: Connection, run_id: str) -> dict[str, Any] | None:
    """One run, or None."""
    row = connection.execute(sa.select(run).where(run.c.run_id == run_id)).mappings().one_or_none()
    return None if row is None else dict(row)


def during(connection: Connection, destination_id: int, first_us: int, last_us: int) -> str | None:
    """The latest run that was under way between two moments, in unix microseconds."""
    chosen = sa.and_(
        run.c.destination_id == destination_id,
        run.c.started_at <= last_us,
        sa.or_(run.c.ended_at.is_(None), run.c.ended_at >= first_us),
        run.c.status != "refused",
    )
    return connection.execute(
        sa.select(run.c.run_id).where(chosen).order_by(run.c.id.desc()).limit(1)
    ).scalar()


def latest(connection: Connection, destination_id: int, number: int) -> list[dict[str, Any]]:
    """The newest runs first."""
    statement = (
        sa.select(run)
        .where(run.c.destination_id == destination_id)
        .order_by(run.c.id.desc())
        .limit(number)
    )
    return [dict(row) for row in connection.execute(statement).mappings()]


def mark_before(connection: Connection, destination_id: int, moment: dt.datetime) -> str | None:
    """The watermark at a moment: where the last run before it left it."""
    chosen = sa.and_(
        run.c.destination_id == destination_id,
        run.c.mark_to.is_not(None),
        run.c.ended_at <= int(moment.timestamp() * 1_000_000),
    )
    return connection.execute(
        sa.select(run.c.mark_to).where(chosen).order_by(run.c.id.desc()).limit(1)
    ).scalar()


def tallies(connection: Connection, run_id: str) -> dict[str, dict[str, int]]:
    """A run's tallies: kind -> name -> how many."""
    found: dict[str, dict[str, int]] = {}
    for kind, name, number in connection.execute(
        sa.select(tally.c.kind, tally.c.name, tally.c.count)
        .where(tally.c.run_id == run_id)
        .order_by(tally.c.kind, tally.c.name)
    ):
        found.setdefault(kind, {})[name] = number
    return found


class TalliedRun(NamedTuple):
    """A run with its counts of one kind.

    Attributes:
        ended_at: In unix microseconds.
        rows_read: Rows that it settled.
        counts: Name -> how many.
    """

    ended_at: int
    rows_read: int
    counts: dict[str, int]


def tallied(
    connection: Connection, destination_id: int, kind: str, since_us: int
) -> list[TalliedRun]:
    """Runs that have counts of a kind and ended at a moment or later, the oldest first."""
    statement = (
        sa.select(run.c.run_id, run.c.ended_at, run.c.rows_read, tally.c.name, tally.c.count)
        .join(tally, tally.c.run_id == run.c.run_id)
        .where(
            run.c.destination_id == destination_id,
            run.c.ended_at >= since_us,
            tally.c.kind == kind,
        )
        .order_by(run.c.id, tally.c.name)
    )
    found: dict[str, TalliedRun] = {}
    for run_id, ended_at, rows_read, name, count in connection.execute(statement):
        entry = found.setdefault(run_id, TalliedRun(ended_at, rows_read, {}))
        entry.counts[name] = count
    return list(found.values())


def latest_with_rows(
    connection: Connection, destination_id: int, most: int
) -> list[dict[str, Any]]:
    """The latest complete runs that read rows, the newest first."""
    statement = (
        sa.select(run)
        .where(
            run.c.destination_id == destination_id,
            run.c.status == "complete",
            run.c.rows_read > 0,
        )
        .order_by(run.c.id.desc())
        .limit(most)
    )
    return [dict(row) for row in connection.execute(statement).mappings()]


def latest_rows(connection: Connection, destination_id: int, most: int = 20) -> list[int]:
    """Rows that the latest complete scheduled runs read, without those that had none."""
    chosen = sa.and_(
        run.c.destination_id == destination_id,
        run.c.status == "complete",
        run.c.kind == "sync",
        run.c.rows_read > 0,
    )
    statement = sa.select(run.c.rows_read).where(chosen).order_by(run.c.id.desc()).limit(most)
    return [int(rows) for rows in connection.execute(statement).scalars()]


def match_counts(
    connection: Connection, destination_id: int, without: str, most: int
) -> list[tuple[int, dict[str, int]]]:
    """Of the latest complete scheduled runs that delivered: rows, and identifier -> rows with it.

    Args:
        connection: A transaction.
        destination_id: The destination.
        without: A run that is left out.
        most: How many runs.
    """
    chosen = (
        sa.select(run.c.run_id, run.c.delivered)
        .where(
            run.c.destination_id == destination_id,
            run.c.status == "complete",
            run.c.kind == "sync",
            run.c.delivered > 0,
            run.c.run_id != without,
        )
        .order_by(run.c.id.desc())
        .limit(most)
    )
    delivered = {run_id: int(number) for run_id, number in connection.execute(chosen)}
    counts: dict[str, dict[str, int]] = {run_id: {} for run_id in delivered}
    for run_id, name, number in connection.execute(
        sa.select(tally.c.run_id, tally.c.name, tally.c.count).where(
            tally.c.run_id.in_(delivered), tally.c.kind == "match"
        )
    ):
        counts[run_id][name] = int(number)
    return [(number, counts[run_id]) for run_id, number in delivered.items()]


def counted_since(connection: Connection, destination_id: int, kind: str, since_us: int) -> bool:
    """Whether a run that began after a moment has a tally of a kind."""
    chosen = (
        sa.select(tally.c.run_id)
        .join(run, run.c.run_id == tally.c.run_id)
        .where(
            run.c.destination_id == destination_id,
            run.c.started_at >= since_us,
            tally.c.kind == kind,
        )
    )
    return connection.execute(chosen.limit(1)).first() is not None


def latest_ends(connection: Connection, destination_id: int, most: int = 20) -> list[int]:
    """When the latest complete scheduled runs ended, in unix microseconds, the newest first."""
    chosen = sa.and_(
        run.c.destination_id == destination_id, run.c.status == "complete", run.c.kind == "sync"
    )
    statement = sa.select(run.c.ended_at).where(chosen).order_by(run.c.id.desc()).limit(most)
    return [int(ended_at) for ended_at in connection.execute(statement).scalars()]


def prune(connection: Connection, destination_id: int, before_us: int) -> int:
    """Drop runs that ended before a moment, with their tallies."""
    stale = sa.select(run.c.run_id).where(
        run.c.destination_id == destination_id, run.c.ended_at < before_us
    )
    connection.execute(tally.delete().where(tally.c.run_id.in_(stale)))
    return connection.execute(
        run.delete().where(run.c.destination_id == destination_id, run.c.ended_at < before_us)
    ).rowcount
