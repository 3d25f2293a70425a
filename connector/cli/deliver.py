"""Commands that send: sync, replay, reconcile; and alert, which tells people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from connector.cli import messages, output
from connector.cli.options import Json, Moment, Name, interval, load, moment
from connector.cli.signals import ended_by_signals
from connector.errors import ConnectorError

if TYPE_CHECKING:
    import datetime as dt

    from connector.config.destination import Destination
    from connector.engine.plan import Options
    from connector.engine.report import Report

# The library is imported inside of commands, so that `capi --help` does not wait for it.


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
            "--yes",
            help="send more rows than usual and rows that may have been delivered before the"
            " ledger's memory, and record refusals of nearly all of them",
        ),
    ] = False,
    follow: Annotated[
        str | None,
        typer.Option(
            help="look for new rows this often, such as 1s, until SIGTERM or Ctrl-C ends it",
            metavar="TIME",
        ),
    ] = None,
    alert: Annotated[
        bool,
        typer.Option("--alert", help="afterwards tell people what changed, as alerts says"),
    ] = False,
    json: Json = False,
) -> None:
    """Deliver what waits behind the high-water mark, once, or as it comes with --follow.

    With --follow there is a report each minute, at each failure, and at the end; what cannot be
    reached is waited for.

    Exits with 1 where the run is incomplete, where all rows were rejected, or a greater share of
    them than checks.rejection_rate.fail (0.25).
    """
    from connector.commands.sync import sync as deliver
    from connector.engine.plan import Options

    with output.errors(json):
        destination = load(name)
        options = Options(
            dry_run, limit, moment(since), moment(until), replay_rejected, test_mode, yes
        )
        if follow is not None:
            _follow(destination, options, interval(follow), json, alert=alert)
            return
        try:
            with output.progress(destination, show=not json) as progress:
                report = deliver(destination, options=options, progress=progress)
        finally:
            if alert:
                _tell(destination)
        _finish(destination, report, json, dry_run=dry_run)


def _tell(destination: Destination) -> None:
    """Tell people what changed; that they cannot be told changes no exit code."""
    from connector.commands.alert import alert as tell

    try:
        tell(destination)
    except ConnectorError as error:
        output.complain(str(error))


def alert(name: Name, json: Json = False) -> None:
    """Tell people what began to be wrong or is over, as `alerts` of the YAML says; each once."""
    from connector.commands.alert import alert as tell

    with output.errors(json):
        found = tell(load(name))
        for each in found:
            if json:
                output.print_json(each.to_json())
            else:
                output.say(f"{each.channel}: {each.kind}{' is over' if each.over else ''}")
        if not found and not json:
            output.say("nothing changed")


def _follow(
    destination: Destination, options: Options, every: dt.timedelta, json: bool, *, alert: bool
) -> None:
    """Deliver until a signal ends it, which is no failure."""
    from connector.commands.follow import follow
    from connector.engine.outcome import problem_of

    def show(report: Report) -> None:
        if json:
            output.print_json(report.to_json())
        else:
            output.say(messages.followed(destination.name, report))
        problem = problem_of(destination, report)
        if problem is not None:
            output.complain(f"{destination.name}: {problem.message}")
        if alert:
            _tell(destination)

    with ended_by_signals() as stop:
        last = follow(destination, every=every, stop=stop, on_report=show, options=options)
        problem = problem_of(destination, last)
        if problem is not None and not stop.is_set():
            raise typer.Exit(problem.exit_code)


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

    Exits with 1 as sync does: where the run is incomplete, where all of these rows were rejected
    again, or a greater share of them than checks.rejection_rate.fail (0.25).
    """
    from connector.commands.erase import recorded
    from connector.commands.replay import replay as again

    with output.errors(json):
        destination = load(name)
        parts = tuple(key) if key else None
        with output.progress(destination, show=not json) as progress:
            report = again(destination, reason=reason, key=parts, progress=progress)
        _finish(destination, report, json)
        if parts and not report.rows_read:
            why = messages.NOT_REPLAYED[recorded(destination, key=parts)]
            output.complain(f"{destination.name}: {why}")


def reconcile(
    name: Name,
    since: Moment = None,
    send: Annotated[bool, typer.Option("--send", help="deliver what is missing")] = False,
    yes: Annotated[
        bool,
        typer.Option("--yes", help="with --send: also rows that may have been delivered before"),
    ] = False,
    json: Json = False,
) -> None:
    """Compare every row behind the high-water mark with the ledger, and report what is missing.

    Over the whole age window of the platform, or since a time.
    """
    from connector.commands.reconcile import reconcile as compare

    with output.errors(json):
        destination = load(name)
        with output.progress(destination, show=not json) as progress:
            found = compare(destination, since=moment(since), send=send, yes=yes, progress=progress)
        if json:
            output.print_json(found.to_json())
        else:
            output.say(
                f"rows behind the watermark: {found.rows:,}, without a record: {found.missing:,}"
            )
            if found.beyond_ledger:
                command = f"reconcile {destination.name} --send --yes"
                output.say(messages.beyond_ledger(found.beyond_ledger, command))
        if found.report is not None:
            _finish(destination, found.report, json, show=not json)
        elif found.missing:
            raise typer.Exit(1)


def _finish(
    destination: Destination,
    report: Report,
    json: bool,
    *,
    dry_run: bool = False,
    show: bool = True,
) -> None:
    """Print a report and end with its exit code."""
    from connector.engine.outcome import problem_of

    if json and show:
        output.print_json(report.to_json())
    elif show:
        _show(destination, report, dry_run)
    if report.watermark_ahead:
        output.complain(f"{destination.name}: {messages.WATERMARK_AHEAD.format(destination.name)}")
    unproven = report.tallies.get("expired", {}).get("beyond_ledger", 0)
    if unproven:
        advice = messages.beyond_ledger(unproven, f"sync {destination.name} --yes")
        output.complain(f"{destination.name}: {advice}")
    problem = problem_of(destination, report)
    if problem is not None:
        name = f"{destination.name}: "
        message = problem.message
        output.complain(message if message.startswith(name) else name + message)
        raise typer.Exit(problem.exit_code)


def _show(destination: Destination, report: Report, dry_run: bool) -> None:
    title = f"{destination.name}: dry run, nothing sent" if dry_run else destination.name
    counts = [
        (name.replace("_", " "), value)
        for name, value in report.to_json().items()
        if name != "run_id"
    ]
    output.table(title, [*counts, ("would be sent", report.unsent)] if dry_run else counts)
    output.table("rejected, by reason", list(report.tallies.get("rejected", {}).items()))
    output.table("expired, by reason", list(report.tallies.get("expired", {}).items()))
    output.table("values left out", list(report.tallies.get("dropped", {}).items()))
    output.table("reported later by the platform", list(report.tallies.get("later", {}).items()))
