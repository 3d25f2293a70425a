"""Every published vector through the platform that published it:
from the raw value in a row to the digest in its request.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.platforms.parts import AS_OF, minimal, on_paper
from tests.platforms.test_golden import at, first_record
from tests.support.previews import preview

VECTORS: list[dict[str, Any]] = orjson.loads(
    (Path(__file__).parents[1] / "vectors.json").read_bytes()
)
BASE64 = {
    "body": {"encoding": "=BASE64"},
    "identifiers": {"emailAddress": {"value": "email | email_gmail | sha256_b64"}},
}
UID2 = {
    "identifiers": {
        "HashedEmail": {"value": "email | email_uid2 | sha256_b64"},
        "HashedPhone": {"value": "phone | phone_e164 | sha256_b64"},
    },
}
PLACES: dict[tuple[str, str], tuple[str, str, str]] = {
    ("meta", "em"): ("meta", "email", "user_data.em.0"),
    ("meta", "ph"): ("meta", "phone", "user_data.ph.0"),
    ("meta", "fn"): ("meta", "first_name", "user_data.fn.0"),
    ("meta", "db"): ("meta", "date_of_birth", "user_data.db.0"),
    ("meta", "country"): ("meta", "country", "user_data.country.0"),
    ("snap", "em"): ("snapchat", "email", "user_data.em.0"),
    ("snap", "ph"): ("snapchat", "phone", "user_data.ph.0"),
    ("snap", "fn"): ("snapchat", "first_name", "user_data.fn.0"),
    ("reddit", "email"): ("reddit", "email", "user.email"),
    ("microsoft", "em"): ("microsoft", "email", "userData.em"),
    ("microsoft", "ph"): ("microsoft", "phone", "userData.ph"),
    ("google_dm", "email"): ("google", "email", "userData.userIdentifiers.0.emailAddress"),
    ("uid2", "email"): ("capi", "email", "ids.1.id"),
    ("uid2", "phone"): ("capi", "phone", "ids.1.id"),
}
"""Platform and field of a vector -> our platform,
its column, and where the digest stands in the record.
"""

REGIONS = {"1(650)555-1212": "US"}
"""Numbers that are not written with a plus: their country must be said."""


@pytest.mark.parametrize(
    "vector",
    VECTORS,
    ids=[
        f"{number}-{vector['platform']}-{vector['field']}" for number, vector in enumerate(VECTORS)
    ],
)
def test_a_published_vector_is_met_by_the_platforms_request(vector: dict[str, Any]) -> None:
    name, column, path = PLACES[vector["platform"], vector["field"]]
    changes: dict[str, Any] = (
        {"source__default_region": REGIONS[vector["raw"]]} if vector["raw"] in REGIONS else {}
    )
    if vector["platform"] == "uid2":
        changes["overrides"] = UID2
    elif vector["encoding"] == "base64":
        changes["overrides"] = BASE64
    (item,) = preview(
        on_paper(name, **changes), [minimal(name, **{column: vector["raw"]})], as_of=AS_OF
    )
    found = at(first_record(item["request"]["body"]), path)
    assert found == vector["digest"]


def test_every_vector_has_a_platform() -> None:
    assert {(vector["platform"], vector["field"]) for vector in VECTORS} == set(PLACES)
