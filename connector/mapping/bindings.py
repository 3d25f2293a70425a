"""What a platform's template is filled from: the rows of a frame, and the entries of their lists."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from connector.arrow.convert import exact_text, parsed_json, present, text_array
from connector.config.destination import Destination
from connector.identifiers.digest import sha512_b64
from connector.mapping.coerce import Conversions
from connector.platforms.columns import EXTRA, ITEM_FIELDS
from connector.platforms.expression import Alternatives, Pipeline, parse
from connector.platforms.functions import FUNCTIONS, MAX_ENTRIES, NORMALISERS, Context, Json, Values


class RowSource:
    """The rows of a frame as a template source; every expression is worked out once."""

    def __init__(
        self,
        destination: Destination,
        constants: Mapping[str, Mapping[str, Any]],
        conversions: Conversions,
        source: pa.Table,
    ) -> None:
        """constants: space -> name -> value. source: the table as it was read, with the `extra.` columns."""
        self.rows = conversions.table.num_rows
        self.event_ids: pa.Array | None = None
        self._destination = destination
        self._constants = constants
        self._conversions = conversions
        self._source = source
        self._context = Context(
            conversions.table,
            conversions.digits,
            destination.model.source.default_region,
            destination.platform.tables,
        )
        self._known: dict[Alternatives, Values] = {}
        self._identifiers: dict[str, pa.Array] = {}

    def value(self, expression: Alternatives) -> Values:
        """An expression's value for every row, shape (rows,)."""
        if expression not in self._known:
            self._known[expression] = self._first(
                [self._pipeline(pipeline) for pipeline in expression.pipelines]
            )
        return self._known[expression]

    def text(self, expression: Alternatives) -> pa.Array:
        """As `value`, JSON or not."""
        value = self.value(expression)
        return value.text if isinstance(value, Json) else value

    def identifier(self, name: str) -> pa.Array:
        """Values of one identifier; what could not be normalised is remembered as bad in its column."""
        if name not in self._identifiers:
            spec = self._destination.platform.identifiers[name]
            values = self.text(parse(spec.value))
            if spec.hashed is not None:
                values = pc.coalesce(values, self.text(parse(spec.hashed)))
            self._identifiers[name] = values
        return self._identifiers[name]

    def entries(self, column: str) -> tuple[pa.ListArray, EntrySource]:
        """The list column `contents` and a source over its entries."""
        raw = self._context.column(column)
        lists, entries = _parse_entries(
            raw if raw is not None else pa.nulls(self.rows, pa.string())
        )
        self._conversions.mark_bad(
            column, np.zeros(self.rows, bool) if raw is None else present(raw) & ~present(lists)
        )
        parents = pc.list_parent_indices(lists)
        fields = {
            **entries,
            "currency": self._context.table["currency"].combine_chunks().take(parents),
        }
        return lists, EntrySource(self, fields, self._conversions.digits[parents.to_numpy()])

    def _first(self, found: list[Values | None]) -> Values:
        values = [value for value in found if value is not None]
        if not values:
            return pa.nulls(self.rows, pa.string())
        if len(values) == 1:
            return values[0]
        texts = [value.text if isinstance(value, Json) else value for value in values]
        joined = pc.coalesce(*texts)
        return Json(joined) if isinstance(values[0], Json) else joined

    def _pipeline(self, pipeline: Pipeline) -> Values | None:
        """A pipeline's values; what a normaliser could not use is remembered as bad in the column that it came from."""
        start = self._start(pipeline)
        if start is None:
            return None
        values: Values = start
        for step in pipeline.steps:
            values = FUNCTIONS[step.name](values, self._context, step.argument)
            if step.name in NORMALISERS and pipeline.space == "column":
                self._conversions.mark_bad(
                    pipeline.name,
                    present(start) & ~present(values.text if isinstance(values, Json) else values),
                )
        return values

    def _start(self, pipeline: Pipeline) -> pa.Array | None:
        if pipeline.space == "column":
            if pipeline.name == "event_id":
                return self.event_ids
            column = self._context.column(pipeline.name)
            if (
                pipeline.name == "order_id"
                and column is not None
                and self._destination.model.privacy.obscure_order_id
            ):
                return sha512_b64(column)
            return column
        if pipeline.space == "identifier":
            return (
                self.identifier(pipeline.name)
                if pipeline.name in self._destination.identifiers
                else None
            )
        if pipeline.space == "field":
            return self.text(parse(self._destination.platform.fields[pipeline.name]))
        if pipeline.space == "extra":
            name = EXTRA + pipeline.name
            return (
                _extra(self._source[name].combine_chunks())
                if name in self._source.column_names
                else None
            )
        return _constant(pipeline, self._constants, self.rows)


class EntrySource:
    """The entries of a list column as a template source."""

    def __init__(
        self, parent: RowSource, fields: Mapping[str, pa.Array], digits: np.ndarray
    ) -> None:
        self.rows = len(digits)
        self._fields = fields
        self._constants = parent._constants
        self._context = Context(pa.table(dict(fields)), digits, None, parent._context.tables)

    def value(self, expression: Alternatives) -> Values:
        """An expression over the fields of an entry."""
        found = [self._pipeline(pipeline) for pipeline in expression.pipelines]
        return found[0] if len(found) == 1 or isinstance(found[0], Json) else pc.coalesce(*found)

    def entries(self, column: str) -> tuple[pa.ListArray, EntrySource]:
        """Entries hold no lists of their own."""
        raise ValueError(f"'{column}' is inside a list; only the row itself has lists")

    def _pipeline(self, pipeline: Pipeline) -> Values:
        if pipeline.space == "column":
            values: Values = self._fields[pipeline.name]
        else:
            values = _constant(pipeline, self._constants, self.rows)
        for step in pipeline.steps:
            values = FUNCTIONS[step.name](values, self._context, step.argument)
        return values


def _constant(
    pipeline: Pipeline, constants: Mapping[str, Mapping[str, Any]], rows: int
) -> pa.Array:
    """The text of `=text`, `account.x` or `param.x` for every row; null where an optional account key is not given."""
    value = (
        pipeline.name
        if pipeline.space == "literal"
        else constants[pipeline.space].get(pipeline.name)
    )
    return pa.array([None if value is None else str(value)] * rows, pa.string())


def _parse_entries(raw: pa.Array) -> tuple[pa.ListArray, dict[str, pa.Array]]:
    """`contents` as JSON text or nested columns -> a list column and its flattened fields; null where it is no such list."""
    kind = pa.list_(pa.struct([(name, pa.string()) for name in ITEM_FIELDS]))
    if raw.null_count == len(raw):
        column = pa.nulls(len(raw), kind)
    else:
        column = pa.array(
            [None if value is None else _entries_of(value) for value in raw.to_pylist()], kind
        )
    flat = column.flatten()
    return column, {name: flat.field(index) for index, name in enumerate(ITEM_FIELDS)}


def _entries_of(value: Any) -> list[dict[str, str | None]] | None:
    """The entries of a list of objects, each with its fields as exact text; null where it is no such list, or too long."""
    try:
        parsed = parsed_json(value) if isinstance(value, str) else value
    except ValueError:
        return None
    entries = [entry for entry in parsed if entry is not None] if isinstance(parsed, list) else []
    if not 0 < len(entries) <= MAX_ENTRIES or not all(isinstance(entry, dict) for entry in entries):
        return None
    return [
        {name: (exact_text(entry.get(name)) or "").strip() or None for name in ITEM_FIELDS}
        for entry in entries
    ]


def _extra(values: pa.Array) -> Values:
    """A column outside the canonical ones, by its own type: numbers stay numbers, everything else is text."""
    if pa.types.is_boolean(values.type) or pa.types.is_integer(values.type):
        return values
    if pa.types.is_floating(values.type):
        finite = pc.if_else(pc.is_finite(values), values, None)
        return Json(finite.cast(pa.string()))
    if pa.types.is_decimal(values.type):
        return Json(text_array(values))
    return pc.utf8_trim_whitespace(text_array(values))
