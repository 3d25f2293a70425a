"""A row's key, as commands take it and as results show it."""

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


def key_to_json(key: tuple[str, ...] | None) -> str | list[str] | None:
    """A key as `--json` prints it: of one column a text, not a list; None where it is not shown."""
    return None if key is None else key[0] if len(key) == 1 else list(key)
