"""Cities, states, postal codes and countries."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

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


@function("us_state")
def us_state(states: pa.Array, context: Context, _argument: str | None) -> Values:
    """The two lower-case letters of a state, where the row's country is the US; null elsewhere."""
    countries = context.column("country")
    if countries is None:
        return pa.nulls(len(states), pa.string())
    in_us = pc.equal(country.country_alpha2(countries), "us")
    return pc.if_else(in_us, places.state_code(states), None)


@function("zip_meta", normaliser=True)
def zip_meta(codes: pa.Array, context: Context, _argument: str | None) -> Values:
    """Postal codes as Meta asks for them, by the row's country."""
    return places.zip_meta(codes, context.column("country"))
