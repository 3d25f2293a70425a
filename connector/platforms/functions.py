"""The functions that platform files may name: normalisers, digests and value encoders, registered by name.

A function takes a column of texts, times or integers and returns one of the same length. Encoders that produce JSON of
their own (numbers, objects) return `Json`; everything else is written as a JSON string, number or boolean by its type.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from connector.arrow.convert import decimal_text, exact_text, parsed_json, time_text
from connector.arrow.dictionary import map_distinct, remembered
from connector.arrow.money import parse_amounts, rounded
from connector.identifiers import digest, email, opaque, person, phone

MAX_ENTRIES = 1000
"""A longer list in one row is a mistake of the query, and would fill a request by itself."""


class Json(NamedTuple):
    """Values that are JSON text already. text: strings, shape (n,), null where there is no value."""

    text: pa.Array


Values: TypeAlias = "pa.Array | Json"


@dataclass(frozen=True)
class Context:
    """What a function may look at beside its own column.

    table: the conformed conversions, shape (n, columns). digits: decimal digits of each row's currency. region: for
    phones without a country code. tables: the platform file's look-up tables.
    """

    table: pa.Table
    digits: np.ndarray
    region: str | None = None
    tables: Mapping[str, Mapping[str, str | int | bool]] = field(default_factory=dict)

    def column(self, name: str) -> pa.Array | None:
        """A canonical column, if the source has it."""
        return self.table[name].combine_chunks() if name in self.table.column_names else None


Function = Callable[[Any, Context, str | None], Values]

FUNCTIONS: dict[str, Function] = {}


def function(name: str) -> Callable[[Function], Function]:
    """Register a function under the name that platform files use."""

    def register(implementation: Function) -> Function:
        FUNCTIONS[name] = implementation
        return implementation

    return register


def _plain(normalise: Callable[[pa.Array], pa.Array]) -> Function:
    return lambda values, _context, _argument: normalise(values)


for _normalise in (
    *(
        email.email_basic,
        email.email_gmail,
        email.email_uid2,
        email.email_strip_all,
        email.email_alnum_local,
        email.email_amazon,
    ),
    *(
        person.name_basic,
        person.name_nopunct,
        person.city_nospace,
        person.lower_alnum,
        person.state_2,
        person.zip_nospace,
        person.zip_digits,
    ),
    *(
        person.country_alpha2,
        person.country_alpha2_upper,
        person.dob_yyyymmdd,
        person.dob_iso,
        person.gender_f_m,
    ),
    *(
        opaque.uuid_lower,
        opaque.uuid4,
        opaque.own_id,
        opaque.any_id,
        opaque.click_id,
        opaque.fb_browser,
        opaque.fb_click,
        opaque.click_uuid,
        opaque.public_ip,
        opaque.public_ipv4,
    ),
    *(opaque.user_agent_text, opaque.url_page, opaque.url_full),
    *(
        digest.sha256_hex,
        digest.sha256_b64,
        digest.sha512_b64,
        digest.prehashed_hex,
        digest.hex_to_b64,
    ),
):
    FUNCTIONS[_normalise.__name__] = _plain(_normalise)

NORMALISERS = frozenset({*FUNCTIONS, "phone_e164", "phone_digits", "zip_meta", "json"})
"""Functions that give null for a value that cannot be used; such values are counted."""

FUNCTIONS["upper"] = _plain(pc.utf8_upper)
FUNCTIONS["lower"] = _plain(pc.utf8_lower)
FUNCTIONS["phone_e164"] = lambda values, context, _argument: phone.phone_e164(
    values, context.region
)
FUNCTIONS["phone_digits"] = lambda values, context, _argument: phone.phone_digits(
    values, context.region
)
FUNCTIONS["zip_meta"] = lambda values, context, _argument: person.zip_meta(
    values, context.column("country")
)


@function("prefix")
def prefix(values: pa.Array, _context: Context, argument: str | None) -> Values:
    """The argument in front of every value."""
    return pc.binary_join_element_wise(argument or "", values, "")


@function("lookup")
def lookup(values: pa.Array, context: Context, argument: str | None) -> Values:
    """The value's entry in one of the platform file's `tables`; null where it has none."""
    table = context.tables[argument or ""]
    if not table:
        return pa.nulls(len(values), pa.string())
    found = pc.index_in(values, value_set=pa.array(list(table)))
    return pc.take(pa.array(list(table.values())), found)


@function("absent_from")
def absent_from(values: pa.Array, context: Context, argument: str | None) -> Values:
    """The value itself, where a look-up table does not have it; null where it has."""
    return pc.if_else(
        pc.is_in(values, value_set=pa.array(list(context.tables[argument or ""]), pa.string())),
        None,
        values,
    )


@function("when_in")
def when_in(values: pa.Array, context: Context, argument: str | None) -> Values:
    """The value itself, where a look-up table has it; null elsewhere."""
    return pc.if_else(
        pc.is_in(values, value_set=pa.array(list(context.tables[argument or ""]), pa.string())),
        values,
        None,
    )


@function("constant")
def constant(values: pa.Array, _context: Context, argument: str | None) -> Values:
    """The argument, where there is a value."""
    return pc.if_else(pc.is_valid(values), argument or "", None)


@function("digits")
def digits(values: pa.Array, _context: Context, _argument: str | None) -> Values:
    """The value itself, where it is digits alone; null elsewhere."""
    return pc.if_else(pc.match_substring_regex(values, r"^\d+$"), values, None)


@function("custom_name")
def custom_name(values: pa.Array, _context: Context, _argument: str | None) -> Values:
    """A name in `[a-z0-9_-]`, at most 64 characters. Source: OpenAI (`custom_event_name`)."""
    plain = pc.replace_substring_regex(pc.utf8_lower(values), r"[^a-z0-9_-]+", "_")
    return pc.utf8_slice_codeunits(plain, 0, 64)


@function("when")
def when(flags: pa.Array, _context: Context, argument: str | None) -> Values:
    """The argument, which is JSON, where a flag is true; null elsewhere."""
    return Json(pc.if_else(flags, argument or "true", None))


@function("choose")
def choose(flags: pa.Array, _context: Context, argument: str | None) -> Values:
    """One of two words, `choose(yes,no)`, by a flag; null where the flag is."""
    yes, _, no = (argument or "").partition(",")
    return pc.if_else(flags, yes.strip(), no.strip())


@function("unix_s")
def unix_s(times: pa.Array, _context: Context, _argument: str | None) -> Values:
    """Whole seconds since 1970, floored."""
    return _floored(times, "s").cast(pa.int64())


@function("unix_ms")
def unix_ms(times: pa.Array, _context: Context, _argument: str | None) -> Values:
    """Whole milliseconds since 1970, floored."""
    return _floored(times, "ms").cast(pa.int64())


@function("unix_us")
def unix_us(times: pa.Array, _context: Context, _argument: str | None) -> Values:
    """Microseconds since 1970."""
    return times.cast(pa.int64())


@function("iso_seconds")
def iso_seconds(times: pa.Array, _context: Context, _argument: str | None) -> Values:
    """`2026-04-13T14:30:00Z`, floored to the second."""
    return time_text(_floored(times, "s"))


@function("iso_ms")
def iso_ms(times: pa.Array, _context: Context, _argument: str | None) -> Values:
    """`2026-04-13T14:30:00.000Z`, floored to the millisecond."""
    return time_text(_floored(times, "ms"))


def _floored(times: pa.Array, unit: str) -> pa.Array:
    """Instants in whole seconds or milliseconds, the last one before or at each."""
    whole = times.cast(pa.timestamp(unit, "UTC"), safe=False)
    if not pc.any(pc.less(times, pa.scalar(0, times.type))).as_py():
        return whole
    return pc.floor_temporal(times, unit={"s": "second", "ms": "millisecond"}[unit]).cast(
        whole.type
    )


@function("number")
def number(values: pa.Array, _context: Context, _argument: str | None) -> Values:
    """Decimal text as a JSON number with the digits it has: `99.99`, `100`."""
    return Json(values)


@function("float")
def float_number(values: pa.Array, _context: Context, _argument: str | None) -> Values:
    """Decimal text as a JSON number that every reader takes for a float: `99.99`, `100.0`."""
    return Json(
        pc.if_else(
            pc.match_substring(values, "."), values, pc.binary_join_element_wise(values, ".0", "")
        )
    )


@function("whole")
def whole(values: pa.Array, _context: Context, _argument: str | None) -> Values:
    """Text of a whole number as a JSON number; null where it is none."""
    return Json(pc.if_else(pc.match_substring_regex(values, r"^\d{1,9}$"), values, None))


@function("amount")
def amount(values: pa.Array, context: Context, _argument: str | None) -> Values:
    """A price inside a list as a JSON number with the digits of the row's currency; null where it is no amount."""
    return Json(_price(values, context))


@function("amount_text")
def amount_text(values: pa.Array, context: Context, _argument: str | None) -> Values:
    """As `amount`, as a JSON string."""
    return _price(values, context)


def _price(values: pa.Array, context: Context) -> pa.Array:
    amounts, _, _ = parse_amounts(values)
    return decimal_text(
        rounded(pc.if_else(pc.less(amounts, 0), None, amounts), context.digits, minor=False)
    )


@function("minor_units")
def minor_units(values: pa.Array, context: Context, _argument: str | None) -> Values:
    """Decimal text of major units as an integer of the currency's smallest unit (ISO 4217): 9.99 USD is 999, 10 JPY is 10.

    Null where the row has no currency: nobody knows its smallest unit.
    """
    amounts, _, _ = parse_amounts(values)
    factors = (
        pa.array(10 ** context.digits.astype(np.int64))
        .cast(pa.decimal128(19, 0))
        .cast(pa.decimal128(5, 0))
    )
    currency = context.column("currency")
    if currency is not None:
        amounts = pc.if_else(pc.is_valid(currency), amounts, None)
    scaled = pc.multiply(rounded(amounts, context.digits, minor=False), factors)
    return Json(decimal_text(scaled))


@function("text")
def text(values: pa.Array, _context: Context, _argument: str | None) -> Values:
    """Any value as a JSON string."""
    return values.cast(pa.string())


@function("json")
def json(values: pa.Array, _context: Context, _argument: str | None) -> Values:
    """A list, as JSON text or a nested column, as compact JSON of texts; null where it is no list, an empty one, or too long."""
    return Json(pa.array([_compact_list(value) for value in values.to_pylist()], pa.string()))


def _compact_list(value: Any) -> str | None:
    try:
        parsed = parsed_json(value) if isinstance(value, str) else value
    except ValueError:
        return None
    texts = (
        [(exact_text(item) or "").strip() for item in parsed if item is not None]
        if isinstance(parsed, list)
        else []
    )
    kept = [text for text in texts if text]
    return orjson.dumps(kept).decode() if 0 < len(kept) <= MAX_ENTRIES else None


@function("browser_and_system")
def browser_and_system(agents: pa.Array, _context: Context, _argument: str | None) -> Values:
    """A User-Agent header -> `{"browser": family, "operating_system": family}`; null where neither is known."""
    return Json(map_distinct(opaque.user_agent_text(agents), _families))


@remembered(4096, longest=1000)
def _families(agent: str) -> str | None:
    import ua_parser

    seen = ua_parser.parse(agent)
    families = {
        "browser": seen.user_agent.family if seen.user_agent else None,
        "operating_system": seen.os.family if seen.os else None,
    }
    known = {name: family for name, family in families.items() if family and family != "Other"}
    return orjson.dumps(known).decode() if known else None


@function("fbc_of_click")
def fbc_of_click(clicks: pa.Array, context: Context, _argument: str | None) -> Values:
    """Meta's `fbc` from a bare `fbclid`: `fb.1.{milliseconds}.{fbclid}`; the event's time stands in for the click's."""
    times = context.column("event_time")
    milliseconds: pa.Array = unix_ms(times, context, None)
    return pc.binary_join_element_wise("fb.1", milliseconds.cast(pa.string()), clicks, ".")
