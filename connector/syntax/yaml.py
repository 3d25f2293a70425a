"""A YAML reader that cannot be surprised: no aliases, no duplicate keys, no guessing of types.

PyYAML parses; this module walks its node tree, remembers where every value stands, and refuses what
YAML 1.1 would quietly turn into something else (`NO` is not a boolean here, `0123` not 83, `12:30`
not 750). Whatever it accepts, every other YAML reader reads the same way.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml.composer import Composer
from yaml.resolver import Resolver

from connector.errors import DestinationError, Problem

MAX_BYTES = 256 * 1024
MAX_DEPTH = 50

Path = tuple[str | int, ...]

_TAG = "tag:yaml.org,2002:"
_INTEGER = re.compile(r"-?(0|[1-9][0-9]*)\Z")
_DECIMAL = re.compile(r"-?(0|[1-9][0-9]*)\.[0-9]+\Z")
_LINE_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
_NO_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_MOST = 2**64
"""Above this, readers in other languages have no number."""


@dataclass
class Document:
    """The value of a YAML file and where each part of it stands.

    Attributes:
        positions: Path of keys and indices -> (line, column), counted from 1.
    """

    value: Any
    file: str
    positions: dict[Path, tuple[int, int]] = field(default_factory=dict)

    def problem(self, path: Path, message: str) -> Problem:
        """A problem at the deepest part of `path` that the file contains."""
        for end in range(len(path), -1, -1):
            if path[:end] in self.positions:
                line, column = self.positions[path[:end]]
                return Problem(message, self.file, line, column, ".".join(map(str, path)))
        return Problem(message, self.file, where=".".join(map(str, path)))


def load(text: str, file: str) -> Document:
    """Read a file of one YAML document.

    Raises:
        DestinationError: Something could be misread; with its line.
    """
    roots = _roots(text, file)
    if len(roots) > 1:
        raise _error(
            roots[1],
            file,
            "one document a file: the text after the second '---' belongs in a file of its own",
        )
    return _document(roots[0], file) if roots else Document(None, file)


def load_all(text: str, file: str) -> list[Document]:
    """Read a file of one or more YAML documents; an empty one counts as one.

    Raises:
        DestinationError: Something could be misread; with its line.
    """
    return [_document(root, file) for root in _roots(text, file)] or [Document(None, file)]


def _document(root: yaml.Node | None, file: str) -> Document:
    document = Document(None, file)
    if root is not None:
        document.value = _construct(root, (), document)
    return document


def _roots(text: str, file: str) -> list[yaml.Node | None]:
    """The top nodes of a file's documents."""
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise DestinationError([Problem(f"the file is larger than {MAX_BYTES // 1024} kB", file)])
    try:
        composer = _Composer(_harmless(text, file))
        roots = []
        while composer.check_node():
            roots.append(composer.get_node())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        raise DestinationError(
            [Problem(f"not valid YAML: {error.problem}", file, line, column)]
        ) from None
    except yaml.reader.ReaderError as error:
        *_, last = lines = _LINE_BREAK.split(text[: error.position])
        raise DestinationError(
            [
                Problem(
                    "not valid YAML: the file holds a character that YAML forbids",
                    file,
                    len(lines),
                    len(last) + 1,
                )
            ]
        ) from None
    return roots


class _Composer(Composer, Resolver):
    """Makes nodes of events that were read before."""

    def __init__(self, events: list[yaml.Event]) -> None:
        Composer.__init__(self)
        Resolver.__init__(self)
        self._events = deque(events)

    def peek_event(self) -> yaml.Event:
        return self._events[0]

    def get_event(self) -> yaml.Event:
        return self._events.popleft()

    def check_event(self, *kinds: type[yaml.Event]) -> bool:
        return bool(self._events) and isinstance(self._events[0], kinds or yaml.Event)


def _harmless(text: str, file: str) -> list[yaml.Event]:
    """The events of a file. Stops at the first that is not allowed, before anything is composed."""
    depth, loader = 0, yaml.SafeLoader(text)
    events = []
    try:
        while loader.check_event():
            event = loader.get_event()  # type: ignore[no-untyped-call]
            if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
                raise _error(
                    event,
                    file,
                    "anchors and aliases (& and *) are not allowed; write the value out",
                )
            if getattr(event, "tag", None) is not None:
                raise _error(event, file, "tags (!...) are not allowed")
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(
                event, yaml.CollectionEndEvent
            )
            if depth > MAX_DEPTH:
                raise _error(event, file, "the file is nested too deeply")
            events.append(event)
    except (ValueError, OverflowError):
        mark = loader.get_mark()
        raise DestinationError(
            [
                Problem(
                    "not valid YAML: an escape stands for no character",
                    file,
                    mark.line + 1,
                    mark.column + 1,
                )
            ]
        ) from None
    finally:
        loader.dispose()
    return events


def _construct(node: yaml.Node, path: Path, document: Document) -> Any:
    document.positions.setdefault(path, (node.start_mark.line + 1, node.start_mark.column + 1))
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, path, document)
    if isinstance(node, yaml.SequenceNode):
        return [
            _construct(child, (*path, index), document) for index, child in enumerate(node.value)
        ]
    return _scalar(node, document.file)


def _mapping(node: yaml.MappingNode, path: Path, document: Document) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for key_node, child in node.value:
        if key_node.tag == _TAG + "merge":
            raise _error(
                key_node, document.file, "merge keys (<<) are not allowed; write the keys out"
            )
        key = _scalar(key_node, document.file) if isinstance(key_node, yaml.ScalarNode) else None
        if not isinstance(key, str):
            raise _error(key_node, document.file, "a key must be text; put it in quotes")
        if key in value:
            raise _error(key_node, document.file, f"the key '{key}' is given twice")
        document.positions[(*path, key)] = (
            key_node.start_mark.line + 1,
            key_node.start_mark.column + 1,
        )
        value[key] = _construct(child, (*path, key), document)
    return value


def _scalar(node: yaml.Node, file: str) -> Any:
    text = str(node.value)
    kind = node.tag.removeprefix(_TAG)
    if kind in ("str", "timestamp", "value"):
        if _NO_TEXT.search(text):
            raise _error(node, file, "the value holds a control character or half of one")
        return text
    if kind == "null":
        return None
    if kind == "bool" and text in ("true", "false"):
        return text == "true"
    if len(text) <= 40 and (
        (kind == "int" and _INTEGER.match(text)) or (kind == "float" and _DECIMAL.match(text))
    ):
        number = int(text) if kind == "int" else float(text)
        if -_MOST < number < _MOST:
            return number
    if kind in ("bool", "int", "float"):
        raise _error(
            node,
            file,
            "YAML readers disagree on what this value means; put it in quotes, or write true/false "
            "or a plain number",
        )
    raise _error(node, file, "merge keys (<<) are not allowed; write the keys out")


def _error(at: Any, file: str, message: str) -> DestinationError:
    return DestinationError(
        [Problem(message, file, at.start_mark.line + 1, at.start_mark.column + 1)]
    )
