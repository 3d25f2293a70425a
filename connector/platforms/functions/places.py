"""Cities, states, postal codes and countries."""

from __future__ import annotations

import pyarrow as pa

from connector.identifiers import country, places
from connector.platforms.functions.registry import Context, Values, function, register_columnwise

register_columnwise(
    places.city_nospace,
    places.lower_alnum,
    places.state_2,
    places.state_code,
    places.zip_nospace,
    places.zip_digits,
    country.country_alpha2,
    country.country_alpha2_upper,
)


@function("zip_meta", normaliser=True)
def zip_meta(codes: pa.Array, context: Context, _argument: str | None) -> Values:
    """Postal codes as Meta asks for them, by the row's country."""
    return places.zip_meta(codes, context.column("country"))
