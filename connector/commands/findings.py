"""What `check` found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from connector.config.destination import Destination
from connector.errors import ConnectorError, DestinationError, Problem
from connector.mapping.sent_fields import SentField


@dataclass
class Findings:
    """What `check` found.

    Attributes:
        errors: Each stops a run.
        warnings: What a choice risks.
        columns: Canonical columns that the query gives.
        missing: Canonical column that the query does not give -> what it would add.
        sends: What would leave, field by field.
    """

    errors: list[Problem] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    columns: list[str] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)
    sends: list[SentField] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """As `capi check --json` prints it."""
        errors = [
            {"file": each.file, "line": each.line, "column": each.column, "message": each.message}
            for each in self.errors
        ]
        return {
            "ok": not self.errors,
            "errors": errors,
            "warnings": self.warnings,
            "columns": self.columns,
            "missing": self.missing,
            "sends": [each.to_json() for each in self.sends],
        }

    def collect(
        self,
        destination: Destination,
        look: Callable[[], None],
        keys: tuple[str, ...] | None,
    ) -> None:
        """Look at one part of a destination, and note what that raises.

        Args:
            destination: Whose YAML is to blame.
            look: Raises what is wrong.
            keys: Of the YAML, where an error does not say which; None where the YAML has nothing to
                do with it.
        """
        try:
            look()
        except DestinationError as error:
            self.errors += error.problems
        except ConnectorError as error:
            message = str(error).removeprefix(f"{destination.name}: ")
            where = error.at or keys
            self.errors.append(
                Problem(message) if where is None else destination.problem(message, where)
            )
