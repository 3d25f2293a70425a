"""Registers a destination with the state, and refuses one that is not what the state knows."""

from __future__ import annotations

from sqlalchemy.engine import Connection

from connector.engine.context import RunContext
from connector.engine.fingerprints import changed_source, changed_target, source_of, target_of
from connector.errors import StateMismatch
from connector.state import intents, ledger, registry, watermark
from connector.state.lease import Lease, acquire, newest_token
from connector.state.registry import Witness

PERSON = "a person at the command line"
"""Owner of a lease that no run holds."""


def register(context: RunContext, *, anew: bool = False) -> None:
    """Make sure that the state knows the destination, and that it is still the one the state knows.

    Args:
        context: The destination.
        anew: A person lets it begin anew, whatever the state knows under another name.

    Raises:
        StateMismatch: The state was lost, its key is another one, source or target changed, or
            the destination has another name.
        ConfigError, WarehouseError: The source changed, and cannot be read at all.
    """
    source_changes: list[str] = []
    target_changes: list[str] = []
    context.store.key()
    witness = witness_of(context)
    with context.store.write() as connection:
        context.destination_id = registry.find(connection, context.name)
        if not context.destination_id:
            _refuse_lost_state(context, witness)
            if not anew:
                _refuse_another_name(connection, context)
            source, target = source_of(context.destination), target_of(context.destination)
            context.destination_id = registry.add(connection, context.name, source, target)
        else:
            _refuse_lost_watermark(connection, context)
            source_changes, target_changes = changes(connection, context)
            is_changed = source_changes or target_changes
            if not is_changed or is_unused(connection, context):
                accept_change(connection, context, reset_clock=bool(is_changed))
                source_changes, target_changes = [], []
    if target_changes:
        raise StateMismatch(_about_target(context.name, [*target_changes, *source_changes]))
    if source_changes:
        # Nobody can decide on a source that cannot be read.
        context.warehouse.check_query()
        raise StateMismatch(
            f"{context.name}: {' and '.join(source_changes)} changed since the last run, so the"
            " high-water mark may not mean what it did. If the order of rows is still the same,"
            f" run `capi resolve {context.name} --accept-change`; to begin anew, run"
            f" `capi resolve {context.name} --restart all|now|TIMESTAMP`"
        )
    witness.put()


def manual_lease(context: RunContext, *, anew: bool = False) -> Lease:
    """Register the destination and take its lease for a person; who changed the state releases it.

    Raises:
        LeaseHeld: A run is at work.
        StateMismatch: The destination is not the one that the state knows.
    """
    register(context, anew=anew)
    with context.store.write() as connection:
        behind = _tokens_behind(connection, context)
        held = acquire(connection, context.destination_id, PERSON)
    context.store.forget_key()
    note_token(context, held.token + behind)
    return held


def note_token(context: RunContext, token: int) -> None:
    """Remember outside the state how far it got, so that an older one is noticed."""
    witness_of(context).set_token(token)


def changes(connection: Connection, context: RunContext) -> tuple[list[str], list[str]]:
    """What differs from what the state knows, in words: of the source, of the target."""
    number, destination = context.destination_id, context.destination
    return (
        changed_source(registry.source(connection, number), source_of(destination)),
        changed_target(registry.target(connection, number), target_of(destination)),
    )


def accept_change(connection: Connection, context: RunContext, *, reset_clock: bool = True) -> None:
    """Take source and target as they are now for the ones that the state knows.

    Args:
        connection: A transaction that writes.
        context: The destination.
        reset_clock: Forget the warehouse's clock and the types of cursor and key too.
    """
    number, destination = context.destination_id, context.destination
    registry.set_target(connection, number, target_of(destination))
    if reset_clock:
        registry.accept_source(connection, number, source_of(destination))


def witness_of(context: RunContext) -> Witness:
    """The file that tells that the destination had state."""
    return Witness(context.destination.root, context.store.url, context.name)


def lost_state(context: RunContext) -> str | None:
    """Where a destination had state and has none now: a sentence on what to do."""
    if context.destination_id or not witness_of(context).exists():
        return None
    return (
        f"{context.name}: this destination has run before, but its state is gone, so it is not"
        " known what was delivered. Restore the state database; or, to begin anew, run"
        f" `capi resolve {context.name} --restart all|now|TIMESTAMP`"
    )


def older_state(connection: Connection, context: RunContext) -> str | None:
    """Where the state is older than what this machine saw of it: a sentence on what to do."""
    if not _tokens_behind(connection, context):
        return None
    name = context.name
    return (
        f"{name}: the state is older than the last run that began here: an older backup was"
        " restored, or this is a copy that is behind. What was delivered since is not recorded and"
        " would be sent again, with the same event ids; what was erased since would be sent too."
        f" Restore the newest state; or erase again what was erased since (`capi erase {name} --key"
        f" KEY`), and then, to go on from what the state knows, run `capi resolve {name}"
        f" --accept-change`, or, to leave out what was delivered, `capi resolve {name} --restart"
        " now|TIMESTAMP`"
    )


def accept_older_state(connection: Connection, context: RunContext) -> bool:
    """Take the state as it is; returns whether it was older than what this machine saw of it."""
    if not _tokens_behind(connection, context):
        return False
    note_token(context, newest_token(connection, context.destination_id))
    return True


def is_unused(connection: Connection, context: RunContext) -> bool:
    """Whether nothing was delivered yet, and no request is open."""
    number = context.destination_id
    return (
        watermark.read(connection, number) is None
        and ledger.is_empty(connection, number)
        and not intents.listed(connection, number)
    )


def _tokens_behind(connection: Connection, context: RunContext) -> int:
    """How many leases were given out here of which the state knows nothing.

    None, where it knows nothing of the destination at all: that is told as a lost state.
    """
    if not context.destination_id:
        return 0
    seen = witness_of(context).token()
    return max(0, seen - newest_token(connection, context.destination_id))


def _refuse_lost_state(context: RunContext, witness: Witness) -> None:
    lost = lost_state(context) if witness.exists() else None
    if lost is not None:
        raise StateMismatch(lost)


def _refuse_lost_watermark(connection: Connection, context: RunContext) -> None:
    if registry.has_lost_watermark(connection, context.destination_id):
        raise StateMismatch(
            f"{context.name}: earlier runs moved the high-water mark, but the state has none now."
            " Restore the state database; or, to begin anew, run"
            f" `capi resolve {context.name} --restart all|now|TIMESTAMP`"
        )


def _refuse_another_name(connection: Connection, context: RunContext) -> None:
    """A folder that was renamed: under its new name everything would be sent again."""
    source, target = source_of(context.destination), target_of(context.destination)
    for name, known_source, known_target in registry.with_watermark(connection):
        if known_target == target and not changed_source(known_source, source):
            raise StateMismatch(
                f"{context.name}: the state knows this source and target as {name}, and what was"
                f" delivered under that name would be sent again. If the folder was renamed, run"
                f" `capi rename {name} {context.name}`; if both are to deliver, begin"
                f" anew with `capi resolve {context.name} --restart all|now|TIMESTAMP`"
            )


def _about_target(name: str, parts: list[str]) -> str:
    return (
        f"{name}: {' and '.join(parts)} changed since the last run, so this may be another target:"
        " what was delivered to the old one would not be sent to it, and requests that are open"
        " there would be sent here. Put the old one back; or, if it is the same target, run"
        f" `capi resolve {name} --accept-change`; or, for another one, use a folder of another"
        f" name, or begin anew with `capi resolve {name} --restart all|now|TIMESTAMP`, which"
        " forgets what the old target got"
    )
