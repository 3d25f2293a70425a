"""UUIDs and own ids."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.identifiers.ids import own_id, uuid4, uuid_lower
from tests.support.encoding import GUID, applied


@settings(max_examples=100, deadline=None)
@given(st.uuids())
def test_a_uuid_is_one_however_it_is_spelled(value: uuid.UUID) -> None:
    spellings = [
        str(value),
        str(value).upper(),
        f"{{{value}}}",
        f"({value})",
        f"urn:uuid:{value}",
        f"URN:UUID:{value}".upper(),
        value.hex,
    ]
    expected = None if value.int == 0 else str(value)
    assert applied(uuid_lower, *spellings) == [expected] * len(spellings)
    version_4 = expected if value.version == 4 and value.variant == uuid.RFC_4122 else None
    assert applied(uuid4, *spellings) == [version_4] * len(spellings)


@pytest.mark.parametrize(
    "text",
    [
        "00000000-0000-0000-0000-000000000000",
        "5-50e8400e29b41d4a716446655440000",
        GUID[:-1],
        f"{GUID}0",
        GUID.replace("a", "g"),
        GUID.replace("-", "_"),
        "85b04ded09dd-4015-ad30-581e45452dd9",
    ],
)
def test_what_is_no_uuid_is_dropped(text: str) -> None:
    assert applied(uuid_lower, text) == applied(uuid4, text) == [None]


@pytest.mark.parametrize("text", [f"{{{GUID}", f"{GUID})", f"({GUID}}}", f"urn:uuid:{{{GUID}}}"])
def test_a_uuid_in_broken_brackets_is_dropped(text: str) -> None:
    assert applied(uuid_lower, text) == [None]


def test_own_ids_pass_as_they_came_and_addresses_do_not() -> None:
    good = ["customer_12345", "007", "  7", "Ünïcode", "x" * 256]
    assert applied(own_id, *good) == good
    assert applied(own_id, "jane@example.org", "a\nb", "a\x7f", "x" * 257) == [None] * 4
