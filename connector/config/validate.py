"""What is wrong between the parts of a destination, where each of them alone may be right."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from connector.arrow.money import is_currency
from connector.config.literal_secrets import literal_secrets, password_in_url, secret_in_path
from connector.config.models import DestinationModel, ExtraField, Source
from connector.config.secrets import is_reference
from connector.platforms.columns import COLUMNS
from connector.platforms.expression import parse
from connector.platforms.functions.problems import problems
from connector.platforms.linter import template_columns
from connector.platforms.model import Platform
from connector.syntax.spelling import suggest
from connector.syntax.urls import endpoint_problem

Inconsistencies = Iterator[tuple[tuple[str, ...], str]]
"""Keys below `attributes` of the YAML, and a sentence on what is wrong there."""


_ADDRESS_ADVICE = (
    "the address holds a password; put the whole address in an environment variable and write"
    " env:NAME"
)


def inconsistencies(model: DestinationModel, platform: Platform) -> Inconsistencies:
    """Yields what is wrong between a destination's sections, or between it and its platform."""
    yield from _account_problems(model, platform)
    yield from _endpoint_problems(model, platform)
    yield from _auth_problems(model, platform)
    yield from literal_secrets(model, platform)
    yield from _alert_problems(model)
    yield from _source_problems(model.source)
    yield from _extra_problems(model, platform)
    yield from _event_problems(model, platform)
    for name in model.identifiers or []:
        if name not in platform.identifiers:
            yield (
                ("identifiers",),
                f"the platform has no identifier '{name}'{suggest(name, platform.identifiers)}",
            )
    for section, names in (("columns", model.columns), ("constants", model.constants)):
        for name in names:
            if name not in COLUMNS:
                yield (section, name), f"'{name}' is not a canonical column{suggest(name, COLUMNS)}"
            elif section == "constants" and COLUMNS[name].personal:
                yield (
                    (section, name),
                    f"'{name}' describes a person and cannot be the same in every row",
                )
    yield from _consent_problems(model, platform)
    path = "" if model.audit is None else model.audit.path
    if not is_reference(path) and password_in_url(path):
        yield ("audit", "path"), _ADDRESS_ADVICE
    problem = test_mode_problem(model, platform)
    if problem is not None:
        yield ("test_mode",), problem


def test_mode_problem(model: DestinationModel, platform: Platform) -> str | None:
    """Why the test mode that the YAML asks for cannot be used; None where nothing is wrong."""
    if model.test_mode and platform.test_mode is None:
        return "this platform has no test mode; rehearse against `capi sandbox` instead"
    if (
        model.test_mode is True
        and platform.test_mode is not None
        and platform.test_mode.value is None
    ):
        return "this platform's test mode needs the code that it shows: test_mode: TEST12345"
    return None


def _account_problems(model: DestinationModel, platform: Platform) -> Inconsistencies:
    for name, field in platform.account.items():
        value = model.account.get(name)
        if value is None:
            if not field.optional and field.default is None:
                yield ("account",), f"account.{name} is missing"
        elif field.type == "integer" and not isinstance(value, int):
            yield ("account", name), f"account.{name} must be an integer"
        elif field.type == "digits" and not re.fullmatch("[0-9]+", str(value)):
            yield ("account", name), f"account.{name} must be digits alone, without dashes"
        elif field.choices and str(value) not in field.choices:
            yield ("account", name), f"account.{name} must be one of {', '.join(field.choices)}"
        elif field.type != "integer" and not re.fullmatch(r"[A-Za-z0-9_.:-]{1,128}", str(value)):
            yield ("account", name), f"account.{name} holds a character that no account id has"
        elif str(value) in (".", ".."):
            # In the path of an address it would lead to another place.
            yield ("account", name), f"account.{name} is '{value}', which is no account id"
    for name in model.account:
        if name not in platform.account:
            yield (
                ("account", name),
                f"the platform has no account key '{name}'{suggest(name, platform.account)}",
            )


def _endpoint_problems(model: DestinationModel, platform: Platform) -> Inconsistencies:
    if model.endpoint is None:
        if platform.endpoint is None:
            yield ("endpoint",), "endpoint is missing: this platform has no address of its own"
        return
    message = endpoint_problem(model.endpoint)
    if message:
        yield ("endpoint",), message
    elif secret_in_path(model.endpoint):
        yield (
            ("endpoint",),
            (
                "the path of endpoint holds what looks like a secret, and addresses are shown and"
                " logged; authenticate by auth, as env:NAME or file:PATH"
            ),
        )


def _alert_problems(model: DestinationModel) -> Inconsistencies:
    if model.alerts is None or model.alerts.pagerduty is None:
        return
    message = endpoint_problem(model.alerts.pagerduty.endpoint)
    if message:
        yield ("alerts", "pagerduty", "endpoint"), f"alerts.pagerduty: {message}"


def _auth_problems(model: DestinationModel, platform: Platform) -> Inconsistencies:
    auth = model.auth
    if platform.auth.method == "oauth2":
        needed = (
            [] if auth.bearer or auth.token else ["client_id", "client_secret", "refresh_token"]
        )
    elif platform.auth.method == "oauth1":
        needed = ["consumer_key", "consumer_secret", "token", "token_secret"]
    elif platform.auth.method in ("none", "any"):
        needed = []
    else:
        needed = [] if auth.bearer or auth.token or auth.api_key else ["bearer"]
    for name in needed:
        if getattr(auth, name) is None:
            yield ("auth",), f"auth.{name} is missing; give it as env:NAME or file:PATH"
    if platform.auth.method == "any" and not (
        auth.bearer or auth.token or auth.api_key or auth.hmac
    ):
        yield (
            ("auth",),
            "auth is missing; give one of bearer, api_key or hmac as env:NAME or file:PATH",
        )


def _consent_problems(model: DestinationModel, platform: Platform) -> Inconsistencies:
    if model.consent.denied != "send":
        return
    if "consent" not in template_columns(platform.event):
        yield (
            ("consent", "denied"),
            (
                "this platform has no field that says that consent was denied, so such rows cannot"
                " be sent; leave it at suppress"
            ),
        )
    if model.consent.require:
        yield (
            ("consent", "denied"),
            "consent.require keeps back rows whose consent is false, so denied cannot be send",
        )


def _source_problems(source: Source) -> Inconsistencies:
    if source.default_currency is not None and not is_currency(source.default_currency):
        yield (
            ("source", "default_currency"),
            f"'{source.default_currency}' is not a currency of ISO 4217",
        )
    if source.time_zone is not None and not _is_zone(source.time_zone):
        yield (
            ("source", "time_zone"),
            (
                f"'{source.time_zone}' is not a time zone; write one such as Europe/Berlin"
                f"{suggest(source.time_zone, available_timezones())}"
            ),
        )
    if not is_reference(source.warehouse) and password_in_url(source.warehouse):
        yield (
            ("source", "warehouse"),
            _ADDRESS_ADVICE,
        )
    if not is_reference(source.warehouse) and "://" not in source.warehouse:
        yield (
            ("source", "warehouse"),
            (
                "the warehouse must be a SQLAlchemy URL such as duckdb:///warehouse.duckdb, or"
                " env:NAME"
            ),
        )
    if len(set(source.keys)) != len(source.keys) or not source.keys:
        yield ("source", "key"), "the key needs one or more different columns"
    if source.start not in ("all", "now"):
        try:
            start_time(source)
        except ValueError as error:
            yield ("source", "start"), str(error)


def start_time(source: Source) -> dt.datetime:
    """`source.start` as an instant.

    Raises:
        ValueError: It is not a timestamp, or has no zone.
    """
    try:
        moment = dt.datetime.fromisoformat(source.start)
    except ValueError:
        raise ValueError(
            "start must be all, now, or a timestamp such as 2026-01-01T00:00:00Z"
        ) from None
    if moment.tzinfo is None:
        if source.time_zone is None or not _is_zone(source.time_zone):
            raise ValueError("start needs a zone: 2026-01-01T00:00:00Z, or set source.time_zone")
        moment = moment.replace(tzinfo=ZoneInfo(source.time_zone))
    try:
        return moment.astimezone(dt.UTC)
    except OverflowError:
        raise ValueError(
            "start lies outside the years 1 to 9999; to begin with the first row write all"
        ) from None


def _is_zone(name: str) -> bool:
    """Whether a time zone exists and counts no leap seconds.

    Opening one is quicker than listing all of them.
    """
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return not name.startswith(("posix", "right/"))


def _extra_problems(model: DestinationModel, platform: Platform) -> Inconsistencies:
    """Each must be a constant or one column, through functions that exist, at a free place."""
    placed: set[str] = set()
    for path, field in model.extra_fields.items():
        yield from _field_problems(("extra", path), field, platform)
        taken = _no_room(platform.event, path.split("."), placed)
        placed.add(path)
        if taken:
            yield ("extra", path), f"extra.{path}: {taken}"
    placed.clear()
    for path, field in model.request_extra_fields.items():
        yield from _field_problems(("request_extra", path), field, platform)
        taken = _no_room_beside_records(platform, path, placed)
        placed.add(path)
        if taken:
            yield ("request_extra", path), f"request_extra.{path}: {taken}"


def _field_problems(
    where: tuple[str, ...], field: ExtraField, platform: Platform
) -> Inconsistencies:
    name = ".".join(where)
    if field.column is None:
        return
    try:
        expression = parse("extra." + field.expression)
    except ValueError as error:
        yield where, f"{name}: {error}".replace("'extra.", "'")
        return
    if len(expression.pipelines) != 1:
        yield where, f"{name}: give one column of the query, without alternatives"
    for problem in problems(expression.pipelines[0], platform.tables):
        yield where, f"{name}: {problem}"


def _no_room_beside_records(platform: Platform, path: str, placed: set[str]) -> str | None:
    """Why nothing can be written at a path of the request's body; None where it can."""
    if not isinstance(platform.body, dict):
        return "a request of this platform holds nothing beside its records; see `extra`"
    *parents, last = path.split(".")
    holder: Any = platform.body
    for key in parents:
        holder = holder.get(key, {}) if isinstance(holder, dict) else None
    test_mode = platform.test_mode
    test_key = test_mode.name if test_mode is not None and test_mode.method == "body" else None
    if path == test_key or (isinstance(holder, dict) and isinstance(holder.get(last), str)):
        return (
            f"the platform file fills {path} itself; see its keys under `account`, and `test_mode`"
        )
    return _no_room(platform.body, path.split("."), placed)


def _no_room(template: Any, path: list[str], placed: set[str]) -> str | None:
    """Why nothing can be written at a path of the record; None where it can.

    Args:
        template: The platform's record.
        path: The keys down to the place.
        placed: The paths of other extra fields.
    """
    if not all(path) or any(key.startswith("$") for key in path):
        return "a path is made of names with dots between them, such as custom_data.search_string"
    whole = ".".join(path)
    if any(other.startswith(whole + ".") or whole.startswith(other + ".") for other in placed):
        return f"another extra field stands on the way to {whole}"
    for key in path[:-1]:
        template = template.get(key, {})
        if not isinstance(template, dict) or {"$each", "$list", "$join"} & template.keys():
            return (
                f"the record holds a single value or a list at {key}, so {whole} has no place in it"
            )
    if isinstance(template.get(path[-1]), dict | list):
        return (
            f"the record holds an object or a list at {whole} already; choose another path, or"
            " change it under overrides.event"
        )
    return None


def _event_problems(model: DestinationModel, platform: Platform) -> Inconsistencies:
    rule = platform.event_names
    if (
        rule.mapping == "required"
        and not model.events
        and not (rule.unless and rule.unless in model.account)
    ):
        yield (
            ("events",),
            "this platform has no event names of its own: map each name to its id under events",
        )
    for name, target in model.events.items():
        if rule.pattern is not None and not re.fullmatch(rule.pattern, target):
            yield (
                ("events", name),
                f"'{target}' is not an id of this platform, which has the form {rule.pattern}",
            )
    if rule.mapping == "listed":
        for name, target in model.events.items():
            if target not in rule.known:
                yield (
                    ("events", name),
                    f"the platform has no event '{target}'{suggest(target, rule.known)}",
                )
