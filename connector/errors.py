"""What can go wrong, and what the person who reads it should do about it.

    ConnectorError
    ├── ConfigError            exit 2: a file or a setting must be edited
    │   ├── DestinationError   the YAML of a destination: every problem, each with its line
    │   └── StateMismatch      the source changed or state was lost: a person decides
    ├── RunStopped             exit 1: this run could not do all of its work
    │   ├── LeaseHeld          another run works on this destination
    │   ├── Fenced             another run took over while this one was asleep
    │   ├── GuardRail          far more rows wait than usual: a person says yes first
    │   └── Postponed          the platform asked for patience; the rest waits for the next run
    ├── InternalError          exit 1: a mistake of this program; shown by class and place alone
    └── SystemicError          exit 3: something outside the rows must be mended first
        ├── WarehouseError     the warehouse cannot be read
        ├── StateError         the state database cannot be written: sending stops at once
        └── EndpointError      the platform refuses the token, the address, or all that is sent

Messages are sentences: what happened, where, what to do next. They never contain a value of a
person or a secret; exceptions of drivers are named by class and code, never quoted.
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Sequence
from dataclasses import dataclass

_PACKAGE = os.path.join(os.path.dirname(__file__), "")
"""The folder of this package, to tell its own lines from those of libraries."""


class ConnectorError(Exception):
    """Base of all errors that this package raises on purpose."""

    exit_code = 1

    def __init__(self, message: str = "", at: Sequence[str | int] = ()) -> None:
        """An error.

        Args:
            message: A sentence.
            at: Keys of the destination's YAML to look at, where it is to blame.
        """
        super().__init__(message)
        self.at = tuple(at)


class ConfigError(ConnectorError):
    """Something that a person wrote must be changed."""

    exit_code = 2


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a destination.

    Attributes:
        message: A sentence.
        file: Path of the file to blame.
        line: From 1; 0 where no line is to blame.
        column: From 1.
        where: Keys of the YAML, joined by dots.
    """

    message: str
    file: str = ""
    line: int = 0
    column: int = 0
    where: str = ""

    def __str__(self) -> str:
        place = self.file + (f":{self.line}:{self.column}" if self.line else "")
        return f"{place}: {self.message}" if place else self.message


class DestinationError(ConfigError):
    """One or more problems with a destination's YAML, all reported at once."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(str(problem) for problem in problems))


class StateMismatch(ConfigError):
    """What the state remembers does not fit what the destination says now."""


class RunStopped(ConnectorError):
    """The run ended before all of its rows were recorded; the next run goes on from there."""


class LeaseHeld(RunStopped):
    """Another run holds the lease of this destination."""


class Fenced(RunStopped):
    """Another run took over the lease; nothing more may be recorded by this one."""


class GuardRail(RunStopped):
    """More rows wait than this destination may send without a person saying yes."""


class Postponed(RunStopped):
    """The run stopped early and kept its place: too many retries, or a long Retry-After."""


class InternalError(ConnectorError):
    """A mistake of this program. The exception's own text is dropped: it may quote a row."""

    @classmethod
    def of(cls, error: BaseException) -> InternalError:
        """An unexpected exception as a sentence: its class, and where in this package it arose."""
        frames = traceback.extract_tb(error.__traceback__)
        ours = [frame for frame in frames if frame.filename.startswith(_PACKAGE)] or list(frames)
        where = f" at {os.path.basename(ours[-1].filename)}:{ours[-1].lineno}" if ours else ""
        return cls(
            f"unexpected {type(error).__name__}{where}; what was committed is safe, and the next"
            " run goes on from there. Please report this line"
        )


class SystemicError(ConnectorError):
    """Nothing can be delivered until something outside the rows is mended."""

    exit_code = 3


class WarehouseError(SystemicError):
    """The warehouse refused the connection or the query."""


class StateError(SystemicError):
    """The state database could not be read or written."""


class EndpointError(SystemicError):
    """The platform refuses the credentials, the address, or all of the records."""
