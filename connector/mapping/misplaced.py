"""Values in the wrong column: digests where plain values belong, e-mail addresses where ids belong.

The first would be hashed again and match nobody; the second would leave readable.
"""

from __future__ import annotations

import pyarrow.compute as pc

from connector.arrow.bytes import contains_bytes, longest_bytes
from connector.arrow.masks import mask
from connector.config.destination import Destination
from connector.mapping.conversions import Conversions
from connector.platforms.columns import numbered
from connector.platforms.expression import parse
from connector.platforms.row_rules import IdentifierSpec

_HEX_DIGEST = 64
"""Characters of a SHA-256 digest in hex."""


def reject_digests(conversions: Conversions) -> None:
    """Reject rows whose `email` or `phone` holds a SHA-256 digest."""
    for name in ("email", *numbered("email"), "phone", *numbered("phone")):
        column = conversions.column(name)
        if column is not None and longest_bytes(column) >= _HEX_DIGEST:
            hashed = mask(pc.match_substring_regex(column, r"^[0-9a-fA-F]{64}$"))
            conversions.reject(hashed, "looks_hashed", name)


def reject_addresses(conversions: Conversions, destination: Destination) -> None:
    """Reject rows with an @ in an id that leaves as it is."""
    for name in sorted(_plain_ids(destination)):
        column = conversions.column(name)
        if column is not None and contains_bytes(column, among=b"@"):
            conversions.reject(mask(pc.match_substring(column, "@")), "personal_id", name)


def _plain_ids(destination: Destination) -> set[str]:
    """Columns of ids that this destination sends unhashed."""
    specs = destination.platform.identifiers
    columns = {
        column for name in destination.identifiers for column in _plain_id_columns(specs[name])
    }
    if not destination.model.privacy.obscure_order_id:
        columns.add("order_id")
    return columns | {"event_id"}


def _plain_id_columns(spec: IdentifierSpec) -> set[str]:
    functions = parse(spec.value).functions
    return spec.columns if "own_id" in functions and "sha256_hex" not in functions else set()
