"""A person and secrets that exist nowhere else, in every column, and a search for any trace of
them: whole, in part, and in the forms that programs write things in.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

import numpy as np
import psycopg

from tests.support.warehouses import ago

STEM = "zqxkvj"
"""Begins what has to be recognised in a name, such as a user of a database."""

TOKEN = "zqxkvj-Qm93bGluZw-Wvqz81kfXq"
PASSWORD = "qvzxkj_8c1fWqzj_pwkx"

PERSON = {
    "email": "Zqxkvj.Wjqpfz@shop.example.org",
    "phone": "+1 (415) 867-5309",
    "first_name": "Vxqzkwj",
    "last_name": "Kqjxvwzt",
    "date_of_birth": "1987-03-21",
    "street": "77 Xvqjzkw Wqzpjv",
    "city": "Jwqxzvkb",
    "postal_code": "94177",
    "first_party_id": "fpqzxwvkj51",
    "external_id": "exqzwvjkq52",
    "order_id": "orqzjxwvk53",
    "client_ip": "84.17.33.201",
    "user_agent": "Mozilla/5.0 (X11; Linux x86_64) Qzvxkjagw/1.0",
    "event_source_url": "https://shop.example.org/pgqzxkvw?qs=sqzxwjvk",
    "fbp": "fb.1.1558571054389.7098115393",
    "fbclid": "fbqzxwkjvclq",
    "contents": '[{"id": "skqzxjwv", "quantity": 1}]',
    "ssn": "snqzvwxkj54",
}
"""Column -> value. `ssn` is in the table, and no destination asks for it."""

NORMAL = {
    "email": ["zqxkvj.wjqpfz@shop.example.org"],
    "phone": ["14158675309", "+14158675309", "4158675309"],
    "first_name": ["vxqzkwj"],
    "last_name": ["kqjxvwzt"],
    "date_of_birth": ["19870321"],
    "city": ["jwqxzvkb"],
}
"""Forms that platforms hash."""

COMMON = (
    "@shop.example.org",
    "https://shop.example.org/",
    "Mozilla/5.0 (X11; Linux x86_64) ",
    '[{"id": "',
    '", "quantity": 1}]',
)
"""What others write too."""

RUN = 6
"""Characters in a row that are a trace."""

DIGITS = 8
"""As many where none is a letter: clocks hold any six by chance, `978.64` is `867-53` plus 1."""

_DIGEST = 16
"""Characters of a digest."""


def create(uri: str) -> None:
    """A table with the person in a row that can be delivered and in rows that cannot."""
    columns = ["conversion_id", "event_name", "currency", "country", *PERSON]
    good = {"event_name": "Purchase", "currency": "USD", "country": "US", **PERSON}
    bad_email = {
        **good,
        "email": "zqxkvj is no address",
        "phone": None,
        "first_party_id": None,
        "external_id": None,
    }
    rows = [
        (
            f"c{number}",
            {
                **good,
                "email": PERSON["email"].replace("z@", f"z{number}@")
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


def _runs(text: str) -> Iterator[str]:
    """Yield the parts of a text that are a trace of it."""
    for start in range(len(text) - RUN + 1):
        run = text[start : start + RUN]
        length = RUN if re.search("[A-Za-z]", run) else DIGITS
        run = text[start : start + length]
        if (
            len(run) == length
            and sum(map(str.isalnum, run)) > RUN // 2  # `id": "s` is in any JSON
            and not any(run.lower() in common.lower() for common in COMMON)
        ):
            yield run


def _by_character(form: str) -> Callable[[str], Iterator[bytes]]:
    return lambda run: iter(["".join(form.format(ord(char)) for char in run).encode()])


def _base64(run: str) -> Iterator[bytes]:
    """Yield what of a run is the same whatever stands around it, for each place of three."""
    for before in range(3):
        octets = bytes(before) + run.encode()
        first, last = -(-8 * before // 6), len(octets) * 8 // 6
        yield base64.b64encode(octets)[first:last]


FORMS: dict[str, Callable[[str], Iterator[bytes]]] = {
    "as it is": lambda run: iter([run.encode()]),
    "each byte + 1": lambda run: iter([bytes(byte + 1 for byte in run.encode())]),
    "UTF-16": lambda run: iter([run.encode("utf-16-le")]),
    "base64": _base64,
    "hex": lambda run: iter([run.encode().hex().encode()]),
    "percent": _by_character("%{:02x}"),
    "percent of what needs it": lambda run: iter([quote(run, safe="").encode()]),
    "entities": _by_character("&#{};"),
    "hex entities": _by_character("&#x{:x};"),
    "JSON escapes": _by_character("\\u{:04x}"),
}
"""How a program may write a part of a value."""


def _traces() -> dict[bytes, str]:
    """Trace, in lower case, -> what it is of."""
    plain = {"the token": [TOKEN], "the password": [PASSWORD], "the stem": [STEM]}
    plain |= {name: [value, *NORMAL.get(name, [])] for name, value in PERSON.items()}
    found = {}
    for name, values in plain.items():
        for text in dict.fromkeys([*values, *map(str.lower, values)]):
            for run in _runs(text):
                for form, written in FORMS.items():
                    for trace in written(run):
                        found.setdefault(trace.lower(), f"{name}, {form}")
    for name, values in NORMAL.items():
        for text in values:
            digest = hashlib.sha256(text.encode()).hexdigest()
            for start in range(0, len(digest) - _DIGEST + 1):
                found.setdefault(digest[start : start + _DIGEST].encode(), f"{name}, SHA-256")
    return found


TRACES = _traces()

_BY_BEGINNING: dict[int, list[bytes]] = {}
for _trace in TRACES:
    _BY_BEGINNING.setdefault(int.from_bytes(_trace[:RUN], "little"), []).append(_trace)
_BEGINNINGS = np.array(sorted(_BY_BEGINNING), np.uint64)


_SHORT = re.compile(rf"(?<![0-9a-f.]){PERSON['postal_code']}(?![0-9a-f])".encode())
"""Digits that a hash or a time may hold by chance, where they stand alone."""


def hits(found: Mapping[str, bytes]) -> list[tuple[str, str]]:
    """Where a trace is: (place, what it is of). Upper and lower case are the same."""
    places = {(place, TRACES[trace]) for place, content in found.items() for trace in _in(content)}
    places |= {(place, "postal_code") for place, each in found.items() if _SHORT.search(each)}
    return sorted(places)


def _in(content: bytes) -> Iterator[bytes]:
    """Yield the traces in some bytes."""
    content = content.lower()
    octets = np.frombuffer(content, np.uint8).astype(np.uint64)
    count = len(octets) - RUN + 1
    if count <= 0:
        return
    windows = np.zeros(count, np.uint64)
    for place in range(RUN):
        windows |= octets[place : place + count] << np.uint64(8 * place)
    at = np.searchsorted(_BEGINNINGS, windows)
    same = _BEGINNINGS[np.minimum(at, len(_BEGINNINGS) - 1)] == windows
    for start in np.flatnonzero(same).tolist():
        for trace in _BY_BEGINNING[int(windows[start])]:
            if content.startswith(trace, start):
                yield trace


def files(*folders: Path) -> dict[str, bytes]:
    """All that lies under some folders."""
    return {
        str(path): path.read_bytes()
        for folder in folders
        for path in folder.rglob("*")
        if path.is_file()
    }
