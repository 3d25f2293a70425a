"""Normalisers and digests of identifiers: plain functions, one column in, one column out.

Every function takes `pa.Array` of strings, shape (n,), already trimmed and free of placeholders (see
`connector.mapping.coerce`), and returns an array of the same length: the normal form, or null where the value has none.
None of them raises for any text, and none of them keeps, logs or quotes a value.

May import: errors, arrow, model, syntax.
"""

__all__ = ["characters", "digest", "e164", "email", "opaque", "person", "phone", "placeholders"]
