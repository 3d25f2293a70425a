"""Gives the installation another key, and what is recorded the hashes under it.

The state knows rows by hashes of their keys, and nothing else of them. So the keys are read again
from the warehouse: what is not there any more cannot be carried over.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import IO, Any

from sqlalchemy.engine import Connection

from connector.config.loader import Target, destination_of
from connector.engine import failpoints
from connector.engine.context import RunContext, open_context
from connector.engine.registration import manual_lease
from connector.errors import ConfigError, ConnectorError
from connector.model import Range
from connector.state import acts, installation, intents, ledger, quarantine, registry, watermark
from connector.state.installation import KeyChange
from connector.state.keys import HASH_BYTES, hash_keys, hash_of
from connector.state.lease import Heartbeat, Lease, fence, release
from connector.state.store import Store, state_url

_READ_ROWS = 10_000


@dataclass(frozen=True)
class RekeyedDestination:
    """What became of a destination's records under the new key.

    Attributes:
        name: Of the destination.
        carried: Rows that are known under the new key.
        forgotten: Recorded rows that are not in the warehouse any more.
    """

    name: str
    carried: int
    forgotten: int


@dataclass(frozen=True)
class Rekeying:
    """An installation that has another key now.

    Attributes:
        destinations: What became of each.
        stored: Whether the key lies in the state database.
    """

    destinations: list[RekeyedDestination]
    stored: bool

    def to_json(self) -> dict[str, Any]:
        """As `capi rekey --json` prints it."""
        return asdict(self)


def rekey(targets: Sequence[Target], *, forget: bool = False, state: str | None = None) -> Rekeying:
    """Replace the installation's key, in one transaction.

    The new key is CAPI_INSTALLATION_KEY; without it, one is made and stored. The old one is the
    stored one, or CAPI_PREVIOUS_INSTALLATION_KEY.

    Recorded rows that the warehouse has no more are forgotten. Should one come back with an
    event_time from before the latest of them was recorded, it is expired (`beyond_ledger`), so
    nothing is sent twice without a person's yes; erased rows among them are only kept by that.

    Args:
        targets: All destinations that share the state, or the paths of their YAML files.
        forget: A person agreed to forget what the warehouse does not have.
        state: SQLAlchemy URL of the state database; default: as for `sync`.

    Raises:
        ConfigError: There is no other key; the state knows a destination that is not among these;
            rows would be forgotten, and nobody agreed.
        LeaseHeld: A run is at work.
        StateMismatch: The old key is not the one that the state was made with.
    """
    destinations = [destination_of(target) for target in targets]
    urls = {state_url(each.root, state) for each in destinations}
    if len(urls) != 1:
        raise ConfigError("name the destinations of one project, which share a state database")
    with ExitStack() as opened:
        store = opened.enter_context(contextlib.closing(Store.open(urls.pop())))
        with store.write() as connection:
            change = installation.key_change(connection)
            known = registry.names(connection)
        missing = sorted(set(known) - {each.name for each in destinations})
        if missing:
            raise ConfigError(
                f"the state also knows {', '.join(missing)}, and what they delivered can be carried"
                " over only with their YAML files: give the paths of these too, or put them back"
            )
        contexts = [
            opened.enter_context(open_context(each, state=state))
            for each in destinations
            if each.name in known
        ]
        held = [opened.enter_context(_held(context, change)) for context in contexts]
        hashes = [opened.enter_context(_Hashes(context, change)) for context in contexts]
        with ExitStack() as beating:
            for context, lease in zip(contexts, held, strict=True):
                beating.enter_context(Heartbeat(context.store, lease))
            for each in hashes:
                each.read()
        with store.write() as connection:
            done = []
            for context, lease, each in zip(contexts, held, hashes, strict=True):
                fence(connection, lease)
                done.append(_replace(connection, context, each))
            acts.rekey(connection, functools.partial(_new_hash_of_any, hashes, change))
            lost = [each for each in done if each.forgotten]
            if lost and not forget:
                raise ConfigError(_would_forget(lost))
            failpoints.reach("inside_commit")
            installation.replace_key(connection, change.new)
            forgotten = sum(each.forgotten for each in done)
            details = {"destinations": len(done), "forgotten": forgotten}
            acts.record(connection, None, "rekey", details)
            stored = installation.is_stored(connection)
    return Rekeying(done, stored)


@contextlib.contextmanager
def _held(context: RunContext, change: KeyChange) -> Iterator[Lease]:
    """Keep runs away from a destination."""
    context.store.hold_key(change.old)
    held = manual_lease(context)
    try:
        yield held
    finally:
        with contextlib.suppress(ConnectorError), context.store.write() as connection:
            release(connection, held)


class _Hashes:
    """The hashes of a source's keys under both keys, in a file without a name."""

    def __init__(self, context: RunContext, change: KeyChange) -> None:
        self._context, self._change = context, change
        self._sizes: list[int] = []
        self._few: dict[bytes, bytes] = {}

    def __enter__(self) -> _Hashes:
        self._file: IO[bytes] = tempfile.TemporaryFile()
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def read(self) -> None:
        """Read all keys. Rows that are touched meanwhile come behind the watermark."""
        context, number = self._context, self._context.destination_id
        with context.store.read() as connection:
            place = watermark.read(connection, number)
            sought = {row.key_hash for row in quarantine.listed(connection, number)}
            sought |= acts.key_hashes(connection)
            for found in intents.listed(connection, number):
                sought.update(found.members)
        for rows in (Range(), Range(place)):
            for read in context.warehouse.read_keys(rows, _READ_ROWS):
                keys = read.joined_keys()
                old, new = hash_keys(keys, self._change.old), hash_keys(keys, self._change.new)
                self._file.write(b"".join([*old, *new]))
                self._sizes.append(len(old))
                if not sought.isdisjoint(old):
                    pairs = zip(old, new, strict=True)
                    self._few.update(pair for pair in pairs if pair[0] in sought)

    def pairs(self) -> Iterator[tuple[list[bytes], list[bytes]]]:
        """Old hashes and the new ones in their order, in parts."""
        self._file.seek(0)
        for size in self._sizes:
            yield self._hashes(size), self._hashes(size)

    def new_hash(self, old: bytes, key: tuple[str, ...] | None = None) -> bytes:
        """The new hash of a row in quarantine or in an open page.

        Of one that is not found it is a hash of the old one, which no key has.
        """
        if key is not None:
            return hash_of(key, self._change.new)
        return self.found(old) or _hash_of_hash(old, self._change)

    def found(self, old: bytes) -> bytes | None:
        """The new hash of a row whose hash was sought; None where the source has no such row."""
        return self._few.get(old)

    def _hashes(self, size: int) -> list[bytes]:
        octets = self._file.read(size * HASH_BYTES)
        return [octets[start : start + HASH_BYTES] for start in range(0, len(octets), HASH_BYTES)]


def _new_hash_of_any(hashes: Sequence[_Hashes], change: KeyChange, old: bytes) -> bytes:
    """The new hash of a row of any destination."""
    known = (each.found(old) for each in hashes)
    return next((new for new in known if new is not None), _hash_of_hash(old, change))


def _hash_of_hash(old: bytes, change: KeyChange) -> bytes:
    """What stands for a row that the source has no more; no key has this hash."""
    new_key = hashlib.blake2b(change.new).digest()
    return hashlib.blake2b(old, key=new_key, digest_size=HASH_BYTES).digest()


def _replace(connection: Connection, context: RunContext, hashes: _Hashes) -> RekeyedDestination:
    """Give what is recorded of a destination the new hashes."""
    number = context.destination_id
    quarantine.rekey(connection, number, hashes.new_hash)
    intents.rekey(connection, number, hashes.new_hash)
    done = ledger.rekey(connection, number, hashes.pairs())
    if done.forgotten_at is not None:
        horizon = (done.forgotten_at + 1) * 1_000_000
        before = registry.horizon(connection, number)
        registry.set_horizon(connection, number, max(horizon, before or horizon))
    return RekeyedDestination(context.name, done.carried, done.forgotten)


def _would_forget(lost: Sequence[RekeyedDestination]) -> str:
    rows = ", ".join(
        f"{each.forgotten:,} of {each.carried + each.forgotten:,} rows of {each.name}"
        for each in lost
    )
    return (
        f"the warehouse does not have {rows} any more, and they would be forgotten, because nothing"
        " but a hash of their key is kept. See that the query gives all rows; `capi rekey` with"
        " --yes goes on without them. One that comes back is then expired (beyond_ledger), as is"
        " every row without a record that is as old"
    )
