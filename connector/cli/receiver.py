"""The command that runs the local receiver: sandbox."""

from __future__ import annotations

from typing import Annotated

import typer

from connector.cli import output
from connector.cli.options import Json
from connector.errors import ConfigError


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
    allow_host: Annotated[
        list[str] | None,
        typer.Option(help="another name of this machine that requests may be for"),
    ] = None,
    json: Json = False,
) -> None:
    """Run a receiver on this machine that answers as the platforms do.

    It shows what arrived on a web page.
    """
    with output.errors(json):
        try:
            # Late: the receiver's web server is an extra of the package.
            from connector.sandbox.server import Settings, serve
        except ImportError as error:
            from connector.config.extras import how_to_add  # late: most do without it

            module = str(error.name).partition(".")[0]
            raise ConfigError(
                f"the receiver needs {module}, which is not installed; run: {how_to_add(module)}"
            ) from None
        settings = Settings(
            port=port,
            token=token,
            fail_rate=fail_rate,
            reject_rate=reject_rate,
            latency=latency / 1000,
            seed=seed,
            hosts=tuple(allow_host or ()),
        )

        def announce(url: str) -> None:
            if json:
                output.print_json({"url": url})
            else:
                output.say(
                    f"receiver at [bold]{url}[/bold] (page, /control and the endpoints), for the"
                    f" token [bold]{output.plain(token)}[/bold]; stop with Ctrl-C"
                )

        serve(settings, announce=announce)
