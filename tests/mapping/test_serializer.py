"""The base platform's records: exactly the documented fields,
the same bytes for the same conversion, nothing plain.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import itertools
import re
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from connector.arrow.records import Records
from connector.errors import ConfigError
from connector.mapping.coverage import usable_columns
from connector.mapping.reasons import explained
from connector.mapping.serializer import Serialized, Serializer
from connector.platforms.columns import COLUMNS
from tests.support.encoding import (
    AS_OF,
    GUID,
    TEXTS,
    bodies,
    body,
    capi,
    encode,
    encode_table,
    ids,
    reasons,
    row,
    table_of_rows,
)
from tests.support.previews import preview

AGENT = (
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/124.0.0.0 Safari/537.36"
)
PERSON = {
    "email": "Jane.Doe@Shop.Example.ORG",
    "phone": "+1 (415) 555-2671",
    "guid": GUID.upper(),
    "first_party_id": 12345,
}
STABLE = "5d6b350e26626eedd9d42e479caf95cc6f0c37175f924c2d18ce217890881f0d"
"""The event_id of key c0 and event Purchase.

It may never change: a resend under another id counts twice.
"""


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


HASHED_EMAIL, HASHED_PHONE = digest("jane.doe@shop.example.org"), digest("14155552671")


def test_a_full_conversion_has_exactly_the_documented_fields() -> None:
    encoded = encode(
        [row(**PERSON, order_id="A-1001", user_agent=AGENT, value=Decimal("99.99"), currency="eur")]
    )
    expected = {
        "advertiser_id": 12,
        "conversion_type": "Purchase",
        "data_source_key": "abc123def456",
        "event_id": STABLE,
        "ids": [
            {"id": GUID, "name": "Guid"},
            {"id": HASHED_EMAIL, "name": "HashedEmail"},
            {"id": HASHED_PHONE, "name": "HashedPhone"},
            {"id": "12345", "name": "FirstPartyId"},
        ],
        "order_id": "A-1001",
        "user_agent": {"browser": "Chrome", "operating_system": "Mac OS X"},
        "timestamp": "2026-05-31T10:00:00Z",
        "value": 99.99,
        "currency": "EUR",
    }
    assert encoded.records == [orjson.dumps(expected)]
    assert encoded.matched == {"Guid": 1, "HashedEmail": 1, "HashedPhone": 1, "FirstPartyId": 1}
    assert (encoded.rejected, encoded.dropped, encoded.positions.tolist()) == ({}, {}, [0])


def test_a_minimal_conversion_has_no_empty_fields() -> None:
    assert body() == {
        "advertiser_id": 12,
        "conversion_type": "Purchase",
        "data_source_key": "abc123def456",
        "event_id": STABLE,
        "ids": [{"id": GUID, "name": "Guid"}],
        "timestamp": "2026-05-31T10:00:00Z",
    }


def test_every_identifier_is_sent_where_it_is_listed_and_in_the_platforms_order() -> None:
    listed = ["FirstPartyId", "HashedPhone", "Phone", "HashedEmail", "Email", "Guid"]
    assert body(capi(identifiers=listed), **PERSON)["ids"] == [
        {"id": GUID, "name": "Guid"},
        {"id": "jane.doe@shop.example.org", "name": "Email"},
        {"id": HASHED_EMAIL, "name": "HashedEmail"},
        {"id": "14155552671", "name": "Phone"},
        {"id": HASHED_PHONE, "name": "HashedPhone"},
        {"id": "12345", "name": "FirstPartyId"},
    ]


@pytest.mark.parametrize(
    "name", ["Guid", "Email", "HashedEmail", "Phone", "HashedPhone", "FirstPartyId"]
)
def test_an_identifier_that_is_not_listed_is_not_sent(name: str) -> None:
    assert [entry["name"] for entry in body(capi(identifiers=[name]), **PERSON)["ids"]] == [name]


def test_columns_hashed_elsewhere_stand_in_for_plain_ones() -> None:
    upper = row(email_sha256=digest("a@example.org").upper(), phone_sha256=digest("14155552671"))
    assert ids(bodies(encode([upper]))[0]) == {
        "Guid": GUID,
        "HashedEmail": digest("a@example.org"),
        "HashedPhone": HASHED_PHONE,
    }
    both, broken = (
        row(email="Jane.Doe@shop.example.org", email_sha256=digest("x")),
        row(email="no address", email_sha256=digest("x")),
    )
    encoded = encode([both, broken])
    assert [ids(record)["HashedEmail"] for record in bodies(encoded)] == [HASHED_EMAIL, digest("x")]
    assert encoded.dropped == {("email", "bad_email"): 1}


def test_the_event_id_depends_on_key_and_event_name_alone() -> None:
    def event_ids(rows: list[dict[str, Any]], keys: list[str], **changes: Any) -> list[str]:
        return [
            record["event_id"]
            for record in bodies(
                encode(rows, capi(**changes), keys, AS_OF + dt.timedelta(seconds=1))
            )
        ]

    assert event_ids(
        [row(**PERSON, value=1, order_id="x"), row(event_name="Lead")], ["c0", "c0"]
    ) == [STABLE, digest("v1\x1fc0\x1fLead")]
    assert event_ids([row(), row()], ["c0", "a\x1fb"], events={"Purchase": "Sale"}) == [
        STABLE,
        digest("v1\x1fa\x1fb\x1fPurchase"),
    ]
    assert event_ids([row(event_id=" order-1001 "), row(event_id="N/A")], ["c0", "c0"]) == [
        "order-1001",
        STABLE,
    ]


def test_the_event_id_can_be_made_of_user_and_timestamp() -> None:
    destination = capi(overrides={"event_id": {"recipe": "user_id_and_timestamp"}})
    encoded = encode(
        [
            row(first_party_id="u1", event_time="2026-05-31T12:00:00.9+02:00"),
            row(),
            row(first_party_id="u1", event_id="own"),
        ],
        destination,
    )
    assert [record["event_id"] for record in bodies(encoded)] == [
        digest("u12026-05-31T10:00:00Z"),
        "own",
    ]
    assert reasons(encoded) == [(1, "missing_user_id", "first_party_id")]
    by_guid = capi(overrides={"event_id": {"recipe": "user_id_and_timestamp", "user_id": "guid"}})
    assert body(by_guid)["event_id"] == digest(f"{GUID}2026-05-31T10:00:00Z")


def test_order_ids_can_be_obscured() -> None:
    expected = base64.b64encode(hashlib.sha512(b"A-1001").digest()).decode()
    encoded = encode(
        [row(order_id="A-1001"), row(), row(order_id="jane@example.org")],
        capi(privacy={"obscure_order_id": True}),
    )
    assert [record.get("order_id") for record in bodies(encoded)] == [
        expected,
        None,
        base64.b64encode(hashlib.sha512(b"jane@example.org").digest()).decode(),
    ]
    assert reasons(encode([row(order_id="jane@example.org")])) == [(0, "personal_id", "order_id")]


def test_a_missing_time_is_the_moment_of_the_first_read() -> None:
    encoded = encode([row(event_time=None), row()])
    assert [record["timestamp"] for record in bodies(encoded)] == [
        "2026-06-01T12:30:15Z",
        "2026-05-31T10:00:00Z",
    ]
    assert encoded.dropped == {("event_time", "defaulted"): 1}
    assert encode([row(event_time=None), row()]).records == encoded.records


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("1", "1.0"),
        (100, "100.0"),
        (0.1 + 0.2, "0.3"),
        ("12345678.9", "12345678.9"),
        (10**9, "1000000000.0"),
        (5e8, "500000000.0"),
    ],
)
def test_values_are_plain_floats_in_dollars_unless_said_otherwise(value: Any, text: str) -> None:
    assert f'"value":{text},"currency":"USD"}}'.encode() in encode([row(value=value)]).records[0]


@pytest.mark.parametrize(
    ("agent", "expected"),
    [
        (AGENT, {"browser": "Chrome", "operating_system": "Mac OS X"}),
        (
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) Version/17.4 "
                "Mobile/15E148 Safari/604.1"
            ),
            {"browser": "Mobile Safari", "operating_system": "iOS"},
        ),
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:125.0) Gecko/20100101 Firefox/125.0",
            {"browser": "Firefox", "operating_system": "Windows"},
        ),
        ("curl/8.1", {"browser": "curl"}),
        ("no such browser", None),
        ("", None),
    ],
)
def test_user_agents_become_browser_and_system(agent: str, expected: dict[str, str] | None) -> None:
    assert body(user_agent=agent).get("user_agent") == expected


def test_constants_stand_in_every_row_and_event_names_are_mapped() -> None:
    destination = capi(
        constants={"currency": "EUR", "order_id": 7, "value": 5}, events={"order_paid": "Purchase"}
    )
    first, second = bodies(
        encode(
            [row(event_name="order_paid", currency="USD"), row(event_name=" Lead ")], destination
        )
    )
    assert [first["conversion_type"], second["conversion_type"]] == ["Purchase", "Lead"]
    assert all(
        (record["currency"], record["order_id"], record["value"]) == ("EUR", "7", 5.0)
        for record in (first, second)
    )


def test_extra_fields_are_written_where_their_path_says_by_their_own_type() -> None:
    destination = capi(
        extra={
            "custom.text": "note",
            "custom.deep.number": "points",
            "flag": "vip",
            "share": "share",
            "price": "price",
        }
    )
    rows = [
        row(
            **{
                "extra.note": ' "hi"\n',
                "extra.points": 2**53 + 1,
                "extra.vip": True,
                "extra.share": 0.5,
                "extra.price": Decimal("9.50"),
            }
        ),
        row(**{"extra.note": None, "extra.share": float("nan"), "extra.price": Decimal(10)}),
    ]
    first, second = bodies(encode(rows, destination))
    assert first["custom"] == {"text": '"hi"', "deep": {"number": 2**53 + 1}}
    assert (first["flag"], first["share"], first["price"]) == (True, 0.5, 9.5)
    assert {"custom", "flag", "share"}.isdisjoint(second)


TYPED: dict[str, list[tuple[Any, Any]]] = {
    "number": [
        ("9.50", 9.5),
        (" 7 ", 7),
        ("1e3", 1000),
        (Decimal("1299.50"), 1299.5),
        (3, 3),
        (0.25, 0.25),
        (1e22, 1e22),
        *[(bad, None) for bad in ("n/a", '1,"x":true', "1,5", "0x1", "NaN", "+1", "007", "", True)],
        *[(bad, None) for bad in (float("inf"), "1" * 40, "1e999", dt.date(2026, 1, 1))],
    ],
    "integer": [
        ("12", 12),
        ("12.0", 12),
        (7, 7),
        (7.0, 7),
        (Decimal("7.00"), 7),
        *[(bad, None) for bad in ("1.5", 1.5, "n/a", "1e3", True, "9" * 30)],
    ],
    "boolean": [
        (True, True),
        ("yes", True),
        ("F", False),
        (0, False),
        *[(bad, None) for bad in ("perhaps", 2, '","x":true')],
    ],
    "json": [
        ('{"a": [1, 2.5, null]}', {"a": [1, 2.5, None]}),
        ('"x"', "x"),
        (3, 3),
        *[(bad, None) for bad in ("n/a", "{", '1,"x":true', "[NaN]", '["\\ud800"]', "x" * 70_000)],
    ],
    "text": [("a", "a"), (1.5, "1.5"), (True, "true"), (7, "7"), ('1,"x":true', '1,"x":true')],
}


@pytest.mark.parametrize("form", ["as text", "as a mapping"])
@pytest.mark.parametrize("kind", TYPED)
def test_an_extra_field_is_written_as_its_type_or_left_out(kind: str, form: str) -> None:
    field = f"q | {kind}" if form == "as text" else {"column": "q", "type": kind}
    for value, sent in TYPED[kind]:
        encoded = encode([row(**{"extra.q": value})], capi(extra={"custom.q": field}))
        (record,) = bodies(encoded)
        assert record.get("custom", {}).get("q") == sent, value
        counted = encoded.dropped.get(("extra.q", "bad_extra"), 0)
        assert counted == (sent is None), value


def test_nested_columns_are_json() -> None:
    kinds = {
        "a": pa.array([[{"price": Decimal("9.50"), "day": dt.date(2026, 5, 1)}]]),
        "b": pa.array([[("x", 1)]], pa.map_(pa.string(), pa.int64())),
        "c": pa.array([2.5]),
    }
    table = pa.table({**{f"extra.{name}": column for name, column in kinds.items()}})
    for name, value in row().items():
        table = table.append_column(name, pa.array([value]))
    destination = capi(extra={name: f"{name} | json" for name in kinds})
    (record,) = bodies(encode_table(table, destination))
    assert (record["a"], record["b"], record["c"]) == (
        [{"price": 9.5, "day": "2026-05-01"}],
        {"x": 1},
        2.5,
    )


def test_a_long_integer_in_json_keeps_its_digits() -> None:
    long = "[12345678901234567890123,{}]"
    encoded = encode([row(**{"extra.q": long})], capi(extra={"a": "q | json"}))
    assert long.encode() in encoded.records[0]


def test_a_bad_extra_value_rejects_its_row_where_the_yaml_wants_that() -> None:
    wanted = {"column": "q", "type": "number", "on_bad": "reject"}
    rows = [row(**{"extra.q": value}) for value in ("1", "n/a", None)]
    encoded = encode(rows, capi(extra={"a": wanted, "b": "q | text"}))
    assert reasons(encoded) == [(1, "bad_extra", "extra.q")]
    assert [record.get("a") for record in bodies(encoded)] == [1, None]
    assert explained("bad_extra", "extra.q") == "extra.q is not of the type that `extra` gives it"


def test_an_extra_column_goes_through_functions_whatever_its_type() -> None:
    moment = dt.datetime(2026, 5, 1, tzinfo=dt.UTC)
    destination = capi(
        extra={"a": "q | upper", "b": "t | unix_s", "c": "f | choose(Y, N)", "d": "t | iso_ms"},
        overrides={"tables": {"words": {"1": "one"}}},
    )
    values = {"extra.q": 1.5, "extra.t": moment, "extra.f": "no"}
    (record,) = bodies(encode([row(**values)], destination))
    assert (record["a"], record["b"], record["c"]) == ("1.5", 1777593600, "N")
    assert record["d"] == "2026-05-01T00:00:00.000Z"


@pytest.mark.parametrize(
    "extra",
    [
        {"a": "q | number | upper"},
        {"a": "q | upper | unix_s"},
        {"a": "q | when(LDU)"},
        {"a": {"column": "q", "type": "float"}},
        {"a": {"column": "q r"}},
        {"a": {"type": "number"}},
        {"a": {"column": "q", "type": "number", "on_bad": "guess"}},
        {"value.x": "q"},
        {"ids.x": "q"},
        {"a": "q r"},
        {"a": "q | nope"},
        {"a": "q", "a.b": "q"},
        {"a.b": "q", "a": "q"},
        {"ids": "q"},
        {"": "q"},
        {"a..b": "q"},
        {"$all": "q"},
        {"a": "q or r"},
        {"a": "q | lookup(nope)"},
        {"a": "=q"},
    ],
)
def test_an_extra_field_that_does_not_fit_is_a_configuration_error(extra: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="extra"):
        encode([row(**{"extra.q": "x"})], capi(extra=extra))


def test_columns_may_have_other_names_in_the_query() -> None:
    destination = capi(columns={"email": "customer_email", "order_id": "nr"}, identifiers=["Email"])
    rows = [
        {
            "event_name": "Purchase",
            "event_time": "2026-05-31T10:00:00Z",
            "customer_email": "Jane@Example.org",
            "nr": 7,
            "conversion_id": "c0",
        }
    ]
    (item,) = preview(destination, rows, as_of=AS_OF)
    record = item["request"]["body"]
    assert (record["ids"], record["order_id"], record["event_id"]) == (
        [{"id": "jane@example.org", "name": "Email"}],
        "7",
        STABLE,
    )
    assert item["rows"] == [0]
    with pytest.raises(ConfigError, match="customer_mail"):
        list(preview(destination, [{"customer_mail": "x"}], as_of=AS_OF))


def test_only_columns_that_the_destination_can_use_are_read() -> None:
    plain = [
        "event_name",
        "event_time",
        "event_id",
        "order_id",
        "value",
        "currency",
        *("email", "email_2", "email_3"),
        *("phone", "phone_2", "phone_3"),
        "country",
        "guid",
        "first_party_id",
        "email_sha256",
        "phone_sha256",
        "user_agent",
    ]
    consent = [name for name, column in COLUMNS.items() if column.group == "consent"]
    assert set(usable_columns(capi())) - set(consent) == set(plain)
    fewer = usable_columns(capi(identifiers=["Guid"], constants={"currency": "EUR"}))
    assert set(fewer) - set(consent) == set(plain) - {
        *("email", "email_2", "email_3"),
        *("phone", "phone_2", "phone_3"),
        "country",
        "first_party_id",
        "email_sha256",
        "phone_sha256",
        "currency",
    }


@pytest.mark.parametrize("name", ["capi", "microsoft"])
def test_a_value_without_a_currency_has_the_one_that_the_yaml_says(name: str) -> None:
    changes = {"account": {"tag_id": "97031234"}} if name == "microsoft" else {}
    destination = capi(platform=name, source__default_currency="JPY", **changes)
    rows = [row(value="9.6", email="a@b.org"), row(value="9.6", email="a@b.org", currency="usd")]
    records = [record.get("customData", record) for record in bodies(encode(rows, destination))]
    assert [(record["value"], record["currency"]) for record in records] == [
        (10, "JPY"),
        (9.6, "USD"),
    ]
    (without,) = bodies(encode([row(email="a@b.org")], destination))
    assert "currency" not in without.get("customData", without)


LETTERS = st.text("abcdefghijklmnopqrstuvwxyz", min_size=7, max_size=12)
NAMED = sorted(
    name
    for name, column in COLUMNS.items()
    if column.personal and name not in ("email", "phone", "user_agent", "event_source_url")
)


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(
    LETTERS,
    LETTERS,
    st.integers(2_000_000, 9_999_999),
    st.sampled_from(["{}.{}@example.org", "{} {}", "{}@{}", "<{}@{}.org>", "mailto:{}@{}.org"]),
)
def test_nothing_plain_leaves_by_default(first: str, last: str, number: int, form: str) -> None:
    shared = b"".join(encode([row()]).records).decode().lower()
    assume(first not in shared and last not in shared)
    email, phone = form.format(first.title(), last.upper()), f"+1 415 {number:07d}"
    encoded = encode(
        [
            row(email=email, phone=phone, **dict.fromkeys(NAMED, f"{first} {last}")),
            row(guid=None, email=email, phone=phone),
        ]
    )
    shown = (
        b"".join(encoded.records).decode().lower()
        + repr((encoded.rejected, encoded.dropped, encoded.matched)).lower()
    )
    assert not any(secret in shown for secret in (first, last, str(number)))


POOL: dict[str, list[Any]] = {
    "event_name": ["Purchase", " Lead ", "", None, "a\nb", "😀"],
    "event_time": [
        "2026-05-31T10:00:00Z",
        None,
        "never",
        "2026-13-01",
        "2026-06-09T00:00:00Z",
        "2020-01-01",
        "2026-05-31T10:00:00.999999+02",
    ],
    "email": [
        "Jane@Example.org",
        None,
        "nobody",
        "a@bücher.example",
        HASHED_EMAIL,
        "null",
        "jane\u200b@example.org",
    ],
    "phone": ["+14155552671", None, "4155552671", "911", "00442079460958"],
    "guid": [GUID, GUID.upper(), None, "no"],
    "first_party_id": ["7", None, "a@b", '"\\\x01'],
    "order_id": ["A-1", None, "N/A", 'q"uote', "x" * 5000],
    "value": ["9.99", "5", None, "-1", "ten", "1e21"],
    "currency": ["USD", "jpy", None, "US$"],
    "user_agent": [AGENT, None, "x" * 1001],
    "email_sha256": [HASHED_EMAIL, None, "zz"],
    "consent": ["true", None, "no", "maybe"],
}
MANY = st.lists(
    st.fixed_dictionaries({name: st.sampled_from(values) for name, values in POOL.items()}),
    min_size=50,
    max_size=50,
)


def outcome(encoded: Serialized, start: int) -> tuple[list[bytes], list[Any]]:
    placed = [
        *((row, why) for row, why in encoded.rejected.items()),
        *((int(row), "expired") for row in encoded.expired),
        *((int(row), "suppressed") for row in encoded.suppressed),
    ]
    return encoded.records, sorted(
        (
            (row + start, str(why))
            for row, why in [*placed, *((int(row), "sent") for row in encoded.positions)]
        )
    )


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(MANY, st.lists(st.integers(1, 49), max_size=4, unique=True))
def test_bytes_do_not_depend_on_how_rows_are_cut_into_pages(
    rows: list[dict[str, Any]], cuts: list[int]
) -> None:
    table, keys = table_of_rows(rows, list(POOL)), [f"c{number}" for number in range(50)]
    destination = capi(overrides={"windows": {"max_age": "30d"}}, source__default_region="US")
    whole = encode_table(table, destination, keys)
    parts = [
        (start, encode_table(table.slice(start, stop - start), destination, keys[start:stop]))
        for start, stop in itertools.pairwise([0, *sorted(cuts), 50])
    ]
    outcomes = [outcome(part, start) for start, part in parts]
    assert (
        [record for records, _ in outcomes for record in records],
        [place for _, places in outcomes for place in places],
    ) == outcome(whole, 0)
    assert encode_table(table, destination, keys).records == whole.records
    assert (
        len(whole.records) + len(whole.rejected) + len(whole.expired) + len(whole.suppressed) == 50
    )
    assert all(orjson.loads(record)["ids"] for record in whole.records)
    for key in whole.dropped:
        assert sum(part.dropped.get(key, 0) for _, part in parts) == whole.dropped[key]


@settings(max_examples=100, deadline=None)
@given(TEXTS, TEXTS, TEXTS)
def test_any_text_in_a_row_makes_a_record_or_a_reason(name: str, order: str, own: str) -> None:
    encoded = encode(
        [
            row(
                event_name=name,
                order_id=order,
                first_party_id=own,
                email=own,
                phone=order,
                user_agent=name,
            )
        ]
    )
    assert len(encoded.records) + len(encoded.rejected) == 1
    for record in bodies(encoded):
        assert record["conversion_type"]
        assert record["conversion_type"] in name
        assert re.fullmatch("[0-9a-f]{64}", record["event_id"])


SCRIPT = """
from tests.support.encoding import *
import hashlib
rows = [
    row(email="a@example.org", phone="+14155552671", order_id="1", value="9.99"),
    row(guid=None),
    row(event_time=None, email="x", guid=None),
]
encoded = encode(rows, capi(extra={"b": "q", "a.c": "r"}))
found = (list(encoded.records), encoded.rejected, encoded.dropped, encoded.matched)
print(hashlib.sha256(repr(found).encode()).hexdigest())
"""


@pytest.mark.slow
def test_another_process_makes_the_same_bytes() -> None:
    def run(seed: str) -> str:
        root = Path(__file__).parents[2]
        return subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(root)},
            capture_output=True,
            check=True,
            text=True,
        ).stdout

    assert run("1") == run("2") != ""


@pytest.mark.parametrize(
    ("envelope", "path"),
    [
        ({"data": "$events"}, "data"),
        ({"account": "account.advertiser_id", "data": "$events", "n": 1}, "data"),
    ],
)
def test_an_envelope_goes_round_the_records_and_its_size_is_known(
    envelope: dict[str, Any], path: str
) -> None:
    serializer = Serializer(capi(overrides={"body": envelope, "limits": {"max_events": 10}}))
    records = [b'{"a":1}', b'{"b":"$events"}']
    whole = serializer.body(Records.of(records), {})
    assert orjson.loads(whole)[path] == [{"a": 1}, {"b": "$events"}]
    assert len(whole) == serializer.overhead({}) + sum(map(len, records)) + 1
    assert Serializer(capi()).body(Records.of([b'{"a":1}']), {}) == b'{"a":1}'


def test_records_that_need_different_requests_are_grouped() -> None:
    destination = capi(
        overrides={
            "request": {"source": "action_source"},
            "body": {"source": "request.source", "data": "$events"},
        }
    )
    encoded = encode(
        [row(action_source=source) for source in ("website", "app", None, "website")], destination
    )
    assert [encoded.group_values[group]["source"] for group in encoded.groups] == [
        "website",
        "app",
        None,
        "website",
    ]
    serializer = Serializer(destination)
    assert [
        orjson.loads(serializer.body(Records.of([b"1"]), values)) for values in encoded.group_values
    ] == [
        {"source": "website", "data": [1]},
        {"source": "app", "data": [1]},
        {"data": [1]},
    ]
