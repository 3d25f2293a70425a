"""No row that passes our own rules is refused by its platform:
a batch is never spoiled by what could have been known before.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
from typing import Any

import orjson
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from connector.arrow.convert import array_of_values
from connector.arrow.records import Records
from connector.commands.sync import sync
from connector.errors import DestinationError
from connector.mapping.coverage import usable_columns
from connector.mapping.serializer import Serialized, Serializer
from connector.platforms.columns import COLUMNS
from connector.sandbox.dialect import Dialect, DialectState, Received, Reply, Secrets
from connector.sandbox.dialects import all_dialects
from connector.sandbox.server import Receiver
from tests.platforms.parts import (
    BATCHING,
    NAMES,
    full,
    minimal,
    on_paper,
    on_receiver,
    quarantined,
    recent,
)
from tests.support.projects import Project

DIALECTS: dict[str, Dialect] = {dialect.name: dialect for dialect in all_dialects()}
NOW = dt.datetime.now(dt.UTC)

HOSTILE: dict[str, list[Any]] = {
    "event_name": [
        "Lead", "Page View", "x" * 65, "é" * 64, "subscription", " Purchase ", "unknown", "4711",
        "tw-a-b",
    ],
    "event_time": [
        NOW - dt.timedelta(days=days)
        for days in (6.9, 7.1, 27.9, 28.1, 36.9, 37.1, 61.9, 62.1, 89.9, 90.1, 400)
    ] + [NOW + dt.timedelta(minutes=minutes) for minutes in (1, 4, 6, 9, 11, 60)],
    "event_id": ["", "e" * 500, "é", "a b"],
    "order_id": ["", "N/A", "o" * 300],
    "value": ["0", "-1", "1e3", "NaN", "0.005", "12.345678", "999999999.99", "1,50", "abc", True],
    "currency": ["usd", "JPY", "BHD", "US$", "XXX", "eu", "EURO"],
    "email": [
        "", "N/A", "test@test.com", "no at", "a@b", "é@example.org", "x" * 70 + "@example.org",
    ],
    "phone": ["", "020 7946 0958", "123", "+44 (0)20 7946 0958", "0000000000", "abc"],
    "first_name": ["", "...", "李", "null"],
    "last_name": ["", "'", "O'Brien"],
    "date_of_birth": ["1900-01-01", "31/12/1990", "0000-00-00", "tomorrow"],
    "gender": ["x", "unknown", "F", "diverse"],
    "city": ["", "-", "St. Étienne"],
    "state": ["", "--", "Île-de-France"],
    "postal_code": ["", "-", "EC1A 1BB", "2139"],
    "country": ["", "Atlantis", "GBR", "uk", "NO"],
    "guid": ["00000000-0000-0000-0000-000000000000", "no", "85b04ded-09dd-1015-ad30-581e45452dd9"],
    "first_party_id": ["", "a@b.example", "x" * 300],
    "external_id": ["", "a@b.example", "x" * 300],
    "mobile_ad_id": [
        "00000000-0000-0000-0000-000000000000", "no", "6d92078a82464ba4ae5b76104861e7dc",
    ],
    "email_sha256": ["abc", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"],
    "client_ip": [
        "0.0.0.0", "10.0.0.1", "::1", "999.1.1.1", "8.8.8.8:443", "2001:4860:4860::8888", "a, b",
    ],
    "user_agent": ["", "x" * 1001, "a\nb", '"\\'],
    "event_source_url": [
        "", "no url", "https://a@b.example/", "ftp://shop.example/", "https://shop.example",
    ],
    "action_source": [
        "website", "app", "physical_store", "phone_call", "email", "chat", "business_messaging",
        "system_generated", "other", "shop", "",
    ],
    "gclid": ["{gclid}", "a b", ""],
    "fbc": [
        "fb.1.1.", "abc", "FB.1.1554763741205.AbC", "fb.9.1554763741205.AbC", "fb.1.x.AbC",
        "fb.1.1554763741205.Ab.Cd",
    ],
    "fbp": [
        "fb.1.1558571054389", "fb.1.1558571054389.x", "abc", "fb.1.1558571054389.1098115397.AQ",
        "fb.1.1558571054389.1098115397.AQEBAQIA", "fb.1.1.1.abc",
    ],
    "fbclid": ["{fbclid}", "a b", "x" * 600],
    "msclkid": ["no", "85b04ded-09dd-4015-ad30-581e45452dd9", "{msclkid}"],
    "contents": [
        "[]", "{}", "no json", '[{"id":"a","price":"x","quantity":"y"}]', '[{}]',
        '[{"id":"","price":-1,"quantity":0}]', '[{"id":7,"price":9.999,"quantity":2.0}]',
    ],
    "content_ids": ["[]", "no json", "[1,null]", '[""]', '{"a":1}'],
    "screen_width": ["0", "-1", "wide"],
    "wifi": ["perhaps", "false"],
    "messaging_channel": ["email", ""],
    "page_type": ["shop", "", "home"],
    "page_load_id": ["no", "85b04ded09dd4015ad30581e45452dd9"],
    "locale": ["", "x", "EN"],
    "check_in": ["tomorrow", "2026-02-30", "2026-07-01 10:00:00", "20260701"],
    "nights": ["0", "-1", "1.5"],
    "hotel_price": ["-1", "1e3", "n/a"],
    "booking_url": ["", "no url"],
    "attributed": ["perhaps", "no"],
    "lead_id": ["", "no number", "9" * 30],
    "ga_client_id": ["", "a@b.example", "x" * 300],
    "match_id": ["", "x" * 300],
    "event_parameters": ["[]", "{}", "no json", '{"a":null}', '{"":1,"b":{"c":[1]},"d":true}'],
    "custom_variables": ["[]", '"x"', '{"tier":""}', '{"tier":1e99}'],
    "num_items": ["0", "-1", "2.5", "many", "99999999999"],
    "consent": ["perhaps", "false"],
    "opt_out": ["perhaps", "true"],
    "limited_data_use": ["perhaps", "true"],
}  # fmt: skip
"""Column -> values of it that are bad, odd or at the edge of something."""


def encoded(name: str, rows: list[dict[str, Any]], **changes: Any) -> tuple[Serializer, Serialized]:
    """Rows through our rules, now."""
    serializer = Serializer(on_paper(name, **changes))
    table = pa.table(
        {
            column: array_of_values([row.get(column) for row in rows])
            for column in usable_columns(serializer.destination)
        }
    )
    keys = pa.array([f"c{number}" for number in range(len(rows))])
    return serializer, serializer.encode(table, keys, dt.datetime.now(dt.UTC))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("length", [1001, 5000])
def test_a_scheme_in_capitals_or_a_long_user_agent_never_costs_the_row(
    name: str, length: int
) -> None:
    """What is optional is left out; Meta requires a browser on websites, and gets its beginning."""
    now = dt.datetime.now(dt.UTC)
    odd = {"event_source_url": "HTTP://shop.example/thanks", "user_agent": "x" * length}
    _, found = encoded(name, [full(event_time=now, **odd)])
    assert found.rejected == {}
    (record,) = found.records
    sent = orjson.loads(record)
    if name == "meta":
        assert sent["event_source_url"] == "http://shop.example/thanks"
        assert sent["user_data"]["client_user_agent"] == "x" * 1000
    else:
        assert b"xxxxx" not in record
        assert found.dropped.get(("user_agent", "bad_user_agent")) == (
            1 if "user_agent" in usable_columns(on_paper(name)) else None
        )


def refusals(name: str, serializer: Serializer, found: Serialized) -> list[tuple[int, str, str]]:
    """What the platform says against records that passed: row, field and message."""
    said = []
    for record, row, group in zip(
        found.records, found.positions.tolist(), found.groups.tolist(), strict=True
    ):
        body = orjson.loads(serializer.body(Records.of([record]), found.group_values[group]))
        path = {
            "pixel": "1234567890",
            "ad_account_id": "549755885175",
            "tag": "97031234",
            "version": 25.0,
        }
        headers = {
            "linkedin-version": "202608",
            "x-restli-protocol-version": "2.0.0",
            "x-restli-method": "BATCH_CREATE",
        }
        dialect = DIALECTS[name]
        received = Received(
            path,
            {"pid": "px"},
            headers,
            body,
            b"",
            "POST",
            "https://x.example/",
            dialect.routes[0],
            DialectState(Secrets()),
        )
        events = dialect.events(received)
        assert not isinstance(events, Reply), events
        for event in events:
            said += [
                (row, problem.field, problem.message)
                for problem in dialect.check(event, received)
                if not problem.warning
            ]
    return said


def spoilt(name: str) -> list[dict[str, Any]]:
    """Conversions in each of which one column is odd,
    bad or missing, on top of the fullest and of the least one.
    """
    bases = [full(), minimal(name)]
    changes = [
        {},
        *({column: value} for column, values in HOSTILE.items() for value in [None, *values]),
    ]
    pairs = [
        {"action_source": source, **change}
        for source in ("website", "app", None)
        for change in changes
    ]
    rows = [(base, change) for base in bases for change in [*changes, *pairs]]
    return [
        {**recent(base), "event_id": f"e{number}", "order_id": f"o{number}", **change}
        for number, (base, change) in enumerate(rows)
    ]


VARIANTS: list[tuple[str, dict[str, Any]]] = [
    *((name, {}) for name in NAMES),
    (
        "google",
        {
            "account": {
                "account_type": "GOOGLE_ANALYTICS_PROPERTY",
                "account_id": "1",
                "measurement_id": "G-A",
            },
            "events": {},
        },
    ),
    (
        "google",
        {
            "account": {
                "account_type": "FLOODLIGHT_CONFIG",
                "account_id": "1",
                "floodlight_activity_id": "2",
            },
            "events": {},
        },
    ),
    *(
        ("tiktok", {"account": {"event_source": source, "event_source_id": "7"}})
        for source in ("app", "offline", "crm")
    ),
]
"""Platforms, and what their files say otherwise for single kinds of account."""


@pytest.mark.parametrize(("name", "account"), VARIANTS)
def test_what_passes_our_rules_is_accepted_by_the_platform(
    name: str, account: dict[str, Any]
) -> None:
    rows = spoilt(name)
    every = list(on_paper(name, **account).platform.identifiers)
    for changes in (account, {"identifiers": every, **account}):
        serializer, found = encoded(name, rows, **changes)
        said = refusals(name, serializer, found)
        assert said == [], [
            (
                rows[row] if row < 3 else {k: v for k, v in rows[row].items() if k in HOSTILE},
                where,
                why,
            )
            for row, where, why in said[:3]
        ]
        assert len(found.records) > len(rows) / 4


CHANGES = st.dictionaries(
    st.sampled_from(sorted(HOSTILE)), st.integers(0, 20), min_size=2, max_size=8
)


@settings(max_examples=12, deadline=None)
@given(st.lists(st.tuples(st.booleans(), CHANGES), min_size=20, max_size=60))
@example([(True, {"limited_data_use": 11, "state": 3})])  # a state that has no code, and its flag
@pytest.mark.parametrize("name", NAMES)
def test_several_bad_columns_at_once_spoil_no_batch_either(
    name: str, drawn: list[tuple[bool, dict[str, int]]]
) -> None:
    def value(column: str, number: int) -> Any:
        return [None, *HOSTILE[column]][number % (len(HOSTILE[column]) + 1)]

    rows = [
        {**recent(full() if whole else minimal(name)), "event_id": f"e{row}", "order_id": f"o{row}"}
        | {column: value(column, number) for column, number in change.items()}
        for row, (whole, change) in enumerate(drawn)
    ]
    serializer, found = encoded(name, rows)
    assert refusals(name, serializer, found) == []


def verdict(name: str, row: dict[str, Any], **changes: Any) -> str:
    """What becomes of a row: `sent`, `expired`, `suppressed`, or the reason why it is rejected."""
    _, found = encoded(name, [row], **changes)
    if found.records:
        return "sent"
    return (
        "expired"
        if len(found.expired)
        else "suppressed"
        if len(found.suppressed)
        else found.rejected[0].reason
    )


AD = "Mozilla/5.0"
IP = "8.8.4.4"


@pytest.mark.parametrize(
    ("name", "given_columns", "enough"),
    [
        (
            "meta",
            {
                "city": "Paris",
                "country": "FR",
                "state": "x",
                "postal_code": "75001",
                "gender": "f",
                "user_agent": AD,
            },
            False,
        ),
        ("meta", {"date_of_birth": "1990-12-31", "user_agent": AD}, False),
        ("meta", {"first_name": "Jane", "gender": "f"}, False),
        ("meta", {"last_name": "Doe", "gender": "f"}, False),
        ("meta", {"user_agent": AD}, False),
        ("meta", {"first_name": "Jane", "last_name": "Doe"}, True),
        ("meta", {"date_of_birth": "1990-12-31", "city": "Paris"}, True),
        ("meta", {"client_ip": IP}, True),
        ("meta", {"fbclid": "IwAR0"}, True),
        ("pinterest", {"phone": "+14155552671"}, False),
        ("pinterest", {"external_id": "u1", "first_name": "Jane"}, False),
        ("pinterest", {"client_ip": IP}, False),
        ("pinterest", {"client_ip": "10.0.0.1", "user_agent": AD}, False),
        ("pinterest", {"client_ip": IP, "user_agent": AD}, True),
        ("pinterest", {"mobile_ad_id": "6d92078a-8246-4ba4-ae5b-76104861e7dc"}, True),
        ("snapchat", {"first_name": "Jane", "sc_click_id": "c5b2a1"}, False),
        ("snapchat", {"user_agent": AD}, False),
        ("snapchat", {"phone": "+14155552671"}, True),
        ("snapchat", {"client_ip": IP, "user_agent": AD}, True),
        ("x", {"client_ip": IP, "user_agent": AD}, False),
        ("x", {"phone": "+14155552671"}, True),
        ("reddit", {"client_ip": IP}, False),
        ("reddit", {"client_ip": IP, "user_agent": AD}, True),
        ("reddit", {"external_id": "u1"}, True),
        ("linkedin", {"phone": "+14155552671"}, False),
        ("linkedin", {"client_ip": IP}, True),
        ("google", {"first_name": "Jane", "last_name": "Doe", "country": "US"}, False),
        (
            "google",
            {"first_name": "Jane", "last_name": "Doe", "country": "US", "postal_code": "94105"},
            True,
        ),
        ("google", {"client_ip": IP, "user_agent": AD}, False),
        ("microsoft", {"client_ip": IP}, True),
        ("openai", {"phone": "+14155552671"}, True),
        ("openai", {"oppref": "op_abc"}, True),
        ("openai", {"idfa": "6d92078a-8246-4ba4-ae5b-76104861e7dc"}, False),
        ("openai", {"country": "US"}, False),
        ("tiktok", {"city": "Paris", "first_name": "Jane"}, False),
        ("amazon", {"country": "US", "client_ip": IP, "user_agent": AD}, False),
        ("amazon", {"country": "US", "aref": "b3f1a7c2", "city": "Paris"}, False),
        ("amazon", {"country": "US", "first_name": "Jane", "last_name": "Doe"}, True),
        ("amazon", {"country": "US", "phone": "+14155552671"}, True),
        ("taboola", {"email": "jane@shop.example"}, False),
        ("taboola", {"tblci": "https://shop.example/?tblci=GiDxLZcEVjwEqkGf"}, True),
        ("thetradedesk", {"client_ip": IP}, False),
        ("thetradedesk", {"email": "jane@shop.example"}, False),
        ("thetradedesk", {"mobile_ad_id": "6d92078a-8246-4ba4-ae5b-76104861e7dc"}, True),
        ("thetradedesk", {"ttd_impression_id": "7e5c1a90-0b5d-4d0e-9f43-2f6a1f0c9d11"}, True),
        ("thetradedesk_offline", {"client_ip": IP}, False),
        ("thetradedesk_offline", {"uid2": "AKaNkgRC4TY="}, True),
        ("capi", {"first_name": "Jane"}, False),
        ("capi", {"phone": "+14155552671"}, True),
    ],
)
def test_who_cannot_be_matched_is_not_sent(
    name: str, given_columns: dict[str, Any], enough: bool
) -> None:
    nobody = {
        column: None
        for column in minimal(name)
        if column in COLUMNS and COLUMNS[column].group in ("identity", "click ids")
    }
    row = recent({**minimal(name), **nobody, "action_source": "physical_store", **given_columns})
    assert verdict(name, row) == ("sent" if enough else "no_identity")


@pytest.mark.parametrize(
    ("name", "changes", "reason"),
    [
        ("meta", {"action_source": None}, "missing_action_source"),
        ("meta", {"action_source": "shop"}, "bad_action_source"),
        ("meta", {"action_source": "website", "user_agent": AD}, "missing_event_source_url"),
        (
            "meta",
            {"action_source": "website", "user_agent": AD, "event_source_url": "no page"},
            "bad_event_source_url",
        ),
        (
            "meta",
            {"action_source": "website", "event_source_url": "https://shop.example/"},
            "missing_user_agent",
        ),
        ("meta", {"value": None}, "missing_value"),
        ("meta", {"currency": None}, "missing_currency"),
        ("meta", {"currency": "US$"}, "bad_currency"),
        ("tiktok", {"event_source_url": None}, "missing_event_source_url"),
        ("tiktok", {"value": None}, "missing_value"),
        ("snapchat", {"action_source": "website"}, "missing_event_source_url"),
        ("snapchat", {"event_name": "Refund"}, "unknown_event_name"),
        ("snapchat", {"currency": None}, "missing_currency"),
        ("pinterest", {"action_source": "app"}, "bad_action_source"),
        ("pinterest", {"event_name": "Refund"}, "unknown_event_name"),
        ("reddit", {"action_source": "website"}, "missing_event_source_url"),
        ("reddit", {"event_name": "x" * 65}, "long_event_name"),
        ("linkedin", {"event_name": "Refund"}, "unknown_event_name"),
        ("x", {"event_name": "Refund"}, "unknown_event_name"),
        ("google", {"event_name": "Refund"}, "unknown_event_name"),
        ("google", {"gclid": None}, "no_identity"),
        ("taboola", {"tblci": None}, "no_identity"),
        ("thetradedesk", {"tdid": None}, "no_identity"),
        ("thetradedesk_offline", {"tdid": None}, "no_identity"),
        ("microsoft", {"event_name": "Page View"}, "missing_event_source_url"),
        ("amazon", {"country": None}, "missing_country"),
        ("amazon", {"country": "Atlantis"}, "bad_country"),
        ("amazon", {"action_source": None}, "missing_action_source"),
        ("amazon", {"action_source": "app"}, "bad_action_source"),
        ("amazon", {"action_source": "app", "mobile_os": "ios"}, "sent"),
        ("taboola", {"event_name": None}, "missing_event_name"),
        ("thetradedesk", {"currency": None}, "missing_currency"),
        ("thetradedesk_offline", {"currency": None}, "missing_currency"),
        ("openai", {"action_source": "website"}, "missing_event_source_url"),
        ("openai", {"action_source": None}, "missing_action_source"),
        ("openai", {"event_name": "app_opened", "action_source": "email"}, "bad_action_source"),
        ("openai", {"event_name": "-_-"}, "bad_event_name"),
    ],
)
def test_what_the_platform_requires_is_required_before_it_is_sent(
    name: str, changes: dict[str, Any], reason: str
) -> None:
    assert verdict(name, recent(minimal(name))) == "sent"
    assert verdict(name, recent(minimal(name, **changes))) == reason


ANALYTICS = next(account for name, account in VARIANTS if "G-A" in str(account))
FLOODLIGHT = next(account for name, account in VARIANTS if "FLOODLIGHT" in str(account))
CRM = next(account for name, account in VARIANTS if "crm" in str(account))
LEAD = {"ttclid": None, "lead_id": "7123", "lead_source": "HubSpot"}


@pytest.mark.parametrize(
    ("name", "account", "changes", "said"),
    [
        ("google", ANALYTICS, {}, "no_identity"),
        ("google", ANALYTICS, {"ga_client_id": "1.2"}, "sent"),
        ("google", ANALYTICS, {"ga_app_instance_id": "a1", "event_name": "view_item"}, "sent"),
        ("google", ANALYTICS, {"ga_client_id": "1.2", "event_name": "4711"}, "unknown_event_name"),
        (
            "google",
            ANALYTICS,
            {"ga_client_id": "1.2", "event_name": "x" * 41},
            "unknown_event_name",
        ),
        ("google", FLOODLIGHT, {"gclid": None, "wbraid": "Cl8"}, "no_identity"),
        ("google", FLOODLIGHT, {"gclid": None, "dclid": "CJq"}, "sent"),
        ("google", FLOODLIGHT, {"gclid": None, "match_id": "m-1"}, "sent"),
        ("tiktok", CRM, {"lead_id": None}, "missing_lead_id"),
        ("tiktok", CRM, LEAD, "sent"),
        ("tiktok", CRM, {**LEAD, "lead_source": None}, "missing_lead_source"),
    ],
)
def test_what_one_kind_of_account_requires_is_required_there(
    name: str, account: dict[str, Any], changes: dict[str, Any], said: str
) -> None:
    assert verdict(name, recent(minimal(name, **changes)), **account) == said


def test_google_analytics_takes_what_is_three_days_old_and_floodlight_what_is_four_weeks() -> None:
    client = {"ga_client_id": "1.2"}
    for days, account in ((3, ANALYTICS), (28, FLOODLIGHT)):
        row = minimal("google", **client)
        assert verdict("google", recent(row, days=days - 0.01), **account) == "sent"
        assert verdict("google", recent(row, days=days + 0.01), **account) == "expired"


def test_a_key_that_meta_requires_and_the_destination_leaves_out_spoils_no_batch() -> None:
    website = recent(full(conversion_id="c1"))
    assert verdict("meta", website) == "sent"
    assert verdict("meta", website, identifiers=["em", "ph"]) == "missing_user_agent"
    assert (
        verdict("meta", {**website, "action_source": "email"}, identifiers=["em", "ph"]) == "sent"
    )
    assert verdict("meta", {**website, "user_agent": " "}) == "missing_user_agent"


WINDOWS = {
    "amazon": (7, 10),
    "meta": (7, 10),
    "tiktok": (28, 10),
    "snapchat": (37, 10),
    "pinterest": (7, 10),
    "reddit": (7, 5),
    "google": (90, 10),
    "linkedin": (90, 0),
    "microsoft": (7, 10),
    "openai": (7, 10),
    "thetradedesk": (2, 10),
}
"""Days that a conversion may be old, and minutes that it may lie ahead."""


@pytest.mark.parametrize("name", NAMES)
def test_age_and_future_are_those_of_the_platform(name: str) -> None:
    days, minutes = WINDOWS.get(name, (None, 10))
    assert verdict(name, recent(minimal(name), days=(days or 400) - 0.01)) == "sent"
    assert verdict(name, recent(minimal(name), days=days + 0.01 if days else 4000)) == (
        "expired" if days else "sent"
    )
    assert verdict(name, recent(minimal(name), minutes=0.3 - minutes)) == "sent"
    assert verdict(name, recent(minimal(name), minutes=-0.3 - minutes)) == "future_timestamp"


@pytest.mark.parametrize("name", ["meta", "reddit", "linkedin", "openai", "microsoft", "snapchat"])
def test_a_row_that_grows_too_old_on_its_way_is_not_sent(name: str) -> None:
    days, _ = WINDOWS[name]
    limit = dt.timedelta(days=days).total_seconds() / 60
    assert verdict(name, recent(minimal(name), minutes=limit - 1)) == "expired"
    assert verdict(name, recent(minimal(name), minutes=limit - 3)) == "sent"
    assert (
        verdict(
            name, recent(minimal(name), minutes=limit - 1), overrides={"windows": {"margin": "0s"}}
        )
        == "sent"
    )


def test_rows_that_reach_their_limit_during_a_run_spoil_no_batch(
    project: Project, receiver: Receiver
) -> None:
    week = dt.timedelta(days=7).total_seconds()
    rows = [
        recent(
            minimal("meta", conversion_id=f"c{number:04d}", event_id=f"e{number}"),
            seconds=week - number,
        )
        for number in range(1, 400)
    ]
    report = sync(on_receiver(project, receiver, rows, "meta"))
    assert (report.failure, report.rejected, report.http_requests) == (None, 0, 1)
    assert report.expired >= 119
    assert report.delivered == 399 - report.expired


def test_a_sale_in_a_shop_may_be_older_for_meta() -> None:
    assert (
        verdict("meta", recent(minimal("meta", action_source="physical_store"), days=61.9))
        == "sent"
    )
    assert (
        verdict("meta", recent(minimal("meta", action_source="physical_store"), days=62.1))
        == "expired"
    )
    assert (
        verdict("meta", recent(minimal("meta", action_source="phone_call"), days=61.9)) == "expired"
    )


@pytest.mark.parametrize("name", ["linkedin", "x", "google"])
def test_a_platform_without_event_names_wants_each_mapped(name: str) -> None:
    with pytest.raises(DestinationError, match="map each name to its id under events"):
        on_paper(name, events={})
    with pytest.raises(DestinationError, match="is not an id of this platform"):
        on_paper(name, events={"Purchase": "not an id!"})


def test_googles_action_may_stand_in_the_account_instead() -> None:
    account = {"account_type": "GOOGLE_ADS", "account_id": "1", "conversion_action_id": "77"}
    serializer, found = encoded("google", [recent(minimal("google"))], events={}, account=account)
    assert (
        orjson.loads(serializer.body(found.records, found.group_values[0]))["destinations"][0][
            "productDestinationId"
        ]
        == "77"
    )


@pytest.mark.parametrize("name", BATCHING)
def test_a_batch_with_every_kind_of_bad_row_is_one_request(
    name: str, project: Project, receiver: Receiver
) -> None:
    good = [recent(minimal(name, event_id=f"e{number}")) for number in range(20)]
    bad = [
        recent(minimal(name, event_name=None)),
        recent(minimal(name), minutes=-120),
        recent(minimal(name, value="-5")),
        {**recent(minimal(name)), "event_time": None},
        recent(
            {
                **minimal(name),
                **dict.fromkeys(
                    (
                        *("email", "fbp", "gclid", "li_fat_id", "msclkid", "rdt_cid", "tblci"),
                        *("tdid", "ttclid", "twclid"),
                    )
                ),
            }
        ),
    ]
    if "email" in usable_columns(on_paper(name)):
        bad.append(recent(minimal(name, email="f" * 64)))
    old = [recent(minimal(name), days=91)] if name in WINDOWS else []
    silent = [recent(minimal(name, consent=False)), recent(minimal(name, consent="no idea"))]
    mixed = [row for pair in zip(good, [*bad, *old, *silent, *good], strict=False) for row in pair][
        : len(good) + len(bad) + len(old) + len(silent)
    ]
    rows = [
        {
            column: row.get(column)
            for column in dict.fromkeys(key for each in mixed for key in each)
            if column != "conversion_id"
        }
        for row in mixed
    ]
    for number, row in enumerate(rows):
        row["consent"] = None if row.get("consent") is None else str(row["consent"])
        row["conversion_id"] = f"c{number:06d}"
        row["event_id"] = f"e{number}"
    report = sync(on_receiver(project, receiver, rows, name))
    assert report.failure is None
    assert (report.http_requests, report.expired, report.suppressed, report.rejected) == (
        1,
        len(old),
        2,
        len(bad),
    )
    assert report.delivered == report.rows_read - len(old) - 2 - len(bad)
    assert {entry["code"] for entry in quarantined(project)} == {None}, (
        "the platform refused nobody"
    )


@pytest.mark.parametrize("name", BATCHING)
def test_a_record_that_is_too_large_alone_is_rejected_and_the_rest_is_cut_by_bytes(
    name: str, project: Project, receiver: Receiver
) -> None:
    rows = [
        recent(minimal(name, conversion_id=f"c{number}", event_id=f"e{number}"))
        for number in range(12)
    ]
    rows[5]["note"] = "x" * 4000
    report = sync(
        on_receiver(
            project,
            receiver,
            rows,
            name,
            overrides__limits={"max_bytes": 1200},
            extra={"note": "note"},
        )
    )
    assert report.failure is None
    assert (report.delivered, report.rejected) == (11, 1)
    (entry,) = quarantined(project)
    assert entry["reason"] == "too_large"
    assert 2 <= report.http_requests <= 11


def test_googles_transaction_id_is_the_order_and_otherwise_the_event_id() -> None:
    """Source: Data Manager, conversion-adjustments:
    the former order id, by which an action knows a conversion.
    """
    rows = [
        minimal("google", order_id="1001", event_id="e1"),
        minimal("google", order_id=None, event_id="e2"),
        minimal("google", order_id="n/a", event_id=None),
        minimal("google", order_id="jane@shop.example", event_id="e3"),
    ]
    rows = [{**row, "event_time": dt.datetime.now(dt.UTC)} for row in rows]
    _, found = encoded("google", rows)
    order, event, made = (orjson.loads(record)["transactionId"] for record in found.records)
    assert (order, event, len(made)) == ("1001", "e2", 64)
    assert found.rejected == {3: ("personal_id", "order_id")}
    _, hidden = encoded("google", rows[:1], privacy={"obscure_order_id": True})
    (record,) = hidden.records
    digest = base64.b64encode(hashlib.sha512(b"1001").digest()).decode()
    assert orjson.loads(record)["transactionId"] == digest
