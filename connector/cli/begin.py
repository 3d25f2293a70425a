"""The command that begins a destination: init."""

from __future__ import annotations

from typing import Annotated

import typer

from connector.cli import output
from connector.cli.find import START
from connector.cli.options import Json

# The library is imported inside of commands, so that `capi --help` does not wait for it.


def init(
    name: Annotated[str, typer.Argument(help="of the new destination", metavar="NAME")],
    platform: Annotated[str, typer.Option(help="a platform, or the path of a platform file")],
    table: Annotated[
        str | None,
        typer.Option(help="table or view of the conversions; its columns are mapped by name"),
    ] = None,
    warehouse: Annotated[
        str, typer.Option(help="a SQLAlchemy URL without a password, or env:NAME")
    ] = "env:WAREHOUSE_URL",
    cursor: Annotated[str | None, typer.Option(help="the cursor column")] = None,
    key: Annotated[
        list[str] | None, typer.Option(help="the key column; once for each of several")
    ] = None,
    json: Json = False,
) -> None:
    """Write a commented YAML file and a query for a new destination, and check them.

    Nothing is sent. What `check` still finds, such as variables that are not set, is listed.
    """
    from connector.commands.init import init as begin

    with output.errors(json):
        found = begin(
            name,
            platform=platform,
            table=table,
            warehouse=warehouse,
            cursor=cursor,
            key=key or (),
            folder=START.get(),
        )
        if json:
            output.print_json(found.to_json())
            return
        output.say(f"wrote {output.plain(str(found.file))} and {output.plain(found.query.name)}")
        output.table("mapped", [(column, source) for column, source in found.mapped.items()])
        for problem in found.findings.errors:
            output.say(f"[yellow]to do[/yellow] {output.plain(str(problem))}")
        output.say(f"look over both files, then run: capi check {name}")
