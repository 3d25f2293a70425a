"""`capi`: each verb is a function of the library; `--json` prints JSON and nothing else.

With `--json` a command prints one document, or one line an item. Exit codes: 0 done; 1 rows
rejected above the threshold, or the run is incomplete; 2 something in the configuration must be
changed; 3 the platform, the warehouse or the state cannot be used at all.
"""

from __future__ import annotations

import typer

from connector.cli import decide, deliver, inspect, output, receiver
from connector.cli.memory import return_large_blocks

app = typer.Typer(
    name="capi",
    help="Deliver conversions from a warehouse to ad platforms' Conversions APIs, losing none.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (
    inspect.check,
    inspect.preview,
    deliver.sync,
    inspect.status,
    inspect.rejected,
    deliver.replay,
    deliver.reconcile,
    decide.resolve,
    decide.erase,
    inspect.lint_identifiers,
    inspect.schema,
    receiver.sandbox,
):
    app.command(command.__name__.replace("_", "-"))(command)


def main() -> None:
    """Entry point."""
    return_large_blocks()
    try:
        app()
    except SystemExit as ended:
        output.end(ended.code if isinstance(ended.code, int) else int(ended.code is not None))
