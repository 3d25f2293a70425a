"""Everything that can be known to be wrong before a run, found in one go."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from connector.config.destination import Destination
from connector.config.host import host_of
from connector.config.loader import load
from connector.config.models import Source
from connector.config.secrets import is_reference, resolve
from connector.delivery.auth.select import auth_for
from connector.delivery.transports.requests import RequestsTransport
from connector.engine.context import utc_now
from connector.errors import ConnectorError, DestinationError, Problem, WarehouseError
from connector.mapping.coverage import usable_columns, would_add
from connector.mapping.serializer import Serializer
from connector.model import Range
from connector.platforms.columns import COLUMNS
from connector.source.mapped_columns import canonical_columns, missing_columns, required_columns
from connector.source.reader import SourceReader
from connector.state.store import Store, state_url
from connector.syntax.spelling import rows_that, suggest

_SOME = 100
"""Rows that tell what types the columns have."""


@dataclass
class Findings:
    """What `check` found. errors stop a run; warnings say what a choice risks; missing: column -> what it would add."""

    errors: list[Problem] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    columns: list[str] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """As `capi check --json` prints it."""
        errors = [
            {"file": each.file, "line": each.line, "column": each.column, "message": each.message}
            for each in self.errors
        ]
        return {
            "ok": not self.errors,
            "errors": errors,
            "warnings": self.warnings,
            "columns": self.columns,
            "missing": self.missing,
        }


def check(path: Path, root: Path | None = None) -> Findings:
    """Look at a destination's YAML, secrets, query, warehouse and state, and report all problems together."""
    findings = Findings()
    try:
        destination = load(path, root)
    except DestinationError as error:
        findings.errors += error.problems
        return findings
    for part, keys in (
        (_secrets, ("auth",)),
        (_certificate, ("delivery", "ca_file")),
        (_state, None),
        (_host, ()),
    ):
        _note(findings, destination, partial(part, destination), keys)
    findings.warnings += _risks(destination)
    warehouse = SourceReader(destination, usable_columns(destination))
    try:
        _note(findings, destination, lambda: _source(findings, destination, warehouse), ("source",))
    finally:
        warehouse.close()
    return findings


def _note(
    findings: Findings,
    destination: Destination,
    look: Callable[[], None],
    keys: tuple[str, ...] | None,
) -> None:
    """Look at one part, and note what is wrong. keys: of the YAML, where an error does not say which; None where the YAML has nothing to do with it."""
    try:
        look()
    except DestinationError as error:
        findings.errors += error.problems
    except ConnectorError as error:
        message = str(error).removeprefix(f"{destination.name}: ")
        findings.errors.append(
            Problem(message) if keys is None else destination.problem(message, error.at or keys)
        )


def _secrets(destination: Destination) -> None:
    """Every secret that is named can be read, and together they are what the platform asks for."""
    model = destination.model
    named = {
        ("auth", name): reference
        for name, reference in model.auth
        if reference is not None and is_reference(reference)
    }
    if model.alerts is not None:
        named["alerts", "webhook"] = model.alerts.webhook
    problems = []
    for where, reference in named.items():
        try:
            resolve(reference, destination.root)
        except ValueError as error:
            problems.append(destination.problem(f"{'.'.join(where)}: {error}", where))
    if problems:
        raise DestinationError(problems)
    transport = RequestsTransport(connections=1)
    try:
        auth_for(destination, transport)
    finally:
        transport.close()


def _certificate(destination: Destination) -> None:
    """The certificate authority can be read."""
    ca_file = destination.model.delivery.ca_file
    if ca_file is not None:
        RequestsTransport(connections=1, ca_file=str(destination.root / ca_file)).close()


def _host(destination: Destination) -> None:
    """What the host has to say that takes too long to be asked at each run."""
    host = host_of(destination.yaml_type)
    problems = [destination.problem(text, at) for at, text in host.slow_problems(destination)]
    if problems:
        raise DestinationError(problems)


def _state(destination: Destination) -> None:
    """The state database opens, where there is one yet."""
    url = state_url(destination.root)
    if Store.exists(url):
        Store.open(url).close()


def _source(findings: Findings, destination: Destination, warehouse: SourceReader) -> None:
    names = warehouse.query_columns()
    findings.columns = list(canonical_columns(destination, names, usable_columns(destination)))
    findings.missing = dict(would_add(destination, set(findings.columns)))
    given = {*findings.columns, *destination.model.constants}
    problems = [*_unknown_columns(destination, names), *_missing_columns(destination, given, names)]
    if problems:
        raise DestinationError(problems)
    findings.warnings += _nearly_used(destination, names, findings)
    problems = [
        destination.problem(message, ("source", "key"))
        for message in _repeated_keys(destination, warehouse)
    ]
    survey = warehouse.survey(None)
    problems += [
        destination.problem(message, ("source", key))
        for key, message in survey.overlooked(destination.model.source).items()
    ]
    if survey.null_cursors and destination.model.source.null_cursor == "count":
        findings.warnings.append(
            f"{rows_that(survey.null_cursors, 'has', 'have')} no {destination.model.source.cursor} and will never be read"
        )
    findings.warnings += _repeated_hour(destination, warehouse)
    if survey.future:
        findings.warnings.append(
            rows_that(
                survey.future,
                "is dated in the future and waits until then",
                "are dated in the future and wait until then",
            )
        )
    if problems:
        raise DestinationError(problems)
    _note(
        findings,
        destination,
        lambda: _first_rows(findings, destination, warehouse),
        ("source", "query"),
    )


def _first_rows(findings: Findings, destination: Destination, warehouse: SourceReader) -> None:
    """The first rows become records: no column is of a type that has lost something, or lacks what says how it is meant. Warns where not one does."""
    rows = next(iter(warehouse.read(Range(), _SOME)), None)
    if rows is None or not len(rows):
        return
    encoded = Serializer(destination).encode(rows.frame, rows.joined_keys(), utc_now())
    if encoded.rejected and not len(encoded.positions):
        reasons = Counter(why.reason for why in encoded.rejected.values())
        told = ", ".join(f"{reason} {number}" for reason, number in reasons.most_common())
        findings.warnings.append(
            f"none of the first {len(rows)} rows can be sent ({told}); `capi preview {destination.name}` shows them one by one"
        )


def _nearly_used(destination: Destination, names: list[str], findings: Findings) -> Iterator[str]:
    """Columns of the query that nothing uses, and that have nearly the name of one that is not there."""
    used = {*missing_columns(destination, ()), *findings.columns}
    for name in names:
        hint = suggest(name, findings.missing, least=0.8)
        if hint and name not in used:
            yield f"nothing uses the column {name} of the query{hint}"


def _repeated_hour(destination: Destination, warehouse: SourceReader) -> Iterator[str]:
    source, cursor = destination.model.source, warehouse.cursor
    if cursor is not None and cursor.is_wall_clock and source.lookback < dt.timedelta(hours=2):
        yield f"{source.cursor} is wall-clock time in {source.time_zone}, where an hour comes twice when summer time ends: its rows may be passed over. Set source.lookback to 24h, or use a column with a zone"


def _repeated_keys(destination: Destination, warehouse: SourceReader) -> Iterator[str]:
    repeated = warehouse.duplicate_keys()
    if repeated:
        keys = "; ".join(", ".join(key) for key in repeated)
        shown = "personal ones" if destination.personal_key or "@" in keys else keys
        yield f"several rows share a key ({shown}); a key must identify one conversion, so make the query distinct or add a column to source.key"


def _unknown_columns(destination: Destination, names: list[str]) -> Iterator[Problem]:
    """Columns that the YAML names, and the query does not have."""
    for column, keys in missing_columns(destination, names).items():
        message = f"{'.'.join(map(str, keys))}: the query {destination.model.source.query} has no column {column}; it has {', '.join(names)}"
        yield destination.problem(message + suggest(column, names), keys)


def _missing_columns(
    destination: Destination, given: set[str], names: list[str]
) -> Iterator[Problem]:
    """Columns without which every row would be rejected."""
    if not destination.identifiers:
        listed = ", ".join(destination.platform.identifiers)
        message = f"identifiers is empty, so no platform can tell whom a conversion belongs to; list some of: {listed}"
        yield destination.problem(message, ("identifiers",))
    yield from (
        Problem(message, str(destination.query_file))
        for message in _lacking(destination, given, names)
    )


def _lacking(destination: Destination, given: set[str], names: list[str]) -> Iterator[str]:
    """What is wrong with the columns of the query."""
    platform = destination.platform
    for name in required_columns(destination):
        if name not in given:
            yield f"the query has no column {name}, which {platform.title} requires; alias one to it (it has {', '.join(names)}), or set it under constants"
    if destination.identifiers and not any(
        platform.identifiers[name].columns & given for name in destination.identifiers
    ):
        wanted = sorted(
            {
                column
                for name in destination.identifiers
                for column in platform.identifiers[name].columns
            }
        )
        yield f"the query has no column that identifies a person; alias at least one to: {', '.join(wanted)}"
    usable = {
        column for each in destination.identifiers for column in platform.identifiers[each].columns
    }
    for name in COLUMNS:
        plain = name.removesuffix("_e164_sha256").removesuffix("_sha256")
        there = name != plain and destination.model.columns.get(name, name) in names
        if there and name not in usable and plain in usable - given:
            yield f"the column {name} holds digests made by another rule than {platform.title} asks for; give the plain value as {plain} instead, it is hashed before it leaves"


def _risks(destination: Destination) -> Iterator[str]:
    source: Source = destination.model.source
    if not source.lag:
        yield "source.lag is 0s: a row whose transaction commits after a younger row was read is found only by lookback or `capi reconcile`"
    if not source.lookback:
        yield "source.lookback is 0s: rows that commit later than source.lag are found only by `capi reconcile`"
    test_mode = destination.platform.test_mode
    if destination.model.test_mode and test_mode is not None and test_mode.counts:
        yield "test_mode is on, and this platform counts test events like any other"
    plain = [
        name for name in destination.identifiers if destination.platform.identifiers[name].plain
    ]
    if plain:
        yield f"identifiers {', '.join(plain)} leave this process readable, because the YAML lists them"
    for path, text in destination.model.extra.items():
        yield f"extra: {text} is sent as it is at {path}; make sure that it describes no person"


__all__ = ["Findings", "WarehouseError", "check"]
