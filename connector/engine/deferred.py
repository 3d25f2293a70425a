"""Books final results that a platform tells only later to the run that sent them.

The run that asked records them too, under the same kind of tally, since that is where people look.
Rows are not judged by them: the platform gives counts alone.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter

from connector.delivery import deferred
from connector.engine.context import RunContext
from connector.platforms.answers import Poll
from connector.state import receipts, runs
from connector.state.clock import moment_of
from connector.state.receipts import Receipt

RECEIPTS_TOGETHER = 50
"""Receipts asked about in one run."""

MAX_AGE = dt.timedelta(days=7)


def settle_deferred(context: RunContext, run_id: str) -> None:
    """Ask about receipts that wait, oldest first; the next run asks about what is not final yet.

    A platform that does not answer fails no run: the rows are recorded already.

    Args:
        context: The destination.
        run_id: The run that asks.
    """
    poll = context.destination.platform.answers.poll
    if poll is None:
        return
    with context.store.read() as connection:
        waiting = receipts.oldest(connection, context.destination_id, RECEIPTS_TOGETHER)
    answers = deferred.results(
        context.destination, poll, [each.receipt for each in waiting], context.tokens
    )
    for receipt, results in zip(waiting, answers, strict=False):
        _book(context, poll, receipt, results, run_id)


def _book(
    context: RunContext, poll: Poll, receipt: Receipt, results: Counter[str], run_id: str
) -> None:
    pending = any(f"result {state}" in results for state in poll.pending) or not results
    too_old = context.clock() - moment_of(receipt.at) > MAX_AGE
    if pending and not too_old:
        return
    with context.store.write() as connection:
        receipts.drop(connection, context.destination_id, receipt.receipt)
        for noted_by in dict.fromkeys((receipt.run_id, run_id)):
            runs.add(
                connection,
                noted_by,
                {},
                {"later": results or Counter({"no final result": 1})},
                None,
            )
