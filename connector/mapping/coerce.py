"""The canonical conversion: its columns, and the rules that hold for every platform.

`COLUMNS` is the one list of names a query may alias to; the README's table is printed from it. `conform` turns a frame
in those names into typed Arrow columns: what cannot be used becomes null and is remembered in `bad`, what makes the
whole row unusable is remembered in `rejected`. Nothing is invented and nothing is guessed. Rules that differ between
platforms (how an e-mail is normalised, what is required) live in `identifiers` and `platforms`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from connector.arrow.bytes import holds, longest, lower, trimmed, upper
from connector.arrow.convert import Mask, decimal_text, mask, present, text_array
from connector.arrow.money import (
    MAX_VALUE,
    MONEY,
    amount_text,
    currency_digits,
    is_exact,
    is_numeric,
    parse_amounts,
    rounded,
)
from connector.arrow.times import iso_times, utc
from connector.errors import ConfigError
from connector.identifiers.placeholders import PLACEHOLDERS, without_placeholders
from connector.model import Rejection
from connector.platforms.columns import ACTION_SOURCES, COLUMNS

MAX_TEXT = 4096
_EARLIEST = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
_LATEST = dt.datetime(9999, 12, 30, tzinfo=dt.UTC)
_DAY = dt.timedelta(days=1)
_INT64 = 2**63 - 1
_ENOUGH = 10
"""So many times in a page, all of them in another unit than declared, are no accident of a few rows."""


@dataclass
class Conversions:
    """Typed conversions of one read.

    table: one Arrow column per canonical column that the source has (`value` is decimal text in major units).
    bad: column -> rows in which a value stood there but could not be used. digits: the currency's decimal digits.
    rejected: row -> why it cannot be sent at all. defaulted: rows whose event_time was set from the clock.
    """

    table: pa.Table
    bad: dict[str, Mask] = field(default_factory=dict)
    rejected: dict[int, Rejection] = field(default_factory=dict)
    digits: Mask = field(default_factory=lambda: np.zeros(0, np.int8))
    defaulted: int = 0

    def mark_bad(self, column: str, rows: Mask) -> None:
        """Remember that these rows held something unusable in `column`."""
        if rows.any():
            self.bad[column] = self.bad[column] | rows if column in self.bad else rows

    def reject(self, rows: Mask, reason: str, column: str | None) -> None:
        """Reject rows; the first reason given to a row stays."""
        for row in np.flatnonzero(rows).tolist():
            self.rejected.setdefault(row, Rejection(reason, column))


def reason_for(column: str) -> str:
    """The reason code for an unusable value in a column."""
    return {"event_time": "bad_timestamp", "contents": "bad_contents"}.get(column, f"bad_{column}")


@dataclass(frozen=True)
class Rules:
    """What a destination says about its source and what its platform defaults to.

    time_zone: zone of naive times. time_unit: unit of integer times. minor: `value` is in minor units.
    default_currency: where a row has a value but no currency. default_time: `event_time` of rows without one; None
    rejects them instead.
    """

    time_zone: str | None = None
    time_unit: Literal["s", "ms", "us", "ns"] | None = None
    minor: bool = False
    default_currency: str | None = None
    default_time: dt.datetime | None = None
    events: Mapping[str, str] = field(default_factory=dict)


def conform(source: pa.Table, rules: Rules) -> Conversions:
    """Canonical columns, as any driver gave them -> typed columns, with what could not be used set aside.

    source: canonical names, any types, shape (n,). Raises ConfigError, naming the column, for a type that cannot be
    exact (an id as a float).
    """
    result = Conversions(table=source)
    columns: dict[str, pa.Array] = {}
    for name in source.column_names:
        kind = COLUMNS[name].kind
        raw = source[name].combine_chunks()
        if kind == "time":
            columns[name] = _times(raw, rules, result)
        elif kind in ("text", "currency"):
            columns[name] = _texts(name, raw, result)
        elif kind == "choice":
            columns[name] = _choices(name, raw, result)
        elif kind == "flag":
            columns[name] = _flags(name, raw, result)
        elif kind == "integer":
            columns[name] = _integers(name, raw, result)
        else:
            columns[name] = _lists(raw)
    rows = source.num_rows
    columns["event_name"] = _event_names(
        columns.get("event_name", pa.nulls(rows, pa.string())), result
    )
    columns["event_time"] = _event_times(
        columns.get("event_time", pa.nulls(rows, pa.timestamp("us", "UTC"))), rules, result
    )
    _money(columns, rules, result)
    result.table = pa.table(columns)
    return result


def _texts(name: str, raw: pa.Array, result: Conversions) -> pa.Array:
    if pa.types.is_floating(raw.type):
        if name != "phone":
            raise ConfigError(
                f"the column {name} comes as a floating-point number, which loses digits; cast it to text in the query"
            )
        whole = pc.and_(pc.equal(pc.floor(raw), raw), pc.less(pc.abs(raw), 2**53))
        result.mark_bad(name, present(raw) & ~mask(whole))
        raw = pc.if_else(whole, raw, None).cast(pa.int64())
    if name == "postal_code" and (pa.types.is_integer(raw.type) or pa.types.is_decimal(raw.type)):
        raise ConfigError(
            "the column postal_code comes as a number, which has lost its leading zeros; select it as text in the query"
        )
    try:
        text = text_array(raw)
    except TypeError:
        raise ConfigError(
            f"the column {name} comes as {raw.type}, which has no exact text; cast it to text in the query"
        ) from None
    if text.null_count > raw.null_count:
        result.mark_bad(name, present(raw) & ~present(text))
    text = without_placeholders(trimmed(text))
    if not holds(text, below=1) and longest(text) <= MAX_TEXT:
        return text
    unusable = pc.or_(
        pc.match_substring_regex(text, r"\x00"), pc.greater(pc.utf8_length(text), MAX_TEXT)
    )
    result.mark_bad(name, mask(unusable))
    return pc.if_else(unusable, None, text)


def _flags(name: str, raw: pa.Array, result: Conversions) -> pa.Array:
    if pa.types.is_boolean(raw.type):
        return raw
    text = lower(_texts(name, raw, result))
    yes = pc.is_in(
        text, value_set=pa.array(["true", "t", "yes", "y", "1", "granted", "g", "consent_granted"])
    )
    no = pc.is_in(
        text, value_set=pa.array(["false", "f", "no", "n", "0", "denied", "d", "consent_denied"])
    )
    result.mark_bad(name, present(text) & ~mask(yes) & ~mask(no))
    return pc.if_else(yes, True, pc.if_else(no, False, None))


def _choices(name: str, raw: pa.Array, result: Conversions) -> pa.Array:
    """`action_source`, whose values are the same words for every platform."""
    text = lower(_texts(name, raw, result))
    known = pc.is_in(text, value_set=pa.array(ACTION_SOURCES))
    result.mark_bad(name, present(text) & ~mask(known))
    return pc.if_else(known, text, None)


def _lists(raw: pa.Array) -> pa.Array:
    """Lists, as JSON text or nested; null for an empty one and for what stands where there is none."""
    if pa.types.is_list(raw.type) or pa.types.is_large_list(raw.type):
        return pc.if_else(pc.equal(pc.list_value_length(raw), 0), None, raw)
    if not pa.types.is_string(raw.type):
        return raw
    start = pc.utf8_lower(pc.utf8_slice_codeunits(pc.utf8_trim_whitespace(raw), 0, 16))
    return pc.if_else(pc.is_in(start, value_set=pa.array([*sorted(PLACEHOLDERS), "[]"])), None, raw)


def _integers(name: str, raw: pa.Array, result: Conversions) -> pa.Array:
    if pa.types.is_floating(raw.type):
        whole = pc.and_(pc.equal(pc.floor(raw), raw), pc.less(pc.abs(raw), 10**9))
        result.mark_bad(name, present(raw) & ~mask(whole))
        raw = pc.if_else(whole, raw, None).cast(pa.int64())
    text = _texts(name, raw, result)
    good = pc.match_substring_regex(text, r"^\d{1,9}$")
    result.mark_bad(name, present(text) & ~mask(good))
    return pc.if_else(good, text, None).cast(pa.int64())


def _event_names(names: pa.Array, result: Conversions) -> pa.Array:
    missing = ~present(names)
    if holds(names, below=ord(" "), among=b"\x7f"):
        missing |= mask(pc.match_substring_regex(names, r"[\x00-\x1f\x7f]"))
    result.reject(missing, "missing_event_name", "event_name")
    return names


def _event_times(times: pa.Array, rules: Rules, result: Conversions) -> pa.Array:
    """Rows without a time get the default or are rejected; rows with an unusable time are always rejected."""
    unusable = result.bad.get("event_time")
    if unusable is not None:
        result.reject(unusable, "bad_timestamp", "event_time")
    missing = ~present(times) if unusable is None else ~present(times) & ~unusable
    if rules.default_time is None:
        result.reject(missing, "bad_timestamp", "event_time")
        return times
    result.defaulted = int(missing.sum())
    return (
        pc.fill_null(times, pa.scalar(rules.default_time, times.type))
        if result.defaulted
        else times
    )


def _times(raw: pa.Array, rules: Rules, result: Conversions) -> pa.Array:
    """Any time column -> UTC microseconds, floored; what is not a time between the years 2000 and 9999 is null."""
    if pa.types.is_timestamp(raw.type):
        if raw.type.tz is None and rules.time_zone is None and raw.null_count < len(raw):
            raise ConfigError(
                "the column event_time comes without a zone; set source.time_zone, or cast it to a timestamp with time zone in the query"
            )
        times = utc(_in_range(raw.cast(pa.int64()), raw.type.unit).cast(raw.type), rules.time_zone)
        there = present(raw)
    elif pa.types.is_integer(raw.type):
        times = _times_of_integers(raw, rules.time_unit)
        there = present(raw)
    elif pa.types.is_floating(raw.type):
        raise ConfigError(
            "the column event_time comes as a floating-point number; cast it in the query, to a timestamp, or to an integer with source.time_unit"
        )
    else:
        text = _texts("event_time", raw, result)
        times = iso_times(text, rules.time_zone)
        if rules.time_unit is not None:
            numbers = pc.if_else(
                pc.match_substring_regex(text, r"^\d{1,18}$|^[1-8]\d{18}$"), text, None
            ).cast(pa.int64())
            times = pc.coalesce(
                times,
                _in_range(numbers, rules.time_unit)
                .cast(pa.timestamp(rules.time_unit, "UTC"))
                .cast(times.type),
            )
        there = present(text)
    times = times.cast(pa.timestamp("us", "UTC"), safe=False)
    in_range = pc.and_(
        pc.greater_equal(times, pa.scalar(_EARLIEST, times.type)),
        pc.less(times, pa.scalar(_LATEST, times.type)),
    )
    good = mask(in_range)
    result.mark_bad("event_time", there & ~good)
    return times if good.all() else pc.if_else(in_range, times, None)


_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


def _in_range(numbers: pa.Array, unit: str) -> pa.Array:
    """Integers as int64, null where they are no time between the years 2000 and 9999 give or take the width of a time zone."""
    first, last = (
        int(moment.timestamp()) * _PER_SECOND[unit] for moment in (_EARLIEST - _DAY, _LATEST + _DAY)
    )
    signed = numbers.cast(pa.int64(), safe=False)
    inside = pc.and_(
        pc.greater_equal(signed, min(first, _INT64)), pc.less_equal(signed, min(last, _INT64))
    )
    return pc.if_else(inside, signed, None)


def _times_of_integers(numbers: pa.Array, unit: Literal["s", "ms", "us", "ns"] | None) -> pa.Array:
    """Times of a declared unit. Raises ConfigError where none is declared, or where the numbers tell another one."""
    there = len(numbers) - numbers.null_count
    if unit is None:
        if there:
            raise ConfigError(
                "the column event_time comes as integers, which may be seconds or less; set source.time_unit to s, ms, us or ns"
            )
        return pa.nulls(len(numbers), pa.timestamp("us", "UTC"))
    inside = _in_range(numbers, unit)
    if there >= _ENOUGH and inside.null_count == len(numbers):
        other = next(
            (
                name
                for name in _PER_SECOND
                if _in_range(numbers, name).null_count == numbers.null_count
            ),
            None,
        )
        if other is not None:
            raise ConfigError(
                f"source.time_unit is {unit}, but the numbers in event_time are times in {other}; correct source.time_unit"
            )
    return inside.cast(pa.timestamp(unit, "UTC"))


def _money(columns: dict[str, pa.Array], rules: Rules, result: Conversions) -> None:
    """Make `value` plain decimal text rounded to the currency's digits, and `currency` a code that ISO 4217 lists."""
    rows = len(columns["event_name"])
    currency = upper(columns.get("currency", pa.nulls(rows, pa.string())))
    listed = currency_digits()
    unknown = present(currency) & ~mask(pc.is_in(currency, value_set=listed.field("code")))
    result.mark_bad("currency", unknown)
    amounts = _amounts(columns["value"], result) if "value" in columns else pa.nulls(rows, MONEY)
    if unknown.any():
        # An amount of unknown money is no amount: both are left out.
        currency, amounts = (
            pc.if_else(pa.array(unknown), None, column) for column in (currency, amounts)
        )
    if rules.default_currency:
        currency = pc.if_else(
            pa.array(present(amounts) & ~present(currency)), rules.default_currency, currency
        )
    position = pc.index_in(currency, value_set=listed.field("code"))
    result.digits = pc.fill_null(pc.take(listed.field("digits"), position), 2).to_numpy(
        zero_copy_only=False
    )
    if "value" in columns:
        amounts = rounded(amounts, result.digits, minor=rules.minor)
        result.reject(
            mask(pc.less(amounts, 0)) | mask(pc.greater(amounts, MAX_VALUE)), "bad_value", "value"
        )
        columns["value"] = decimal_text(amounts)
    columns["currency"] = currency


def _amounts(raw: pa.Array, result: Conversions) -> pa.Array:
    if pa.types.is_boolean(raw.type):
        result.mark_bad("value", present(raw))
        return pa.nulls(len(raw), MONEY)
    if is_exact(raw.type):
        return raw.cast(MONEY)
    text = amount_text(raw) if is_numeric(raw.type) else _texts("value", raw, result)
    amounts, bad, extreme = parse_amounts(text)
    result.mark_bad("value", bad)
    result.reject(extreme, "bad_value", "value")
    return amounts


def column_table() -> str:
    """The canonical columns as a Markdown table, for the README."""
    lines = ["| column | group | type | rule | example |", "|---|---|---|---|---|"]
    lines += [
        f"| `{name}` | {column.group} | {column.kind} | {column.rule} | `{column.example}` |"
        for name, column in COLUMNS.items()
    ]
    return "\n".join(lines)
