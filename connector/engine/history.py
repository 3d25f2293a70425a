"""What is usual of a destination, by its last runs."""

from __future__ import annotations

from statistics import median

from sqlalchemy.engine import Connection

from connector.state import runs

RUNS = 10
"""Runs that a median is of."""

FEWEST = 5
"""Runs below which nothing is usual yet."""


def usual_match(connection: Connection, destination_id: int, run_id: str) -> dict[str, float]:
    """Identifier -> median of the share of delivered rows that carried it.

    Args:
        connection: A transaction.
        destination_id: The destination.
        run_id: The run that is compared; it does not count itself.
    """
    found = runs.match_counts(connection, destination_id, run_id, RUNS)
    if len(found) < FEWEST:
        return {}
    names = {name for _, counts in found for name in counts}
    return {
        name: median(counts.get(name, 0) / delivered for delivered, counts in found)
        for name in sorted(names)
    }
