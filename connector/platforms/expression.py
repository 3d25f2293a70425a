"""The small language of platform files: `email | email_basic | sha256_hex or email_sha256`.

A source is a canonical column, `account.x`, `param.x`, `identifier.x`, `field.x`, or `=text` as it
stands. It is piped through functions of `connector.platforms.functions`. Of alternatives the first
that has a value wins. `where(mobile_os=ios)` keeps a value by what another column of the row holds.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
_SOURCE = re.compile(
    rf"(?:(?P<space>account|param|identifier|field|extra)\.)?(?P<name>{_NAME})"
    r"(?:\[(?P<place>\d)\])?\Z"
)
_CALL = re.compile(rf"(?P<name>{_NAME})(?:\((?P<argument>[^()]*)\))?\Z")
_CONDITION = re.compile(rf"\s*(?P<column>{_NAME})\s*(?P<negated>!?)=(?P<values>.+)\Z", re.DOTALL)

WHERE = "where"
"""The function that looks at another column."""


class FunctionCall(NamedTuple):
    """A function and its argument, if it takes one."""

    name: str
    argument: str | None


class Condition(NamedTuple):
    """The argument of `where`: a column that holds one of these texts; negated, none of them."""

    column: str
    values: tuple[str, ...]
    negated: bool


class Pipeline(NamedTuple):
    """A source and the functions it is piped through.

    Attributes:
        space: Where the source is looked up: `column`, `account`, `param`, `identifier`, `field`,
            `extra` or `literal`.
        name: Its name there, or the text of a literal.
        calls: Functions in order.
        place: Of an identifier with several values, which of them, from 1.
    """

    space: str
    name: str
    calls: tuple[FunctionCall, ...]
    place: int = 1


class Alternatives(NamedTuple):
    """Pipelines in order of preference."""

    pipelines: tuple[Pipeline, ...]

    @property
    def columns(self) -> list[str]:
        """Canonical columns that are read directly."""
        return [pipeline.name for pipeline in self.pipelines if pipeline.space == "column"]

    @property
    def always(self) -> list[str]:
        """Columns without which no alternative has a value."""
        needed = [
            {*each.columns, *each.conditions}
            for each in (Alternatives((pipeline,)) for pipeline in self.pipelines)
        ]
        return sorted(set.intersection(*needed)) if needed else []

    @property
    def conditions(self) -> list[str]:
        """Canonical columns that `where` looks at."""
        return [
            parse_condition(call.argument or "").column
            for pipeline in self.pipelines
            for call in pipeline.calls
            if call.name == WHERE
        ]

    @property
    def functions(self) -> list[str]:
        """Functions that are applied, in order."""
        return [call.name for pipeline in self.pipelines for call in pipeline.calls]


def texts_of(template: Any) -> Iterator[str]:
    """Yields all texts of a template, expressions among them."""
    if isinstance(template, str):
        yield template
    elif isinstance(template, dict | list):
        for value in template.values() if isinstance(template, dict) else template:
            yield from texts_of(value)


@functools.lru_cache(maxsize=4096)
def parse(text: str) -> Alternatives:
    """Parse an expression.

    Raises:
        ValueError: A part is not understood; the message says which.
    """
    return Alternatives(tuple(map(_pipeline, alternatives(text))))


def alternatives(text: str) -> list[str]:
    """The texts between the `or` of an expression."""
    return [part.strip() for part in re.split(r"\s+or\s+", text)]


@functools.lru_cache(maxsize=1024)
def parse_condition(text: str) -> Condition:
    """Parse `mobile_os=ios`, `event_name=Purchase,Refund` or `mobile_os!=ios`.

    Raises:
        ValueError: It is none.
    """
    match = _CONDITION.match(text)
    if match is None:
        raise ValueError(
            f"'{text}' is not a condition; write where(column=value), where(column=one,other) or "
            "where(column!=value)"
        )
    values = tuple(value.strip() for value in match["values"].split(","))
    return Condition(match["column"], values, bool(match["negated"]))


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
    space = match["space"] or "column"
    if match["place"] is not None and space != "identifier":
        raise ValueError(f"'{source}': only an identifier has several values")
    return Pipeline(
        space,
        match["name"],
        tuple(_call(call) for call in calls),
        int(match["place"] or 1),
    )


def _call(text: str) -> FunctionCall:
    match = _CALL.match(text)
    if match is None:
        raise ValueError(f"'{text}' is not a function name")
    return FunctionCall(match["name"], match["argument"])
