"""What a destination's YAML takes from the environment, so that one file serves deployments.

`env:NAME` stands for an endpoint or an account id, `{{ env.NAME }}` anywhere below `attributes`.
Other templates are for the host of the library, where the file names what they are filled from.
Secrets are not read here: they stay references until they are needed (`connector.config.secrets`).
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from connector.errors import DestinationError, Problem
from connector.syntax.yaml import Document, Path

_REFERENCE = re.compile(r"env:([A-Za-z_]\w*)\Z", re.ASCII)
_TEMPLATE = re.compile(r"\{\{\s*env\.([A-Za-z_]\w*)\s*\}\}", re.ASCII)
Render = Callable[[str], Any]
"""Gives the value of a text with templates; what it raises is a sentence (ValueError)."""

_INTEGER = re.compile(r"(0|[1-9][0-9]{0,18})\Z")


def variables(document: Document) -> Iterator[tuple[Path, str]]:
    """Yields every variable that a YAML names, and the path of its keys."""
    yield from _variables(document.value, ())


def _variables(node: Any, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(node, dict | list):
        for key, each in node.items() if isinstance(node, dict) else enumerate(node):
            yield from _variables(each, (*path, key))
    elif isinstance(node, str) and path[:1] == ("attributes",):
        reference = _REFERENCE.match(node)
        for name in [reference[1]] if reference is not None else _TEMPLATE.findall(node):
            yield path, name


def filled(document: Document, render: Render | None = None) -> Document:
    """The document with what it takes from the environment.

    Args:
        document: The file.
        render: Fills other templates than `{{ env.NAME }}`; None where there is nothing to fill
            them from.

    Raises:
        DestinationError: A variable is not set, or a template names something else.
    """
    problems: list[Problem] = []
    value = _filled(document.value, (), document, problems, render)
    if problems:
        raise DestinationError(problems)
    return replace(document, value=value)


def _filled(
    node: Any, path: Path, document: Document, problems: list[Problem], render: Render | None
) -> Any:
    if isinstance(node, dict | list):
        parts = node.items() if isinstance(node, dict) else enumerate(node)
        found = {
            key: _filled(each, (*path, key), document, problems, render) for key, each in parts
        }
        return found if isinstance(node, dict) else list(found.values())
    if not isinstance(node, str) or path[:1] != ("attributes",):
        return node
    text = _TEMPLATE.sub(lambda found: os.environ.get(found[1], ""), node)
    reference = _REFERENCE.match(node) if path[1:2] in (("endpoint",), ("account",)) else None
    if reference is not None:
        text = os.environ.get(reference[1], "")
    is_for_host = "{{" in _TEMPLATE.sub("", node)
    messages = list(_messages(node, path, reference))
    if is_for_host and render is None:
        messages.append(_no_variables(path))
    elif is_for_host and render is not None and not messages:
        try:
            return render(node)
        except ValueError as error:
            messages.append(f"{_where(path)}: {error}")
    problems += [document.problem(path, message) for message in messages]
    changed = text != node and path[1:2] == ("account",)
    return int(text) if changed and _INTEGER.match(text) else text


def _messages(text: str, path: Path, reference: re.Match[str] | None) -> Iterator[str]:
    for name in [reference[1]] if reference is not None else _TEMPLATE.findall(text):
        if not os.environ.get(name):
            yield f"{_where(path)}: the environment variable {name} is not set"


def _no_variables(path: Path) -> str:
    return (
        f"{_where(path)}: of templates there is only {{{{ env.NAME }}}} here; a file with variables"
        " of its own names their module in template_vars_module"
    )


def _where(path: Path) -> str:
    return ".".join(map(str, path[1:]))
