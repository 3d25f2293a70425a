"""`capi`: each verb is a function of the library; `--json` prints JSON and nothing else.

With `--json` a command prints one document, or one line an item. Exit codes: 0 done; 1 rows
rejected above the threshold, or the run is incomplete; 2 something in the configuration must be
changed; 3 the platform, the warehouse or the state cannot be used at all.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from connector.cli import (
    begin,
    dashboard,
    decide,
    deliver,
    fates,
    inspect,
    output,
    privacy,
    receiver,
)
from connector.cli.find import START
from connector.cli.memory import return_large_blocks

app = typer.Typer(
    name="capi",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
for command in (
    begin.init,
    inspect.list_,
    inspect.check,
    inspect.preview,
    deliver.sync,
    inspect.status,
    fates.show,
    fates.report,
    fates.rejected,
    fates.expired,
    fates.suppressed,
    deliver.replay,
    deliver.reconcile,
    deliver.alert,
    decide.resolve,
    decide.erase,
    decide.rename,
    decide.rekey,
    inspect.lint_identifiers,
    privacy.acts,
    privacy.data_map,
    inspect.platforms,
    inspect.schema,
    receiver.preflight,
    receiver.sandbox,
    dashboard.dashboard,
):
    app.command(command.__name__.rstrip("_").replace("_", "-"))(command)


def _print_version(asked: bool) -> None:
    if asked:
        import connector  # late: it is only for who asks

        output.say(f"capi {connector.__version__}")
        raise typer.Exit


@app.callback()
def options(
    project: Annotated[
        Path | None,
        typer.Option(
            help="a folder of the project that has the destination; default: the working folder",
            exists=True,
            file_okay=False,
        ),
    ] = None,
    version: Annotated[
        bool,
        typer.Option("--version", help="print the version", callback=_print_version, is_eager=True),
    ] = False,
) -> None:
    """Deliver conversions from a warehouse to ad platforms' Conversions APIs, losing none."""
    START.set(project)


def main() -> None:
    """Entry point."""
    return_large_blocks()
    try:
        app(prog_name="capi")
    except SystemExit as ended:
        output.end(ended.code if isinstance(ended.code, int) else int(ended.code is not None))
