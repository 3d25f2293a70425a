"""The exact requests that rows would become. Nothing is sent or recorded; secrets show as `***`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from connector.commands.given_rows import given_rows
from connector.config.destination import Destination
from connector.config.literal_secrets import is_secret_name
from connector.config.loader import Target, destination_of
from connector.delivery.auth.base import HIDDEN
from connector.delivery.auth.select import auth_for
from connector.delivery.batch import BatchLimits, cut
from connector.delivery.request import RequestBuilder
from connector.mapping.coverage import usable_columns
from connector.mapping.serializer import Serialized, Serializer
from connector.model import Batch, Range, Rejection
from connector.source.reader import SourceReader
from connector.state.clock import utc_now


@dataclass(frozen=True)
class PreviewedRequest:
    """A request that would be sent.

    Attributes:
        method: Of HTTP.
        url: Its address.
        headers: Secrets in them show as `***`.
        body: The JSON that it carries.
        rows: Places of its rows, counted from 0.
    """

    method: str
    url: str
    headers: dict[str, str]
    body: Any
    rows: tuple[int, ...]

    def to_json(self) -> dict[str, Any]:
        """As `capi preview --json` prints it."""
        names = ("method", "url", "headers", "body")
        return {"request": {name: getattr(self, name) for name in names}, "rows": list(self.rows)}


@dataclass(frozen=True)
class PreviewedRejection:
    """A row that would not be sent.

    Attributes:
        row: Its place, counted from 0.
        reason: The reason code.
        field: The column to look at, if one is to blame.
    """

    row: int
    reason: str
    field: str | None

    def to_json(self) -> dict[str, Any]:
        """As `capi preview --json` prints it."""
        return {"rejected": {"row": self.row, "reason": self.reason, "field": self.field}}


Previewed = PreviewedRequest | PreviewedRejection


def preview(
    target: Target,
    rows: Iterable[Mapping[str, Any]] | None = None,
    *,
    limit: int = 10,
    as_of: dt.datetime | None = None,
) -> Iterator[Previewed]:
    """Yields the requests and the rejections that rows would become, in the order of the rows.

    Args:
        target: The destination, or the path of its YAML file.
        rows: Canonical columns, or the query's own names where the destination renames them. A row
            without the key columns gets a key made of its own content. Default: the first rows of
            the query.
        limit: Rows of the query at most.
        as_of: The moment to take for now.

    Raises:
        ConfigError: A row has a column that is neither.
        WarehouseError: The query cannot be read.
    """
    destination = destination_of(target)
    serializer = Serializer(destination)
    now = as_of or utc_now()
    if rows is not None:
        table, keys = given_rows(destination, list(rows))
        yield from _items(destination, serializer, serializer.encode(table, keys, now))
        return
    reader = SourceReader(destination, usable_columns(destination))
    try:
        read = next(iter(reader.read(Range(), limit)), None)
    finally:
        reader.close()
    if read is not None and len(read):
        encoded = serializer.encode(read.table, read.joined_keys(), now)
        yield from _items(destination, serializer, encoded)


def _items(
    destination: Destination, serializer: Serializer, encoded: Serialized
) -> Iterator[Previewed]:
    limits = BatchLimits(destination.batch_size, destination.platform.limits.max_bytes)
    overheads = [serializer.overhead(group) for group in encoded.group_values]
    batches, too_large = cut(
        encoded.records, encoded.positions.tolist(), encoded.groups.tolist(), overheads, limits
    )
    builder, auth = RequestBuilder(destination), auth_for(destination, None, hidden=True)
    refused = encoded.refused | dict.fromkeys(too_large, Rejection("too_large", None))
    items: list[tuple[int, Previewed]] = []
    for batch in batches:
        body = serializer.body(batch.records, encoded.group_values[batch.group])
        items.append((batch.rows[0], _request(batch, body, builder, auth, destination)))
    for row, why in refused.items():
        items.append((row, PreviewedRejection(row, why.reason, why.field)))
    yield from (item for _, item in sorted(items, key=lambda item: item[0]))


def _request(
    batch: Batch,
    body: bytes,
    builder: RequestBuilder,
    auth: Any,
    destination: Destination,
) -> PreviewedRequest:
    """A batch as it would be sent; headers of the platform file that carry secrets are hidden."""
    signed = auth.sign(builder.build(body))
    secret = {name for name in destination.platform.headers if is_secret_name(name)}
    return PreviewedRequest(
        signed.method,
        signed.url,
        {name: HIDDEN if name in secret else text for name, text in signed.headers.items()},
        orjson.loads(signed.body),
        tuple(batch.rows),
    )
