"""Commands for who answers for people's data: what leaves, and what people decided."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal

import typer

from connector.cli import formats, output
from connector.cli.find import START, WHERE
from connector.cli.options import Json, Name, Since, load, since_moment

# The library is imported inside of commands, so that `capi --help` does not wait for it.


def data_map(
    format: Annotated[
        Literal["table", "markdown", "csv", "json"], typer.Option("--format", help="of the output")
    ] = "table",
    json: Json = False,
) -> None:
    """Show what leaves for which platform, of all destinations, field by field."""
    from connector.commands.data_map import FIELDS
    from connector.commands.data_map import data_map as look

    json = json or format == "json"
    with output.errors(json):
        found = [entry.to_json() for entry in look(START.get())]
        if json or format == "csv":
            formats.write("json" if json else "csv", FIELDS, found, None)
        elif format == "markdown":
            _write_markdown(FIELDS, found)
        else:
            output.rows("", list(FIELDS), found, none=f"no destination here; {WHERE}")


def acts(name: Name, since: Since = None, json: Json = False) -> None:
    """Show who resolved, erased, replayed, renamed or rekeyed what, and when."""
    from connector.commands.acts import acts as look

    with output.errors(json):
        found = [each.to_json() for each in look(load(name), since=since_moment(since))]
        if json:
            for each in found:
                output.print_json(each)
        else:
            shown = [{**each, "details": _in_words(each["details"])} for each in found]
            output.rows("", ["at", "verb", "person", "details"], shown, none="no acts yet")


def _in_words(details: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}: {value}" for name, value in details.items() if value is not None)


def _write_markdown(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write a table as GitHub and documentation sites show it."""
    cells = [[row[name] or "" for name in columns] for row in rows]
    for line in (columns, ["---"] * len(columns), *cells):
        escaped = (str(cell).replace("|", "\\|") for cell in line)
        sys.stdout.write(f"| {' | '.join(escaped)} |\n")
