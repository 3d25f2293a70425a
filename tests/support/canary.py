"""A person and secrets that exist nowhere else,
in every column, and a search for any trace of them.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import quote

import psycopg

from tests.support.warehouses import ago

TOKEN = "zzcanary-token-Qm93bGluZw"
PASSWORD = "zzcanary-password-8c1f"

PERSON = {
    "email": "Zzcanary.Person@shop.example.org",
    "phone": "+1 (415) 867-5309",
    "first_name": "Zzcanaryfirst",
    "last_name": "Zzcanarylast",
    "date_of_birth": "1987-03-21",
    "street": "77 Zzcanary Street",
    "city": "Zzcanaryville",
    "postal_code": "94177",
    "first_party_id": "zzcanary-customer-51",
    "external_id": "zzcanary-external-52",
    "order_id": "zzcanary-order-53",
    "client_ip": "84.17.33.201",
    "user_agent": "Mozilla/5.0 (X11; Linux x86_64) Zzcanaryagent/1.0",
    "event_source_url": "https://shop.example.org/zzcanarypage?session=zzcanarysession",
    "fbp": "fb.1.1558571054389.7098115393",
    "fbclid": "zzcanaryfbclid",
    "contents": '[{"id": "zzcanarysku", "quantity": 1}]',
    "ssn": "zzcanary-ssn-54",
}
"""Column -> value. `ssn` is in the table, and no destination asks for it."""

NORMAL = {
    "email": ["zzcanary.person@shop.example.org"],
    "phone": ["14158675309", "+14158675309", "4158675309"],
    "first_name": ["zzcanaryfirst"],
    "last_name": ["zzcanarylast"],
    "date_of_birth": ["19870321"],
    "city": ["zzcanaryville"],
}
"""Forms that platforms hash."""

TOO_COMMON = {"94177"}
"""Short digits, which a hash or a time may hold by chance;
they are looked for where they stand alone.
"""


def create(uri: str) -> None:
    """A table with the person in a row that can be delivered and in rows that cannot."""
    columns = ["conversion_id", "event_name", "currency", "country", *PERSON]
    good = {"event_name": "Purchase", "currency": "USD", "country": "US", **PERSON}
    bad_email = {
        **good,
        "email": "zzcanary is no address",
        "phone": None,
        "first_party_id": None,
        "external_id": None,
    }
    rows = [
        (
            f"c{number}",
            {
                **good,
                "email": PERSON["email"].replace("Person", f"Person{number}")
                if number
                else PERSON["email"],
            },
            "9.50",
        )
        for number in range(10)
    ]
    rows += [("d8", bad_email, "9.50"), ("d9", good, "-1.00")]
    with psycopg.connect(uri) as connection:
        connection.execute(
            "create table conversions (updated_at timestamptz, event_time timestamptz, "
            f"value numeric, {', '.join(f'{name} text' for name in columns)})"
        )  # type: ignore[arg-type]
        for number, (key, row, value) in enumerate(rows):
            times = [ago(hours=3) + dt.timedelta(seconds=number), ago(hours=4), value]
            connection.execute(  # type: ignore[call-overload]
                f"insert into conversions values ({', '.join(['%s'] * (len(columns) + 3))})",
                [*times, key, *(row[name] for name in columns[1:])],
            )


def _traces() -> list[bytes]:
    plain = [
        TOKEN,
        PASSWORD,
        *PERSON.values(),
        *(form for forms in NORMAL.values() for form in forms),
        "zzcanary",
    ]
    forms = {form for value in plain for form in (value, quote(value, safe=""))}
    forms |= {base64.b64encode(value.encode()).decode().rstrip("=")[:-1] for value in plain}
    forms |= {
        hashlib.sha256(form.encode()).hexdigest() for names in NORMAL.values() for form in names
    }
    return sorted(form.lower().encode() for form in forms - TOO_COMMON)


TRACES = _traces()
_ALONE = re.compile("|".join(rf"(?<![0-9a-f.]){form}(?![0-9a-f])" for form in TOO_COMMON).encode())


def hits(found: Mapping[str, bytes]) -> list[tuple[str, str]]:
    """Where a trace is: (place, trace). Upper and lower case are the same."""
    places = []
    for place, content in found.items():
        lower = content.lower()
        places += [(place, trace.decode()) for trace in TRACES if trace in lower]
        places += [(place, match.decode()) for match in _ALONE.findall(lower)]
    return places


def files(*folders: Path, but: Iterable[str] = ()) -> dict[str, bytes]:
    """All that lies under some folders. but: folders of the project that a person wrote."""
    return {
        str(path): path.read_bytes()
        for folder in folders
        for path in folder.rglob("*")
        if path.is_file()
        and not any(str(path.relative_to(folder)).startswith(name) for name in but)
    }
