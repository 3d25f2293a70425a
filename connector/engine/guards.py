"""What must be right before the first row of a run is sent; each guard refuses with a sentence."""

from __future__ import annotations

import itertools

from connector.engine.backlog import end_before_watermark, lag_seconds, survey
from connector.engine.context import RunContext
from connector.engine.drift import is_inspection_due, refuse_clock_back
from connector.engine.plan import Options
from connector.errors import ConfigError, GuardRail, Postponed
from connector.model import Mark
from connector.source.survey import Survey
from connector.state import registry, runs
from connector.state.clock import microseconds_of, moment_of

USUAL_LEAST = 1_000
"""Up to this many rows are never too many."""

_LEAST_GAP_US = 60_000_000
"""Between two runs: shorter ones do not count, because a person or a test started them by hand."""

_ENOUGH_RUNS = 5
"""So many runs have a median that means something; of fewer, the greatest counts."""


def inspect_source(
    context: RunContext, after: Mark | None, options: Options | None = None
) -> Survey:
    """Survey what waits behind a place and apply all guards on the source.

    Args:
        context: The destination.
        after: The watermark.
        options: Of a run that delivers what waits; None: rows that wait may be any number.

    Returns:
        The survey; what it found is in `context.facts` too.

    Raises:
        WarehouseError: The warehouse's clock went back, or it cannot be read.
        StateMismatch: The type of cursor or key changed.
        ConfigError: Rows would be overlooked or rejected altogether.
        GuardRail: Far more rows wait than usual.
    """
    found = survey(context, after, everything=is_inspection_due(context))
    refuse_clock_back(context, found)
    context.surveyed = found
    context.facts = _facts(context, after, found)
    refuse_unusable_source(context, found)
    if options is not None:
        refuse_mass_resend(context, found.waiting, options)
    return found


def refuse_too_early(context: RunContext) -> None:
    """Raise Postponed until the platform's Retry-After has passed."""
    with context.store.read() as connection:
        not_before = registry.not_before(connection, context.destination_id)
    if not_before is None:
        return
    until = moment_of(not_before)
    if until > context.clock():
        raise Postponed(
            f"{context.name}: the platform asked to wait until {until:%Y-%m-%dT%H:%M:%SZ};"
            " nothing was sent"
        )


def refuse_unusable_source(context: RunContext, found: Survey) -> None:
    """Raise ConfigError for rows without key or cursor, and for a query without a needed column."""
    problems = list(found.overlooked(context.destination.model.source).values())
    problems += filter(None, [context.warehouse.wrong_time_unit(found)])
    lacking = context.warehouse.missing_columns()
    if lacking:
        problems = [context.warehouse.missing_columns_message(lacking), *problems]
    if problems:
        raise ConfigError(f"{context.name}: {'. '.join(problems)}")


def refuse_mass_resend(context: RunContext, rows: int, options: Options) -> None:
    """Refuse to send far more rows than usual before a person has looked.

    A rebuilt table or a lost watermark would otherwise send everything again.

    Args:
        context: The destination.
        rows: How many rows wait.
        options: What the run was asked to do; `yes` allows any number.

    Raises:
        GuardRail: Many times more rows wait than usual.
    """
    delivery = context.destination.model.delivery
    most = delivery.max_rows_per_run
    if options.yes or (options.limit is not None and options.limit <= (most or options.limit)):
        return
    advice = "Look at a few with --dry-run, then send with --yes, or a part with --limit"
    if most is not None and rows > most:
        raise GuardRail(
            f"{context.name}: {rows} rows wait, more than delivery.max_rows_per_run ({most});"
            f" nothing was sent. {advice}"
        )
    if rows <= USUAL_LEAST:
        return
    usual = _usual_rows(context)
    if usual is not None and rows > usual * delivery.times_usual:
        raise GuardRail(
            f"{context.name}: {rows} rows wait, more than {delivery.times_usual} times the usual"
            f" {usual}; was the table rebuilt? Nothing was sent. {advice}"
        )


def _usual_rows(context: RunContext) -> int | None:
    """How many rows are usual since the last run; None where there is nothing to compare with.

    After an outage they are as many times more as runs were missed.

    A first run, or one after `--limit`, may find any number. Where a destination began later than
    its first row and has seen none since, none is usual: old rows come back when they are touched.
    """
    with context.store.read() as connection:
        rows = runs.latest_rows(connection, context.destination_id)
        is_caught_up = registry.is_caught_up(connection, context.destination_id)
        start = registry.start(connection, context.destination_id)
        ends = runs.latest_ends(connection, context.destination_id)
    if len(rows) >= _ENOUGH_RUNS:
        return sorted(rows)[len(rows) // 2] * _runs_due(ends, microseconds_of(context.clock()))
    if not is_caught_up:
        return None
    if not rows:
        return None if start is None else 0
    return max(rows)


def _runs_due(ends: list[int], now: int) -> int:
    """How many runs are due by the usual time between two of them, at least 1.

    Args:
        ends: When runs ended, the newest first, in unix microseconds.
        now: In unix microseconds.
    """
    gaps = sorted(later - earlier for later, earlier in itertools.pairwise(ends))
    usual = max(gaps[len(gaps) // 2], _LEAST_GAP_US)
    return max(1, (now - ends[0]) // usual)


def _facts(context: RunContext, after: Mark | None, found: Survey) -> dict[str, int | float | None]:
    return {
        "waiting": found.waiting,
        "source_rows": found.rows,
        "null_cursors": found.null_cursors,
        "early_cursors": found.early_cursors,
        "watermark_ahead": int(end_before_watermark(context, after, found) is not None),
        "future_rows": found.future,
        "lag_seconds": lag_seconds(context, found),
    }
