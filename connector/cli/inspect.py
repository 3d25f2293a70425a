"""Commands that look and change nothing: check, preview, list, status, platforms."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from connector.cli import messages, output
from connector.cli.find import START, WHERE, complete, path_of
from connector.cli.options import Json, Name, load, read_rows

# The library is imported inside of commands, so that `capi --help` does not wait for it.


def check(name: Name, json: Json = False) -> None:
    """Look at YAML, secrets, query, warehouse and state, and report all problems at once."""
    from connector.commands.check import check as look

    with output.errors(json):
        findings = look(path_of(name))
        if json:
            output.print_json(findings.to_json())
        else:
            for problem in findings.errors:
                output.say(f"[red]error[/red] {output.plain(str(problem))}")
            for warning in findings.warnings:
                output.say(f"[yellow]warning[/yellow] {output.plain(warning)}")
            for column, adds in findings.missing.items():
                output.say(f"[dim]not in the query: {column} ({output.plain(adds)})[/dim]")
            if findings.sends:
                columns = ["field", "column", "group", "form", "made_by"]
                sends = [each.to_json() for each in findings.sends]
                output.rows(f"what {name} sends", columns, sends, none="")
            found = f"problems: {len(findings.errors)}" if findings.errors else "[green]ok[/green]"
            output.say(f"{name}: {found}")
        if findings.errors:
            raise typer.Exit(2)


def preview(
    name: Name,
    rows: Annotated[
        Path | None, typer.Option(help="JSON Lines with canonical columns; - for standard input")
    ] = None,
    limit: Annotated[
        int, typer.Option(min=1, help="rows to take from the warehouse where no file is given")
    ] = 10,
    json: Json = False,
) -> None:
    """Show the exact requests that rows would become. Nothing is sent, and secrets show as ***."""
    from connector.commands.preview import preview as show

    with output.errors(json):
        destination = load(name)
        given = read_rows(rows) if rows is not None else None
        items = list(show(destination, given, limit=limit))
        for item in items:
            output.print_json(item.to_json(), indent=not json)
        if not json:
            output.complain(f"{destination.name}: {messages.previewed(items)}")


def list_(json: Json = False) -> None:
    """List the destinations of this project."""
    from connector.commands.destinations import list_destinations

    with output.errors(json):
        found = [each.to_json() for each in list_destinations(START.get())]
        if json:
            for each in found:
                output.print_json(each)
        else:
            output.rows(
                "", ["name", "platform", "file"], found, none=f"no destination here; {WHERE}"
            )


def status(
    name: Annotated[
        str | None,
        typer.Argument(
            help="a destination, or the path of a YAML file; default: all at a glance",
            metavar="[NAME]",
            autocompletion=complete,
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Show the high-water mark, the backlog, the quarantine and the last runs.

    Without a name: a line for each destination of this project.
    """
    from connector.commands.status import status as look

    with output.errors(json):
        if name is None:
            _overview(json)
            return
        found = look(load(name))
        if json:
            output.print_json(found.to_json())
            return
        output.table(
            "",
            [
                ("mark", found.mark),
                ("backlog", found.backlog),
                ("lag", output.duration(found.lag_seconds)),
                ("ambiguous, for you to decide", found.ambiguous_expired),
                ("dead", found.dead),
                ("pages in flight", found.in_flight),
                ("wait until", found.not_before),
                ("ledger complete from", found.horizon),
                ("rows that wait for the audit's files", found.audit_waiting or None),
                ("warning", found.warning),
            ],
        )
        output.table("quarantine", list(found.quarantine.items()))
        columns = [
            "started_at",
            "kind",
            "status",
            "rows_read",
            "delivered",
            "rejected",
            "late",
            "mark_to",
        ]
        output.rows("runs", columns, found.runs, none="no runs yet")


def _overview(json: bool) -> None:
    """All destinations; ends with the worst exit code of those that cannot be read."""
    from connector.commands.overview import overview

    found = overview(START.get())
    if json:
        for entry in found:
            output.print_json(entry.to_json())
    else:
        columns = [
            *("destination", "platform", "last_run", "ended", "delivered", "rejected"),
            *("backlog", "lag", "quarantine", "to_decide", "note"),
        ]
        shown = [messages.at_a_glance(entry) for entry in found]
        output.rows("", columns, shown, none=f"no destination here; {WHERE}", wrap="note")
    worst = max((entry.exit_code for entry in found), default=0)
    if worst:
        raise typer.Exit(worst)


def lint_identifiers(
    name: Name,
    limit: Annotated[int, typer.Option(min=1, help="rows to look at")] = 100_000,
    json: Json = False,
) -> None:
    """Show how good the identifiers are: how many can be used, and what is wrong with the rest.

    For each identifier: rows with a value, the share of these that can be used, and what is wrong
    with the others. No value is shown.
    """
    from connector.commands.lint import lint_identifiers as look

    with output.errors(json):
        found = list(look(load(name), limit=limit))
        if json:
            for entry in found:
                output.print_json(entry.to_json())
        else:
            columns = ["identifier", "column", "rows", "with_a_value", "of_these_valid", "the_rest"]
            shown = [messages.linted(entry) for entry in found]
            output.rows("", columns, shown, none="there is nothing to look at", wrap="the_rest")


def platforms(
    name: Annotated[
        str | None,
        typer.Argument(help="a platform, or the path of a platform file", metavar="[NAME]"),
    ] = None,
    format: Annotated[str, typer.Option("--format", help="table or json")] = "table",
    json: Json = False,
) -> None:
    """Show what each platform can do, its limits and windows, and what its documents leave open."""
    from connector.commands.platforms import platform_facts

    json = json or format == "json"
    with output.errors(json):
        found = platform_facts(name)
        if json:
            for facts in found:
                output.print_json(facts.to_json())
        elif name is None:
            columns = ["name", "title", "records", "age", "version", "ends", "test", "open"]
            output.rows("", columns, [messages.platform_in_short(each) for each in found], none="")
        else:
            for facts in found:
                output.table(facts.title, messages.platform_in_full(facts))
                output.table("identifiers", messages.identifiers_of(facts))
                output.table("left open by its documents", messages.left_open_by(facts))


def schema(
    policy: Annotated[
        bool, typer.Option("--policy", help="of policy.yaml, in place of a destination's")
    ] = False,
) -> None:
    """Print the JSON Schema of a destination's YAML, for editors."""
    from connector.config.host import json_schema
    from connector.config.policy import policy_schema

    output.print_json(policy_schema() if policy else json_schema(), indent=True)
