"""What leaves for which platform, of all destinations: a table for privacy officers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from connector.commands.destinations import list_destinations
from connector.config.destination import Destination
from connector.config.loader import load
from connector.errors import ConfigError, DestinationError, WarehouseError
from connector.mapping.coverage import usable_columns
from connector.mapping.sent_fields import SentField, sent_fields
from connector.source.mapped_columns import canonical_columns
from connector.source.reader import SourceReader

FIELDS = (
    *("destination", "platform", "host"),
    *("field", "column", "group", "form", "made_by", "basis"),
)
"""Keys of an entry, in order."""


@dataclass(frozen=True)
class DataMapEntry:
    """One field of one destination.

    Attributes:
        destination: Its name.
        platform: The platform's title.
        host: Where requests go.
        sent: The field, its column, and how it leaves.
        basis: `query`, where the columns are those that the query gives today; `yaml`, where the
            warehouse cannot be asked or a transform may add columns, so all that the YAML lets pass
            are listed.
    """

    destination: str
    platform: str
    host: str
    sent: SentField
    basis: Literal["query", "yaml"]

    def to_json(self) -> dict[str, Any]:
        """As `capi data-map --json` prints it."""
        return {
            "destination": self.destination,
            "platform": self.platform,
            "host": self.host,
            **self.sent.to_json(),
            "basis": self.basis,
        }


def data_map(folder: Path | None = None) -> list[DataMapEntry]:
    """Every field that leaves for a platform, constants left out.

    Args:
        folder: Any folder of the project; default: the working directory.

    Raises:
        DestinationError: A destination's YAML has problems; a map without it would mislead.
    """
    return [
        entry for each in list_destinations(folder) for entry in _of_destination(load(each.target))
    ]


def _of_destination(destination: Destination) -> list[DataMapEntry]:
    given = _columns_of_query(destination)
    address = destination.endpoint
    return [
        DataMapEntry(
            destination.name,
            destination.platform.title,
            urlsplit(address).hostname or "",
            sent,
            "yaml" if given is None else "query",
        )
        for sent in sent_fields(destination, given)
        if sent.form != "constant"
    ]


def _columns_of_query(destination: Destination) -> list[str] | None:
    """Canonical columns that the query gives; None where that cannot be said."""
    if destination.model.transform is not None:
        return None
    usable = usable_columns(destination)
    reader = SourceReader(destination, usable)
    try:
        return list(canonical_columns(destination, reader.query_columns(), usable))
    except DestinationError:
        raise
    except (ConfigError, WarehouseError):
        return None
    finally:
        reader.close()
