"""Meta's parameter builder for Node.js: its normal forms, from the answers in `recorded`."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from tests.judges.ours import Fields
from tests.judges.recorded.record import FILE
from tests.judges.rows import Row

PLATFORM = "meta"
OVERRIDES: dict[str, Any] = {}
_COLUMNS = {
    "em": "email",
    "ph": "phone",
    "fn": "first_name",
    "ln": "last_name",
    "db": "date_of_birth",
    "ge": "gender",
    "ct": "city",
    "st": "state",
    "zp": "postal_code",
    "country": "country",
    "external_id": "external_id",
}
HASHED = tuple(_COLUMNS)
_ANSWERS: dict[str, dict[str, str | None]] = json.loads(FILE.read_text("utf-8"))["answers"]


def ours(record: Any) -> Fields:
    """The hashed fields."""
    user = record["user_data"]
    return {name: user[name][0] for name in _COLUMNS if name in user}


def theirs(row: Row, _record: Any) -> Fields:
    """The builder's digests. Raises KeyError for a new value: record the answers anew."""
    found: Fields = {}
    for name, column in _COLUMNS.items():
        if row[column] is None:
            continue
        text = str(row[column])
        form = _ANSWERS[column][text]
        if form == "(passed on)":
            found[name] = text.strip().lower()
        elif form:
            found[name] = hashlib.sha256(form.encode()).hexdigest()
    return found
