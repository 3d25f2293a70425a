"""`privacy.profile: hipaa`: only what the YAML lists is sent.

Everything else is taken out of the platform's template, so that it is neither read from the
warehouse nor written. Dates, addresses of pages, IP addresses and user agents are identifiers where
they come from a covered entity (45 CFR 164.514(b)(2)), and names of events may be health
information.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from connector.config.models import DestinationModel
from connector.platforms.columns import COLUMNS
from connector.platforms.expression import Pipeline, alternatives, parse
from connector.platforms.leaves import leaves
from connector.platforms.model import Platform
from connector.syntax.spelling import suggest

URL_PATH = "url_path"
"""Entry of `privacy.fields` that lets whole addresses of pages leave, in place of their hosts."""

_PAGES = ("event_source_url", "referrer_url")
_NEEDED = ("event_name", "event_time", "event_id")
"""Columns without which no platform can count an event once."""

Keys = tuple[str | int, ...]


def profile_problems(model: DestinationModel, platform: Platform) -> Iterator[tuple[Keys, str]]:
    """Yields what a profile asks for and the YAML does not say, each with its keys.

    Args:
        model: The YAML.
        platform: Its platform, before anything is taken out.
    """
    privacy = model.privacy
    if privacy.profile is None:
        if privacy.fields is not None:
            yield ("privacy", "fields"), "privacy.fields needs a profile beside it: profile: hipaa"
        return
    profile = f"privacy.profile {privacy.profile}"
    for missing, remedy in (
        (model.identifiers is None, "sends only identifiers that are listed under identifiers"),
        (privacy.fields is None, "sends only fields that are listed under privacy.fields"),
        (not model.consent.require, "sends only with consent; set consent: {require: true}"),
        (
            not model.events,
            (
                "sends only events that are listed under events, as name in the query: name at the"
                " platform"
            ),
        ),
    ):
        if missing:
            yield ("privacy", "profile"), f"{profile} {remedy}"
    if privacy.fields is not None:
        yield from _field_problems(model, platform, profile)


def _field_problems(
    model: DestinationModel, platform: Platform, profile: str
) -> Iterator[tuple[Keys, str]]:
    listed = set(model.privacy.fields or ())
    fields = listable_fields(platform)
    extra = _extra_fields(model)
    known = [*fields, *extra, URL_PATH]
    for index, name in enumerate(model.privacy.fields or ()):
        if name not in known:
            yield (
                ("privacy", "fields", index),
                (
                    f"privacy.fields: there is no field '{name}' to be listed"
                    f"{suggest(name, known)}; there are {', '.join(known)}"
                ),
            )
    for place, keys in extra.items():
        if place not in listed:
            yield keys, f"{'.'.join(keys)}: list {place} under privacy.fields; {profile} needs that"
    for name in dict.fromkeys((*_NEEDED, *platform.required)):
        columns = _columns(platform.fields.get(name, name), platform)
        places = [place for place, sent in fields.items() if sent & columns]
        if places and not listed & set(places):
            yield (
                ("privacy", "fields"),
                f"{platform.title} needs {name}; list {' or '.join(places)} under privacy.fields",
            )


def _extra_fields(model: DestinationModel) -> dict[str, tuple[str, str]]:
    """Place in the record or body -> keys of the YAML, of what a destination adds from columns."""
    return {
        f"{before}{path}": (section, path)
        for section, before, fields in (
            ("extra", "", model.extra_fields),
            ("request_extra", "body.", model.request_extra_fields),
        )
        for path, field in fields.items()
        if field.column is not None
    }


def listable_fields(platform: Platform) -> dict[str, set[str]]:
    """Place in the record or body -> canonical columns, of what a profile sends only where listed.

    Identifiers are listed by themselves. What a person decided about consent is always sent:
    without it the platform would use the data more freely.
    """
    found: dict[str, set[str]] = {}
    for leaf in leaves(platform.event):
        columns = {leaf.entry_of} if leaf.entry_of else _columns(leaf.value, platform)
        if columns:
            found.setdefault(leaf.place, set()).update(columns)
    for place, name in _request_places(platform):
        columns = _columns(platform.request[name], platform)
        if columns:
            found[place] = columns
    return found


def reduced(model: DestinationModel, platform: Platform) -> Platform:
    """The platform as a profile leaves it; without a profile the platform itself."""
    if model.privacy.profile is None:
        return platform
    listed = set(model.privacy.fields or ())
    withheld = listable_fields(platform).keys() - listed
    expressions = dict(platform.request)
    for place, name in _request_places(platform):
        if place in withheld:
            expressions[name] = _without_columns(expressions[name], platform)
    names = platform.event_names.model_copy(
        update={"mapping": "required", "unless": None, "names": {}}
    )
    update: dict[str, Any] = {
        "event": _pruned(platform.event, "", lambda place: place in withheld, platform) or {},
        "request": {name: text for name, text in expressions.items() if text},
        "event_names": names,
    }
    if URL_PATH not in listed:
        update["event"] = _each_text(update["event"], _without_path)
        update["fields"] = _each_text(platform.fields, _without_path)
    return platform.model_copy(update=update)


def _request_places(platform: Platform) -> Iterator[tuple[str, str]]:
    """Yields place in the body and name, for each of the platform's request fields."""
    for leaf in leaves(platform.body):
        space, _, name = str(leaf.value).partition(".")
        if space == "request":
            yield f"body.{leaf.place}", name


def _columns(value: Any, platform: Platform) -> set[str]:
    """Canonical columns that a value is made from, without those of identifiers and of consent."""
    if not isinstance(value, str):
        return set()
    return {name for each in parse(value).pipelines for name in _column(each, platform)}


def _column(pipeline: Pipeline, platform: Platform) -> set[str]:
    if pipeline.space == "field":
        return _columns(platform.fields[pipeline.name], platform)
    if pipeline.space != "column":
        return set()
    column = COLUMNS.get(pipeline.name)  # none: a key of an entry of a list
    return set() if column is not None and column.group == "consent" else {pipeline.name}


def _pruned(template: Any, place: str, withheld: Callable[[str], bool], platform: Platform) -> Any:
    """A template without the leaves that are withheld; None where nothing of a row is left.

    Constants that stood beside them, such as the name of an id, go with them.
    """
    if isinstance(template, dict) and "$each" in template:
        item = _pruned(template["item"], place, withheld, platform)
        return None if item is None else {**template, "item": item}
    if isinstance(template, dict):
        return _pruned_object(template, place, withheld, platform)
    if isinstance(template, list):
        kept = [
            each
            for each in (_pruned(each, place, withheld, platform) for each in template)
            if each is not None
        ]
        return kept if len(kept) == len(template) or _varies(kept) else None
    if not withheld(place):
        return template
    return (_without_columns(template, platform) or None) if isinstance(template, str) else template


def _pruned_object(
    template: dict[str, Any], place: str, withheld: Callable[[str], bool], platform: Platform
) -> Any:
    kept: dict[str, Any] = {}
    lost = False
    for key, value in template.items():
        inside = key in ("$list", "$join", "$value")
        if key.startswith("$") and not inside:
            kept[key] = value
            continue
        where = place if inside else f"{place}.{key}" if place else key
        part = _pruned(value, where, withheld, platform)
        if part is None or (inside and part != value):
            lost = True
            if inside or key in template.get("$all", ()):
                return None  # it is left out where this part has no value
        else:
            kept[key] = part
    if "$one" in kept:
        kept["$one"] = [key for key in kept["$one"] if key in kept]
    return None if lost and not _varies(kept) else kept


def _varies(template: Any) -> bool:
    """Whether anything of a template depends on the row."""
    return any(
        pipeline.space not in ("literal", "account", "param")
        for leaf in leaves(template)
        if isinstance(leaf.value, str)
        for pipeline in parse(leaf.value).pipelines
    )


def _without_columns(text: str, platform: Platform) -> str:
    """The alternatives of an expression that read no column; empty where there is none."""
    named = {f"field.{name}": value for name, value in platform.fields.items()}
    kept = [
        _without_columns(named[part], platform)
        if part in named and _columns(part, platform)
        else part
        for part in alternatives(text)
        if part in named or not _columns(part, platform)
    ]
    return " or ".join(filter(None, kept))


def _without_path(text: str) -> str:
    """An expression in which addresses of pages are cut to their hosts."""
    return " or ".join(
        f"{part} | url_origin" if re.split(r"\s*\|", part)[0] in _PAGES else part
        for part in alternatives(text)
    )


def _each_text(template: Any, change: Callable[[str], str]) -> Any:
    """A template with each of its expressions changed."""
    if isinstance(template, str):
        return change(template)
    if isinstance(template, list):
        return [_each_text(value, change) for value in template]
    if isinstance(template, dict):
        return {
            key: value if key in _STEERING else _each_text(value, change)
            for key, value in template.items()
        }
    return template


_STEERING = ("$all", "$one", "$each", "$keep", "$when")
"""Keys of a template that hold no expression of what is written."""
