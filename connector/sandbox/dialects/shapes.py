"""Rules for the values of an event, from which the dialects describe what their platform accepts.

A rule takes a path and a value, and returns the violations of the value. Codes: `missing`,
`unknown`, `type`, `value`, `digest`; of moments `unit`, `too_old`, `future`.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from connector.sandbox.dialect import HEX64, Violation

Rule = Callable[[str, Any], Sequence[Violation]]

DAY = 86_400.0
_GOOD: tuple[Violation, ...] = ()
_CENTURY = 36_525 * DAY
_YEAR_2000 = 946_684_800


def rule(good: Callable[[Any], bool], message: str, code: str = "type") -> Rule:
    """A rule from a predicate."""
    return lambda where, value: _GOOD if good(value) else (Violation(where, message, code),)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


anything: Rule = lambda _where, _value: _GOOD  # noqa: E731  a value among values
number = rule(_is_number, "must be a number")
integer = rule(
    lambda value: isinstance(value, int) and not isinstance(value, bool), "must be an integer"
)
boolean = rule(lambda value: isinstance(value, bool), "must be true or false")


def text(where: str, value: Any) -> Sequence[Violation]:
    """A string with something in it."""
    if not isinstance(value, str):
        return (Violation(where, "must be a string", "type"),)
    return _GOOD if value else (Violation(where, "must not be empty", "value"),)


def pattern(form: str | re.Pattern[str], message: str, code: str = "value") -> Rule:
    """A string of a form, matched from its first to its last character."""
    whole = re.compile(form)

    def checked(where: str, value: Any) -> Sequence[Violation]:
        if not isinstance(value, str):
            return (Violation(where, "must be a string", "type"),)
        return _GOOD if whole.fullmatch(value) else (Violation(where, message, code),)

    return checked


def one_of(*values: str) -> Rule:
    """One of these strings."""
    return pattern("|".join(map(re.escape, values)), f"must be one of {', '.join(values)}")


digest = pattern(HEX64, "must be a SHA-256 digest of 64 lower-case hexadecimal digits", "digest")
decimal_text = pattern(r"-?\d+(\.\d+)?", "must be a decimal number in a string")
currency = pattern("[A-Z]{3}", "must be an ISO 4217 code")


def address(where: str, value: Any) -> Sequence[Violation]:
    """An IP address of somebody."""
    try:
        ours = not isinstance(value, str) or ipaddress.ip_address(value).is_unspecified
    except ValueError:
        ours = True
    return (Violation(where, "must be a valid IP address", "value"),) if ours else _GOOD


def either(*rules: Rule) -> Rule:
    """Whatever satisfies one of the rules; the violations are those of the first."""

    def checked(where: str, value: Any) -> Sequence[Violation]:
        first = rules[0](where, value)
        return _GOOD if not first or any(not other(where, value) for other in rules[1:]) else first

    return checked


def each(inner: Rule, least: int = 0, most: int | None = None) -> Rule:
    """An array whose elements satisfy a rule."""

    def checked(where: str, value: Any) -> Sequence[Violation]:
        if not isinstance(value, list):
            return (Violation(where, "must be an array", "type"),)
        if len(value) < least or (most is not None and len(value) > most):
            return (
                Violation(
                    where,
                    f"must have {least} to {most} elements"
                    if most is not None
                    else f"must have at least {least} elements",
                    "value",
                ),
            )
        return [
            violation
            for index, element in enumerate(value)
            for violation in inner(f"{where}[{index}]", element)
        ]

    return checked


def one_or_more(inner: Rule) -> Rule:
    """A value, or an array of such values."""
    several = each(inner, least=1)
    return lambda where, value: (
        several(where, value) if isinstance(value, list) else inner(where, value)
    )


def thing(
    fields: Mapping[str, Rule],
    required: Sequence[str] = (),
    *,
    others: Literal["pass", "warn", "refuse"] = "pass",
) -> Rule:
    """An object.

    Args:
        fields: Name -> rule.
        required: Names of fields that must be there.
        others: What becomes of fields that are not listed.
    """

    def checked(where: str, value: Any) -> Sequence[Violation]:
        if not isinstance(value, dict):
            return (Violation(where, "must be an object", "type"),)
        prefix = f"{where}." if where else ""
        found = [
            Violation(prefix + name, "is required", "missing")
            for name in required
            if name not in value
        ]
        for name, entry in value.items():
            inner = fields.get(name)
            if inner is not None:
                found += inner(prefix + name, entry)
            elif others != "pass":
                found.append(
                    Violation(
                        prefix + name, "is not a known field", "unknown", warning=others == "warn"
                    )
                )
        return found

    return checked


def moment(ticks: int, oldest: float | None = None, newest: float | None = None) -> Rule:
    """A Unix time as an integer.

    Args:
        ticks: How many a second has.
        oldest: Seconds that it may lie before now.
        newest: Seconds that it may lie after now.
    """

    def checked(where: str, value: Any) -> Sequence[Violation]:
        return integer(where, value) or span(where, value / ticks, oldest, newest)

    return checked


def zoned(oldest: float | None = None, newest: float | None = None, *, code: str = "value") -> Rule:
    """A time as RFC 3339 writes it, with its offset.

    Args:
        oldest: Seconds that it may lie before now.
        newest: Seconds that it may lie after now.
        code: Of the violation where it is no such time.
    """
    form = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)")

    def checked(where: str, value: Any) -> Sequence[Violation]:
        try:
            if not isinstance(value, str) or not form.fullmatch(value):
                raise ValueError
            seconds = dt.datetime.fromisoformat(value).timestamp()
        except ValueError:
            return (
                Violation(
                    where, "must be a time with its offset, such as 2026-11-24T10:00:00Z", code
                ),
            )
        return span(where, seconds, oldest, newest)

    return checked


def span(
    where: str, seconds: float, oldest: float | None, newest: float | None
) -> Sequence[Violation]:
    """Problems of a Unix time in seconds."""
    age = time.time() - seconds
    if seconds < _YEAR_2000 or age < -_CENTURY:
        return (Violation(where, "is not in the unit that this platform uses", "unit"),)
    if oldest is not None and age > oldest:
        return (Violation(where, "is too long ago", "too_old"),)
    if newest is not None and -age > newest:
        return (Violation(where, "is in the future", "future"),)
    return _GOOD


def has(holder: Mapping[str, Any], *names: str) -> bool:
    """Whether an object has all of these fields."""
    return all(name in holder for name in names)


def blocked(violations: Sequence[Violation]) -> bool:
    """Whether one of the violations is more than a warning."""
    return any(not violation.warning for violation in violations)
