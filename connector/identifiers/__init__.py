"""Normalisers and digests of identifiers: plain functions, one column in, one column out.

Every function takes a `pa.Array` of strings, shape (n,), trimmed and free of placeholders (see
`connector.mapping.coerce`), and returns an array of the same length: the normal form, or null where
the value has none. None of them raises for any text; none keeps, logs or quotes a value.

May import: errors, arrow, model, syntax.
"""

__all__ = [
    "characters",
    "click_ids",
    "country",
    "demographics",
    "digest",
    "e164",
    "email",
    "ids",
    "ip",
    "names",
    "phone",
    "placeholders",
    "places",
    "web",
]
