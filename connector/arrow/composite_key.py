"""The key of a row as one text, from which its hash and its event_id are made."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

SEPARATOR = "\x1f"
"""Stands between the parts of a key: the ASCII unit separator."""


def joined(keys: Sequence[pa.Array]) -> pa.Array:
    """The key text of each row.

    Args:
        keys: Texts of each key column, each of shape (n,).
    """
    if len(keys) == 1:
        return keys[0]
    texts = pc.binary_join_element_wise(*keys, SEPARATOR)
    unclear = pc.greater_equal(pc.count_substring(texts, SEPARATOR), len(keys))
    if not pc.any(unclear).as_py():
        return texts
    rows = zip(
        texts.to_pylist(), unclear.to_pylist(), *(key.to_pylist() for key in keys), strict=True
    )
    return pa.array([joined_key(parts) if odd else text for text, odd, *parts in rows], texts.type)


def joined_key(parts: Sequence[str]) -> str:
    """The text of one key; different keys of as many columns never share a text.

    Where a part contains the separator, the lengths of the parts go in front. Such a text has more
    separators than a plain one, so it cannot be mistaken for one.
    """
    text = SEPARATOR.join(parts)
    if len(parts) == 1 or text.count(SEPARATOR) < len(parts):
        return text
    return SEPARATOR.join([*(str(len(part)) for part in parts), text])
