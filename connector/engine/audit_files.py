"""Writes the audit: one Parquet file a run, and the same rows into a table of the warehouse.

Entries wait in the state until they are written. A run writes its own at its end, and those that
a run before it could not; whoever writes an entry twice writes it into the same file.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import logging
import re
import uuid
from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import fs

from connector.config.destination import Destination
from connector.config.secrets import is_reference, resolve
from connector.engine import failpoints
from connector.engine.audit import ENTRY
from connector.engine.context import RunContext
from connector.errors import ConfigError, ConnectorError
from connector.source.dialects.base import BulkRows
from connector.source.watermark import earlier
from connector.state import audit
from connector.state.audit import WaitingRun
from connector.state.clock import moment_of

log = logging.getLogger(__name__)

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}\Z")

ROW_GROUP = 65_536
"""Rows that are written together; each group costs as much as some thousand rows."""

REPEATED = [
    *("destination", "platform", "run_id", "event_name", "state", "reason", "code", "field"),
    *("remedy",),
]
"""Columns whose values come again; to look for repetitions in the others takes long."""

SCHEMA = pa.schema(
    [
        ("destination", pa.string()),
        ("platform", pa.string()),
        ("run_id", pa.string()),
        ("part", pa.int64()),
        *ENTRY,
    ]
)
"""Columns of the audit's files, and of its table."""


_FAILURES = (OSError, pa.ArrowException, ConnectorError)
"""What a place can answer with that is down, full, or not ours."""


def publish(context: RunContext) -> None:
    """Write all entries that wait; what cannot be written now waits for the next run."""
    if context.destination.model.audit is None or not context.destination_id:
        return
    with context.store.read() as connection:
        waiting = audit.waiting(connection, context.destination_id)
    for run in waiting:
        try:
            _write(context, run)
            _load(context, run)
            with context.store.write() as connection:
                audit.drop(connection, context.destination_id, run)
        except _FAILURES as error:
            log.warning(
                "%s: the audit of run %s could not be written (%s), so its %d rows wait in the"
                " state for the next run; check audit.path",
                context.name,
                run.run_id,
                _why(error),
                run.rows,
            )


def _why(error: Exception) -> str:
    """An error's own sentence where it is one; otherwise its kind, which names no secret."""
    return str(error) if isinstance(error, ConnectorError) else type(error).__name__


def files_with(destination: Destination, key: str) -> list[str]:
    """Files that hold a key, as the audit calls it; none where they cannot be read."""
    try:
        system, folder = open_folder(destination)
        chosen = fs.FileSelector(folder, allow_not_found=True, recursive=True)
        paths = [each.path for each in system.get_file_info(chosen) if each.extension == "parquet"]
        found = []
        for path in paths:
            with system.open_input_file(path) as file:
                keys = pq.read_table(file, columns=["key"])["key"]
            if pc.any(pc.equal(keys, key)).as_py():
                found.append(path)
        return sorted(found)
    except _FAILURES as error:
        log.warning(
            "%s: the audit could not be searched for an erased key (%s); look for it yourself",
            destination.name,
            _why(error),
        )
        return []


def prune(context: RunContext, now: dt.datetime) -> None:
    """Remove files and rows that are past retention; a failure waits for the next day."""
    section = context.destination.model.audit
    if section is None:
        return
    cut = earlier(now, section.retention).replace(hour=0, minute=0, second=0, microsecond=0)
    last_day = cut.date().isoformat()
    try:
        system, folder = open_folder(context.destination)
        chosen = fs.FileSelector(folder, allow_not_found=True)
        for info in system.get_file_info(chosen):
            is_day = info.type == fs.FileType.Directory and _DAY.match(info.base_name)
            if is_day and info.base_name < last_day:
                system.delete_dir(info.path)
        if section.table is not None:
            same = {"destination": context.name}
            context.warehouse.warehouse.delete_before(section.table, same, "settled_at", cut)
    except _FAILURES as error:
        log.warning(
            "%s: old rows of the audit could not be removed (%s); the next day's run tries again",
            context.name,
            _why(error),
        )


def open_folder(destination: Destination) -> tuple[fs.FileSystem, str]:
    """The file system of `audit.path`, and the destination's folder in it.

    Raises:
        ConfigError: There is no such file system, or it cannot be opened.
    """
    section = destination.model.audit
    assert section is not None
    name = _UNSAFE.sub("_", destination.name)
    try:
        given = section.path
        given = resolve(given, destination.root) if is_reference(given) else given
    except ValueError as error:
        raise ConfigError(
            f"{destination.name}: audit.path: {error}", at=("audit", "path")
        ) from None
    if "://" not in given:
        return fs.LocalFileSystem(), str(destination.root / given / name)
    try:
        system, path = fs.FileSystem.from_uri(given)
    except (OSError, pa.ArrowException, ValueError) as error:
        raise ConfigError(
            f"{destination.name}: audit.path cannot be opened ({type(error).__name__}); give a"
            " folder, or an address such as s3://bucket/folder or gs://bucket/folder",
            at=("audit", "path"),
        ) from None
    return system, f"{path.rstrip('/')}/{name}"


def _write(context: RunContext, run: WaitingRun) -> None:
    """Write one file, which is there as a whole or not at all."""
    system, folder = open_folder(context.destination)
    day = f"{folder}/{moment_of(run.at).date().isoformat()}"
    name = f"{_UNSAFE.sub('_', run.run_id)}-{run.first}.parquet"
    unfinished = f"{day}/.{name}.{uuid.uuid4().hex}"
    system.create_dir(day)
    try:
        with (
            system.open_output_stream(unfinished) as stream,
            pq.ParquetWriter(stream, SCHEMA, compression="zstd", use_dictionary=REPEATED) as writer,
        ):
            for batch in _batches(context, run):
                writer.write_batch(batch, row_group_size=ROW_GROUP)
        failpoints.reach("audit_written")
        system.move(unfinished, f"{day}/{name}")
    except BaseException:
        _remove(system, unfinished)
        raise


def _load(context: RunContext, run: WaitingRun) -> None:
    """Write the same rows into the warehouse's table; those of an earlier try make way."""
    section = context.destination.model.audit
    if section is not None and section.table is not None:
        same: dict[str, str | int] = {
            "destination": context.name,
            "run_id": run.run_id,
            "part": run.first,
        }
        rows = BulkRows(section.table, SCHEMA, _batches(context, run), same)
        context.warehouse.warehouse.load(rows)


def _batches(context: RunContext, run: WaitingRun) -> Iterator[pa.RecordBatch]:
    """The run's entries, about ROW_GROUP together, with what is the same for all of them."""
    destination = context.destination
    same = (destination.name, destination.platform_name, run.run_id, run.first)
    with context.store.read() as connection:
        waiting: list[pa.Table] = []
        for entries in audit.entries(connection, context.destination_id, run):
            waiting.append(pa.ipc.open_stream(entries).read_all())
            if sum(map(len, waiting)) >= ROW_GROUP:
                yield from _with_run(waiting, same)
                waiting = []
        yield from _with_run(waiting, same)


def _with_run(tables: list[pa.Table], same: Sequence[str | int]) -> Iterator[pa.RecordBatch]:
    for batch in pa.concat_tables(tables).combine_chunks().to_batches() if tables else ():
        columns = [pa.repeat(pa.scalar(value), batch.num_rows) for value in same]
        yield pa.record_batch([*columns, *batch.columns], schema=SCHEMA)


def _remove(system: fs.FileSystem, path: str) -> None:
    """Remove a file that was not finished, if that can be done."""
    with contextlib.suppress(OSError, pa.ArrowException):
        system.delete_file(path)
