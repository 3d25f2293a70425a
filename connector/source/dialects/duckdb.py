"""Whether rows are in order already, so that nobody has to sort them."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc


def is_in_order(table: pa.Table) -> bool:
    """Whether no row is less than the one before by the columns whose names begin with `_`, from the first to the last.

    Text counts byte by byte. True where there is no such column; false where a value is null, or of a type that a database may order in another way than Arrow.
    """
    if table.num_rows < 2:
        return True
    columns = [table[name].combine_chunks() for name in table.column_names if name.startswith("_")]
    if not all(_is_plain(values.type) and not values.null_count for values in columns):
        return False
    if not columns:
        return True
    after: Any = None
    for values in reversed(columns):
        before, behind = values[:-1], values[1:]
        same = pc.equal(before, behind)
        after = pc.or_(pc.less(before, behind), same if after is None else pc.and_(same, after))
    return bool(pc.all(after, min_count=0).as_py())


def _is_plain(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_integer(kind)
        or pa.types.is_timestamp(kind)
        or pa.types.is_date(kind)
        or pa.types.is_string(kind)
        or pa.types.is_binary(kind)
    )
