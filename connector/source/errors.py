"""What an error of the warehouse's driver means for the person who must act.

A driver's text quotes values of rows, so of its words only names that stand in the query itself are
shown: the query is a file of the project, and its names describe nobody.
"""

from __future__ import annotations

import re

from sqlalchemy.exc import SQLAlchemyError

from connector.config.destination import Destination
from connector.config.secrets import is_reference
from connector.config.unreachable import obstacle
from connector.errors import ConfigError, WarehouseError
from connector.source.dialects.base import Cause, Dialect, DriverError, sqlstate
from connector.source.sql_text import words

_SENTENCES: dict[Cause, str] = {
    Cause.NOT_A_DATABASE: (
        "the warehouse is no file that can be read ({kind}); see that {address} names a database of"
        " this kind, and that you may read it"
    ),
    Cause.UNREACHABLE: (
        "the warehouse is unreachable ({kind}); see that it runs and can be reached from here, and"
        " that {address} names the right host, port, database, user and password"
    ),
    Cause.LOCKED: (
        "another program holds the {database} file open for writing ({kind}); end it, or let it"
        " close the file, and try again"
    ),
}

_NAMED = re.compile(
    r"""(?:column\ named | [Rr]eferenced\ (?:column|table) | with\ name
    | no\ such\ (?:column|table|function): | Unknown\ column | Unrecognized\ name:
    | invalid\ identifier | FROM-clause\ entry\ for\ table | near | schema | relation | column
    | function ) \s+ ["'`]? ([\w.$]+)""",
    re.VERBOSE,
)
_UNKNOWN = re.compile(
    r"no such|not exist|not found|not have|FROM-clause|Unknown|Unrecognized|invalid identifier"
)


def warehouse_error(
    destination: Destination, dialect: Dialect, error: SQLAlchemyError | DriverError
) -> WarehouseError:
    """Why the warehouse could not be read, and what to look at."""
    origin = getattr(error, "orig", None) or error
    state, name = sqlstate(origin), getattr(origin, "sqlite_errorname", None)
    kind = ", ".join(
        [
            type(origin).__name__,
            *([f"SQLSTATE {state}"] if state else []),
            *([name] if name else []),
        ]
    )
    source = destination.model.source
    reference = f" ({source.warehouse})" if is_reference(source.warehouse) else ""
    address = f"source.warehouse{reference}"
    cause = dialect.cause(origin)
    stands = obstacle(origin) if cause is Cause.UNREACHABLE else None
    if stands is not None:
        message = f"the warehouse {stands.what} ({kind}); {stands.remedy.format(address=address)}"
        return WarehouseError(f"{destination.name}: {message}", at=("source", "warehouse"))
    if cause is not None:
        message = _SENTENCES[cause].format(kind=kind, address=address, database=dialect.title)
        return WarehouseError(f"{destination.name}: {message}", at=("source", "warehouse"))
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
    """The name in the query that a driver's message is about, and its line where it has one."""
    found = _NAMED.search(text)
    try:
        there = words(destination.query())
    except ConfigError:
        return None
    if found is None or not all(part.lower() in there for part in found[1].split(".")):
        return None
    lines = there[found[1].split(".")[-1].lower()]
    where = f" in line {lines[0]}" if len(lines) == 1 else ""
    does = "does not know" if _UNKNOWN.search(text) else "stopped at"
    return f"{does} '{found[1]}'{where}"
