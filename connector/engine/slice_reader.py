"""The pages of slices, read and encoded while they are taken."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace

from connector.engine.context import RunContext
from connector.engine.horizon import horizon
from connector.engine.plan import Options, Slice
from connector.engine.requeue import quarantined_pages
from connector.model import Mark, Page
from connector.source.given import GivenRows
from connector.state import slice_progress

log = logging.getLogger(__name__)


def read_slices(
    context: RunContext, slices: Sequence[Slice], options: Options, *, resumed: bool = False
) -> Iterator[list[Page]]:
    """Pages of slices, one slice after the other.

    Args:
        context: The destination.
        slices: What to read, in order.
        options: What the run was asked to do.
        resumed: Each slice begins where it is recorded without a gap.
    """
    page_builder = context.page_builder(horizon=None if options.yes else horizon(context))
    for each in slices:
        log.info("%s: slice %d (%s)", context.name, each.number, each.kind)
        rows = each.range
        if each.kind == "range":
            if resumed:
                rows = replace(rows, after=_reached(context, each) or rows.after)
            yield from page_builder.of_range(each.number, rows, each.limit)
        elif each.kind == "given":
            assert isinstance(context.warehouse, GivenRows), "rows are given within one process"
            yield from page_builder.of_given(each.number, context.warehouse)
        elif each.kind == "replay":
            yield from quarantined_pages(context, page_builder, each)
        else:
            yield from page_builder.missing(each.number, each.kind, rows)


def _reached(context: RunContext, each: Slice) -> Mark | None:
    with context.store.read() as connection:
        return slice_progress.reached(connection, context.destination_id, each.number)
