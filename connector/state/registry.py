"""The register of destinations: the source of each watermark, and what tells of lost state."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection

from connector.config.home import home
from connector.state import clock
from connector.state.tables import destination, lease, mark, run


def find(connection: Connection, name: str) -> int:
    """The number of a destination; 0 where the state does not know it."""
    found = connection.execute(sa.select(destination.c.id).where(destination.c.name == name))
    return int(found.scalar() or 0)


def add(
    connection: Connection, name: str, source: Mapping[str, Any], target: Mapping[str, Any]
) -> int:
    """Register a destination.

    Args:
        connection: A transaction that writes.
        name: Of the destination.
        source: Fingerprints of what its watermark depends on, as JSON values.
        target: Fingerprints of where its rows are delivered to, as JSON values.

    Returns:
        Its number.
    """
    values = {
        "name": name,
        "source": json.dumps(source),
        "target": json.dumps(target),
        "created_at": clock.now_us(),
    }
    connection.execute(destination.insert().values(values))
    number = find(connection, name)
    connection.execute(mark.insert().values(destination_id=number, token=0))
    connection.execute(lease.insert().values(destination_id=number, token=0, expires_at=0))
    return number


def source(connection: Connection, destination_id: int) -> dict[str, Any]:
    """Fingerprints of the source that the watermark belongs to."""
    found: dict[str, Any] = json.loads(_value(connection, destination_id, destination.c.source))
    return found


def target(connection: Connection, destination_id: int) -> dict[str, Any]:
    """Fingerprints of where rows of the ledger were delivered to; empty where it is not known."""
    found: dict[str, Any] = json.loads(_value(connection, destination_id, destination.c.target))
    return found


def set_target(connection: Connection, destination_id: int, found: Mapping[str, Any]) -> None:
    """Remember where rows are delivered to."""
    _set(connection, destination_id, target=json.dumps(found))


def names(connection: Connection) -> list[str]:
    """All destinations that the state knows."""
    return list(connection.execute(sa.select(destination.c.name)).scalars())


def with_watermark(
    connection: Connection,
) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Destinations that have a watermark: name, source and target."""
    joined = destination.join(mark, mark.c.destination_id == destination.c.id)
    columns = (destination.c.name, destination.c.source, destination.c.target)
    chosen = sa.select(*columns).select_from(joined).where(mark.c.cursor.is_not(None))
    for name, known_source, known_target in connection.execute(chosen.order_by(destination.c.id)):
        yield name, json.loads(known_source), json.loads(known_target)


def rename(connection: Connection, destination_id: int, name: str) -> None:
    """Give a destination another name."""
    _set(connection, destination_id, name=name)


def remove(connection: Connection, destination_id: int) -> None:
    """Forget a destination that nothing was recorded of."""
    connection.execute(destination.delete().where(destination.c.id == destination_id))


def accept_source(connection: Connection, destination_id: int, accepted: Mapping[str, Any]) -> None:
    """Take another source for the one that the watermark belongs to, with its clock and types."""
    _set(connection, destination_id, source=json.dumps(accepted))
    connection.execute(
        mark.update().where(mark.c.destination_id == destination_id).values(clock=None)
    )


def types(connection: Connection, destination_id: int) -> dict[str, str]:
    """Cursor and key columns -> the types that they had, in words."""
    found: dict[str, str] = source(connection, destination_id).get("types", {})
    return found


def set_types(connection: Connection, destination_id: int, found: Mapping[str, str]) -> None:
    """Remember the types of cursor and key columns."""
    changed = {**source(connection, destination_id), "types": dict(found)}
    _set(connection, destination_id, source=json.dumps(changed))


def inspected_at(connection: Connection, destination_id: int) -> int | None:
    """When all rows of the source were last looked at, in unix microseconds."""
    found: int | None = source(connection, destination_id).get("inspected_at")
    return found


def set_inspected_at(connection: Connection, destination_id: int, moment_us: int) -> None:
    """Remember when all rows of the source were looked at, in unix microseconds."""
    changed = {**source(connection, destination_id), "inspected_at": moment_us}
    _set(connection, destination_id, source=json.dumps(changed))


def is_caught_up(connection: Connection, destination_id: int) -> bool:
    """Whether a run read all rows of this source once, so that what waits now came since."""
    return bool(source(connection, destination_id).get("caught_up"))


def set_caught_up(connection: Connection, destination_id: int) -> None:
    """Remember that all rows of this source were read."""
    known = source(connection, destination_id)
    if not known.get("caught_up"):
        _set(connection, destination_id, source=json.dumps({**known, "caught_up": True}))


def warehouse_clock(connection: Connection, destination_id: int) -> dt.datetime | None:
    """The latest clock of the warehouse that a run saw."""
    found = connection.execute(
        sa.select(mark.c.clock).where(mark.c.destination_id == destination_id)
    ).scalar_one()
    return None if found is None else dt.datetime.fromisoformat(found)


def set_warehouse_clock(connection: Connection, destination_id: int, moment: dt.datetime) -> None:
    """Remember the warehouse's clock."""
    chosen = mark.c.destination_id == destination_id
    connection.execute(mark.update().where(chosen).values(clock=moment.isoformat()))


def start(connection: Connection, destination_id: int) -> str | None:
    """Cursor text from which rows are owed; None: from the first."""
    found: str | None = _value(connection, destination_id, destination.c.start)
    return found


def set_start(connection: Connection, destination_id: int, cursor: str | None) -> None:
    """Remember the cursor value from which rows are owed."""
    _set(connection, destination_id, start=cursor)


def horizon(connection: Connection, destination_id: int) -> int | None:
    """From when on the ledger is complete, in unix microseconds; None: from the first row."""
    found: int | None = _value(connection, destination_id, destination.c.horizon)
    return found


def set_horizon(connection: Connection, destination_id: int, moment_us: int | None) -> None:
    """Remember from when on the ledger is complete, in unix microseconds."""
    _set(connection, destination_id, horizon=moment_us)


def not_before(connection: Connection, destination_id: int) -> int | None:
    """Until when the platform wants no requests, in unix microseconds."""
    found: int | None = _value(connection, destination_id, destination.c.not_before)
    return found


def set_not_before(connection: Connection, destination_id: int, moment_us: int | None) -> None:
    """Remember until when the platform wants no requests, in unix microseconds."""
    _set(connection, destination_id, not_before=moment_us)


def pruned_at(connection: Connection, destination_id: int) -> int | None:
    """When old entries were last dropped, in unix microseconds."""
    found: int | None = _value(connection, destination_id, destination.c.pruned_at)
    return found


def set_pruned_at(connection: Connection, destination_id: int, moment_us: int) -> None:
    """Remember when old entries were dropped, in unix microseconds."""
    _set(connection, destination_id, pruned_at=moment_us)


def has_lost_watermark(connection: Connection, destination_id: int) -> bool:
    """Whether earlier runs moved the watermark, but the state has none now."""
    moved = sa.select(run.c.id).where(
        run.c.destination_id == destination_id, run.c.kind == "sync", run.c.mark_to.is_not(None)
    )
    place = sa.select(mark.c.cursor).where(mark.c.destination_id == destination_id)
    return (
        connection.execute(place).scalar() is None
        and connection.execute(moved.limit(1)).first() is not None
    )


def forget_watermark_moves(connection: Connection, destination_id: int) -> None:
    """Let a destination begin anew: no run says any more that there was a watermark."""
    connection.execute(
        run.update().where(run.c.destination_id == destination_id).values(mark_to=None)
    )


class Witness:
    """A file that outlives the state database: it tells that a destination had state.

    It holds the newest fencing token that this machine saw, so that an older state is noticed.
    """

    def __init__(self, root: Path, state: URL, name: str) -> None:
        """The witness of a destination.

        Args:
            root: The project's folder.
            state: The state database.
            name: Of the destination.
        """
        text = f"{state.render_as_string(hide_password=True)}\n{name}"
        self._path = home(root) / "known" / hashlib.sha256(text.encode()).hexdigest()[:16]

    def exists(self) -> bool:
        """Whether the destination had state."""
        return self._path.exists()

    def put(self) -> None:
        """Note that the destination has state."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path.touch(mode=0o600)

    def token(self) -> int:
        """The newest fencing token that was seen; 0 where none was."""
        try:
            text = self._path.read_text(encoding="ascii")
        except FileNotFoundError:
            return 0
        return int(text) if text.isdecimal() else 0

    def set_token(self, token: int) -> None:
        """Note a fencing token; a reader finds the old one or the new one, never a part."""
        self.put()
        written = self._path.with_suffix(f".{os.getpid()}")
        written.touch(mode=0o600)
        written.write_text(str(token), encoding="ascii")
        written.replace(self._path)

    def remove(self) -> None:
        """Let the destination begin anew after its state was lost."""
        self._path.unlink(missing_ok=True)


def _value(connection: Connection, destination_id: int, column: sa.Column[Any]) -> Any:
    return connection.execute(
        sa.select(column).where(destination.c.id == destination_id)
    ).scalar_one()


def _set(connection: Connection, destination_id: int, **values: Any) -> None:
    connection.execute(
        destination.update().where(destination.c.id == destination_id).values(values)
    )
