"""What pydantic finds wrong with a destination's YAML, in sentences with a line."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ValidationError

from connector.config.secrets import REFERENCE
from connector.errors import Problem
from connector.syntax.spelling import suggest
from connector.syntax.yaml import Document


def problems_of(
    document: Document, error: ValidationError, model: type[BaseModel]
) -> list[Problem]:
    """The errors of pydantic as problems, at most one a key.

    Where a key may have several forms, pydantic reports an error for each; the deepest one belongs
    to the form that was meant, and so does a sentence of a model's own.

    Args:
        document: The file that was validated.
        error: What pydantic found.
        model: The model that the file was validated with.
    """
    found: dict[tuple[str | int, ...], Any] = {}
    for item in error.errors(include_input=False, include_url=False):
        path = _path(document, item)
        inner = next((known for known in found if known[: len(path)] == path), None)
        if inner == path and item["type"] == "value_error":
            found[path] = item
        elif inner is None:
            found = {
                known: each for known, each in found.items() if path[: len(known)] != known
            } | {path: item}
    return [_problem(document, path, item, model) for path, item in found.items()]


def _path(document: Document, error: Any) -> tuple[str | int, ...]:
    """Keys and indices of the YAML down to an error.

    What pydantic puts in between, the names of the members of unions, is left out.
    """
    path: tuple[str | int, ...] = ()
    for part in error["loc"]:
        path = (*path, part) if (*path, part) in document.positions else path
    named = error["type"] in ("missing", "extra_forbidden")
    return (*path, error["loc"][-1]) if named and path[-1:] != error["loc"][-1:] else path


def _problem(
    document: Document, path: tuple[str | int, ...], error: Any, model: type[BaseModel]
) -> Problem:
    """One error as a sentence with a line. The value is never shown: it may be a secret."""
    where = ".".join(map(str, path[1:] if path[:1] == ("attributes",) and len(path) > 1 else path))
    kind = error["type"]
    if kind == "extra_forbidden":
        known = _known_keys(model, path[:-1])
        return document.problem(path, f"unknown key '{path[-1]}'{suggest(str(path[-1]), known)}")
    if kind == "missing":
        return document.problem(path[:-1], f"{where} is missing")
    if kind == "string_pattern_mismatch" and error["ctx"]["pattern"] == REFERENCE:
        return document.problem(
            path, f"{where} must be env:NAME or file:PATH; a secret does not belong in this file"
        )
    if kind == "literal_error":
        return document.problem(path, f"{where} must be {error['ctx']['expected']}")
    if kind in ("model_type", "dict_type", "model_attributes_type"):
        return document.problem(path, f"{where or 'the file'} must hold keys and values")
    message = str(error["msg"]).removeprefix("Value error, ")
    return document.problem(path, f"{where}: {message[0].lower()}{message[1:]}")


def _known_keys(model: Any, path: tuple[Any, ...]) -> list[str]:
    """Keys that a model allows at a path."""
    for part in path:
        field = (
            model.model_fields.get(part)
            if isinstance(model, type) and issubclass(model, BaseModel)
            else None
        )
        if field is None:
            return []
        options = [field.annotation, *getattr(field.annotation, "__args__", ())]
        model = next(
            (
                option
                for option in options
                if isinstance(option, type) and issubclass(option, BaseModel)
            ),
            None,
        )
    return (
        list(model.model_fields) if isinstance(model, type) and issubclass(model, BaseModel) else []
    )
