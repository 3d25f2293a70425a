"""What people did to the state: who, when, what.

Entries are added and never changed, but for the hashes of keys where the installation's key is.
"""

from __future__ import annotations

import getpass
import json
import os
import platform
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from connector.state import clock
from connector.state.tables import act


class Act(NamedTuple):
    """One decision of a person.

    Attributes:
        at: When, in unix microseconds.
        destination: Name that the destination had then; None where it was about all of them.
        verb: The command.
        person: Who, see `person`.
        details: What was asked for and what came of it; rows by the hash of their key alone.
    """

    at: int
    destination: str | None
    verb: str
    person: str
    details: dict[str, Any]


def person() -> str:
    """CAPI_ACTOR where it is set, otherwise user and host of this process."""
    named = os.environ.get("CAPI_ACTOR", "").strip()
    if named:
        return named[:255]
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container whose user has no name
        user = f"uid {os.getuid()}"
    return f"{user}@{platform.node()}"[:255]


def record(
    connection: Connection, destination: str | None, verb: str, details: Mapping[str, Any]
) -> None:
    """Add an act, in the transaction that does it.

    Args:
        connection: A transaction that writes.
        destination: Its name; None where the act is about all.
        verb: The command.
        details: JSON values; never a plain key.
    """
    connection.execute(
        act.insert().values(
            at=clock.now_us(),
            destination=destination,
            verb=verb,
            person=person(),
            details=json.dumps(dict(details)),
        )
    )


def key_hashes(connection: Connection) -> set[bytes]:
    """Key hashes of all rows that acts were about."""
    return {bytes.fromhex(details["key_hash"]) for _, details in _about_rows(connection)}


def rekey(connection: Connection, new_hash: Callable[[bytes], bytes]) -> None:
    """Give the rows that acts were about the hashes of their keys under another key."""
    for number, details in _about_rows(connection):
        changed = {**details, "key_hash": new_hash(bytes.fromhex(details["key_hash"])).hex()}
        connection.execute(
            act.update().where(act.c.id == number).values(details=json.dumps(changed))
        )


def _about_rows(connection: Connection) -> list[tuple[int, dict[str, Any]]]:
    rows = connection.execute(sa.select(act.c.id, act.c.details))
    found = [(number, json.loads(details)) for number, details in rows]
    return [(number, details) for number, details in found if details.get("key_hash")]


def listed(connection: Connection, destination: str, since_us: int = 0) -> Iterator[Act]:
    """Yields what was done to a destination, and to all of them, oldest first."""
    chosen = sa.select(act).where(
        sa.or_(act.c.destination == destination, act.c.destination.is_(None)),
        act.c.at >= since_us,
    )
    for row in connection.execute(chosen.order_by(act.c.id)).mappings():
        yield Act(
            row["at"], row["destination"], row["verb"], row["person"], json.loads(row["details"])
        )


def rename(connection: Connection, old: str, new: str) -> None:
    """Let a destination's acts go with it to its new name."""
    connection.execute(act.update().where(act.c.destination == old).values(destination=new))
