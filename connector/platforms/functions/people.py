"""Names, birth dates and genders."""

from __future__ import annotations

import pyarrow as pa

from connector.identifiers import demographics, names
from connector.platforms.functions.registry import Context, Values, function, register_columnwise

register_columnwise(
    names.name_basic,
    names.name_nopunct,
    names.name_joined,
    names.name_nospace,
    demographics.gender_f_m,
)


@function("dob_yyyymmdd", normaliser=True)
def dob_yyyymmdd(dates: pa.Array, context: Context, _argument: str | None) -> Values:
    """A birth date as `YYYYMMDD`, with slashes in the order that the source is said to have."""
    return demographics.dob_yyyymmdd(dates, context.date_order)
