"""What may stand in an error code:
words of a record that cannot be a person's, found by where they stand in it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from connector.arrow.records import Place
from connector.commands.rejected import rejected
from connector.commands.sync import sync
from connector.mapping.safe_paths import SAFE_COLUMNS as FREE
from connector.mapping.serializer import Serializer
from connector.platforms.columns import COLUMNS
from connector.sandbox.faults import Fault
from connector.sandbox.server import Receiver
from tests.conftest import Make
from tests.platforms.parts import AS_OF, CHROME, NAMES, everything, full, on_paper
from tests.support.encoding import bodies, capi, encode
from tests.support.warehouses import DuckDb, conversion

OTHER = {
    "event_time": "2026-05-31T11:11:11.987Z",
    "event_id": "order-2002",
    "order_id": "2002",
    "value": "11.11",
    "email": "jane@shop.example",
    "email_2": None,
    "email_3": None,
    "phone_2": None,
    "phone_3": None,
    "external_id_2": None,
    "external_id_3": None,
    "mobile_os": "ios",
    "predicted_ltv": "1",
    "lead_id": "6543210987654321",
    "referrer_url": "https://other.example/before",
    "ad_tracking": False,
    **{
        name: f"other-{name}"
        for name in (
            *("company", "job_title", "lead_source", "app_id", "app_name", "app_version"),
            *("os_version", "device_model", "locale", "dclid", "oppref", "obref", "rdt_uuid"),
        )
    },
    "idfa": None,
    "gaid": None,
    "phone": "+1 (415) 555-2671",
    "first_name": "Jane",
    "last_name": "Doe",
    "date_of_birth": "1950-11-30",
    "gender": "male",
    "street": "2 Long St",
    "city": "Lyon",
    "state": "Texas",
    "postal_code": "69001",
    "country": "France",
    "client_ip": "9.9.9.9",
    "user_agent": CHROME.replace("Chrome/124", "Chrome/125"),
    "event_source_url": "https://other.example/bye",
    "gclid": "CjOther",
    "msclkid": "F" * 32,
    "fbc": "fb.1.1554763741206.Other",
    "fbp": "fb.1.1558571054390.999",
    "guid": "1B9D6BCD-BBFD-4B2D-9B5D-AB8DFBBD4BED",
    "mobile_ad_id": "1B9D6BCD-BBFD-4B2D-9B5D-AB8DFBBD4BED",
    "contents": [
        {
            "id": "other-1",
            "quantity": 7,
            "price": "1.5",
            "name": "Otto",
            "category": "Others",
            "brand": "Other",
        }
    ],
    "content_ids": ["other-1"],
    "num_items": 7,
    **{
        name: name.encode().hex().ljust(64, "0")[:64]
        for name in COLUMNS
        if name.endswith("_sha256")
    },
    **{
        name: f"other-{name}"
        for name in (
            "first_party_id",
            "external_id",
            "gbraid",
            "wbraid",
            "fbclid",
            "ttclid",
            "ttp",
            "sc_click_id",
            "sc_cookie",
        )
    },
    **{
        name: f"other-{name}"
        for name in (
            *("epik", "rdt_cid", "li_fat_id", "twclid", "aref", "tblci", "ttd_impression_id"),
            "uid2",
        )
    },
    "tdid": "1b4e28ba-2fa1-4d2b-883f-0016d3cca427",
    "page_load_id": "1b4e28ba-2fa1-4d2b-883f-0016d3cca427",
    "booking_url": "https://other.example/booking",
    "check_in": "2026-08-11",
    "check_out": "2026-08-12",
    "custom_variables": {"tier": "other"},
    "event_parameters": {"session_id": "99"},
    "messaging_channel": "instagram",
    "page_type": "product",
}
"""Another person and order, the same kind of event; other columns have values by their type."""

BY_TYPE = {"text": "other-{}", "integer": 7, "number": "11.11"}


def another(column: str, value: Any) -> Any:
    """Another value of a column."""
    if column in OTHER:
        return OTHER[column]
    kind = COLUMNS[column].kind
    given = not value if kind == "flag" else BY_TYPE[kind]
    return given.format(column) if isinstance(given, str) else given


def at(record: Any, places: Iterable[Place], place: Place = ()) -> list[tuple[Place, Any]]:
    """What stands at places of a record."""
    if isinstance(record, dict):
        return [
            found for key, value in record.items() for found in at(value, places, (*place, key))
        ]
    if isinstance(record, list):
        return [found for value in record for found in at(value, places, place)]
    return [(place, record)] if place in places else []


@pytest.mark.parametrize("name", NAMES)
def test_what_may_stand_in_a_code_is_the_same_for_another_person_and_order(name: str) -> None:
    destination = on_paper(name, identifiers=everything(name))
    places = Serializer(destination).impersonal
    same = {*FREE, "consent", "opt_out", "limited_data_use"}
    row = full()
    others = {column: another(column, row[column]) for column in row if column not in same}
    assert [column for column, value in others.items() if value == row[column] is not None] == []
    one, other = bodies(encode([row, full(**others)], destination, as_of=AS_OF))
    assert one != other
    assert at(one, places) == at(other, places) != []


def test_a_field_that_a_destination_fills_from_its_own_column_may_be_a_person() -> None:
    assert ("currency",) in Serializer(capi()).impersonal
    assert ("currency",) not in Serializer(capi(extra={"currency": "salesperson"})).impersonal


def test_a_field_that_holds_more_than_one_thing_counts_as_the_worst_of_them() -> None:
    assert ("ids", "id") not in Serializer(
        capi(overrides={"event": {"ids": [{"id": "event_name"}, {"id": "identifier.Guid"}]}})
    ).impersonal
    assert ("order_id",) not in Serializer(
        capi(overrides={"event": {"order_id": "event_name or order_id"}})
    ).impersonal


def test_a_refusal_is_filed_under_the_whole_code(
    duck_destination: Make, duck: DuckDb, receiver: Receiver
) -> None:
    duck.insert(conversion(1, event_name="Order", order_id="smith"))
    receiver.script.add(
        Fault(
            status=400,
            body={"error": {"code": "order_total", "message": "Order smith has no total"}},
        )
    )
    made = duck_destination(privacy={"platform_messages": "redacted"})
    assert sync(made).rejected == 1
    [row] = rejected(made)
    assert (row.code, row.message) == ("order_total", "*** *** has no total")
