"""What is wrong with a destination's query and with the rows that it gives."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator
from functools import partial

from connector.commands.findings import Findings
from connector.config.destination import Destination
from connector.config.personal_keys import are_personal, is_personal
from connector.errors import DestinationError, Problem
from connector.mapping.coverage import usable_columns, would_add
from connector.mapping.sent_fields import sent_fields
from connector.mapping.serializer import Serializer
from connector.model import Range
from connector.platforms.columns import COLUMNS
from connector.source.mapped_columns import canonical_columns, missing_columns, required_columns
from connector.source.reader import SourceReader
from connector.source.survey import Survey
from connector.state.clock import utc_now
from connector.syntax.spelling import suggest

SAMPLE_ROWS = 100
"""Rows that tell what types the columns have, and whether they can be sent."""


def check_source(findings: Findings, destination: Destination) -> None:
    """Look at the query, then at what waits, then at the first rows.

    Raises:
        DestinationError, ConfigError, WarehouseError: What stops a run. Warnings go to `findings`.
    """
    reader = SourceReader(destination, usable_columns(destination))
    try:
        names = _check_columns(findings, destination, reader)
        findings.warnings += _nearly_used(destination, names, findings)
        findings.warnings += _without_currency(destination, findings)
        _check_rows(findings, destination, reader)
        look = partial(_check_first_rows, findings, destination, reader)
        findings.collect(destination, look, ("source", "query"))
    finally:
        reader.close()


def _check_columns(findings: Findings, destination: Destination, reader: SourceReader) -> list[str]:
    """The columns of the query; raises what is missing among them."""
    names = reader.query_columns()
    usable = usable_columns(destination)
    findings.columns = list(canonical_columns(destination, names, usable))
    findings.missing = dict(would_add(destination, set(findings.columns)))
    given = {*findings.columns, *destination.model.constants}
    may_add = destination.model.transform is not None
    findings.sends = sent_fields(destination, None if may_add else findings.columns)
    problems = [*_unknown_columns(destination, names), *_missing_columns(destination, given, names)]
    if problems:
        raise DestinationError(problems)
    return names


def _check_rows(findings: Findings, destination: Destination, reader: SourceReader) -> None:
    """Rows that would never be read, or be mistaken for others."""
    survey = reader.survey(None, everything=True)
    wrong_unit = reader.wrong_time_unit(survey)
    problems = [
        *((message, "key") for message in _repeated_keys(destination, reader)),
        *((message, key) for key, message in survey.overlooked(destination.model.source).items()),
        *((message, "time_unit") for message in [wrong_unit] if message is not None),
    ]
    findings.warnings += _waiting_rows(destination, survey)
    findings.warnings += _repeated_hour(destination, reader)
    if problems:
        raise DestinationError(
            [destination.problem(message, ("source", key)) for message, key in problems]
        )


def _waiting_rows(destination: Destination, survey: Survey) -> Iterator[str]:
    source = destination.model.source
    if survey.null_cursors and source.null_cursor == "count":
        yield f"rows without {source.cursor}, which will never be read: {survey.null_cursors}"
    if survey.early_cursors and source.null_cursor == "count":
        yield (
            f"rows with -infinity or a time before the year 1 as {source.cursor}, which will never"
            f" be read: {survey.early_cursors}"
        )
    if survey.future:
        yield f"rows dated in the future, which wait until then: {survey.future}"


def _check_first_rows(findings: Findings, destination: Destination, reader: SourceReader) -> None:
    """Make records of the first rows, and warn where not one can be sent.

    That finds columns of a type that has lost something, or lacks what says how it is meant.
    """
    rows = next(iter(reader.read(Range(), SAMPLE_ROWS)), None)
    if rows is None or not len(rows):
        return
    if destination.keys_are_personal is None and are_personal(destination, rows.keys):
        findings.warnings.append(
            f"keys ({', '.join(destination.model.source.keys)}) look as if they described a person,"
            " so only their hashes are kept, and no key is shown. Say privacy.keys: hashed, or"
            " plain if they do not"
        )
    encoded = Serializer(destination).encode(rows.table, rows.joined_keys(), utc_now())
    if encoded.rejected and not len(encoded.positions):
        reasons = Counter(why.reason for why in encoded.rejected.values())
        counts = ", ".join(f"{reason} {number}" for reason, number in reasons.most_common())
        findings.warnings.append(
            f"none of the first {len(rows)} rows can be sent ({counts}); `capi preview"
            f" {destination.name}` shows them one by one"
        )


def _nearly_used(destination: Destination, names: list[str], findings: Findings) -> Iterator[str]:
    """Columns that nothing uses, and that have nearly the name of one that is missing."""
    used = {*missing_columns(destination, ()), *findings.columns}
    for name in names:
        hint = suggest(name, findings.missing, least=0.8)
        if hint and name not in used:
            yield f"nothing uses the column {name} of the query{hint}"


def _without_currency(destination: Destination, findings: Findings) -> Iterator[str]:
    """Values of which nothing says what money they are."""
    given = {*findings.columns, *destination.model.constants}
    if "value" not in given or "currency" in given:
        return
    if destination.model.source.default_currency is not None:
        return
    usual = destination.platform.columns.get("currency")
    sent = "are sent without one" if usual is None else f"count as {usual}"
    yield (
        f"the query has a value and no currency, so values {sent}; alias a column to currency, or"
        " set source.default_currency"
    )


def _repeated_hour(destination: Destination, reader: SourceReader) -> Iterator[str]:
    source, cursor = destination.model.source, reader.cursor
    if cursor is not None and cursor.is_wall_clock and source.lookback < dt.timedelta(hours=2):
        yield (
            f"{source.cursor} is wall-clock time in {source.time_zone}, where an hour comes twice"
            " when summer time ends: its rows may be passed over. Set source.lookback to 24h, or"
            " use a column with a zone"
        )


def _repeated_keys(destination: Destination, reader: SourceReader) -> Iterator[str]:
    repeated = reader.duplicate_keys()
    if repeated:
        keys = "; ".join(", ".join(key) for key in repeated)
        personal = any(is_personal(destination, key) for key in repeated)
        shown = "personal ones" if personal else keys
        yield (
            f"several rows share a key ({shown}); a key must identify one conversion, so make the"
            " query distinct or add a column to source.key"
        )


def _unknown_columns(destination: Destination, names: list[str]) -> Iterator[Problem]:
    """Columns that the YAML names, and the query does not have."""
    query = destination.model.source.query
    for column, keys in missing_columns(destination, names).items():
        message = (
            f"{'.'.join(map(str, keys))}: the query {query} has no column {column}; it has"
            f" {', '.join(names)}{suggest(column, names)}"
        )
        yield destination.problem(message, keys)


def _missing_columns(
    destination: Destination, given: set[str], names: list[str]
) -> Iterator[Problem]:
    """Columns without which every row would be rejected."""
    if not destination.identifiers:
        message = (
            "identifiers is empty, so no platform can tell whom a conversion belongs to; list some"
            f" of: {', '.join(destination.platform.identifiers)}"
        )
        yield destination.problem(message, ("identifiers",))
    query = str(destination.query_file)
    for missing in (_required, _identifying, _digested_otherwise):
        yield from (Problem(message, query) for message in missing(destination, given, names))


def _required(destination: Destination, given: set[str], names: list[str]) -> Iterator[str]:
    for name in required_columns(destination):
        if name not in given:
            yield (
                f"the query has no column {name}, which {destination.platform.title} requires;"
                f" alias one to it (it has {', '.join(names)}), or set it under constants"
            )


def _identifying(destination: Destination, given: set[str], _names: list[str]) -> Iterator[str]:
    usable = _identifier_columns(destination)
    if destination.model.transform is not None:
        return  # it may add any of them
    if destination.identifiers and usable.isdisjoint(given):
        yield (
            "the query has no column that identifies a person; alias at least one to:"
            f" {', '.join(sorted(usable))}"
        )


def _digested_otherwise(
    destination: Destination, given: set[str], names: list[str]
) -> Iterator[str]:
    """Columns of digests that the platform makes by another rule."""
    usable = _identifier_columns(destination)
    for name in COLUMNS:
        plain = name.removesuffix("_e164_sha256").removesuffix("_sha256")
        there = name != plain and destination.model.columns.get(name, name) in names
        if there and name not in usable and plain in usable - given:
            yield (
                f"the column {name} holds digests made by another rule than"
                f" {destination.platform.title} asks for; give the plain value as {plain} instead,"
                " it is hashed before it leaves"
            )


def _identifier_columns(destination: Destination) -> set[str]:
    """Canonical columns that any of the chosen identifiers can be made of."""
    platform = destination.platform
    return {
        column for name in destination.identifiers for column in platform.identifiers[name].columns
    }
