"""Whether row keys may describe a person, so that nothing but their hashes is kept and shown.

`privacy.keys` decides. Where it is silent, the names of the key columns do (see
`Destination.keys_are_personal`), and then what the keys look like. A number does not show that it
is that of a patient, so there `privacy.keys: hashed` has to say so.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from connector.config.destination import Destination
from connector.identifiers.phone import phone_e164

LOOKED_AT = 256
"""Keys of a page that are looked at, all over it; an @ is looked for in all of them."""

_ANY = (
    r"^\+[0-9][0-9 ().-]{6,}$"  # a phone number with its country code
    r"|^\(?[0-9]{3}\)?[ .-][0-9]{2,3}[ .-][0-9]{4}$"  # one without, or a social security number
    r"|^([0-9]{1,3}\.){3}[0-9]{1,3}$"  # an IPv4 address
    r"|^\pL[\pL'.-]*( \pL[\pL'.-]*)+$"  # several words, such as first and last name
)
"""One key of this form is enough."""

_NAME, _DIGITS = r"^\pL{3,}$", r"^[0-9]{8,15}$"

_MOST = 0.5
"""Of the keys that are looked at, as single words or as phone numbers without a sign: some ids look
the same by chance."""

_IMPERSONAL = frozenset({"event_name", "currency", "action_source", "country"})
"""Columns whose words come from a list."""


def are_personal(destination: Destination, keys: Sequence[pa.Array]) -> bool:
    """Whether keys may describe a person.

    Args:
        destination: whose keys.
        keys: texts of each key column, each of shape (n,).
    """
    decided = destination.keys_are_personal
    if decided is not None:
        return decided
    source = destination.model.source
    return any(
        _look_personal(texts, source.default_region)
        for column, texts in zip(source.keys, keys, strict=False)
        if column not in _IMPERSONAL
    )


def is_personal(destination: Destination, key: Sequence[str]) -> bool:
    """Whether one key, given as texts of its columns, may describe a person."""
    return are_personal(destination, [pa.array([text], pa.string()) for text in key])


def _look_personal(texts: pa.Array, region: str | None) -> bool:
    if pc.any(pc.match_substring(texts, "@")).as_py():
        return True
    if len(texts) > LOOKED_AT:
        texts = texts.take(np.linspace(0, len(texts) - 1, LOOKED_AT).astype(np.int64))
    if pc.any(pc.match_substring_regex(texts, _ANY)).as_py():
        return True
    least = _MOST * len(texts)
    if _number(pc.match_substring_regex(texts, _NAME)) > least:
        return True
    digits = texts.filter(pc.match_substring_regex(texts, _DIGITS))
    return len(digits) > least and _valid_phones(digits, region) > least


def _valid_phones(digits: pa.Array, region: str | None) -> int:
    with_sign = pc.binary_join_element_wise("+", digits, "")
    valid = pc.is_valid(phone_e164(with_sign, None))
    if region is not None:
        valid = pc.or_(valid, pc.is_valid(phone_e164(digits, region)))
    return _number(valid)


def _number(found: pa.Array) -> int:
    return int(pc.sum(found).as_py() or 0)
