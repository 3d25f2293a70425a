"""A row named by its key, as `replay` and `erase` take it."""

from __future__ import annotations

from connector.config.destination import Destination
from connector.errors import ConfigError


def refuse_other_columns(destination: Destination, key: tuple[str, ...] | None) -> None:
    """Raise ConfigError for a key of other columns than source.key."""
    columns = destination.model.source.keys
    if key is not None and len(key) != len(columns):
        raise ConfigError(
            f"{destination.name}: a key is made of {', '.join(columns)}; give --key once for each,"
            " in this order"
        )
