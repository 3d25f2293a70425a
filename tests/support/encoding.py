"""The base platform from keywords, and rows as dictionaries through its serializer.

Nothing is read from disk but the platform file.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import yaml
from hypothesis import strategies as st

from connector.arrow.convert import array_of_values
from connector.config.destination import Destination
from connector.config.loader import build
from connector.mapping.serializer import Serialized, Serializer
from connector.syntax import yaml as strict_yaml

AS_OF = dt.datetime(2026, 6, 1, 12, 30, 15, 250_000, tzinfo=dt.UTC)
"""The moment at which all rows of these tests are read."""

GUID = "85b04ded-09dd-4015-ad30-581e45452dd9"


def capi(platform: str = "capi", root: Path = Path("/"), **changes: Any) -> Destination:
    """A destination of the base platform.

    changes: attributes; `source__value_unit="minor"` reaches inside.
    """
    attributes: dict[str, Any] = {
        "platform": platform,
        "endpoint": "https://px.dsp.example/signal/v1/conversion",
        "account": {"advertiser_id": 12, "data_source_key": "abc123def456"},
        "auth": {"bearer": "env:ACME_TOKEN"},
        "source": {
            "warehouse": "duckdb:///w.duckdb",
            "query": "sql/conversions.sql",
            "cursor": "updated_at",
            "key": "conversion_id",
            "start": "all",
        },
    }
    for key, value in changes.items():
        *parents, last = key.split("__")
        target = attributes
        for parent in parents:
            target = target.setdefault(parent, {})
        target[last] = value
    text = yaml.safe_dump(
        {"type": "dagster_project.components.CapiDestination", "attributes": attributes},
        sort_keys=False,
        allow_unicode=True,
    )
    return build(strict_yaml.load(text, "defs.yaml"), root, None)


def row(**changes: Any) -> dict[str, Any]:
    """A conversion that the base platform takes; a change to None leaves the column's value out."""
    good = {"event_name": "Purchase", "event_time": "2026-05-31T10:00:00Z", "guid": GUID}
    return {**good, **changes}


def encode(
    rows: Sequence[Mapping[str, Any]],
    destination: Destination | None = None,
    keys: Sequence[str] | None = None,
    as_of: dt.datetime = AS_OF,
) -> Serialized:
    """What becomes of rows. keys: canonical key texts; by default the rows' numbers."""
    named = keys if keys is not None else [f"c{number}" for number in range(len(rows))]
    return encode_table(table_of_rows(rows), destination, named, as_of)


def encode_table(
    table: pa.Table,
    destination: Destination | None = None,
    keys: Sequence[str] | None = None,
    as_of: dt.datetime = AS_OF,
) -> Serialized:
    """As `encode`, for Arrow columns of given types."""
    named = keys if keys is not None else [f"c{number}" for number in range(table.num_rows)]
    return Serializer(destination or capi()).encode(table, pa.array(named, pa.string()), as_of)


def bodies(encoded: Serialized) -> list[dict[str, Any]]:
    """The records as the receiver reads them."""
    return [orjson.loads(record) for record in encoded.records]


def body(destination: Destination | None = None, **changes: Any) -> dict[str, Any]:
    """The record of one good row with these changes."""
    encoded = encode([row(**changes)], destination)
    assert encoded.rejected == {}, encoded.rejected
    (only,) = bodies(encoded)
    return only


def ids(record: Mapping[str, Any]) -> dict[str, str]:
    """The identifiers of a record, name -> id."""
    return {entry["name"]: entry["id"] for entry in record["ids"]}


def reasons(encoded: Serialized) -> list[tuple[int, str, str | None]]:
    """Rejected rows as (row, reason, field)."""
    return [(number, why.reason, why.field) for number, why in sorted(encoded.rejected.items())]


def applied(
    normalise: Callable[..., pa.Array], *texts: str | None, **options: Any
) -> list[str | None]:
    """What a normaliser makes of texts. options: its other parameters."""
    return normalise(pa.array(texts, pa.string()), **options).to_pylist()


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
"""Any text that Arrow can hold: no lone surrogates."""


def table_of_rows(
    rows: Iterable[Mapping[str, Any]], columns: Sequence[str] | None = None
) -> pa.Table:
    """Rows as dictionaries (JSON Lines, a DB-API cursor) as a table;
    keys that a row lacks are null.
    """
    listed = list(rows)
    names = (
        list(columns)
        if columns is not None
        else list(dict.fromkeys(name for row in listed for name in row))
    )
    return pa.table({name: array_of_values([row.get(name) for row in listed]) for name in names})
