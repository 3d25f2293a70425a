"""What a database driver says, told as a sentence: its class, and of its words nothing but names that stand in the query itself.

A driver's text quotes values of rows; the query is a file of the project, and its names describe nobody.
"""

from __future__ import annotations

import re

from sqlalchemy.exc import SQLAlchemyError

from connector.config.destination import Destination
from connector.config.secrets import is_reference
from connector.errors import ConfigError, WarehouseError
from connector.source.sql_text import words

_NAMED = re.compile(
    r"""(?:column\ named | [Rr]eferenced\ (?:column|table) | with\ name | no\ such\ (?:column|table|function): | Unknown\ column | Unrecognized\ name:
    | invalid\ identifier | FROM-clause\ entry\ for\ table | near | schema | relation | column | function ) \s+ ["'`]? ([\w.$]+)""",
    re.VERBOSE,
)
_UNKNOWN = re.compile(
    r"no such|not exist|not found|not have|FROM-clause|Unknown|Unrecognized|invalid identifier"
)


def told(destination: Destination, error: SQLAlchemyError) -> WarehouseError:
    """Why a warehouse could not be read, and what to look at."""
    origin = getattr(error, "orig", None)
    state, name = getattr(origin, "sqlstate", None), getattr(origin, "sqlite_errorname", None)
    kind = (
        type(origin or error).__name__
        + (f", SQLSTATE {state}" if state else "")
        + (f", {name}" if name else "")
    )
    answered = (
        state is not None and not state.startswith(("08", "28", "3D", "57P"))
    ) or name == "SQLITE_ERROR"
    source = destination.model.source
    address = (
        f"source.warehouse ({source.warehouse})"
        if is_reference(source.warehouse)
        else "source.warehouse"
    )
    if name in ("SQLITE_CANTOPEN", "SQLITE_NOTADB") or (
        kind == "IOException" and "not a valid DuckDB" in str(origin)
    ):
        return WarehouseError(
            f"{destination.name}: the warehouse is no file that can be read ({kind}); see that {address} names a database of this kind, and that you may read it",
            at=("source", "warehouse"),
        )
    if kind.startswith(("OperationalError", "ConnectionTimeout")) and not answered:
        return WarehouseError(
            f"{destination.name}: the warehouse is unreachable ({kind}); see that it runs and can be reached from here, and that {address} names the"
            " right host, port, database, user and password",
            at=("source", "warehouse"),
        )
    if kind == "IOException" and "lock on file" in str(origin):
        return WarehouseError(
            f"{destination.name}: another program holds the DuckDB file open for writing ({kind}); end it, or let it close the file, and try again",
            at=("source", "warehouse"),
        )
    blamed = _blamed(str(origin), destination)
    advice = (
        f": it {blamed}"
        if blamed
        else f"; try the query in a SQL client with the address of {address}"
    )
    return WarehouseError(
        f"{destination.name}: the warehouse refused the query {source.query} ({kind}){advice}",
        at=("source", "query"),
    )


def _blamed(text: str, destination: Destination) -> str | None:
    """The name in the query that a driver's message is about, and its line where it stands in one alone."""
    found = _NAMED.search(text)
    try:
        there = words(destination.query())
    except ConfigError:
        return None
    if found is None or not all(part.lower() in there for part in found[1].split(".")):
        return None
    lines = there[found[1].split(".")[-1].lower()]
    where = f" in line {lines[0]}" if len(lines) == 1 else ""
    return (
        f"does not know '{found[1]}'{where}"
        if _UNKNOWN.search(text)
        else f"stopped at '{found[1]}'{where}"
    )
