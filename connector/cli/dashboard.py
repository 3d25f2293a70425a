"""The command that shows all destinations on a page of this machine: dashboard."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from connector.cli import output
from connector.cli.find import START
from connector.cli.options import Json, Since, since_moment
from connector.errors import ConfigError

# The library is imported inside of commands, so that `capi --help` does not wait for it.


def dashboard(
    port: Annotated[int, typer.Option(help="port on this machine; 0 picks a free one")] = 8478,
    since: Since = None,
    json: Json = False,
) -> None:
    """Show all destinations on a web page of this machine, which changes nothing.

    It looks anew whenever it is loaded, 30 days back where --since says nothing else.
    """
    with output.errors(json):
        since_moment(since)
        try:
            # Late: what draws and serves the page is an extra of the package.
            from connector.commands.page import dashboard as draw
            from connector.sandbox.pages import serve_page
        except ImportError as error:
            from connector.config.extras import missing_module  # late: most do without it

            raise ConfigError(missing_module("the page", error)) from None
        folder = START.get()

        def announce(url: str) -> None:
            if json:
                output.print_json({"url": url})
            else:
                output.say(f"all destinations at [bold]{url}[/bold]; stop with Ctrl-C")

        serve_page(lambda: draw(folder, since=since_moment(since)), port, announce)


def write_page(file: Path, since: str | None) -> None:
    """Write the same page into a file.

    Raises:
        ConfigError: The file cannot be written, or what draws the page is not installed.
    """
    try:
        from connector.commands.page import dashboard as draw  # late: as above
    except ImportError as error:
        from connector.config.extras import missing_module  # late: most do without it

        raise ConfigError(missing_module("the page", error)) from None
    page = draw(START.get(), since=since_moment(since))
    try:
        file.write_text(page, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{file} cannot be written: {error.strerror}") from None
