"""What is wrong with the functions of a pipeline."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from connector.platforms.expression import Pipeline
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
        before = call.name


def _is_json(text: str) -> bool:
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True
