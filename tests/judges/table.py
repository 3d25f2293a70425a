"""The table of accepted differences, `accepted.yaml`."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from pathlib import Path
from typing import Any, NamedTuple

from connector.syntax import yaml as strict_yaml
from tests.judges.ours import Fields

FILE = Path(__file__).with_name("accepted.yaml")


class Difference(NamedTuple):
    """One field of one row. ours, theirs: None where the field is not sent."""

    row: str
    field: str
    ours: Any
    theirs: Any


def entries() -> list[dict[str, Any]]:
    """All entries, each a reason.

    Keys: `why`, `source`, `cases`, and `open` where it is a fault of ours that is not mended yet.
    A case has `where`, judge -> its field or fields, and `rows`, name -> [ours, theirs], in normal
    forms where digests are sent. The row `*` stands for all that no other case of the field names.
    """
    found: list[dict[str, Any]] = strict_yaml.load(FILE.read_text("utf-8"), FILE.name).value
    return found


def accepted(judge: str, hashed: tuple[str, ...], rows: list[str]) -> set[Difference]:
    """All differences that the table allows a judge.

    hashed: fields whose values are digests of what is written. rows: those that are sent.
    """
    listed = [
        (field, row, pair)
        for entry in entries()
        for case in entry["cases"]
        for field in fields_of(case, judge)
        for row, pair in case["rows"].items()
    ]
    named = {(field, row) for field, row, _ in listed}
    assert len(named) == len(listed), f"{judge}: a difference is listed twice"
    found: set[Difference] = set()
    for field, name, pair in listed:
        ours, theirs = (
            digest(value, field) if field in hashed and value is not None else value
            for value in pair
        )
        for row in [name] if name != "*" else rows:
            if name != "*" or (field, row) not in named:
                found.add(Difference(row, field, ours, theirs))
    return found


def fields_of(case: dict[str, Any], judge: str) -> list[str]:
    """The fields of a judge that a case speaks of."""
    fields = case["where"].get(judge, [])
    return [fields] if isinstance(fields, str) else fields


def digest(form: Any, field: str) -> str:
    """SHA-256 of a normal form, in hex; base64 for UID2. `(digest) ...` was passed on as it is."""
    text = str(form)
    if text.startswith("(digest) "):
        return text.removeprefix("(digest) ")
    sha = hashlib.sha256(text.encode())
    return b64encode(sha.digest()).decode() if field == "HashedEmail" else sha.hexdigest()


def between(row: str, ours: Fields, theirs: Fields) -> set[Difference]:
    """The fields in which two records of a row differ."""
    return {
        Difference(row, field, ours.get(field), theirs.get(field))
        for field in ours.keys() | theirs.keys()
        if _differ(ours.get(field), theirs.get(field))
    }


def _differ(one: Any, other: Any) -> bool:
    """1 and true, or 1 and "1", are not the same in JSON; 100 and 100.0 are."""
    numbers = all(
        isinstance(value, (int, float)) and not isinstance(value, bool) for value in (one, other)
    )
    return one != other or (not numbers and type(one) is not type(other))
