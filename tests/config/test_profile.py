"""`privacy.profile: hipaa`: nothing is sent that the YAML does not list."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from connector.config.profile import listable_fields
from connector.errors import DestinationError
from connector.mapping.coverage import usable_columns
from connector.mapping.sent_fields import sent_fields
from connector.platforms import loader
from connector.platforms.columns import COLUMNS
from tests.mapping.test_sent_fields import places
from tests.platforms.parts import AS_OF, EVENTS, NAMES, full, on_paper
from tests.support.encoding import encode, reasons

REQUIRED = {"meta": ["client_user_agent"]}
"""Identifiers without which a platform takes no event of a website."""

NEEDED = ("event_name", "event_time", "event_id")


def needed_fields(name: str) -> list[str]:
    """The fewest fields without which a platform's YAML is refused."""
    platform = loader.load(name)
    needed = {*NEEDED, *(platform.fields.get(each, each) for each in platform.required)}
    return [
        place
        for place, columns in listable_fields(platform).items()
        if any(columns & {text.split(" ")[0]} for text in needed)
    ]


def hipaa(name: str, fields: list[str], **changes: Any) -> Any:
    """The attributes of a destination with the profile."""
    purchase = loader.load(name).event_names.names.get("Purchase", "Purchase")
    return {
        "privacy": {"profile": "hipaa", "fields": fields},
        "consent": {"require": True},
        "events": EVENTS.get(name, {"Purchase": purchase}),
        "identifiers": [next(iter(loader.load(name).identifiers)), *REQUIRED.get(name, ())],
        **changes,
    }


@pytest.mark.parametrize("name", NAMES)
def test_of_every_platform_only_what_is_listed_leaves(name: str) -> None:
    fields = needed_fields(name)
    identifiers = hipaa(name, fields)["identifiers"]
    destination = on_paper(name, **hipaa(name, fields))
    allowed = {
        *(column for each in identifiers for column in loader.load(name).identifiers[each].columns),
        *(each for field in fields for each in listable_fields(loader.load(name))[field]),
    }
    consent = {name for name, column in COLUMNS.items() if column.group == "consent"}
    sent = {each.column for each in sent_fields(destination)} - {None}
    assert sent <= allowed | consent | {"conversion_id + event_name"}
    row = full(
        event_source_url="https://clinic.example/oncology?x=1",
        li_fat_id="of its own",
        page_type="some page",
    )
    encoded = encode([row], destination, as_of=AS_OF)
    assert len(encoded.records) == 1, reasons(encoded)
    for record in encoded.records:
        text = bytes(record).decode()
        for column, value in row.items():
            unique = isinstance(value, str) and len(value) > 5 and column not in allowed
            assert not (unique and value.strip() in text), column
        assert "oncology" not in text


def test_a_row_leaves_with_what_is_listed_and_nothing_else() -> None:
    fields = [*NEEDED, "action_source", "event_source_url", "custom_data.value"]
    destination = on_paper(
        "meta",
        **hipaa("meta", [*fields, "custom_data.currency"], identifiers=["em", "client_user_agent"]),
    )
    encoded = encode([full(event_source_url="https://clinic.example/a/b?c")], destination)
    (record,) = [orjson.loads(each) for each in encoded.records]
    assert {place for place, _ in places(record)} == {
        *fields,
        "custom_data.currency",
        "opt_out",
        "user_data.em",
        "user_data.client_user_agent",
    }
    assert record["event_source_url"] == "https://clinic.example/"


def test_whole_addresses_leave_only_where_url_path_is_listed() -> None:
    fields = [*NEEDED, "action_source", "event_source_url", "url_path"]
    destination = on_paper("meta", **hipaa("meta", fields, identifiers=["em", "client_user_agent"]))
    row = full(event_source_url="https://clinic.example/a/b?c", event_name="Purchase")
    encoded = encode([row], destination)
    assert orjson.loads(encoded.records[0])["event_source_url"] == "https://clinic.example/a/b"


def test_events_that_are_not_listed_are_rejected_and_nothing_without_consent_leaves() -> None:
    destination = on_paper("capi", **hipaa("capi", ["conversion_type", "event_id", "timestamp"]))
    rows = [
        full(event_name="Viewed test results"),
        full(event_id="b"),
        full(event_id="c", consent=None),
        full(event_id="d", consent=False),
    ]
    encoded = encode(rows, destination)
    assert reasons(encoded) == [(0, "unknown_event_name", "event_name")]
    assert (encoded.positions.tolist(), encoded.suppressed.tolist()) == ([1], [2, 3])


def test_what_is_not_sent_is_not_read_either() -> None:
    changes = hipaa("meta", [*NEEDED, "action_source"], identifiers=["em"])
    read = set(usable_columns(on_paper("meta", **changes)))
    assert {"email", "event_time", "consent"} <= read
    assert read.isdisjoint({"phone", "user_agent", "event_source_url", "value", "contents"})
    assert {"user_agent", "value"} <= set(usable_columns(on_paper("meta")))


def test_a_column_that_a_rule_needs_and_nobody_listed_rejects_its_rows() -> None:
    """The platform would refuse them, with the whole batch."""
    destination = on_paper("meta", **hipaa("meta", [*NEEDED, "action_source"], identifiers=["em"]))
    row = full(action_source="physical_store")
    read = {column: row[column] for column in usable_columns(destination)}
    assert [why for _, why, _ in reasons(encode([read], destination))] == ["missing_currency"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"identifiers": None}, "sends only identifiers that are listed under identifiers"),
        ({"consent": {}}, "set consent: {require: true}"),
        ({"events": {}}, "sends only events that are listed under events"),
        ({"privacy": {"profile": "hipaa"}}, "sends only fields that are listed"),
        ({"privacy": {"fields": ["value"]}}, "privacy.fields needs a profile beside it"),
        ({"extra": {"query": "search"}}, "extra.query: list query under privacy.fields"),
        (
            {"privacy": {"profile": "hipaa", "fields": ["conversion_typ"]}},
            "there is no field 'conversion_typ' to be listed; did you mean 'conversion_type'?",
        ),
        (
            {"privacy": {"profile": "hipaa", "fields": ["conversion_type", "timestamp"]}},
            "Base Conversions API needs event_id; list event_id under privacy.fields",
        ),
    ],
)
def test_what_the_profile_asks_for_is_refused_where_it_is_not_there(
    changes: dict[str, Any], message: str
) -> None:
    fields = ["conversion_type", "event_id", "timestamp"]
    with pytest.raises(DestinationError) as found:
        on_paper("capi", **hipaa("capi", fields, **changes))
    problems = [each for each in found.value.problems if message in each.message]
    assert len(problems) == 1
    assert problems[0].line > 1


def test_what_the_account_says_is_left_where_a_column_could_say_otherwise() -> None:
    destination = on_paper("tiktok", **hipaa("tiktok", ["event", "event_time", "event_id"]))
    fields = {each.field: each.form for each in sent_fields(destination)}
    assert fields["body.event_source"] == fields["body.event_source_id"] == "constant"


def test_an_extra_field_leaves_where_it_is_listed() -> None:
    fields = ["conversion_type", "event_id", "timestamp", "plan"]
    destination = on_paper("capi", **hipaa("capi", fields, extra={"plan": "tier"}))
    assert "plan" in {each.field for each in sent_fields(destination)}
