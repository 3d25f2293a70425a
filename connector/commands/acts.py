"""The trail of people's acts: who resolved, erased, replayed, renamed or rekeyed what."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from connector.commands.moments import text_of_moment
from connector.config.loader import Target, destination_of
from connector.engine.context import open_context
from connector.state.acts import listed
from connector.state.clock import microseconds_of, moment_of


@dataclass(frozen=True)
class RecordedAct:
    """One decision of a person.

    Attributes:
        at: When.
        verb: The command.
        person: CAPI_ACTOR of the process that did it, otherwise its user and host.
        details: What was asked for and what came of it; rows by the hash of their key alone.
    """

    at: dt.datetime
    verb: str
    person: str
    details: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """As `capi acts --json` prints it."""
        return {**vars(self), "at": text_of_moment(self.at)}


def acts(
    target: Target, *, since: dt.datetime | None = None, state: str | None = None
) -> list[RecordedAct]:
    """What people did to a destination, oldest first; and what they did to all of its state.

    Args:
        target: The destination, or the path of its YAML file.
        since: From when on; default: all.
        state: SQLAlchemy URL of the state database; default: as for `sync`.
    """
    destination = destination_of(target)
    first = 0 if since is None else microseconds_of(since)
    opened = open_context(destination, state=state)
    with opened as context, context.store.read() as connection:
        return [
            RecordedAct(moment_of(each.at), each.verb, each.person, each.details)
            for each in listed(connection, destination.name, first)
        ]
