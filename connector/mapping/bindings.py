"""What a platform's template is filled from: the rows of a table."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from connector.arrow.masks import Mask, present
from connector.config.destination import Destination
from connector.identifiers.digest import sha512_b64
from connector.mapping.constants import Constants, constant_column
from connector.mapping.conversions import Conversions
from connector.mapping.entries import EntryBindings, parse_entries
from connector.mapping.extras import extra_values
from connector.mapping.render import first_of
from connector.platforms.columns import EXTRA, MAX_VALUES
from connector.platforms.expression import Alternatives, Pipeline, parse
from connector.platforms.functions import FUNCTIONS, NORMALISERS, Context, Json, Values
from connector.platforms.row_rules import IdentifierSpec, numbered_expression


class RowBindings:
    """The rows of a table as template bindings; every expression is evaluated once."""

    def __init__(
        self,
        destination: Destination,
        constants: Constants,
        conversions: Conversions,
        source: pa.Table,
    ) -> None:
        """Bind rows.

        Args:
            destination: Which identifiers are sent, and how.
            constants: Values of `account.x` and `param.x`.
            conversions: The canonical columns.
            source: The table as it was read, with the `extra.` columns.
        """
        self.rows = conversions.table.num_rows
        self.event_ids: pa.Array | None = None
        self._destination = destination
        self._constants = constants
        self._conversions = conversions
        self._source = source
        source_model = destination.model.source
        self._context = Context(
            conversions.table,
            conversions.digits,
            source_model.default_region,
            destination.platform.tables,
            source_model.date_order,
        )
        self._known: dict[Alternatives, Values] = {}
        self._identifiers: dict[str, list[pa.Array]] = {}

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

    def identifier(self, name: str, place: int = 1) -> pa.Array:
        """Values of one identifier, shape (rows,).

        Args:
            name: Which.
            place: Of its distinct values in a row, the first that can be used is 1.
        """
        if name not in self._identifiers:
            spec = self._destination.platform.identifiers[name]
            self._identifiers[name] = list(self._distinct(spec))
        found = self._identifiers[name]
        return found[place - 1] if place <= len(found) else pa.nulls(self.rows, pa.string())

    def _distinct(self, spec: IdentifierSpec) -> Iterator[pa.Array]:
        """The values of an identifier: of each row the first, then what else it has."""
        left = [self.text(parse(spec.value))]
        if spec.hashed is not None:
            left = [pc.coalesce(*left, self.text(parse(spec.hashed)))]
        for number in range(2, MAX_VALUES + 1):
            further = numbered_expression(parse(spec.value), number)
            if not self._conversions.column_names.isdisjoint(further.columns):
                left.append(self.text(further))
        for _ in range(spec.several):
            first = pc.coalesce(*left)
            yield first
            if len(left) == 1:
                return
            left = [pc.if_else(pc.equal(each, first), None, each) for each in left]

    def entries(self, column: str) -> tuple[pa.ListArray, EntryBindings]:
        """The list column `contents`, and bindings for its entries."""
        raw = self._context.column(column)
        lists, fields = parse_entries(raw if raw is not None else pa.nulls(self.rows, pa.string()))
        self._conversions.mark_bad(
            column, np.zeros(self.rows, bool) if raw is None else present(raw) & ~present(lists)
        )
        parents = pc.list_parent_indices(lists)
        currencies = self._context.table["currency"].combine_chunks().take(parents)
        return lists, EntryBindings(
            {**fields, "currency": currencies},
            self._conversions.digits[parents.to_numpy()],
            self._constants,
            self._context.tables,
        )

    def _first(self, found: list[Values | None]) -> Values:
        """Of alternatives the first that has a value, row by row."""
        values = [value for value in found if value is not None]
        return first_of(values) if values else pa.nulls(self.rows, pa.string())

    def _pipeline(self, pipeline: Pipeline) -> Values | None:
        """A pipeline's values. What a normaliser cannot use is recorded as bad in its column."""
        start = self._start(pipeline)
        if start is None:
            return None
        source = {"column": pipeline.name, "extra": EXTRA + pipeline.name}.get(pipeline.space)
        values: Values = start
        for call in pipeline.calls:
            values = FUNCTIONS[call.name](values, self._context, call.argument)
            if call.name in NORMALISERS and source is not None:
                self._conversions.mark_bad(source, _present(start) & ~_present(values))
            start = values
        return values

    def _start(self, pipeline: Pipeline) -> Values | None:
        """What a pipeline starts from; None where source or destination do not have it."""
        name = pipeline.name
        if pipeline.space == "column":
            return self.event_ids if name == "event_id" else self._column(name)
        if pipeline.space == "identifier":
            chosen = name in self._destination.identifiers
            return self.identifier(name, pipeline.place) if chosen else None
        if pipeline.space == "field":
            return self.text(parse(self._destination.platform.fields[name]))
        if pipeline.space == "extra":
            column = EXTRA + name
            if column not in self._source.column_names:
                return None
            time_zone = self._destination.model.source.time_zone
            return extra_values(self._source[column].combine_chunks(), pipeline, time_zone)
        return constant_column(pipeline, self._constants, self.rows)

    def _column(self, name: str) -> pa.Array | None:
        column = self._context.column(name)
        obscure = name == "order_id" and self._destination.model.privacy.obscure_order_id
        return sha512_b64(column) if obscure and column is not None else column


def _present(values: Values) -> Mask:
    return present(values.text if isinstance(values, Json) else values)
