"""What the command line prints: JSON, tables, a progress bar, errors as sentences.

What is imported inside of functions is imported late, so that commands start fast.
"""

from __future__ import annotations

import atexit
import contextlib
import datetime as dt
import os
import sys
import traceback
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from connector.errors import ConnectorError, DestinationError, InternalError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

    from connector.config.destination import Destination
    from connector.engine.pipeline import Progress as RunProgress

_WIDEST = 1_000_000
"""Columns of a page that has no edge."""

_NARROWEST = 24
"""Columns that text needs to be read."""


@contextlib.contextmanager
def errors(json: bool) -> Iterator[None]:
    """Errors as sentences, with the exit code that belongs to them."""
    try:
        yield
    except ConnectorError as error:
        if json:
            problems = (
                [str(problem) for problem in error.problems]
                if isinstance(error, DestinationError)
                else [str(error)]
            )
            print_json(
                {
                    "error": {
                        "kind": type(error).__name__,
                        "message": str(error),
                        "problems": problems,
                    }
                }
            )
        complain(str(error))
        raise typer.Exit(error.exit_code) from None
    except (typer.Exit, typer.Abort):
        raise
    except BrokenPipeError:
        # The reader, such as `head`, has seen enough; what Python would flush at its end has
        # nowhere to go either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(1) from None
    except Exception as error:  # noqa: BLE001  its text may quote a row
        if os.environ.get("CAPI_DEBUG"):
            complain(_way_to(error))
        complain(str(InternalError.of(error)))
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        complain("stopped; what was settled is recorded, and the next run goes on from there")
        raise typer.Exit(1) from None


def _way_to(error: BaseException) -> str:
    """Return the traceback of an exception and of its causes, without their texts.

    Those may quote a row or a secret.
    """
    shown, seen = list[str](), set[int]()
    each: BaseException | None = error
    while each is not None and id(each) not in seen:
        seen.add(id(each))
        frames = "".join(traceback.format_list(traceback.extract_tb(each.__traceback__)))
        shown.append(f"{frames}{type(each).__module__}.{type(each).__qualname__}")
        each = each.__cause__ or each.__context__
    return "\nraised while or because of:\n".join(shown)


@contextlib.contextmanager
def progress(destination: Destination, *, show: bool) -> Iterator[RunProgress | None]:
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
        TextColumn(
            "{task.completed:,} of {task.fields[waiting]} rows, {task.fields[rejected]:,} rejected"
        ),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        yield Bar(bar, bar.add_task(destination.name, total=None, waiting="?", rejected=0))


class Bar:
    """Shows a run's progress as a bar."""

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

    sys.stdout.buffer.write(
        orjson.dumps(
            value, option=(orjson.OPT_INDENT_2 if indent else 0) | orjson.OPT_APPEND_NEWLINE
        )
    )
    sys.stdout.buffer.flush()


def say(markup: str) -> None:
    """A line for people, with rich markup."""
    _console().print(markup, soft_wrap=True)


def complain(message: str) -> None:
    """A line on standard error."""
    sys.stderr.write(message + "\n")


def end(code: int) -> NoReturn:
    """End the process here and now.

    All is closed and recorded, and freeing the memory takes longer than reading the state. What
    others registered for the end, such as an exporter of metrics, is still done.
    """
    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        code = code or 1
    os._exit(code)


def plain(text: str) -> str:
    """Text in which nothing is taken for markup."""
    from rich.markup import escape

    return escape(text)


def _console() -> Console:
    """As wide as the terminal; elsewhere, such as in a pipe, as wide as what is written."""
    from rich.console import Console

    return (
        Console(highlight=False) if sys.stdout.isatty() else Console(highlight=False, width=_WIDEST)
    )


def table(title: str, rows: list[tuple[str, Any]]) -> None:
    """Names and values; what is None is left out."""
    from rich.table import Table

    shown = [(name, value) for name, value in rows if value is not None]
    if not shown:
        return
    _head(title)
    table = Table(show_header=False)
    for _ in range(2):
        table.add_column(overflow="fold")
    for name, value in shown:
        table.add_row(plain(name), plain(_shown(value)))
    _console().print(table)


def rows(
    title: str,
    columns: list[str],
    rows: list[dict[str, Any]],
    *,
    none: str,
    wrap: str | None = None,
) -> None:
    """Entries as lines under their column names; columns without a value are left out.

    Where a terminal is too narrow, each entry is a sentence.

    Args:
        title: Stands above the table.
        columns: Keys of the entries, in the order to show them.
        rows: The entries.
        none: What to say where there is none.
        wrap: A column of text, which may take several lines.
    """
    from rich.cells import cell_len
    from rich.padding import Padding
    from rich.table import Table

    console = _console()
    if not rows:
        console.print(plain(none), soft_wrap=True)
        return
    filled = {
        column: column.replace("_", " ")
        for column in columns
        if any(_shown(row[column]) for row in rows)
    }
    _head(title)
    table = Table()
    needed = 1
    for column, heading in filled.items():
        longest = max(cell_len(text) for text in (heading, *(_shown(row[column]) for row in rows)))
        least = min(longest, _NARROWEST) if column == wrap else longest
        table.add_column(heading, overflow="fold", min_width=least)
        needed += least + 3
    for row in rows:
        table.add_row(*(plain(_shown(row[column])) for column in filled))
    if needed <= console.width:
        console.print(table)
        return
    for row in rows:
        size = (
            f"{heading}: {plain(_shown(row[column]))}"
            for column, heading in filled.items()
            if _shown(row[column])
        )
        console.print(Padding(", ".join(size), (0, 0, 0, 2)))


def _head(title: str) -> None:
    """A line above a table, which may be longer than the table is wide."""
    if title:
        say(f"[italic]{plain(title)}[/italic]")


def _shown(value: Any) -> str:
    """A value as people read it."""
    if value is None:
        return ""
    if isinstance(value, list | tuple):
        return " ".join(map(str, value))
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def duration(seconds: float | None) -> str | None:
    """Seconds as days and hours."""
    return None if seconds is None else str(dt.timedelta(seconds=round(seconds)))
