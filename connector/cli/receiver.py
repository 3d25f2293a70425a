"""Commands that rehearse: sandbox runs the local receiver, preflight goes through the checklist."""

from __future__ import annotations

from typing import Annotated

import typer

from connector.cli import messages, output
from connector.cli.find import path_of
from connector.cli.options import Json, Name
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
            from connector.config.extras import missing_module  # late: most do without it

            raise ConfigError(missing_module("the receiver", error)) from None
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


def preflight(name: Name, json: Json = False) -> None:
    """Go through the integration checklist; nothing that counts is sent to the platform.

    Exits with 2 where the YAML, a secret or the source fails, with 3 where anything else does.
    """
    # Late: `capi --help` does not wait for the library.
    from connector.sandbox.preflight import preflight as look

    with output.errors(json):
        found = look(path_of(name))
        if json:
            for each in found:
                output.print_json(each.to_json())
        else:
            columns = ["step", "outcome", "detail", "remedy"]
            shown = [
                {**each.to_json(), "step": each.name, "outcome": messages.OUTCOMES[each.outcome]}
                for each in found
            ]
            output.rows("", columns, shown, none="", wrap="detail")
        failed = {each.name for each in found if each.outcome == "fail"}
        if failed:
            raise typer.Exit(2 if failed & {"yaml", "secrets", "source"} else 3)
