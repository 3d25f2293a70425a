"""Which canonical columns a destination can use, and what each missing one would add."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from connector.config.destination import Destination
from connector.platforms.columns import COLUMNS, SEVERAL, numbered
from connector.platforms.expression import parse
from connector.platforms.linter import template_columns
from connector.platforms.model import Platform

_ALWAYS = ("event_name", "event_time", "event_id", "consent", "opt_out", "limited_data_use")
"""Columns that every platform's rules look at."""


def usable_columns(destination: Destination) -> list[str]:
    """Canonical columns that this destination can use, in canonical order; nothing else is read."""
    platform = destination.platform
    used = {*_ALWAYS, *template_columns(platform.event)}
    if destination.model.privacy.profile is None:
        used.update(_rule_columns(platform))
        fields = platform.fields
    else:
        # What is not sent is not read either; a row whose platform needs it is rejected here.
        used.update(_deciding_columns(platform))
        named = re.findall(r"\bfield\.(\w+)", repr((platform.event, platform.request)))
        fields = {name: platform.fields[name] for name in named}
    for text in (*platform.request.values(), *fields.values()):
        used.update(parse(text).columns, parse(text).conditions)
    for name in destination.identifiers:
        used |= platform.identifiers[name].columns | platform.identifiers[name].conditions
    used |= {"currency"} if "value" in used else set()
    used |= {"country"} if used & {"phone", "postal_code", "state"} else set()
    used -= set(destination.model.constants)
    return [name for name in COLUMNS if name in used]


def _rule_columns(platform: Platform) -> Iterator[str]:
    """Canonical columns that decide whether a row may be sent, and which id it gets."""
    yield from (name for name in platform.required if name in COLUMNS)
    for rule in platform.required_when:
        yield from (name for name in (rule.column, *rule.need) if name in COLUMNS)
    yield from _deciding_columns(platform)


def _deciding_columns(platform: Platform) -> Iterator[str]:
    """Canonical columns of which the age window and the event_id depend, sent or not."""
    if platform.windows.max_age_by:
        yield "action_source"
    if platform.event_id.recipe == "user_id_and_timestamp":
        yield platform.event_id.user_id


def would_add(destination: Destination, given: set[str]) -> Iterator[tuple[str, str]]:
    """Columns that the destination can use and nothing gives, each with a sentence on what it adds.

    Digest columns are left out, since the plain column says the same, and further values of a
    column that may hold several.

    Args:
        destination: With its platform.
        given: Canonical columns of the query.
    """
    platform = destination.platform
    further = {each for name in SEVERAL for each in numbered(name)}
    for name in usable_columns(destination):
        if name in given or name.endswith("_sha256") or name in further:
            continue
        keys = [
            each for each in destination.identifiers if name in platform.identifiers[each].columns
        ]
        worth = [f"match key {key}, {_weight(destination, key)}" for key in keys]
        yield (
            name,
            "; ".join([*(worth or [COLUMNS[name].rule]), *_required_where(platform, name)]),
        )


def _weight(destination: Destination, key: str) -> str:
    """What an identifier is worth to its platform."""
    identity = destination.platform.identity
    if not identity.any_of:
        thin = [group for group in identity.not_only if key in group]
        others = sorted({name for group in thin for name in group} - {key})
        return (
            f"not enough together with {', '.join(others)} alone" if thin else "enough on its own"
        )
    groups = [group for group in identity.any_of if key in group]
    if [key] in groups:
        return "enough on its own"
    beside = [
        " and ".join(name for name in group if name != key)
        for group in groups
        if set(group) <= set(destination.identifiers)
    ]
    return (
        f"enough together with {' or with '.join(beside)}"
        if beside
        else "helps beside a stronger one"
    )


def _required_where(platform: Platform, column: str) -> Iterator[str]:
    if column in _columns_behind(platform, platform.required):
        yield "required"
    for rule in platform.required_when:
        if column in _columns_behind(platform, rule.need):
            yield (
                f"required where {rule.column} is {' or '.join(rule.values)}"
                if rule.values is not None
                else f"required beside {rule.column}"
            )


def _columns_behind(platform: Platform, names: Iterable[str]) -> set[str]:
    """Canonical columns behind columns, fields, and the identifiers that fields read."""
    found: set[str] = set()
    for name in names:
        for pipeline in parse(platform.fields.get(name, name)).pipelines:
            found |= (
                platform.identifiers[pipeline.name].columns
                if pipeline.space == "identifier"
                else {pipeline.name}
            )
    return found
