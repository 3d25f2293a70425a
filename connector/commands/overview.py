"""All destinations of a project at a glance."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from connector.commands.destinations import list_destinations
from connector.commands.status import Status, status
from connector.errors import ConnectorError


@dataclass(frozen=True)
class OverviewEntry:
    """Where one destination stands.

    Attributes:
        destination: Its name.
        platform: What its file says.
        status: Where it stands; None where its file or its state cannot be read.
        error: Why it cannot.
        exit_code: What `capi status` of it alone would end with.
    """

    destination: str
    platform: str
    status: Status | None
    error: str | None = None
    exit_code: int = 0

    def to_json(self) -> dict[str, Any]:
        """As `capi status --json` without a name prints it: as with one, or with `error`."""
        head = {"destination": self.destination, "platform": self.platform}
        if self.status is None:
            return {**head, "error": self.error}
        return {**head, **self.status.to_json()}


def overview(folder: Path | None = None, *, number_of_runs: int = 1) -> list[OverviewEntry]:
    """Look at all destinations of a project; one that cannot be read does not hide the others.

    Args:
        folder: Any folder of the project; default: the working directory.
        number_of_runs: How many of the last runs of each are listed.
    """
    found = []
    for each in list_destinations(folder):
        try:
            entry = OverviewEntry(
                each.name, each.platform, status(each.target, number_of_runs=number_of_runs)
            )
        except ConnectorError as error:
            entry = OverviewEntry(each.name, each.platform, None, str(error), error.exit_code)
        found.append(entry)
    return found
