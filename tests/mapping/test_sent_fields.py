"""What `capi check` says of what leaves, against the records that do leave."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from connector.mapping.sent_fields import SentField, sent_fields
from connector.platforms.columns import ACTION_SOURCES, COLUMNS
from tests.platforms.parts import AS_OF, NAMES, everything, full, on_paper
from tests.support.encoding import capi, encode


def places(value: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """The leaves of a record; entries of a list stand at the list's place."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield from places(each, f"{place}.{key}" if place else key)
    elif isinstance(value, list):
        for each in value:
            yield from places(each, place)
    else:
        yield place, value


@pytest.mark.parametrize("name", NAMES)
def test_no_field_leaves_that_is_not_listed_and_none_is_hashed_that_is_said_to_be_plain(
    name: str,
) -> None:
    destination = on_paper(name, identifiers=everything(name))
    rows = [
        full(conversion_id=f"c{number}", action_source=source, event_id=None, **changes)
        for number, source in enumerate(ACTION_SOURCES)
        for changes in ({}, {"lead_id": None, "consent": None, "limited_data_use": True})
    ]
    listed: dict[str, set[str]] = {}
    for field in sent_fields(destination, list(COLUMNS)):
        listed.setdefault(field.field, set()).add(field.form)
    encoded = encode(rows, destination, as_of=AS_OF)
    assert len(encoded.positions)
    personal = {
        str(rows[0][column]).strip().lower()
        for column, described in COLUMNS.items()
        if described.personal and rows[0][column] is not None
    }
    for record in encoded.records:
        for place, value in places(orjson.loads(record)):
            # Of an object that a function writes, such as a browser and its system, the object.
            forms = listed.get(place) or listed.get(place.rpartition(".")[0])
            assert forms, place
            if forms == {"hashed"}:
                assert str(value).lower() not in personal


def test_each_column_is_listed_with_its_field_and_its_form() -> None:
    destination = on_paper(
        "meta",
        columns={"email": "customer_email"},
        constants={"action_source": "website"},
        extra={"custom_data.search_string": "query | text"},
        privacy={"obscure_order_id": True},
    )
    given = ["event_name", "event_time", "email", "order_id", "value", "currency", "user_agent"]
    assert sent_fields(destination, given) == [
        SentField("event_name", "event_name", "event", "plain"),
        SentField("event_time", "event_time", "event", "plain", "unix_s"),
        SentField("event_id", "conversion_id + event_name", "event", "hashed", "sha256_hex"),
        SentField("action_source", None, "constant", "constant"),
        SentField(
            "user_data.em", "customer_email", "identity", "hashed", "email_basic | sha256_hex"
        ),
        SentField(
            "user_data.client_user_agent", "user_agent", "context", "plain", "user_agent_start"
        ),
        SentField("app_data.extinfo", None, "constant", "constant"),
        SentField("custom_data.event_source", None, "constant", "constant"),
        SentField("custom_data.value", "value", "event", "plain", "number"),
        SentField("custom_data.currency", "currency", "event", "plain"),
        SentField("custom_data.order_id", "order_id", "event", "hashed", "sha512_b64"),
        SentField("custom_data.search_string", "query", "extra", "plain", "text"),
    ]


def test_what_stands_around_the_records_is_listed_too() -> None:
    fields = {each.field: each for each in sent_fields(on_paper("google", events={"Lead": "1"}))}
    assert fields["body.destinations.operatingAccount.accountId"].group == "account"
    assert fields["body.destinations.productDestinationId"].column == "event_name"


def test_constants_and_what_a_destination_adds_to_the_request_are_listed_too() -> None:
    destination = on_paper(
        "meta",
        extra={"custom_data.status": {"constant": "this or that"}},
        request_extra={"upload_tag": "tag", "namespace_id": {"constant": 7}},
    )
    fields = {each.field: each for each in sent_fields(destination)}
    assert fields["custom_data.status"].form == fields["body.namespace_id"].form == "constant"
    assert (fields["body.upload_tag"].column, fields["body.upload_tag"].form) == ("tag", "plain")


def test_a_plain_identifier_is_listed_only_where_the_yaml_sends_it() -> None:
    def forms(identifiers: list[str] | None) -> set[str]:
        found = sent_fields(capi(identifiers=identifiers), ["email", "event_name"])
        return {each.form for each in found if each.column == "email"}

    assert forms(None) == {"hashed"}
    assert forms(["Email"]) == {"plain"}
    assert forms(["Guid"]) == set()


def test_a_currency_that_the_query_does_not_give_is_a_constant() -> None:
    (field,) = [each for each in sent_fields(capi(), ["value"]) if each.field == "currency"]
    assert (field.column, field.form) == (None, "constant")
