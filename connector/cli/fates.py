"""Commands that tell what became of rows: show, report, rejected, expired, suppressed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from connector.cli import formats, output
from connector.cli.dashboard import write_page
from connector.cli.find import complete
from connector.cli.options import Json, Key, Name, Since, load, since_moment
from connector.errors import ConfigError

if TYPE_CHECKING:
    from connector.commands.rejected import RejectedRow
    from connector.commands.unsent import UnsentRow

# The library is imported inside of commands, so that `capi --help` does not wait for it.

Reason = Annotated[str | None, typer.Option(help="only rows with this reason code")]
Format = Annotated[str, typer.Option("--format", help=", ".join(formats.FORMATS))]
Output = Annotated[
    Path | None,
    typer.Option("--output", help="write to this file instead of standard output", metavar="FILE"),
]


def show(name: Name, key: Key, json: Json = False) -> None:
    """Tell all that is known of one conversion: its state, what happened to it, what is next."""
    from connector.commands.show import show as look

    with output.errors(json):
        found = look(load(name), key=tuple(key))
        if json:
            output.print_json(found.to_json())
            return
        refused = found.quarantine
        output.table(
            "",
            [
                ("state", found.state),
                ("cursor", found.cursor or "the query does not give this row"),
                ("reason", refused and refused.reason),
                ("field", refused and refused.field),
                ("platform's code", refused and refused.code),
                ("message", refused and refused.message),
                ("attempts", refused and refused.attempts),
                ("next", found.next),
                ("warning", found.warning),
            ],
        )
        events = [event.to_json() for event in found.events]
        output.rows("history", ["at", "what", "run_id"], events, none="nothing happened to it yet")


def report(
    name: Annotated[
        str | None,
        typer.Argument(
            help="a destination, or the path of a YAML file; not with --html",
            metavar="[NAME]",
            autocompletion=complete,
        ),
    ] = None,
    by: Annotated[str, typer.Option(help="day, reason or event_name")] = "day",
    since: Since = None,
    format: Format = "table",
    file: Output = None,
    html: Annotated[
        Path | None,
        typer.Option("--html", help="write a page of all destinations", metavar="FILE"),
    ] = None,
    json: Json = False,
) -> None:
    """Count what became of the rows that the query gives, against the warehouse's own count.

    With --html: of all destinations of this project, with charts, as one page without any request.
    """
    from connector.commands.report import GROUPS
    from connector.commands.report import report as look

    with output.errors(json):
        formats.refuse_unknown(format, file)
        if html is not None:
            write_page(html, since)
            return
        if name is None:
            raise ConfigError("name a destination, or write a page of all with --html FILE")
        group = next((known for known in GROUPS if known == by), None)
        if group is None:
            raise ConfigError(f"--by is one of {', '.join(GROUPS)}")
        found = [line.to_json() for line in look(load(name), by=group, since=since_moment(since))]
        columns = [
            *(by, "warehouse", "delivered", "rejected", "expired", "suppressed", "difference"),
            *("waiting", "missing", "ambiguous", "erased"),
        ]
        _print(columns, found, "json" if json else format, file, none="the query gives no row")


def rejected(
    name: Name,
    reason: Reason = None,
    since: Since = None,
    key: Annotated[
        list[str] | None, typer.Option(help="only the row with this key; once for each key column")
    ] = None,
    format: Format = "table",
    file: Output = None,
    json: Json = False,
) -> None:
    """List quarantined rows: where they are in the warehouse, and why they were not accepted."""
    from connector.commands.rejected import FIELDS
    from connector.commands.rejected import rejected as look

    with output.errors(json):
        formats.refuse_unknown(format, file)
        found = look(
            load(name),
            reason=reason,
            since=since_moment(since),
            key=tuple(key) if key else None,
        )
        _list(FIELDS, found, "json" if json else format, file, none="no row is in quarantine")


def expired(
    name: Name,
    reason: Reason = None,
    since: Since = None,
    format: Format = "table",
    file: Output = None,
    json: Json = False,
) -> None:
    """List rows that were too old to be sent. Reads the keys of the source."""
    _list_unsent("expired", name, reason, since, format, file, json)


def suppressed(
    name: Name,
    reason: Reason = None,
    since: Since = None,
    format: Format = "table",
    file: Output = None,
    json: Json = False,
) -> None:
    """List rows that may not be sent, because consent was refused. Reads the keys of the source."""
    _list_unsent("suppressed", name, reason, since, format, file, json)


def _list_unsent(
    state: Literal["expired", "suppressed"],
    name: str,
    reason: str | None,
    since: str | None,
    format: str,
    file: Path | None,
    json: bool,
) -> None:
    from connector.commands import unsent

    with output.errors(json):
        formats.refuse_unknown(format, file)
        look = {"expired": unsent.expired, "suppressed": unsent.suppressed}[state]
        found = look(load(name), reason=reason, since=since_moment(since))
        chosen = "json" if json else format
        _list(unsent.UNSENT_FIELDS, found, chosen, file, none=f"no row is {state}")


def _list(
    fields: Sequence[str],
    rows: Sequence[RejectedRow | UnsentRow],
    format: str,
    file: Path | None,
    *,
    none: str,
) -> None:
    _print(fields, [row.to_json() for row in rows], format, file, none=none, wrap="message")


def _print(
    fields: Sequence[str],
    rows: list[dict[str, Any]],
    format: str,
    file: Path | None,
    *,
    none: str,
    wrap: str | None = None,
) -> None:
    """Write rows for a program, or show them to a person."""
    if format == "table":
        output.rows("", list(fields), rows, none=none, wrap=wrap)
    else:
        formats.write(format, fields, rows, file)
