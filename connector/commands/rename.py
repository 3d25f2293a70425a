"""Gives what the state knows of a destination another name, after its folder was renamed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy.engine import Connection

from connector.config.loader import Target, destination_of
from connector.engine.context import RunContext, open_context
from connector.engine.registration import PERSON, is_unused, witness_of
from connector.errors import ConfigError
from connector.state import acts, registry
from connector.state.lease import acquire, release
from connector.state.registry import Witness
from connector.syntax.spelling import suggest


@dataclass(frozen=True)
class Renaming:
    """A destination that has another name now."""

    old: str
    new: str

    def to_json(self) -> dict[str, Any]:
        """As `capi rename --json` prints it."""
        return {"old": self.old, "new": self.new}


def rename(target: Target, *, old: str, state: str | None = None) -> Renaming:
    """Let a destination go on from what the state knows under another name.

    Args:
        target: The destination as it is called now, or the path of its YAML file.
        old: The name under which the state knows it.
        state: SQLAlchemy URL of the state database; default: as for `sync`.

    Raises:
        ConfigError: The state does not know the old name, or something was delivered under the
            new one already.
        LeaseHeld: A run is at work under the old name.
    """
    destination = destination_of(target)
    with open_context(destination, state=state) as context:
        with context.store.write() as connection:
            number = registry.find(connection, old)
            if not number:
                known = registry.names(connection)
                raise ConfigError(
                    f"the state knows no destination {old}, only {', '.join(known) or 'none'}"
                    f"{suggest(old, known)}"
                )
            _make_room(connection, context)
            held = acquire(connection, number, PERSON)
            registry.rename(connection, number, context.name)
            acts.rename(connection, old, context.name)
            acts.record(connection, context.name, "rename", {"old": old})
            release(connection, held)
        former = Witness(destination.root, context.store.url, old)
        witness_of(context).set_token(former.token())
        former.remove()
        return Renaming(old, context.name)


def _make_room(connection: Connection, context: RunContext) -> None:
    """Forget a destination of the new name that did nothing yet."""
    if not context.destination_id:
        return
    if not is_unused(connection, context):
        raise ConfigError(
            f"{context.name}: the state knows a destination of this name already, and what it"
            " delivered would be mixed up with what the other one did"
        )
    registry.remove(connection, context.destination_id)
