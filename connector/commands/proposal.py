"""What a new destination's query and YAML may look like, from the columns of a table."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from connector.errors import ConfigError
from connector.platforms.columns import COLUMNS
from connector.platforms.expression import parse
from connector.platforms.linter import template_columns
from connector.platforms.model import Platform
from connector.source.tables import TableColumns

_CURSORS = (
    *("updated_at", "modified_at", "last_modified", "last_updated", "loaded_at", "inserted_at"),
    *("_updated_at", "_loaded_at", "ingested_at", "created_at", "event_time"),
)
"""Names of cursor columns, the best one first."""

_KEYS = ("conversion_id", "event_id", "order_id", "transaction_id", "lead_id", "uuid", "id")
"""Names of key columns, the best one first."""

_OTHER_NAMES: dict[str, tuple[str, ...]] = {
    "event_name": ("event", "event_type", "conversion_type"),
    "event_time": ("occurred_at", "event_at", "event_timestamp", "ordered_at", "order_date"),
    "order_id": ("order_number", "transaction_id"),
    "value": ("revenue", "amount", "total", "total_price", "order_value", "price"),
    "currency": ("currency_code",),
    "email": ("email_address", "mail", "e_mail"),
    "phone": ("phone_number", "mobile", "mobile_phone", "telephone", "tel"),
    "first_name": ("firstname", "given_name"),
    "last_name": ("lastname", "surname", "family_name"),
    "date_of_birth": ("dob", "birth_date", "birthday"),
    "gender": ("sex",),
    "street": ("address", "address1", "street_address"),
    "city": ("town",),
    "state": ("region", "province"),
    "postal_code": ("zip", "zip_code", "zipcode", "postcode"),
    "country": ("country_code",),
    "external_id": ("customer_id", "user_id"),
    "client_ip": ("ip", "ip_address"),
    "user_agent": ("useragent", "browser_user_agent"),
    "event_source_url": ("page_url", "url", "landing_page"),
    "consent": ("marketing_consent", "ad_consent"),
    "opt_out": ("opted_out", "unsubscribed"),
}
"""Canonical column -> what tables call it, too."""

_PREFIX = re.compile(r"^(customer|user|contact|buyer|billing|shipping|client|person|lead)_")

_PLAIN = re.compile(r"[a-z_][a-z0-9_]*\Z")


@dataclass(frozen=True)
class Proposal:
    """A query and a YAML file, to be looked over by a person.

    Attributes:
        query: SQL.
        yaml: The destination.
        mapped: Canonical column -> column of the table that was taken for it.
        missing: Canonical columns that the platform can use and nothing was found for.
    """

    query: str
    yaml: str
    mapped: dict[str, str]
    missing: list[str]


def propose(
    name: str,
    platform_name: str,
    platform: Platform,
    *,
    yaml_type: str,
    warehouse: str,
    table: str,
    found: TableColumns,
    cursor: str | None = None,
    key: Sequence[str] = (),
    host_lines: str = "",
) -> Proposal:
    """Map a table's columns by their names.

    Args:
        name: Of the destination.
        platform_name: What the YAML says under `platform`.
        platform: Its file.
        yaml_type: What the YAML says under `type`.
        warehouse: What it says under `source.warehouse`.
        table: Where the rows are.
        found: The table's columns.
        cursor: The cursor column; default: the first one with a usual name.
        key: The key columns; default: the primary key, or the first one with a usual name.
        host_lines: More lines for the end of the YAML.

    Raises:
        ConfigError: Cursor or key have names that a YAML cannot hold.
    """
    for column in (*([cursor] if cursor else []), *key, *found.primary_key):
        if not re.fullmatch(r"[A-Za-z_]\w*", column, re.ASCII):
            raise ConfigError(
                f"cursor and key are columns of letters, digits and _, which {column!r} is not;"
                " name others with --cursor and --key, or begin from a view"
            )
    names = list(found.kinds)
    useful = _useful(platform)
    cursor = cursor or _first(_CURSORS, names) or "updated_at"
    usual = _first(_KEYS, names)
    keys = list(key or found.primary_key or ([usual] if usual else ["conversion_id"]))
    mapped = _mapped(names, useful)
    missing = [column for column in useful if column not in mapped]
    query = _query(platform, table, names, dict.fromkeys([*keys, cursor]), mapped, missing)
    text = _yaml(name, platform_name, platform, yaml_type, warehouse, cursor, keys, found, mapped)
    return Proposal(query, text + host_lines, mapped, missing)


def _useful(platform: Platform) -> list[str]:
    """Canonical columns that the platform can use, those of people hashed."""
    used = {"event_name", "event_time", "consent", *template_columns(platform.event)}
    used.update(platform.required)
    for text in (*platform.request.values(), *platform.fields.values()):
        used.update(parse(text).columns)
    for spec in platform.identifiers.values():
        if not spec.plain:
            used |= spec.columns
    return [
        column
        for column in COLUMNS
        if column in used and not re.search(r"_(\d|sha256)$", column) and column != "event_id"
    ]


def _mapped(names: Sequence[str], useful: Iterable[str]) -> dict[str, str]:
    """Canonical column -> column of the table: by its own name, another one, or a prefix."""
    free = {name.lower(): name for name in names}
    mapped: dict[str, str] = {}
    for strip in (False, True):
        for column in useful:
            for wanted in (column, *_OTHER_NAMES.get(column, ())):
                for lower in list(free):
                    given = _PREFIX.sub("", lower) if strip else lower
                    if column not in mapped and given == wanted:
                        mapped[column] = free.pop(lower)
    return mapped


def _first(wanted: Iterable[str], names: Sequence[str]) -> str | None:
    lower = {name.lower(): name for name in names}
    return next((lower[each] for each in wanted if each in lower), None)


def _query(
    platform: Platform,
    table: str,
    names: Sequence[str],
    order: Iterable[str],
    mapped: dict[str, str],
    missing: Sequence[str],
) -> str:
    selected = [
        _quoted(column) for column in order if column not in mapped or mapped[column] != column
    ]
    selected += [
        _quoted(source) if source == column else f"{_quoted(source)} as {column}"
        for column, source in mapped.items()
    ]
    if "event_name" not in mapped:
        selected.append("'Purchase' as event_name")
    lines = [
        f"-- Conversions for {platform.title}: each column under the name that docs/columns.md",
        "-- gives it. What is not selected never leaves the database.",
        "select",
        ",\n".join(f"    {each}" for each in selected),
        f"from {'.'.join(map(_quoted, table.split('.')))}",
    ]
    if missing:
        lines += ["", "-- Useful here as well, and nothing by such a name is in the table:"]
        lines += [f"--   {column}: {COLUMNS[column].rule}" for column in missing]
    left = [each for each in names if each not in mapped.values() and each not in set(order)]
    if left:
        lines += ["", f"-- Not selected: {' '.join(', '.join(left).split())}"]
    return "\n".join(lines) + "\n"


def _quoted(name: str) -> str:
    return name if _PLAIN.match(name) else '"' + name.replace('"', '""') + '"'


def _scalar(text: str) -> str:
    """A text in YAML, in quotes where it needs them."""
    return (
        text
        if re.fullmatch(r"[A-Za-z_][\w./:-]*", text, re.ASCII)
        else json.dumps(text, ensure_ascii=False)
    )


def _yaml(
    name: str,
    platform_name: str,
    platform: Platform,
    yaml_type: str,
    warehouse: str,
    cursor: str,
    keys: Sequence[str],
    found: TableColumns,
    mapped: dict[str, str],
) -> str:
    prefix = re.sub(r"\W", "_", name, flags=re.ASCII).upper()
    lines = [*([f"type: {yaml_type}"] if yaml_type else []), "attributes:"]
    lines.append(f"  platform: {_scalar(platform_name)}  # {platform.title}")
    if platform.endpoint is None:
        lines.append(f"  endpoint: env:{prefix}_ENDPOINT")
    else:
        lines.append("  # endpoint: http://127.0.0.1:8477  # to rehearse against `capi sandbox`")
    lines += _account(platform, prefix)
    lines += _auth(platform, prefix)
    scalars = [_scalar(each) for each in keys]
    shown = scalars[0] if len(scalars) == 1 else f"[{', '.join(scalars)}]"
    lines += [
        "  source:",
        f"    warehouse: {_scalar(warehouse)}",
        "    query: query.sql  # beside this file",
        f"    cursor: {_scalar(cursor)}  # grows with each insert and update",
        f"    key: {shown}  # identifies a conversion",
        "    start: now  # all: everything that is there; or a time such as 2026-01-01T00:00:00Z",
        "    lag: 5m  # longer than the longest transaction that writes to the table",
        "    lookback: 24h",
    ]
    if (
        found.kinds.get(cursor) == "naive"
        or found.kinds.get(mapped.get("event_time", "")) == "naive"
    ):
        lines.append("    time_zone: UTC  # of times without a zone; correct it")
    if found.kinds.get(cursor) == "integer":
        lines.append("    # time_unit: s  # where the cursor is a time: s, ms, us or ns")
    if "action_source" in platform.required and "action_source" not in mapped:
        lines.append("  constants: {action_source: website}  # where it happened; correct it")
    if platform.event_names.mapping == "required":
        lines.append(
            '  events: {Purchase: "1"}  # event name: the id that the platform gave; correct it'
        )
    else:
        lines.append(
            "  # events: {order_paid: Purchase}  # event name of the table: the platform's"
        )
    return "\n".join(lines) + "\n"


def _account(platform: Platform, prefix: str) -> list[str]:
    lines = []
    for key, field in platform.account.items():
        value = field.choices[0] if field.choices else f"env:{prefix}_{key.upper()}"
        choices = f"  # {' or '.join(field.choices)}" if field.choices else ""
        is_needed = not field.optional and field.default is None
        lines.append(f"    {'' if is_needed else '# '}{key}: {value}{choices}")
    return ["  account:", *lines] if any("# " not in line[:6] for line in lines) else []


def _auth(platform: Platform, prefix: str) -> list[str]:
    names = {
        "none": (),
        "oauth2": ("client_id", "client_secret", "refresh_token"),
        "oauth1": ("consumer_key", "consumer_secret", "token", "token_secret"),
    }.get(platform.auth.method, ("bearer",))
    if not names:
        return []
    shown = {each: "TOKEN" if each == "bearer" else each.upper() for each in names}
    return ["  auth:", *(f"    {each}: env:{prefix}_{end}" for each, end in shown.items())]
