"""What the connector sends for the rows: through `preview`, as `capi preview --rows` does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from connector import platforms
from tests.judges.rows import ROWS
from tests.platforms.parts import AS_OF, everything, on_paper
from tests.support.previews import preview

ENVELOPES = {"google": "events", "meta": "data", "pinterest": "data", "snapchat": "data"}
"""Platform -> where the records are in a body; elsewhere a body is one record."""

Fields = dict[str, Any]
"""Path -> value, `user_data.em.0` -> a digest."""


class Refused(str):
    """Why a row is not sent."""


def sent(platform: str, overrides: dict[str, Any]) -> dict[str, Any]:
    """Row's name -> the record that leaves, or `Refused`. All identifiers are asked for."""
    destination = on_paper(platform, identifiers=everything(platform), overrides=overrides)
    names = list(ROWS)
    found: dict[str, Any] = {}
    for item in preview(destination, ROWS.values(), as_of=AS_OF):
        if "rejected" in item:
            why = item["rejected"]
            found[names[why["row"]]] = Refused(f"{why['reason']} {why['field'] or ''}".strip())
            continue
        body = item["request"]["body"]
        records = body[ENVELOPES[platform]] if platform in ENVELOPES else [body]
        found |= {names[row]: record for row, record in zip(item["rows"], records, strict=True)}
    assert found.keys() == ROWS.keys()
    return found


def unhashed(platform: str, overrides: dict[str, Any]) -> dict[str, Any]:
    """As `sent`, with the normal form in the place of every digest of it."""
    file = Path(platforms.__file__).with_name(f"{platform}.yaml")
    identifiers = yaml.safe_load(file.read_text("utf-8"))["identifiers"]
    identifiers |= overrides.get("identifiers", {})
    plain = {
        name: {"value": written["value"].partition(" | sha256")[0], "plain": True}
        for name, written in identifiers.items()
        if " | sha256" in written["value"]
    }
    return sent(platform, {**overrides, "identifiers": plain})


def flat(value: Any, path: str = "") -> Fields:
    """Every leaf of a JSON value by its path."""
    if isinstance(value, dict):
        inner = value.items()
    elif isinstance(value, list):
        inner = enumerate(value)
    else:
        return {path: value}
    return {
        key: leaf
        for name, entry in inner
        for key, leaf in flat(entry, f"{path}.{name}" if path else str(name)).items()
    }
