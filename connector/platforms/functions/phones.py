"""Phone numbers."""

from __future__ import annotations

import pyarrow as pa

from connector.identifiers import phone
from connector.platforms.functions.registry import Context, Values, function


@function("phone_e164", normaliser=True)
def phone_e164(phones: pa.Array, context: Context, _argument: str | None) -> Values:
    """E.164 with a leading '+', by the row's country."""
    return phone.phone_e164(phones, context.region, context.column("country"))


@function("phone_digits", normaliser=True)
def phone_digits(phones: pa.Array, context: Context, _argument: str | None) -> Values:
    """E.164 without the '+', by the row's country."""
    return phone.phone_digits(phones, context.region, context.column("country"))
