"""Finds names that one part of a platform file uses and no part declares.

A misspelt name would otherwise lose a field without a word.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Set
from typing import Any

from connector.platforms.columns import ACTION_SOURCES, COLUMNS, ITEM_FIELDS
from connector.platforms.expression import Pipeline, parse, texts_of
from connector.platforms.functions.problems import problems
from connector.platforms.model import Platform
from connector.syntax.spelling import suggest

LISTS = ("contents",)
"""Canonical columns that `$each` may repeat over."""

ENTRY_COLUMNS = (*ITEM_FIELDS, "currency")
"""What an entry of such a list has."""

STEERING = ("$all", "$one", "$each", "$list", "$join", "$keep", "$when", "$value")
"""Keys of a template that steer how it is written."""

_INNER = ("$list", "$join", "$value")
"""Of these, the ones that hold what is written."""


def undeclared(platform: Platform, removed: Set[str] = frozenset()) -> Iterator[str]:
    """Sentences, each of which says what is wrong and where.

    Args:
        platform: A platform file, with a destination's overrides.
        removed: Identifiers that an override took away; `event` may still name them.
    """
    for name, spec in platform.identifiers.items():
        for text in filter(None, (spec.value, spec.hashed)):
            yield from _expression(platform, text, f"identifiers.{name}", ())
    for name, text in platform.fields.items():
        yield from _expression(platform, text, f"fields.{name}", ("identifier",), removed)
    for name, text in platform.request.items():
        yield from _expression(platform, text, f"request.{name}", ("identifier", "field"))
    yield from _template(
        platform,
        platform.event,
        "event",
        lambda text, where: _expression(
            platform, text, where, ("identifier", "field", "extra"), removed
        ),
    )
    yield from _envelope(platform, platform.body, "body")
    if platform.body != "$event" and list(texts_of(platform.body)).count("$events") != 1:
        yield "body: it must be $event, or hold $events in one place"
    filled = [platform.path, *platform.headers.values(), *platform.query.values()]
    if platform.test_mode is not None and platform.test_mode.method == "path":
        filled.append(str(platform.test_mode.value))
    if platform.answers.located.validator is not None:
        filled.append(platform.answers.located.validator)
    if platform.answers.poll is not None:
        filled.append(platform.answers.poll.path)
    for name in (name for text in filled for name in re.findall(r"\{(\w+)\}", text)):
        field = platform.account.get(name)
        if name not in platform.params and field is None:
            yield f"{{{name}}} is neither one of params nor a key of account"
        elif field is not None and field.optional and field.default is None:
            yield f"{{{name}}} may be left out of account, and then has no value; give it a default"
    for column, decided in (
        ("opt_out", platform.consent.opt_out),
        ("limited_data_use", platform.consent.limited_data_use),
    ):
        if decided == "send" and column not in template_columns(platform.event):
            yield f"consent.{column} is send, but event does not use the column {column}"
    if (
        platform.event_names.unless is not None
        and platform.event_names.unless not in platform.account
    ):
        yield f"event_names.unless: there is no account key '{platform.event_names.unless}'"
    for name in platform.columns:
        if name != "currency":
            yield (
                f"columns.{name}: currency alone can have a default here; others stand under "
                "`constants` of the destination"
            )
    for rule in platform.required_when:
        for value in (
            rule.values or ()
            if rule.column == "action_source" and "action_source" not in platform.fields
            else ()
        ):
            if value not in ACTION_SOURCES:
                sources = ", ".join(ACTION_SOURCES)
                yield f"required_when: '{value}' is not an action source; there are {sources}"


def template_columns(template: Any) -> set[str]:
    """Canonical columns that a template reads, without those of its identifiers and fields."""
    if isinstance(template, dict):
        found = {name for text in _conditions(template) for name in template_columns(text)}
        if "$each" in template:
            return {template["$each"], *found}
        return found | {
            name
            for key, value in template.items()
            if not key.startswith("$") or key in _INNER
            for name in template_columns(value)
        }
    if isinstance(template, list):
        return {name for value in template for name in template_columns(value)}
    if not isinstance(template, str):
        return set()
    expression = parse(template)
    return {*expression.columns, *expression.conditions}


def _conditions(template: dict[str, Any]) -> list[str]:
    """The expressions that a template's `$when` looks at."""
    when = template.get("$when")
    return list(when) if isinstance(when, dict) else []


def _template(
    platform: Platform,
    template: Any,
    where: str,
    check: Callable[[str, str], Iterator[str]],
    *,
    entry: bool = False,
) -> Iterator[str]:
    if isinstance(template, str):
        yield from check(template, where)
    elif isinstance(template, list):
        for value in template:
            yield from _template(platform, value, where, check, entry=entry)
    elif isinstance(template, dict):
        yield from _steering(template, where, entry=entry)
        for text in _conditions(template):
            yield from check(text, f"{where}.$when")
        if "$each" in template:
            yield from _template(
                platform,
                template.get("item"),
                f"{where}.item",
                lambda text, place: _entry(platform, text, place),
                entry=True,
            )
            return
        for key, value in template.items():
            if not key.startswith("$") or key in _INNER:
                yield from _template(platform, value, f"{where}.{key}", check, entry=entry)


def _steering(template: dict[str, Any], where: str, *, entry: bool) -> Iterator[str]:
    for key in template:
        if key.startswith("$") and key not in STEERING:
            yield f"{where}: there is no steering key '{key}'; there are {', '.join(STEERING)}"
    if "$join" in template and not _is_list_of_texts(template["$join"]):
        yield f"{where}: $join needs a list of expressions"
    for key in ("$all", "$one"):
        if key == "$all" and "$list" in template:
            continue
        for name in template.get(key, ()):
            if name not in template:
                yield f"{where}: {key} names '{name}', which is not a key beside it"
    if "$each" in template and (entry or template["$each"] not in LISTS):
        yield (
            f"{where}: $each cannot repeat over '{template['$each']}' here; it can over "
            f"{', '.join(LISTS)}, outside of another $each"
        )
    if "$value" in template and not template.keys() <= {"$value", "$when"}:
        yield f"{where}: $value stands for the whole, so only $when can stand beside it"
    if "$when" in template and not isinstance(template["$when"], dict):
        yield f"{where}: $when holds expressions and the values that they must have"
    if "$each" in template and "item" not in template:
        yield f"{where}: $each needs an item, the object that is repeated"


def _is_list_of_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _expression(
    platform: Platform,
    text: str,
    where: str,
    spaces: tuple[str, ...],
    removed: Set[str] = frozenset(),
) -> Iterator[str]:
    for pipeline in parse(text).pipelines:
        known = _known(platform, pipeline, spaces)
        gone = pipeline.space == "identifier" and pipeline.name in removed
        if known is not None and pipeline.name not in known and not gone:
            space = "" if pipeline.space == "column" else f"{pipeline.space}."
            yield f"{where}: there is no {space}{pipeline.name}{suggest(pipeline.name, known)}"
        yield from _functions(platform, pipeline, where)


def _entry(platform: Platform, text: str, where: str) -> Iterator[str]:
    for pipeline in parse(text).pipelines:
        known = {
            "column": ENTRY_COLUMNS,
            "account": platform.account,
            "param": platform.params,
        }.get(pipeline.space, ())
        if pipeline.space != "literal" and pipeline.name not in known:
            yield f"{where}: an entry has no {pipeline.name}; it has {', '.join(ENTRY_COLUMNS)}"
        yield from _functions(platform, pipeline, where)


def _functions(platform: Platform, pipeline: Pipeline, where: str) -> Iterator[str]:
    for problem in problems(pipeline, platform.tables):
        yield f"{where}: {problem}"


def _known(platform: Platform, pipeline: Pipeline, spaces: tuple[str, ...]) -> Any:
    """The names of the space that a pipeline starts in; None where any will do."""
    if pipeline.space in ("identifier", "field", "extra") and pipeline.space not in spaces:
        return ()
    names = {
        "column": COLUMNS,
        "account": platform.account,
        "param": platform.params,
        "identifier": platform.identifiers,
        "field": platform.fields,
    }
    return names.get(pipeline.space)


def _envelope(platform: Platform, template: Any, where: str) -> Iterator[str]:
    if isinstance(template, dict):
        for key, value in template.items():
            yield from _envelope(platform, value, f"{where}.{key}")
    elif isinstance(template, list):
        for value in template:
            yield from _envelope(platform, value, where)
    elif isinstance(template, str) and not template.startswith(("=", "$event")):
        space, _, name = template.partition(".")
        declared: dict[str, Mapping[str, Any]] = {
            "account": platform.account,
            "param": platform.params,
            "request": platform.request,
        }
        known = declared.get(space, {})
        if name not in known:
            yield (
                f"{where}: '{template}' is not account.x, param.x or request.x that this file "
                "declares; text is written =text"
            )
