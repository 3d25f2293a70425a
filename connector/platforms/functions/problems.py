"""What is wrong with the functions of a pipeline."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from connector.platforms.columns import COLUMNS
from connector.platforms.expression import WHERE, Pipeline, parse_condition
from connector.platforms.functions.registry import ARGUMENTS, FUNCTIONS, LAST, TAKES
from connector.syntax.spelling import suggest


def problems(pipeline: Pipeline, tables: Mapping[str, Any]) -> Iterator[str]:
    """Sentences about functions that do not exist, follow wrongly, or have a wrong argument.

    Args:
        pipeline: A source and its functions.
        tables: The platform file's look-up tables.
    """
    before = None
    for call in pipeline.calls:
        if call.name not in FUNCTIONS:
            yield f"there is no function '{call.name}'{suggest(call.name, FUNCTIONS)}"
            continue
        if before in LAST:
            yield f"nothing can follow the function {before}, so {call.name} has no place behind it"
        elif before is not None and TAKES[call.name] in ("time", "flag"):
            yield f"{call.name} takes a {TAKES[call.name]}, which {before} does not give"
        wanted = ARGUMENTS.get(call.name)
        if wanted == "table" and call.argument not in tables:
            yield f"there is no table '{call.argument}'"
        if wanted == "json" and call.argument is not None and not _is_json(call.argument):
            yield f'the argument of {call.name} is not JSON; quote text: {call.name}("a")'
        if wanted == "number" and not (call.argument or "").isdigit():
            yield f"the argument of {call.name} is a number, such as {call.name}(64)"
        if wanted == "condition":
            yield from _condition_problems(call.argument or "")
        before = before if call.name == WHERE else call.name


def _condition_problems(text: str) -> Iterator[str]:
    try:
        column = parse_condition(text).column
    except ValueError as error:
        yield str(error)
        return
    if column not in COLUMNS:
        yield f"where: '{column}' is not a canonical column{suggest(column, COLUMNS)}"


def _is_json(text: str) -> bool:
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True
