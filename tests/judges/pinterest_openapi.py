"""Pinterest's OpenAPI description: what it objects to in a request."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator

from tests.judges.ours import Fields
from tests.judges.rows import Row

PLATFORM = "pinterest"
OVERRIDES: dict[str, Any] = {}
HASHED = ()
SCHEMA = yaml.safe_load(Path(__file__).with_name("pinterest_events.yaml").read_text("utf-8"))
_VALIDATOR = Draft202012Validator(SCHEMA)


def ours(record: Any) -> Fields:
    """Path -> the keyword of the description that it violates."""
    return {
        ".".join(map(str, list(error.absolute_path)[2:])): str(error.validator)
        for error in _VALIDATOR.iter_errors({"data": [record]})
    }


def theirs(_row: Row, _record: Any) -> Fields:
    """No objection."""
    return {}
