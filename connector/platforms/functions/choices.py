"""Values chosen by a look-up table of the platform file, by another column, or by a flag."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from connector.arrow.masks import mask
from connector.platforms.expression import WHERE, parse_condition
from connector.platforms.functions.registry import Context, Json, Values, function
from connector.platforms.functions.typed import texts


@function("lookup", argument="table")
def lookup(values: pa.Array, context: Context, argument: str | None) -> Values:
    """The value's entry in a table; null where it has none."""
    table = context.tables[argument or ""]
    if not table:
        return pa.nulls(len(values), pa.string())
    found = pc.index_in(values, value_set=pa.array(list(table)))
    return pc.take(pa.array(list(table.values())), found)


@function("absent_from", argument="table")
def absent_from(values: pa.Array, context: Context, argument: str | None) -> Values:
    """The value where a table lacks it; null elsewhere."""
    return pc.if_else(_is_listed(values, context, argument), None, values)


@function("when_in", argument="table")
def when_in(values: pa.Array, context: Context, argument: str | None) -> Values:
    """The value where a table has it; null elsewhere."""
    return pc.if_else(_is_listed(values, context, argument), values, None)


@function(WHERE, takes="any", argument="condition")
def where(values: pa.Array, context: Context, argument: str | None) -> Values:
    """The value where another column of the row holds one of the listed texts; null elsewhere.

    `where(mobile_os!=ios)` is the contrary, and holds for a row that has nothing in that column.
    """
    condition = parse_condition(argument or "")
    column = context.column(condition.column)
    if column is None:
        return values if condition.negated else pa.nulls(len(values), values.type)
    holds = mask(pc.is_in(texts(column), value_set=pa.array(condition.values)))
    return pc.if_else(pa.array(~holds if condition.negated else holds), values, None)


def _is_listed(values: pa.Array, context: Context, argument: str | None) -> pa.Array:
    return pc.is_in(values, value_set=pa.array(list(context.tables[argument or ""]), pa.string()))


@function("one_or_zero", takes="flag", last=True)
def one_or_zero(flags: pa.Array, _context: Context, _argument: str | None) -> Values:
    """A flag as the number 1 or 0."""
    return flags.cast(pa.int64())


@function("when", takes="flag", argument="json", last=True)
def when(flags: pa.Array, _context: Context, argument: str | None) -> Values:
    """The argument, which is JSON, where a flag is true; null elsewhere."""
    return Json(pc.if_else(flags, argument or "true", None))


@function("choose", takes="flag")
def choose(flags: pa.Array, _context: Context, argument: str | None) -> Values:
    """One of two words, `choose(yes,no)`, by a flag; null where the flag is null."""
    yes, _, no = (argument or "").partition(",")
    return pc.if_else(flags, yes.strip(), no.strip())
