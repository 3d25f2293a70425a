"""Commands by which a person decides: resolve, erase, rename, rekey."""

from __future__ import annotations

from typing import Annotated

import typer

from connector.cli import messages, output
from connector.cli.find import START, complete
from connector.cli.options import Json, Key, Name, load
from connector.errors import ConfigError

# The library is imported inside of commands, so that `capi --help` does not wait for it.


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
            "--accept-change",
            help="source or target changed, and what the state knows still holds",
        ),
    ] = False,
    restart: Annotated[
        str | None,
        typer.Option(help="put the high-water mark anew: all, now, or a time", metavar="START"),
    ] = None,
    json: Json = False,
) -> None:
    """Settle what only a person can decide."""
    from connector.commands.resolve import resolve as settle

    with output.errors(json):
        if delivered and resend:
            raise ConfigError("give one of --delivered and --resend")
        done = settle(
            load(name),
            ambiguous="delivered" if delivered else "resend" if resend else None,
            accept_change=accept_change,
            restart=restart,
        ).to_json()
        output.print_json(done) if json else output.table("", list(done.items()))


def erase(name: Name, key: Key, json: Json = False) -> None:
    """Forget a row for a request of deletion, and never send it again."""
    from connector.commands.erase import erase as forget

    with output.errors(json):
        destination = load(name)
        done = forget(destination, key=tuple(key))
        if json:
            output.print_json(done.to_json())
        else:
            output.say(messages.erased(destination.platform.title, done))


def rename(
    old: Annotated[str, typer.Argument(help="the name under which the state knows it")],
    new: Annotated[
        str, typer.Argument(help="the folder as it is called now, or the path of its YAML file")
    ],
    json: Json = False,
) -> None:
    """Let a destination whose folder was renamed go on from where it stopped."""
    from connector.commands.rename import rename as give_name

    with output.errors(json):
        done = give_name(load(new), old=old)
        if json:
            output.print_json(done.to_json())
        else:
            output.say(f"{done.old} is called {done.new} now")


def rekey(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            help="all destinations that share the state; default: those of this project",
            metavar="[NAMES]",
            autocompletion=complete,
        ),
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="forget recorded rows that the warehouse has no more")
    ] = False,
    json: Json = False,
) -> None:
    """Replace the key under which row keys are hashed."""
    from connector.commands.destinations import list_destinations
    from connector.commands.rekey import rekey as replace

    with output.errors(json):
        chosen = names or [each.target for each in list_destinations(START.get())]
        done = replace([load(name) for name in chosen], forget=yes)
        if json:
            output.print_json(done.to_json())
        else:
            output.say(messages.rekeyed(done))
