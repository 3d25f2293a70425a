"""Arguments and options that several commands share, and what they mean."""

from __future__ import annotations

import datetime as dt
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from connector.cli.find import complete, path_of
from connector.errors import ConfigError

if TYPE_CHECKING:
    from connector.config.destination import Destination

Name = Annotated[
    str,
    typer.Argument(
        help="a destination of this project, or the path of a YAML file",
        metavar="NAME",
        autocompletion=complete,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="print JSON and nothing else")]
Moment = Annotated[
    str | None, typer.Option(help="a time with a zone: 2026-01-01T00:00:00Z", metavar="TIME")
]
Since = Annotated[
    str | None,
    typer.Option(help="so long ago, such as 7d, or a time with a zone", metavar="SPAN"),
]
Key = Annotated[list[str], typer.Option(help="the row's key; once for each key column")]


def load(name: str) -> Destination:
    """A destination by its name or by a path.

    Raises:
        ConfigError: There is none.
        DestinationError: With all problems of its file.
    """
    from connector.arrow import pandas_import  # late: `capi --help` does without them
    from connector.config import loader

    pandas_import.postpone()
    return loader.load(path_of(name))


def moment(text: str | None) -> dt.datetime | None:
    """A time with a zone, in UTC.

    Raises:
        ConfigError: It is none.
    """
    if text is None:
        return None
    try:
        found = dt.datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise ConfigError(f"'{text}' is not a time with a zone; write 2026-01-01T00:00:00Z")
    return found.astimezone(dt.UTC)


def since_moment(text: str | None) -> dt.datetime | None:
    """`7d` as the moment so long ago; a time with a zone as it is.

    Raises:
        ConfigError: It is neither.
    """
    from connector.state.clock import utc_now  # late: `capi --help` does without it
    from connector.syntax.units import parse_duration

    if text is None:
        return None
    try:
        return utc_now() - parse_duration(text)
    except (ValueError, OverflowError):
        pass
    try:
        return moment(text)
    except ConfigError:
        raise ConfigError(
            f"--since '{text}' is neither a span such as 7d nor a time with a zone such as"
            " 2026-01-01T00:00:00Z"
        ) from None


def interval(text: str) -> dt.timedelta:
    """A time between two things, such as 1s.

    Raises:
        ConfigError: It is none.
    """
    from connector.syntax.units import parse_duration  # late: `capi --help` does without it

    try:
        return parse_duration(text)
    except ValueError as error:
        raise ConfigError(f"'{text}': {error}") from None


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a file of JSON Lines; of standard input for `-`.

    Raises:
        ConfigError: It cannot be read, or a line is not a JSON object.
    """
    import orjson  # late: `capi --help` does without it

    rows = []
    lines = sys.stdin.buffer.read() if str(path) == "-" else _bytes(path)
    for number, line in enumerate(lines.splitlines(), 1):
        if line.strip():
            try:
                row = orjson.loads(line)
            except orjson.JSONDecodeError:
                row = None
            if not isinstance(row, dict):
                raise ConfigError(f"{path}:{number}: not a JSON object")
            rows.append(row)
    return rows


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        raise ConfigError(f"the file {path} cannot be read") from None
