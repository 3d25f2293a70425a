"""One runner a destination: a lease with a fencing token.

The lease keeps a second runner out; the token keeps a first one out that was asleep while another
took over. Every write names the token, and finds no row where a newer one has been given out.
"""

from __future__ import annotations

import logging
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from connector.errors import Fenced, LeaseHeld, StateError
from connector.state.store import Store
from connector.state.tables import lease, mark

log = logging.getLogger(__name__)

SECONDS = float(os.environ.get("CAPI_LEASE_SECONDS", "60"))
"""How long a lease lasts without a heartbeat."""

IDLE_SECONDS = 5 * SECONDS
"""How long it lasts between two steps of a run, while a process for the next one is found."""


@dataclass(frozen=True)
class Lease:
    """The right to record for a destination.

    Attributes:
        destination_id: Its number in the state.
        token: Fencing token; a newer lease has a greater one.
        owner: The run that it belongs to.
    """

    destination_id: int
    token: int
    owner: str


def acquire(connection: Connection, destination_id: int, owner: str) -> Lease:
    """Take the lease.

    Raises:
        LeaseHeld: Another run holds it and may still be at work.
    """
    now = clock_us(connection)
    statement = sa.select(lease).where(lease.c.destination_id == destination_id)
    held = connection.execute(
        statement.with_for_update() if connection.dialect.name == "postgresql" else statement
    ).one()
    if held.owner != owner and _is_held(held, now):
        seconds = max(1, (held.expires_at - now) // 1_000_000)
        raise LeaseHeld(
            f"run {held.owner} is at work on this destination; wait for it, or, if it is gone, for"
            f" its lease to end in {seconds} s"
        )
    if held.owner not in (None, owner):
        log.warning("take-over: run %s is gone, run %s goes on", held.owner, owner)
    token = held.token + 1
    values = {
        "token": token,
        "owner": owner,
        "process": _process(),
        "expires_at": now + int(SECONDS * 1_000_000),
    }
    connection.execute(
        lease.update().where(lease.c.destination_id == destination_id).values(values)
    )
    connection.execute(
        mark.update().where(mark.c.destination_id == destination_id).values(token=token)
    )
    return Lease(destination_id, token, owner)


def newest_token(connection: Connection, destination_id: int) -> int:
    """The fencing token that was given out last; 0 where none was."""
    statement = sa.select(lease.c.token).where(lease.c.destination_id == destination_id)
    return int(connection.execute(statement).scalar() or 0)


def holder(connection: Connection, destination_id: int) -> str | None:
    """The run that holds the lease and may still be at work."""
    held = connection.execute(
        sa.select(lease).where(lease.c.destination_id == destination_id)
    ).one_or_none()
    return held.owner if held is not None and _is_held(held, clock_us(connection)) else None


def fence(connection: Connection, held: Lease) -> None:
    """Raise Fenced where another run took over; locks the watermark until the transaction ends."""
    statement = (
        mark.update()
        .where(mark.c.destination_id == held.destination_id, mark.c.token == held.token)
        .values(token=held.token)
    )
    if connection.execute(statement).rowcount != 1:
        raise Fenced(
            "another run took over this destination while this one was held up; this run records"
            " nothing more"
        )


def release(connection: Connection, held: Lease) -> None:
    """Give the lease back, if it is still ours."""
    statement = lease.update().where(
        lease.c.destination_id == held.destination_id, lease.c.token == held.token
    )
    connection.execute(statement.values(owner=None, process=None, expires_at=0))


def renew(connection: Connection, held: Lease) -> bool:
    """Prolong the lease for this process; False where it is no longer ours."""
    return _prolong(connection, held, SECONDS, _process())


def hand_over(connection: Connection, held: Lease) -> bool:
    """Prolong the lease for the run's next step, perhaps in another process; False where lost."""
    return _prolong(connection, held, IDLE_SECONDS, None)


def reserve(connection: Connection, held: Lease, following: str) -> None:
    """Keep the lease for the run that follows in this process, if it is still ours."""
    statement = lease.update().where(
        lease.c.destination_id == held.destination_id, lease.c.token == held.token
    )
    expires_at = clock_us(connection) + int(IDLE_SECONDS * 1_000_000)
    connection.execute(statement.values(owner=following, process=_process(), expires_at=expires_at))


class Heartbeat:
    """Prolongs a lease from a thread of its own while a block runs."""

    def __init__(self, store: Store, held: Lease, every: float = SECONDS / 6) -> None:
        self._store, self._held, self._every = store, held, every
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="capi-heartbeat", daemon=True)

    def __enter__(self) -> Heartbeat:
        with self._store.write() as connection:
            if not renew(connection, self._held):
                raise Fenced(
                    "another run took over this destination; this run records nothing more"
                )
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _beat(self) -> None:
        while not self._stop.wait(self._every):
            try:
                with self._store.write() as connection:
                    if not renew(connection, self._held):
                        return
            except StateError:
                continue  # the next commit meets the same trouble and stops the run


def _prolong(connection: Connection, held: Lease, seconds: float, process: str | None) -> bool:
    ours = sa.and_(
        lease.c.destination_id == held.destination_id,
        lease.c.token == held.token,
        lease.c.owner == held.owner,
    )
    values = {"expires_at": clock_us(connection) + int(seconds * 1_000_000), "process": process}
    return connection.execute(lease.update().where(ours).values(values)).rowcount == 1


def _is_held(row: Any, now: int) -> bool:
    return row.owner is not None and row.expires_at > now and not _is_dead(row.process)


def clock_us(connection: Connection) -> int:
    """The state database's clock in unix microseconds: all runners agree on it."""
    if connection.dialect.name == "postgresql":
        return int(
            connection.execute(
                sa.text("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint")
            ).scalar_one()
        )
    return int(
        connection.execute(
            sa.text("SELECT CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)")
        ).scalar_one()
    )


def _process() -> str:
    """This process (boot, namespace, id, start), so that others here can tell whether it lives."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}/{os.readlink('/proc/self/ns/pid')}/{os.getpid()}/{_started(os.getpid())}"
    except OSError:
        return ""


def _started(pid: int) -> str:
    """Start time of a process in clock ticks since boot: field 22 of its stat line."""
    return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[19]


def _is_dead(process: str | None) -> bool:
    """True only where the process certainly ran here and certainly ended."""
    mine, theirs = _process().split("/"), (process or "").split("/")
    if len(theirs) != 4 or len(mine) != 4 or mine[:2] != theirs[:2]:
        return False
    try:
        stat = Path(f"/proc/{theirs[2]}/stat").read_text(encoding="ascii")
        return _started(int(theirs[2])) != theirs[3] or stat.rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True
    except (OSError, ValueError):
        return False
