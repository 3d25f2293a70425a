"""Begins a new destination: a query and a YAML file, from the warehouse's own columns."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from connector.commands.check import check
from connector.commands.destinations import definition_folders
from connector.commands.findings import Findings
from connector.commands.proposal import propose
from connector.config.documents import FILE
from connector.config.host import host_of
from connector.config.loader import project_root
from connector.errors import ConfigError, DestinationError, Problem
from connector.platforms import loader as platforms
from connector.source.tables import TableColumns, table_columns

QUERY = "query.sql"


@dataclass(frozen=True)
class Beginning:
    """A destination that was begun.

    Attributes:
        file: Its YAML.
        query: Its query.
        mapped: Canonical column -> column of the table that was taken for it.
        missing: Canonical columns that the platform can use and nothing was found for.
        findings: What `check` says of it.
    """

    file: Path
    query: Path
    mapped: dict[str, str]
    missing: list[str]
    findings: Findings

    def to_json(self) -> dict[str, Any]:
        """As `capi init --json` prints it."""
        return {
            "file": str(self.file),
            "query": str(self.query),
            "mapped": self.mapped,
            "missing": self.missing,
            "check": self.findings.to_json(),
        }


def init(
    name: str,
    *,
    platform: str,
    table: str | None = None,
    warehouse: str = "env:WAREHOUSE_URL",
    cursor: str | None = None,
    key: Sequence[str] = (),
    folder: Path | None = None,
) -> Beginning:
    """Write a destination's YAML and query, and check them.

    Args:
        name: Of the destination; its folder is called so.
        platform: A platform, or the path of a platform file.
        table: Table or view of the conversions, whose columns are mapped by their names; default:
            none is read, and the query has the names that columns should have.
        warehouse: A SQLAlchemy URL without a password, or a reference to one.
        cursor: The cursor column; default: the first one with a usual name.
        key: The key columns; default: the primary key, or the first one with a usual name.
        folder: Any folder of the project; default: the working directory.

    Raises:
        ConfigError: There is no project, the name is taken, or the table cannot be read.
        DestinationError: There is no such platform.
    """
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_-]*", name):
        raise ConfigError(f"'{name}' is no name of a folder: letters, digits and _ alone")
    folders = definition_folders(folder)
    if not folders:
        raise ConfigError(
            "there is no project here: run this in a folder whose package has a folder `defs`, or"
            " name it with --project"
        )
    target = folders[0] / name
    if (target / FILE).exists():
        raise ConfigError(f"{target / FILE} is there already; choose another name")
    found = write_destination(
        target,
        platform=platform,
        table=table,
        warehouse=warehouse,
        cursor=cursor,
        key=key,
        root=project_root(target / FILE),
    )
    return Beginning(target / FILE, target / QUERY, *found, check(target / FILE))


def write_destination(
    target: Path,
    *,
    platform: str,
    table: str | None,
    warehouse: str,
    root: Path,
    cursor: str | None = None,
    key: Sequence[str] = (),
    yaml_type: str | None = None,
) -> tuple[dict[str, str], list[str]]:
    """Write both files into a folder.

    Args:
        target: The folder, which gives the destination its name.
        platform: As for `init`.
        table: As for `init`.
        warehouse: As for `init`.
        root: Folder that relative paths start from.
        cursor: As for `init`.
        key: As for `init`.
        yaml_type: What the YAML says under `type`; default: what the host says.

    Returns:
        What was mapped, and what is missing, as in `Beginning`.
    """
    try:
        facts = platforms.load(platform, root)
    except platforms.PlatformError as error:
        raise DestinationError([Problem(str(error))]) from None
    host = host_of(yaml_type)
    columns = TableColumns({}, ()) if table is None else table_columns(warehouse, root, table)
    proposal = propose(
        target.name,
        platform,
        facts,
        yaml_type=yaml_type or host.yaml_type,
        warehouse=warehouse,
        table=table or "conversions",
        found=columns,
        cursor=cursor,
        key=key,
        host_lines=host.example,
    )
    target.mkdir(parents=True, exist_ok=True)
    (target / FILE).write_text(proposal.yaml, encoding="utf-8")
    (target / QUERY).write_text(proposal.query, encoding="utf-8")
    return proposal.mapped, proposal.missing
