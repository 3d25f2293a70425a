"""Identifiers that mean nothing outside one system: UUIDs and a shop's own ids."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from connector.arrow.bytes import contains_bytes, longest_bytes, lower
from connector.arrow.dictionary import at_exceptions

_UUID = r"^.*?([0-9a-f]{8})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{12}).?$"
_CANONICAL = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
_NIL = "00000000-0000-0000-0000-000000000000"
_DASHES = r"(?:[0-9a-f]{32}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})"
_SPELLED = rf"^(?:(?:urn:uuid:)?{_DASHES}|\{{{_DASHES}\}}|\({_DASHES}\))$"

_MAX_LENGTH = 256
"""Characters of an id of a shop's own."""


def uuid_lower(ids: pa.Array) -> pa.Array:
    """Lower-case UUID with dashes; null for the nil UUID and for anything else.

    Accepts upper case, braces, `urn:uuid:` and bare hex.
    """
    small = lower(ids)
    canonical = at_exceptions(
        small, pc.invert(pc.match_substring_regex(small, _CANONICAL)), _dashed
    )
    return pc.if_else(pc.equal(canonical, _NIL), None, canonical)


def _dashed(ids: pa.Array) -> pa.Array:
    return pc.if_else(
        pc.match_substring_regex(ids, _SPELLED),
        pc.replace_substring_regex(ids, _UUID, r"\1-\2-\3-\4-\5"),
        None,
    )


def uuid4(ids: pa.Array) -> pa.Array:
    """As `uuid_lower`, version 4 (RFC 9562) alone. Source: base platform (`Guid`)."""
    canonical = uuid_lower(ids)
    version, variant = (
        pc.binary_slice(canonical.cast(pa.binary()), place, place + 1) for place in (14, 19)
    )
    good = pc.and_(
        pc.equal(version, b"4"), pc.is_in(variant, value_set=pa.array([b"8", b"9", b"a", b"b"]))
    )
    return pc.if_else(good, canonical, None)


def own_id(ids: pa.Array) -> pa.Array:
    """A shop's own id, at most 256 characters; null where an @ makes it an e-mail address."""
    suspect = contains_bytes(ids, below=ord(" "), among=b"@\x7f")
    return without(ids, _MAX_LENGTH, r"[@\x00-\x1f\x7f]", suspect)


def any_id(ids: pa.Array) -> pa.Array:
    """An id that leaves hashed, at most 256 characters; an e-mail address may be one."""
    suspect = contains_bytes(ids, below=ord(" "), among=b"\x7f")
    return without(ids, _MAX_LENGTH, r"[\x00-\x1f\x7f]", suspect)


def without(ids: pa.Array, longest: int, forbidden: str, suspect: bool) -> pa.Array:
    """Ids; null where one is too long or has a forbidden character.

    Args:
        ids: Strings, shape (n,).
        longest: Characters that an id may have.
        forbidden: Regular expression of one character.
        suspect: Whether any value may have a forbidden character; if not, none is searched.
    """
    if longest_bytes(ids) > longest:
        ids = pc.if_else(pc.less_equal(pc.utf8_length(ids), longest), ids, None)
    return pc.if_else(pc.match_substring_regex(ids, forbidden), None, ids) if suspect else ids
