"""How good identifiers are: what share of rows can be used, and what is wrong with the rest.

Only counts leave this module; no value does.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from connector.arrow.bytes import lower, trimmed
from connector.arrow.masks import mask, present
from connector.arrow.text import text_array
from connector.config.destination import Destination
from connector.config.loader import Target, destination_of
from connector.identifiers.email import is_placeholder
from connector.identifiers.phone import read_by
from connector.identifiers.placeholders import PLACEHOLDERS, without_placeholders
from connector.mapping.coverage import usable_columns
from connector.mapping.person_arrays import spread_arrays
from connector.model import Range
from connector.platforms.columns import numbered
from connector.platforms.expression import WHERE, parse
from connector.platforms.functions import FUNCTIONS, Context
from connector.source.reader import SourceReader

ROWS = 100_000
"""Rows that are looked at by default."""

_COUNTED = (
    "rows",
    "empty",
    "valid",
    "placeholder",
    "already_hashed",
    "no_country_code",
    "malformed",
)

_REASONS: dict[str, list[tuple[str, str]]] = {
    "email": [
        ("no_at", r"^[^@]*$"),
        ("several_addresses", r"@.*@|[;|]"),
        ("comma", r","),
        ("display_name", r"<"),
        ("space", r"\s"),
        ("not_ascii", r"[^\x00-\x7f]"),
    ],
    "phone": [
        ("letters", r"[A-Za-z]{2}"),
        ("too_short", r"^\D*(\d\D*){0,6}$"),
        ("too_long", r"(\d\D*){16}"),
        ("no_such_number", r""),
    ],
    "guid": [
        (
            "not_version_4",
            r"^[0-9A-Fa-f]{8}-?[0-9A-Fa-f]{4}-?[0-9A-Fa-f]{4}-?[0-9A-Fa-f]{4}-?[0-9A-Fa-f]{12}$",
        )
    ],
    "client_ip": [("private_or_broken", r"")],
}
"""Column -> why a value of it is malformed, in the order they are tried."""

_READ_BY = ("country_code", "country", "default_region")
"""Where the country of a usable phone number can come from."""

_AFTERWARDS = ("sha256_hex", "sha256_b64", "fbc_of_click")
"""Functions that come after the normal form and make a value of any text."""


@dataclass(frozen=True)
class IdentifierQuality:
    """How good one identifier is, of the rows that were looked at.

    The last five counts are exclusive, and share the rows that are not empty.

    Attributes:
        identifier: Its name on the platform.
        column: Where it comes from.
        rows: How many were looked at.
        empty: Rows without a value.
        valid: Rows whose value can be used.
        placeholder: Rows with a value such as n/a or test@test.com.
        already_hashed: Rows whose value is a digest, in a column of plain values.
        no_country_code: Phones that need `default_region`.
        malformed: All other rows.
        malformed_by_reason: What is wrong with them -> rows.
        read_by: Where the country of a phone came from (its country_code, the row's country, or
            default_region) -> rows; empty for other columns.
        valid_share: Share of valid rows in those that are not empty.
    """

    identifier: str
    column: str
    rows: int
    empty: int
    valid: int
    placeholder: int
    already_hashed: int
    no_country_code: int
    malformed: int
    malformed_by_reason: dict[str, int]
    read_by: dict[str, int]
    valid_share: float | None

    def to_json(self) -> dict[str, Any]:
        """As `capi lint-identifiers --json` prints it; `read_by` where it says something."""
        fields = asdict(self)
        return fields if self.read_by else {key: fields[key] for key in fields if key != "read_by"}


def lint_identifiers(target: Target, *, limit: int = ROWS) -> Iterator[IdentifierQuality]:
    """Yields an entry for each identifier and each column that it comes from.

    Args:
        target: The destination, or the path of its YAML file.
        limit: Rows to look at, at most.
    """
    destination = destination_of(target)
    warehouse = SourceReader(destination, usable_columns(destination))
    counts: dict[tuple[str, str], Counter[str]] = {}
    try:
        seen = 0
        for rows in warehouse.read(Range(), min(limit, 20_000)):
            table = rows.table.slice(0, limit - seen)
            seen += table.num_rows
            table = spread_arrays(_with_system(table, destination))
            for name, column, pipeline in _sources(destination):
                if column in table.column_names:
                    counts.setdefault((name, column), Counter()).update(
                        _count(destination, table, column, pipeline)
                    )
            if seen >= limit:
                break
    finally:
        warehouse.close()
    for (name, column), found in counts.items():
        filled = found["rows"] - found["empty"]
        reasons = {
            key.removeprefix("malformed "): number
            for key, number in sorted(found.items())
            if key.startswith("malformed ")
        }
        yield IdentifierQuality(
            name,
            column,
            **{key: found[key] for key in _COUNTED},
            malformed_by_reason=reasons,
            read_by={key: found[f"read by {key}"] for key in _READ_BY if column == "phone"},
            valid_share=round(found["valid"] / filled, 4) if filled else None,
        )


def _sources(destination: Destination) -> Iterator[tuple[str, str, tuple[Any, ...]]]:
    """Identifier, column, and the calls that lead to its normal form, without the digest."""
    for name in destination.identifiers:
        spec = destination.platform.identifiers[name]
        for text in (spec.value, spec.hashed):
            for pipeline in parse(text).pipelines if text is not None else ():
                if pipeline.space == "column":
                    calls = tuple(call for call in pipeline.calls if call.name not in _AFTERWARDS)
                    for column in (pipeline.name, *numbered(pipeline.name)):
                        yield name, column, calls


def _count(
    destination: Destination, table: pa.Table, column: str, calls: tuple[Any, ...]
) -> Counter[str]:
    raw = text_array(table[column])
    if calls and calls[0].name == WHERE:  # a value that belongs to another identifier is none here
        raw = FUNCTIONS[WHERE](raw, Context(table, np.full(len(raw), 2)), calls[0].argument)
    text = trimmed(raw)
    lowered = lower(text)
    blank = mask(pc.equal(pc.utf8_length(text), 0)) | ~present(text)
    placeholder = mask(pc.is_in(lowered, value_set=pa.array(sorted(PLACEHOLDERS)))) & ~blank
    if column == "email":
        placeholder |= np.array(
            [value is not None and is_placeholder(value) for value in lowered.to_pylist()]
        )
    cleaned = pc.if_else(pa.array(placeholder | blank), None, text)
    source = destination.model.source
    region = source.default_region
    context = Context(
        _with_countries(table),
        np.full(len(raw), 2),
        region,
        destination.platform.tables,
        source.date_order,
    )
    values: Any = cleaned
    for call in calls:
        values = FUNCTIONS[call.name](values, context, call.argument)
    valid = present(values) & ~placeholder
    rest = ~blank & ~placeholder & ~valid
    hashed = (
        mask(
            pc.match_substring_regex(
                cleaned, r"^[0-9a-fA-F]{64}$|^[0-9a-fA-F]{40}$|^[0-9a-fA-F]{32}$"
            )
        )
        & rest
    )
    national = (
        mask(pc.match_substring_regex(cleaned, r"^[^+]*\d[\d\s().-]{5,}$")) & rest & ~hashed
        if column == "phone"
        else np.zeros(len(raw), bool)
    )
    malformed = rest & ~hashed & ~national
    masks = (np.ones(len(raw), bool), blank, valid, placeholder, hashed, national, malformed)
    why = Counter(
        f"malformed {_reason(column, value)}"
        for value in cleaned.filter(pa.array(malformed)).to_pylist()
    )
    if column == "phone":
        by = read_by(cleaned, region, context.column("country"))
        why.update(f"read by {origin}" for origin in by.drop_null().to_pylist())
    return (
        Counter({name: int(each.sum()) for name, each in zip(_COUNTED, masks, strict=True)}) + why
    )


def _with_system(table: pa.Table, destination: Destination) -> pa.Table:
    """The table with `mobile_os` as the serializer reads it."""
    constant = destination.model.constants.get("mobile_os")
    if constant is not None:
        column = pa.array([str(constant)] * table.num_rows, pa.string())
    elif "mobile_os" in table.column_names:
        column = text_array(table["mobile_os"])
    else:
        return table
    rest = table.select([name for name in table.column_names if name != "mobile_os"])
    return rest.append_column("mobile_os", lower(trimmed(column)))


def _with_countries(table: pa.Table) -> pa.Table:
    """The table with `country` as the serializer reads it."""
    if "country" not in table.column_names:
        return table
    countries = without_placeholders(trimmed(text_array(table["country"])))
    return table.set_column(table.column_names.index("country"), "country", countries)


def _reason(column: str, value: str) -> str:
    return next(
        (reason for reason, pattern in _REASONS.get(column, ()) if re.search(pattern, value)),
        "syntax",
    )
