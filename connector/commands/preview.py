"""The exact requests that given rows would become. Nothing is sent, nothing is recorded, secrets show as `***`."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import orjson
import pyarrow as pa

from connector.arrow.composite_key import joined_key
from connector.arrow.convert import array_of_values, to_frame
from connector.config.destination import Destination
from connector.delivery.auth.select import auth_for
from connector.delivery.batch import BatchLimits, cut
from connector.delivery.request import RequestBuilder
from connector.engine.context import utc_now
from connector.errors import ConfigError
from connector.mapping.coverage import usable_columns
from connector.mapping.serializer import Serialized, Serializer
from connector.model import Batch, Range, Rejection
from connector.platforms.columns import COLUMNS, EXTRA
from connector.source.mapped_columns import extra_columns
from connector.source.reader import SourceReader


def preview(
    destination: Destination, rows: Iterable[Mapping[str, Any]], *, as_of: dt.datetime | None = None
) -> Iterator[dict[str, Any]]:
    """One item a request or rejected row, as `capi preview --json` prints them.

    rows: canonical columns, or the query's own names where the destination renames them. A row without the key columns
    gets a key made of its own content. Raises ConfigError for a name that is neither.
    """
    listed = list(rows)
    serializer = Serializer(destination)
    encoded = serializer.encode(
        to_frame(_table(destination, listed)), _keys(destination, listed), as_of or utc_now()
    )
    yield from _items(destination, serializer, encoded)


def _items(
    destination: Destination, serializer: Serializer, encoded: Serialized
) -> Iterator[dict[str, Any]]:
    limits = BatchLimits(destination.batch_size, destination.platform.limits.max_bytes)
    overheads = [serializer.overhead(group) for group in encoded.group_values]
    batches, too_large = cut(
        encoded.records, encoded.positions.tolist(), encoded.groups.tolist(), overheads, limits
    )
    builder, auth = RequestBuilder(destination), auth_for(destination, None, hidden=True)
    refused: dict[int, Rejection] = {
        **encoded.rejected,
        **dict.fromkeys(too_large, Rejection("too_large", None)),
    }
    refused |= dict.fromkeys(encoded.expired.tolist(), Rejection("expired", "event_time"))
    refused |= dict.fromkeys(encoded.suppressed.tolist(), Rejection("suppressed", "consent"))
    items = [
        (
            batch.rows[0],
            _request(
                batch,
                serializer.body(batch.records, encoded.group_values[batch.group]),
                builder,
                auth,
            ),
        )
        for batch in batches
    ]
    items += [
        (row, {"rejected": {"row": row, "reason": why.reason, "field": why.field}})
        for row, why in refused.items()
    ]
    yield from (item for _, item in sorted(items, key=lambda item: item[0]))


def sample(destination: Destination, limit: int) -> Iterator[dict[str, Any]]:
    """As `preview`, with the first rows of the query."""
    serializer = Serializer(destination)
    warehouse = SourceReader(destination, usable_columns(destination))
    try:
        read = next(iter(warehouse.read(Range(), limit)), None)
    finally:
        warehouse.close()
    if read is not None and len(read):
        yield from _items(
            destination, serializer, serializer.encode(read.frame, read.joined_keys(), utc_now())
        )


def _request(batch: Batch, body: bytes, builder: RequestBuilder, auth: Any) -> dict[str, Any]:
    signed = auth.sign(builder.build(body))
    request = {
        "method": signed.method,
        "url": signed.url,
        "headers": dict(signed.headers),
        "body": orjson.loads(signed.body),
    }
    return {"request": request, "rows": batch.rows}


def _table(destination: Destination, rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    model = destination.model
    renamed = {column: name for name, column in model.columns.items()}
    extra = extra_columns(destination)
    known = {*COLUMNS, *renamed, *extra, model.source.cursor, *model.source.keys}
    unknown = sorted({name for row in rows for name in row} - known)
    if unknown:
        raise ConfigError(
            f"the rows have columns that are not canonical: {', '.join(unknown[:10])}; `capi check` and the README list the ones there are"
        )
    columns: dict[str, pa.Array] = {}
    for name in usable_columns(destination):
        given = [row.get(name, row.get(model.columns.get(name, name))) for row in rows]
        if any(name in row or model.columns.get(name, name) in row for row in rows):
            columns[name] = array_of_values(given)
    for name in extra:
        columns[EXTRA + name] = array_of_values([row.get(name) for row in rows])
    return (
        pa.table(columns) if columns else pa.table({"event_name": pa.nulls(len(rows), pa.string())})
    )


def _keys(destination: Destination, rows: Sequence[Mapping[str, Any]]) -> pa.Array:
    def key(row: Mapping[str, Any]) -> str:
        parts = [row.get(name) for name in destination.model.source.keys]
        if all(part is not None for part in parts):
            return joined_key([str(part) for part in parts])
        return hashlib.sha256(orjson.dumps(row, option=orjson.OPT_SORT_KEYS)).hexdigest()

    return pa.array([key(row) for row in rows], pa.string())
