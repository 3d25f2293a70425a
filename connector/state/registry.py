"""What the state knows of a destination as a whole."""

from __future__ import annotations

from sqlalchemy.engine import Connection

from connector.state.tables import destination


def set_not_before(connection: Connection, destination_id: int, moment_us: int | None) -> None:
    """Remember until when the platform wants no requests."""
    connection.execute(
        destination.update().where(destination.c.id == destination_id).values(not_before=moment_us)
    )
