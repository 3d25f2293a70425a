"""Normalising and hashing seven identifiers, against `DataFrame.apply` and the style of a platform's SDK."""

from __future__ import annotations

import hashlib
from functools import partial

import pyarrow as pa

from benchmarks import baselines, data
from benchmarks.measure import Line, in_turns, show
from connector.identifiers.country import country_alpha2
from connector.identifiers.digest import sha256_hex
from connector.identifiers.email import email_basic
from connector.identifiers.names import name_nopunct
from connector.identifiers.phone import phone_digits
from connector.identifiers.places import city_nospace, zip_meta

PAGE = 20_000
BASELINE_ROWS = 20_000
"""Of the slow ways: their speed does not depend on how many rows there are."""


def run(rows: int) -> None:
    """Print two lines, one a baseline."""
    table = data.conversions(rows).select(list(baselines.RULES))
    few = table.slice(0, min(rows, BASELINE_ROWS))
    frame, records = few.to_pandas(), few.to_pylist()
    works = [
        partial(_ours, table),
        partial(baselines.apply_rows, frame),
        partial(baselines.sdk_events, records),
        partial(_digests, table),
    ]
    ours, apply, sdk, bare = in_turns(works)
    limit, limit_is = rows / bare, "hashlib.sha256 alone, seven values a row"
    lines = [
        Line(
            "against a script",
            rows / ours,
            len(frame) / apply,
            "DataFrame.apply(axis=1)",
            35,
            limit,
            limit_is,
        ),
        Line(
            "against an SDK",
            rows / ours,
            len(frame) / sdk,
            "one object an event",
            10,
            limit,
            limit_is,
        ),
    ]
    show("normalise and hash, 7 identifiers", "rows/s", lines)


def _ours(table: pa.Table) -> list[list[pa.Array]]:
    return [
        _page(table.slice(start, PAGE).combine_chunks()) for start in range(0, table.num_rows, PAGE)
    ]


def _page(table: pa.Table) -> list[pa.Array]:
    column = {name: table[name].combine_chunks() for name in table.column_names}
    normal = [
        email_basic(column["email"]),
        phone_digits(column["phone"], "US"),
        name_nopunct(column["first_name"]),
        name_nopunct(column["last_name"]),
        city_nospace(column["city"]),
        zip_meta(column["postal_code"], column["country"]),
        country_alpha2(column["country"]),
    ]
    return [sha256_hex(values) for values in normal]


def _digests(table: pa.Table) -> None:
    for column in table.columns:
        for value in column.cast(pa.binary()).to_pylist():
            if value is not None:
                hashlib.sha256(value).hexdigest()
