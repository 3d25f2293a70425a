"""Deliver the rows of a pandas frame, for people who write their own assets and scripts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from connector.arrow.convert import to_table
from connector.arrow.text import text_array
from connector.commands.given_rows import given_table
from connector.config.destination import Destination
from connector.config.loader import Target, destination_of
from connector.engine.context import open_context
from connector.engine.dedupe import version_of
from connector.engine.given import prepare_given
from connector.engine.pipeline import Progress
from connector.engine.report import Report
from connector.engine.run import run
from connector.errors import ConfigError
from connector.source.rows import Rows

if TYPE_CHECKING:
    import pandas as pd


def send(
    frame: pd.DataFrame,
    target: Target,
    *,
    run_id: str | None = None,
    progress: Progress | None = None,
    state: str | None = None,
) -> Report:
    """Deliver the rows of a frame, with the ledger, the verdicts and the report of `sync`.

    A row that was delivered before, by `sync` or by `send`, is known by its key and not sent again;
    one that was refused is tried again when it has changed. The watermark stays where it is. The
    warehouse is read only to settle requests of an earlier run whose answer never came.

    Args:
        frame: Canonical columns, or the query's own names where the destination renames them, and
            the columns of `source.key`. With the column of `source.cursor` a row counts as changed
            when that changes, without it when any of its values does.
        target: The destination, or the path of its YAML file.
        run_id: Name of the run; default: a new one.
        progress: Notified of rows that are settled.
        state: SQLAlchemy URL of the state database; default: as for `sync`.

    Returns:
        What was done. A run that ended early says why in `failure`; send the same frame again.

    Raises:
        ConfigError: A column is missing or unknown, has a type that cannot be exact, or two rows
            have one key.
        LeaseHeld, Postponed, WarehouseError: The run could not begin.
    """
    destination = destination_of(target)
    rows = _rows(destination, to_table(frame))
    with open_context(destination, state=state, given=rows) as context:
        planned = prepare_given(context, run_id=run_id, progress=progress)
        if progress is not None:
            progress.expect(len(rows))
        return run(context, planned, progress)


def _rows(destination: Destination, table: pa.Table) -> Rows:
    source = destination.model.source
    mapped, _ = given_table(destination, table)
    keys = tuple(_key(destination, table, name) for name in source.keys)
    if source.cursor in table.column_names:
        cursors = text_array(table[source.cursor])
        if cursors.null_count == 0:
            return Rows(mapped, cursors, keys)
    versions = [version.hex() for version in version_of(mapped)]
    return Rows(mapped, pa.array(versions, pa.string()), keys)


def _key(destination: Destination, table: pa.Table, name: str) -> pa.Array:
    """A key column as text.

    Raises:
        ConfigError: It is not there, or a row has no value in it.
    """
    values = text_array(table[name]) if name in table.column_names else None
    if values is None or values.null_count:
        lacking = "no column" if values is None else f"{values.null_count} rows without"
        raise ConfigError(
            f"{destination.name}: the frame has {lacking} {name}, which source.key names; by it"
            " alone a row that was delivered is known again"
        )
    return values
