"""The small language of platform files: `email | email_basic | sha256_hex or email_sha256`.

A source is a canonical column, `account.x`, `param.x`, `identifier.x`, `field.x`, or `=text` as it
stands. It is piped through functions of `connector.platforms.functions`. Of alternatives the first
that has a value wins.
"""

from __future__ import annotations

import functools
import re
from typing import NamedTuple

_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
_SOURCE = re.compile(rf"(?:(?P<space>account|param|identifier|field|extra)\.)?(?P<name>{_NAME})\Z")
_CALL = re.compile(rf"(?P<name>{_NAME})(?:\((?P<argument>[^()]*)\))?\Z")


class FunctionCall(NamedTuple):
    """A function and its argument, if it takes one."""

    name: str
    argument: str | None


class Pipeline(NamedTuple):
    """A source and the functions it is piped through.

    Attributes:
        space: Where the source is looked up: `column`, `account`, `param`, `identifier`, `field`,
            `extra` or `literal`.
        name: Its name there, or the text of a literal.
        calls: Functions in order.
    """

    space: str
    name: str
    calls: tuple[FunctionCall, ...]


class Alternatives(NamedTuple):
    """Pipelines in order of preference."""

    pipelines: tuple[Pipeline, ...]

    @property
    def columns(self) -> list[str]:
        """Canonical columns that are read directly."""
        return [pipeline.name for pipeline in self.pipelines if pipeline.space == "column"]

    @property
    def functions(self) -> list[str]:
        """Functions that are applied, in order."""
        return [call.name for pipeline in self.pipelines for call in pipeline.calls]


@functools.lru_cache(maxsize=4096)
def parse(text: str) -> Alternatives:
    """Parse an expression.

    Raises:
        ValueError: A part is not understood; the message says which.
    """
    return Alternatives(tuple(_pipeline(part.strip()) for part in re.split(r"\s+or\s+", text)))


def _pipeline(text: str) -> Pipeline:
    if text.startswith("="):
        return Pipeline("literal", text[1:], ())
    source, *calls = (part.strip() for part in text.split("|"))
    match = _SOURCE.match(source)
    if match is None:
        raise ValueError(
            f"'{source}' is not a column name or one of account.x, param.x, identifier.x, field.x, "
            "=text"
        )
    return Pipeline(match["space"] or "column", match["name"], tuple(_call(call) for call in calls))


def _call(text: str) -> FunctionCall:
    match = _CALL.match(text)
    if match is None:
        raise ValueError(f"'{text}' is not a function name")
    return FunctionCall(match["name"], match["argument"])
