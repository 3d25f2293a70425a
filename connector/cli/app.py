"""`capi`: each verb is a function of the library; `--json` prints one document, or one line an item, and nothing else.

Exit codes: 0 done, 1 rows rejected above the threshold or the run is incomplete, 2 something in the configuration must be
changed, 3 the platform, the warehouse or the state cannot be used at all.
"""

from __future__ import annotations

import datetime as dt
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from connector.cli import messages as words
from connector.cli import output
from connector.cli.memory import return_large_blocks
from connector.errors import ConfigError

if TYPE_CHECKING:
    from connector.config.destination import Destination
    from connector.engine.report import Report

app = typer.Typer(
    name="capi",
    help="Deliver conversions from a warehouse to ad platforms' Conversions APIs, losing none.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Name = Annotated[
    str,
    typer.Argument(
        help="a folder under dagster_project/defs, or the path of a YAML file", metavar="NAME"
    ),
]
Json = Annotated[bool, typer.Option("--json", help="print JSON and nothing else")]
Moment = Annotated[
    str | None, typer.Option(help="a time with a zone: 2026-01-01T00:00:00Z", metavar="TIME")
]


@app.command()
def check(name: Name, json: Json = False) -> None:
    """Look at YAML, secrets, query, warehouse and state, and report all problems at once."""
    from connector.commands.check import check as look

    with output.errors(json):
        findings = look(_path(name))
        if json:
            output.print_json(findings.to_json())
        else:
            for problem in findings.errors:
                output.say(f"[red]error[/red] {output.plain(str(problem))}")
            for warning in findings.warnings:
                output.say(f"[yellow]warning[/yellow] {output.plain(warning)}")
            for column, adds in findings.missing.items():
                output.say(f"[dim]not in the query: {column} ({output.plain(adds)})[/dim]")
            output.say(
                f"{name}: {'[green]ok[/green]' if not findings.errors else output.counted(len(findings.errors), 'problem')}"
            )
        if findings.errors:
            raise typer.Exit(2)


@app.command()
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
    from connector.commands.preview import sample

    with output.errors(json):
        destination = _load(name)
        given = _read_rows(rows) if rows is not None else None
        items = list(show(destination, given) if given is not None else sample(destination, limit))
        for item in items:
            output.print_json(item, indent=not json)
        if not json:
            output.complain(f"{destination.name}: {words.previewed(items)}")


@app.command()
def sync(
    name: Name,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="read and encode, send and record nothing")
    ] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="rows at most")] = None,
    since: Moment = None,
    until: Moment = None,
    replay_rejected: Annotated[
        bool, typer.Option("--replay-rejected", help="try quarantined rows again as well")
    ] = False,
    test_mode: Annotated[
        bool, typer.Option("--test-mode", help="use the platform's test mode; nothing is recorded")
    ] = False,
    yes: Annotated[
        bool,
        typer.Option(
            "--yes", help="send more rows than usual, and record refusals of nearly all of them"
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Deliver what waits behind the high-water mark, once.

    Exits with 1 where the run is incomplete, where all rows were rejected, or a greater share of them than checks.rejection_rate.fail (0.25).
    """
    from connector.commands.sync import sync as deliver
    from connector.engine.plan import Options

    with output.errors(json):
        destination = _load(name)
        options = Options(
            dry_run, limit, _moment(since), _moment(until), replay_rejected, test_mode, yes
        )
        with output.progress(destination, show=not json) as progress:
            report = deliver(destination, options, progress=progress)
        _finish(destination, report, json, dry_run=dry_run)


@app.command()
def status(name: Name, json: Json = False) -> None:
    """Show the mark, the backlog, the quarantine and the last runs."""
    from connector.commands.status import status as look

    with output.errors(json):
        found = look(_load(name))
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
                ("warning", found.warning),
            ],
        )
        output.table("quarantine", list(found.quarantine.items()))
        output.rows(
            "runs",
            [
                "started_at",
                "kind",
                "status",
                "rows_read",
                "delivered",
                "rejected",
                "late",
                "mark_to",
            ],
            found.runs,
            none="no runs yet",
        )


@app.command()
def rejected(
    name: Name,
    reason: Annotated[str | None, typer.Option(help="only this reason")] = None,
    format: Annotated[str, typer.Option("--format", help="table, json or csv")] = "table",
    json: Json = False,
) -> None:
    """List quarantined rows: where they are in the warehouse, and why they were not accepted."""
    from connector.commands.rejected import FIELDS
    from connector.commands.rejected import rejected as look

    with output.errors(json):
        found = look(_load(name), reason=reason)
        if json or format == "json":
            for row in found:
                output.print_json(row)
        elif format == "csv":
            import csv

            writer = csv.DictWriter(sys.stdout, FIELDS)
            writer.writeheader()
            writer.writerows(
                {
                    **row,
                    "key": ""
                    if row["key"] is None
                    else " ".join(row["key"])
                    if isinstance(row["key"], list)
                    else row["key"],
                }
                for row in found
            )
        else:
            output.rows("", list(FIELDS), found, none="no row is in quarantine", wrap="message")


@app.command()
def replay(
    name: Name,
    reason: Annotated[str | None, typer.Option(help="only rows with this reason")] = None,
    key: Annotated[
        list[str] | None,
        typer.Option(help="only this row, even where it is dead; once for each key column"),
    ] = None,
    json: Json = False,
) -> None:
    """Read quarantined rows again from the warehouse and try them by today's rules.

    Exits with 1 as sync does: where the run is incomplete, where all of these rows were rejected again, or a greater share of them than
    checks.rejection_rate.fail (0.25).
    """
    from connector.commands.erase import recorded
    from connector.commands.replay import replay as again

    with output.errors(json):
        destination = _load(name)
        with output.progress(destination, show=not json) as progress:
            report = again(
                destination, reason=reason, key=tuple(key) if key else None, progress=progress
            )
        _finish(destination, report, json)
        if key and not report.rows_read:
            output.complain(
                f"{destination.name}: {words.NOT_REPLAYED[recorded(destination, tuple(key))]}"
            )


@app.command()
def reconcile(
    name: Name,
    since: Moment = None,
    send: Annotated[bool, typer.Option("--send", help="deliver what is missing")] = False,
    json: Json = False,
) -> None:
    """Compare every row behind the mark with the ledger, over the whole age window, and report what is missing."""
    from connector.commands.reconcile import reconcile as compare

    with output.errors(json):
        destination = _load(name)
        with output.progress(destination, show=not json) as progress:
            found = compare(destination, since=_moment(since), send=send, progress=progress)
        if json:
            output.print_json(found.to_json())
        else:
            output.say(
                f"{output.counted(found.rows, 'row')} behind the mark, {found.missing:,} without a record"
            )
        if found.report is not None:
            _finish(destination, found.report, json, show=not json)
        elif found.missing:
            raise typer.Exit(1)


@app.command()
def resolve(
    name: Name,
    delivered: Annotated[
        bool,
        typer.Option("--delivered", help="rows whose delivery stayed unknown count as delivered"),
    ] = False,
    resend: Annotated[
        bool,
        typer.Option(
            "--resend", help="rows whose delivery stayed unknown are sent again by the next replay"
        ),
    ] = False,
    accept_change: Annotated[
        bool,
        typer.Option(
            "--accept-change", help="the query or cursor changed, and the mark still means the same"
        ),
    ] = False,
    restart: Annotated[
        str | None, typer.Option(help="put the mark anew: all, now, or a time", metavar="START")
    ] = None,
    json: Json = False,
) -> None:
    """Settle what only a person can decide."""
    from connector.commands import resolve as decide

    with output.errors(json):
        if sum((delivered, resend, accept_change, restart is not None)) != 1:
            raise ConfigError("give one of --delivered, --resend, --accept-change or --restart")
        destination = _load(name)
        done: dict[str, Any]
        if delivered or resend:
            done = {
                "rows": decide.settle_ambiguous(destination, "delivered" if delivered else "resend")
            }
        elif accept_change:
            done = {"accepted": decide.accept_change(destination)}
        else:
            done = {"mark": decide.restart(destination, str(restart))}
        output.print_json(done) if json else output.table("", list(done.items()))


@app.command()
def erase(
    name: Name,
    key: Annotated[list[str], typer.Option(help="the row's key; once for each key column")],
    json: Json = False,
) -> None:
    """Forget a row for a request of deletion, and never send it again."""
    from connector.commands.erase import erase as forget
    from connector.commands.erase import recorded

    with output.errors(json):
        destination = _load(name)
        before = recorded(destination, tuple(key))
        known = forget(destination, tuple(key))
        output.print_json({"erased": True, "was_known": known}) if json else output.say(
            words.erased(destination.platform.title, before)
        )


@app.command("lint-identifiers")
def lint_identifiers(
    name: Name,
    limit: Annotated[int, typer.Option(min=1, help="rows to look at")] = 100_000,
    json: Json = False,
) -> None:
    """Show, for each identifier, how many rows have a value, the share of these that can be used, and what is wrong with the rest. No value is shown."""
    from connector.commands.lint import lint_identifiers as look

    with output.errors(json):
        found = list(look(_load(name), limit))
        if json:
            for entry in found:
                output.print_json(entry)
        else:
            output.rows(
                "",
                ["identifier", "column", "rows", "with_a_value", "of_these_valid", "the_rest"],
                [words.linted(entry) for entry in found],
                none="there is nothing to look at",
                wrap="the_rest",
            )


@app.command()
def schema() -> None:
    """Print the JSON Schema of a destination's YAML, for editors."""
    from connector.config.host import json_schema

    output.print_json(json_schema(), indent=True)


@app.command()
def sandbox(
    port: Annotated[int, typer.Option(help="port on this machine; 0 picks a free one")] = 8477,
    token: Annotated[
        str, typer.Option(help="the token that requests must carry")
    ] = "sandbox-token",  # noqa: S107  of a local stand-in
    fail_rate: Annotated[
        float, typer.Option(min=0, max=1, help="share of requests answered with 500 or 503")
    ] = 0.0,
    reject_rate: Annotated[
        float, typer.Option(min=0, max=1, help="share of records refused")
    ] = 0.0,
    latency: Annotated[
        float, typer.Option(min=0, help="milliseconds that each answer takes")
    ] = 0.0,
    seed: Annotated[int, typer.Option(help="of the random faults")] = 0,
    json: Json = False,
) -> None:
    """Run a receiver on this machine that answers as the platforms do, and shows what arrived on a web page."""
    with output.errors(json):
        try:
            from connector.sandbox.server import Settings, serve
        except ImportError as error:
            from connector.config.extras import how_to_add

            module = str(error.name).partition(".")[0]
            raise ConfigError(
                f"the receiver needs {module}, which is not installed; run: {how_to_add(module)}"
            ) from None
        serve(
            Settings(
                port=port,
                token=token,
                fail_rate=fail_rate,
                reject_rate=reject_rate,
                latency=latency / 1000,
                seed=seed,
            ),
            announce=lambda url: (
                output.print_json({"url": url})
                if json
                else output.say(
                    f"receiver at [bold]{url}[/bold] (page, /control and the endpoints), for the token [bold]{output.plain(token)}[/bold]; stop with Ctrl-C"
                )
            ),
        )


def main() -> None:
    """Entry point."""
    return_large_blocks()
    try:
        app()
    except SystemExit as ended:
        output.end(ended.code if isinstance(ended.code, int) else int(ended.code is not None))


def _path(name: str) -> Path:
    """A destination by its name or by a path."""
    path = Path(name)
    if path.is_dir() and (path / "defs.yaml").is_file():
        return path / "defs.yaml"
    if path.suffix in (".yaml", ".yml") or path.is_file():
        return path
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "dagster_project" / "defs" / name / "defs.yaml").is_file():
            return folder / "dagster_project" / "defs" / name / "defs.yaml"
    from connector.syntax.spelling import suggest

    known = sorted(
        each.parent.name
        for folder in (here, *here.parents)
        for each in (folder / "dagster_project" / "defs").glob("*/defs.yaml")
    )
    there = (
        f"there are {', '.join(known)}{suggest(name, known)}"
        if known
        else "run this in a project, or give the path of a YAML file"
    )
    raise ConfigError(f"there is no destination '{name}'; {there}")


def _load(name: str) -> Destination:
    from connector.config.loader import load

    return load(_path(name))


def _moment(text: str | None) -> dt.datetime | None:
    if text is None:
        return None
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ConfigError(f"'{text}' is not a time with a zone; write 2026-01-01T00:00:00Z")
    return moment.astimezone(dt.UTC)


def _read_rows(path: Path) -> list[dict[str, Any]]:
    import orjson

    rows = []
    lines = sys.stdin.buffer.read().splitlines() if str(path) == "-" else _bytes(path).splitlines()
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                row = orjson.loads(line)
            except orjson.JSONDecodeError:
                row = None
            if not isinstance(row, dict):
                raise ConfigError(f"{path}:{number}: not a JSON object")
            rows.append(row)
    return rows


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        raise ConfigError(f"the file {path} cannot be read") from None


def _finish(
    destination: Destination,
    report: Report,
    json: bool,
    *,
    dry_run: bool = False,
    show: bool = True,
) -> None:
    """Print a report and end with its exit code."""
    if json and show:
        output.print_json(report.to_json())
    elif show:
        _show(destination, report, dry_run)
    if report.failure is not None:
        message, name = report.failure.message, f"{destination.name}: "
        output.complain(message if message.startswith(name) else name + message)
        raise typer.Exit(report.failure.exit_code)
    limit = destination.model.checks.rejection_rate.fail
    if report.all_rejected or (limit is not None and report.rejection_rate > limit):
        output.complain(
            f"{destination.name}: {report.rejected} of {report.rows_read} rows were rejected; `capi rejected {destination.name}` lists them"
        )
        raise typer.Exit(1)
    return None


def _show(destination: Destination, report: Report, dry_run: bool) -> None:
    title = f"{destination.name}: dry run, nothing sent" if dry_run else destination.name
    counts = [
        (name.replace("_", " "), value)
        for name, value in report.to_json().items()
        if name != "run_id"
    ]
    output.table(title, [*counts, ("would be sent", report.unsent)] if dry_run else counts)
    output.table("rejected, by reason", list(report.tallies.get("rejected", {}).items()))
    output.table("values left out", list(report.tallies.get("dropped", {}).items()))
    output.table("told later by the platform", list(report.tallies.get("later", {}).items()))
