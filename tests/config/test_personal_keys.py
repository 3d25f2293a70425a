"""Which keys are kept as hashes alone: by what the YAML says, by names, by what they look like."""

from __future__ import annotations

import pyarrow as pa
import pytest

from connector.commands.check import check
from connector.config.personal_keys import are_personal
from tests.conftest import Make
from tests.support.warehouses import DuckDb, conversion

PERSONAL = {
    "an address": ["mary@shop.example.org"],
    "one address among ids": [*(f"c{number}" for number in range(999)), "mary@shop.example.org"],
    "phones": [f"+1415555{number}" for number in range(2600, 2700)],
    "written phones": ["(415) 555-2671", "415-555-2672"],
    "phones without a sign": [f"1415555{number}" for number in range(2600, 2700)],
    "names": ["Mary Shelley", "Zoë Baker-Smith"],
    "last names": ["Shelley", "Baker", "Smith"],
    "social security numbers": ["078-05-1120"],
    "addresses of machines": ["84.17.33.201"],
}
IDS = {
    "numbers": [str(number) for number in range(1000)],
    "longer numbers": [str(9000000000000 + number) for number in range(100)],
    "ids": [f"c{number:06d}" for number in range(1000)],
    "hexadecimal": [f"{number * 7919:032x}" for number in range(1, 100)],
    "UUIDs": ["6d92078a-8246-4ba4-ae5b-76104861e7dc"],
    "order numbers": ["ORD-2026-00017", "#1001", "A-77"],
    "days": ["2026-11-28"],
    "letters": ["a", "b", "c"],
    "nothing": [],
}


def texts(values: list[str]) -> tuple[pa.Array, ...]:
    return (pa.array(values, pa.string()),)


@pytest.mark.parametrize("what", PERSONAL)
def test_keys_that_look_personal_are_hidden_unless_the_yaml_says_plain(
    duck_destination: Make, what: str
) -> None:
    assert are_personal(duck_destination(), texts(PERSONAL[what]))
    assert not are_personal(duck_destination(privacy={"keys": "plain"}), texts(PERSONAL[what]))


@pytest.mark.parametrize("what", IDS)
def test_ids_are_shown_unless_the_yaml_says_hashed(duck_destination: Make, what: str) -> None:
    assert not are_personal(duck_destination(), texts(IDS[what]))
    assert are_personal(duck_destination(privacy={"keys": "hashed"}), texts(IDS[what]))


def test_with_a_profile_no_key_is_shown(duck_destination: Make) -> None:
    profile = {"profile": "hipaa", "fields": ["conversion_type", "timestamp", "event_id"]}
    changes = {"identifiers": ["HashedEmail"], "events": {"Purchase": "Purchase"}}
    made = duck_destination(privacy=profile, consent={"require": True}, **changes)
    assert are_personal(made, texts(IDS["ids"]))
    made = duck_destination(
        privacy={**profile, "keys": "plain"}, consent={"require": True}, **changes
    )
    assert not are_personal(made, texts(IDS["ids"]))


def test_national_phones_are_known_by_the_region(duck_destination: Make) -> None:
    phones = texts([f"415555{number}" for number in range(2600, 2700)])
    assert are_personal(duck_destination(source__default_region="US"), phones)


def test_words_from_a_list_are_no_names(duck_destination: Make) -> None:
    made = duck_destination(source__key=["conversion_id", "event_name"])
    assert not are_personal(made, (*texts(["c1"]), *texts(["Page View"])))
    assert are_personal(made, (*texts(["Mary Shelley"]), *texts(["Page View"])))


@pytest.mark.parametrize(
    ("select", "personal"),
    [
        ("phone as conversion_id", True),
        ("lower(p.full_name) as conversion_id", True),
        ('customer_mrn AS "conversion_id"', True),
        ("id, email, coalesce(first_name, last_name) as conversion_id", True),
        ("mobile_number\n  as conversion_id", True),
        ("email, order_number as conversion_id", False),
        ("id as conversion_id, phone as phone", False),
        ("telegram_id as conversion_id", False),
        ("conversion_id, email", False),
    ],
)
def test_what_the_query_makes_the_key_of_tells(
    duck_destination: Make, select: str, personal: bool
) -> None:
    made = duck_destination()
    made.query_file.write_text(f"select {select}, updated_at from conversions", encoding="utf-8")
    assert bool(made.keys_are_personal) == personal


@pytest.mark.parametrize("key", ["email", "phone_sha256", "patient_id", "customer_name", "mrn"])
def test_the_name_of_the_key_tells(duck_destination: Make, key: str) -> None:
    assert duck_destination(source__key=key).keys_are_personal


def test_check_says_that_keys_look_personal(duck_destination: Make, duck: DuckDb) -> None:
    duck.insert(conversion(1, conversion_id="Mary Shelley"))
    look = "keys (conversion_id) look as if they described a person"
    assert [text for text in check(duck_destination()).warnings if look in text]
    for decided in ("plain", "hashed"):
        made = duck_destination(privacy={"keys": decided})
        assert not [text for text in check(made).warnings if look in text]
