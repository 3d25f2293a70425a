"""What the command line prints: JSON, tables, a progress bar, errors as sentences. Imports wait until they are needed."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import typer

from connector.errors import ConnectorError, DestinationError, InternalError

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from connector.carry import Watch
    from connector.destination import Destination


@contextlib.contextmanager
def errors(json: bool) -> Iterator[None]:
    """Errors as sentences, with the exit code that belongs to them."""
    try:
        yield
    except ConnectorError as error:
        if json:
            problems = [str(problem) for problem in error.problems] if isinstance(error, DestinationError) else [str(error)]
            print_json({"error": {"kind": type(error).__name__, "message": str(error), "problems": problems}})
        complain(str(error))
        raise typer.Exit(error.exit_code) from None
    except (typer.Exit, typer.Abort):
        raise
    except BrokenPipeError:
        # The reader, such as `head`, has seen enough; what Python would flush at its end has nowhere to go either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(1) from None
    except Exception as error:
        if os.environ.get("CAPI_DEBUG"):
            raise
        complain(str(InternalError.of(error)))
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        complain("stopped; what was settled is recorded, and the next run goes on from there")
        raise typer.Exit(1) from None


@contextlib.contextmanager
def progress(destination: Destination, *, show: bool) -> Iterator[Watch | None]:
    """A progress bar on a terminal, nothing elsewhere."""
    if not show or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,} of {task.fields[waiting]} rows, {task.fields[rejected]:,} rejected"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        yield Bar(bar, bar.add_task(destination.name, total=None, waiting="?", rejected=0))


class Bar:
    """A progress bar as a `Watch`."""

    def __init__(self, bar: Progress, task: TaskID) -> None:
        self._bar, self._task, self._rejected = bar, task, 0

    def expect(self, rows: int) -> None:
        """The bar's full length."""
        self._bar.update(self._task, total=rows, waiting=f"{rows:,}")

    def settle(self, rows: int, rejected: int) -> None:
        """Move the bar."""
        self._rejected += rejected
        self._bar.update(self._task, advance=rows, rejected=self._rejected)


def print_json(value: Any, *, indent: bool = False) -> None:
    """One JSON document on a line of its own, or indented for people."""
    import orjson

    sys.stdout.buffer.write(orjson.dumps(value, option=(orjson.OPT_INDENT_2 if indent else 0) | orjson.OPT_APPEND_NEWLINE))
    sys.stdout.buffer.flush()


def say(markup: str) -> None:
    """A line for people, with rich markup."""
    from rich.console import Console

    Console(highlight=False).print(markup)


def complain(message: str) -> None:
    """A line on standard error."""
    sys.stderr.write(message + "\n")


def plain(text: str) -> str:
    """Text in which nothing is taken for markup."""
    from rich.markup import escape

    return escape(text)


def table(title: str, rows: list[tuple[str, Any]]) -> None:
    """Names and values; what is None is left out."""
    from rich.console import Console
    from rich.table import Table

    shown = [(name, value) for name, value in rows if value is not None]
    if not shown:
        return
    table = Table(title=title or None, show_header=False, title_justify="left")
    for name, value in shown:
        table.add_row(plain(name), plain(f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)))
    Console().print(table)


def rows(title: str, columns: list[str], rows: list[dict[str, Any]]) -> None:
    """Entries as lines under their column names."""
    from rich.console import Console
    from rich.table import Table

    table = Table(*(column.replace("_", " ") for column in columns), title=title or None, title_justify="left")
    for row in rows:
        table.add_row(*(plain("" if row[column] is None else str(row[column])) for column in columns))
    Console().print(table)


def duration(seconds: float | None) -> str | None:
    """Seconds as days and hours."""
    return None if seconds is None else str(dt.timedelta(seconds=round(seconds)))
