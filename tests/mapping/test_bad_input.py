"""The table of bad input, row by row: what is put right,
what is left out and counted, what is set aside, what stops a run.

The id of each test is the number of its row in that table, 1 to 84; `-k "[36]"` runs what one row
is about.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pytest

from connector.arrow.convert import array_of_values
from connector.commands.sync import sync
from connector.config.destination import Destination
from connector.errors import ConfigError, DestinationError
from connector.mapping.serializer import Serialized
from connector.syntax import yaml as strict_yaml
from tests.conftest import Make
from tests.platforms.parts import CHROME, minimal, on_paper
from tests.support.encoding import (
    AS_OF,
    GUID,
    bodies,
    body,
    capi,
    encode,
    encode_table,
    ids,
    reasons,
    row,
)
from tests.support.previews import preview
from tests.support.projects import Project
from tests.support.warehouses import TestWarehouse, conversion

LEFT_OUT, NO_VALUE = "left out and counted", "stands for no value"
"""What becomes of a field whose row is sent all the same."""


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def showing(expression: str, **changes: Any) -> Destination:
    """A destination whose records carry the value of one expression, as `seen`."""
    return capi(
        identifiers=["Guid"],
        overrides={"event": {"seen": expression}, "tables": {"none": {}}},
        **changes,
    )


MANY_LABELS = "a@" + ".".join(["b" * 60] * 5) + ".org"
EMAIL = "email | email_basic"
PHONE = "phone | phone_e164"
UUID_SPELLINGS = dict.fromkeys(
    [GUID.upper(), f"{{{GUID}}}", f"urn:uuid:{GUID}", GUID.replace("-", "")], GUID
)
SAME = "https://shop.example/thanks"

FIELDS: list[tuple[int, str, str, dict[str, Any], dict[str, Any]]] = [
    (1, "email", EMAIL, {" John.Doe@Gmail.com ": "john.doe@gmail.com"}, {}),
    (
        2,
        "email",
        EMAIL,
        {
            f"jane@shop.org{mark}": "jane@shop.org"
            for mark in ("\u200b", "\ufeff", "\u00ad", "\u200b ")
        },
        {},
    ),
    (
        3,
        "email",
        EMAIL,
        {
            f"{before}jane@shop.org{after}": "jane@shop.org"
            for before, after in (
                ("\u00a0", "\u00a0"),
                ("\u200e", "\u200f"),
                ("\u202b", "\u202c"),
                ("\u2067\u00a0", "\u2069"),
            )
        },
        {},
    ),
    (
        4,
        "email",
        EMAIL,
        {
            "jane＠shop.org": "jane@shop.org",
            "ｊane@shop.org": "jane@shop.org",
            "ｊäne@shop.org": LEFT_OUT,
        },
        {},
    ),
    (5, "email", EMAIL, {"İrem@shop.org": LEFT_OUT, "IREM@shop.org": "irem@shop.org"}, {}),
    (
        6,
        "email",
        EMAIL,
        {
            "a@caf\u00e9.org": "a@xn--caf-dma.org",
            "a@cafe\u0301.org": "a@xn--caf-dma.org",
            "caf\u00e9@shop.org": LEFT_OUT,
        },
        {},
    ),
    (
        7,
        "email",
        EMAIL,
        {
            "jane@例子.广告": "jane@xn--fsqu00a.xn--4rr70v",
            "jane@xn--fsqu00a.xn--4rr70v": "jane@xn--fsqu00a.xn--4rr70v",
            "用户@例子.广告": LEFT_OUT,
        },
        {},
    ),
    (9, "email", EMAIL, {"mailto:j@x.io": "j@x.io", "John <j@x.io>": LEFT_OUT}, {}),
    (10, "email", EMAIL, {"a@x.io;b@y.io": LEFT_OUT, "a@x.io, b@y.io": LEFT_OUT}, {}),
    (
        11,
        "email",
        EMAIL,
        dict.fromkeys(["john@gmail,com", "john@gmail.com.", "john@gmail.com,"], LEFT_OUT),
        {},
    ),
    (
        12,
        "email",
        EMAIL,
        dict.fromkeys(["a@b", "x@localhost", "x@[127.0.0.1]", '"a b"@x.io'], LEFT_OUT),
        {},
    ),
    (
        13,
        "email",
        EMAIL,
        dict.fromkeys(
            [
                "null",
                "None",
                "nan",
                "NaT",
                "<NA>",
                "n/a",
                "N/A",
                "-",
                "undefined",
                "[redacted]",
                "",
                " ",
            ],
            NO_VALUE,
        ),
        {},
    ),
    (
        14,
        "email",
        EMAIL,
        dict.fromkeys(
            ["test@test.com", "noreply@shop.org", "a@example.com", "unknown@shop.org"], LEFT_OUT
        ),
        {},
    ),
    (
        16,
        "email_sha256",
        "email_sha256 | prehashed_hex",
        {digest("a@x.io").upper(): digest("a@x.io")},
        {},
    ),
    (
        17,
        "email_sha256",
        "email_sha256 | prehashed_hex",
        {
            "1ZDVpJBHF7EiYnm9UT2eoLZ52eLsHZRUN32D7ydi6AI=": (
                "d590d5a4904717b1226279bd513d9ea0b679d9e2ec1d9454377d83ef2762e802"
            ),
            **dict.fromkeys(
                [
                    "5d41402abc4b2a76b9719d911017c592",
                    "aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d",
                    "$2b$12$KIXQJ9q8b7",
                ],
                LEFT_OUT,
            ),
        },
        {},
    ),
    (
        19,
        "email",
        EMAIL,
        {
            "a" * 65 + "@x.io": LEFT_OUT,
            MANY_LABELS: LEFT_OUT,
            "a" * 64 + "@x.io": "a" * 64 + "@x.io",
        },
        {},
    ),
    (
        20,
        "email",
        EMAIL,
        dict.fromkeys(
            ["ja\x00ne@x.io", "ja\nne@x.io", "\u202ejane@x.io", "jane@x\u202e.io"], LEFT_OUT
        ),
        {},
    ),
    (21, "email", EMAIL, {b"Jane@x.io": "jane@x.io", b"jane@x.io\xff": LEFT_OUT}, {}),
    (
        22,
        "phone",
        PHONE,
        {
            14155552671.0: "+14155552671",
            14155552671.5: LEFT_OUT,
            2.0**60: LEFT_OUT,
            "14155552671.0": "+14155552671",
        },
        {"region": "US"},
    ),
    (23, "phone", PHONE, {"1.4155552671e10": LEFT_OUT}, {"region": "US"}),
    (24, "phone", PHONE, {"612345678": "+33612345678", "5": LEFT_OUT}, {"region": "FR"}),
    (25, "phone", PHONE, {"4155552671": LEFT_OUT, "0415 5552671": LEFT_OUT}, {"region": "GB"}),
    (26, "phone", PHONE, {"+44 (0)20 7946 0958": "+442079460958"}, {}),
    (27, "phone", PHONE, {"0014155552671": "+14155552671", "00 000": LEFT_OUT}, {"region": "US"}),
    (
        28,
        "phone",
        PHONE,
        {"+1 415 555 2671 x123": "+14155552671", "+1 415 555 2671;ext=123": "+14155552671"},
        {},
    ),
    (29, "phone", PHONE, {"1-800-FLOWERS": "+18003569377"}, {"region": "US"}),
    (
        30,
        "phone",
        PHONE,
        {
            "+١٤١٥٥٥٥٢٦٧١": "+14155552671",
            "＋１４１５５５５２６７１": "+14155552671",
            "²²²": LEFT_OUT,
        },
        {},
    ),
    (
        31,
        "phone",
        PHONE,
        {"+14155552671 +14155552672": LEFT_OUT, "+14155552671,+14155552672": LEFT_OUT},
        {},
    ),
    (
        32,
        "phone",
        PHONE,
        dict.fromkeys(["0000000000", "1234567890", "5555555555"], LEFT_OUT),
        {"region": "US"},
    ),
    (33, "phone", PHONE, {"911": LEFT_OUT}, {"region": "US"}),
    (34, "phone", PHONE, {"+39 06 698 12345": "+390669812345"}, {}),
    (35, "phone", PHONE, {"tel:+1-415-555-2671": "+14155552671"}, {}),
    (36, "guid", "guid | uuid_lower", UUID_SPELLINGS, {}),
    (
        37,
        "mobile_ad_id",
        "mobile_ad_id | uuid_lower",
        dict.fromkeys(
            ["0" * 32, "5-50e8400e29b41d4a716446655440000", GUID[:-1], f"{{{GUID}"], LEFT_OUT
        ),
        {},
    ),
    (
        38,
        "gclid",
        "gclid | click_id",
        {
            "a%2Fb?c=d&e=F": "a%2Fb?c=d&e=F",
            "{gclid}": LEFT_OUT,
            "x" * 1024: LEFT_OUT,
            "{{fbclid}}": LEFT_OUT,
        },
        {},
    ),
    (
        65,
        "first_party_id",
        "first_party_id | own_id",
        {2**53 + 1: "9007199254740993", 2**63 - 1: "9223372036854775807"},
        {},
    ),
    (66, "first_party_id", "first_party_id | own_id", {"007": "007", "0": "0"}, {}),
    (
        71,
        "user_agent",
        "user_agent | user_agent_text",
        {
            "a\r\nX-Evil: b": "a X-Evil: b",
            "x" * 1001: LEFT_OUT,
            "x" * 5000: LEFT_OUT,
            "Mozilla%20": "Mozilla%20",
            "": NO_VALUE,
        },
        {},
    ),
    (
        72,
        "client_ip",
        "client_ip | public_ip",
        {
            **dict.fromkeys(
                ["10.0.0.1", "::1", "0.0.0.0", "8.8.8.0/24", "224.0.0.1", "203.0.113.7"], LEFT_OUT
            ),
            **dict.fromkeys(
                [
                    "8.8.8.8",
                    "::ffff:8.8.8.8",
                    "10.0.0.1, 8.8.8.8, 1.1.1.1",
                    "8.8.8.8:443",
                    " 8.8.8.8 ",
                ],
                "8.8.8.8",
            ),
        },
        {},
    ),
    (
        73,
        "country",
        "country | country_alpha2",
        {
            "USA": "us",
            "United States": "us",
            "uk": "gb",
            "NO": "no",
            "Turkey": "tr",
            "false": LEFT_OUT,
            "EU": LEFT_OUT,
            "Deutschland": "de",
            "U.S.A.": "us",
            "Kosovo": "xk",
        },
        {},
    ),
    (
        74,
        "postal_code",
        "postal_code | zip_meta",
        {"02139": "02139", "02139-4307": "02139", " sw1a 1aa ": "sw1a1aa"},
        {},
    ),
    (
        75,
        "first_name",
        "first_name | name_nopunct",
        {
            "O'Brien": "obrien",
            "Vale\u0301ry": "val\u00e9ry",
            "정": "정",
            "😀": LEFT_OUT,
            "Mary\u200bAnn": "maryann",
        },
        {},
    ),
    (
        76,
        "date_of_birth",
        "date_of_birth | dob_yyyymmdd",
        {
            **dict.fromkeys(["1990-12-31", "31.12.1990", "1990/12/31"], "19901231"),
            **dict.fromkeys(
                ["1900-01-01", "0000-00-00", "2990-01-01", "199011", "03/04/1990"], LEFT_OUT
            ),
        },
        {},
    ),
    (
        77,
        "event_source_url",
        "event_source_url | url_page",
        {
            f"{SAME}?email=a@x.io#t": SAME,
            SAME.replace("https", "HTTPS"): SAME,
            "Http://Shop.example/A": "http://Shop.example/A",
            "https://shop.example/a%40x.io": LEFT_OUT,
            "/thanks": LEFT_OUT,
        },
        {},
    ),
    (78, "first_name", "first_name | name_basic", {"Ja\ud800ne": LEFT_OUT, "Jane": "jane"}, {}),
    (79, "first_name", "first_name | name_basic", {"Ja\x00ne": LEFT_OUT}, {}),
]


@pytest.mark.parametrize(
    ("number", "column", "expression", "cases", "options"),
    FIELDS,
    ids=[str(case[0]) for case in FIELDS],
)
def test_a_field_is_put_right_or_left_out_and_counted_and_its_row_is_sent(
    number: int, column: str, expression: str, cases: dict[Any, Any], options: dict[str, Any]
) -> None:
    destination = showing(expression, source__default_region=options.get("region"))
    for given, expected in cases.items():
        encoded = encode([row(**{column: given})], destination)
        (record,) = bodies(encoded)
        assert record.get("seen") == (None if expected in (LEFT_OUT, NO_VALUE) else expected), given
        assert encoded.dropped == (
            {(column, f"bad_{column}"): 1} if expected == LEFT_OUT else {}
        ), given


def meta(**changes: Any) -> Destination:
    return on_paper("meta", **changes)


def bought(**changes: Any) -> dict[str, Any]:
    """A Purchase on a website that Meta takes."""
    return row(
        email="jane@shop.org",
        value=5.0,
        currency="USD",
        action_source="website",
        event_source_url=SAME,
        user_agent=CHROME,
        **changes,
    )


TIMES_OF_NO_DAY = ["now", "20261123", "2026-13-01", "1767225600"]
ROWS: list[tuple[int, Callable[[], Destination], list[dict[str, Any]], tuple[str, str | None]]] = [
    (
        15,
        capi,
        [row(email=digest("jane@shop.org")), row(phone=digest("14155552671").upper())],
        ("looks_hashed", None),
    ),
    (
        39,
        lambda: capi(source__time_unit="s"),
        [row(event_time=str(number)) for number in (0, 1, 946_684_799, -5)],
        ("bad_timestamp", "event_time"),
    ),
    (
        44,
        capi,
        [row(event_time="11/12/2026"), row(event_time="12.11.2026")],
        ("bad_timestamp", "event_time"),
    ),
    (
        46,
        meta,
        [{**bought(), "event_time": value} for value in (None, "", "NaT")],
        ("bad_timestamp", "event_time"),
    ),
    (
        47,
        capi,
        [row(event_time=(AS_OF + dt.timedelta(minutes=10, seconds=1)).isoformat())],
        ("future_timestamp", "event_time"),
    ),
    (
        49,
        capi,
        [
            row(event_time=text)
            for text in (
                "9999-12-31T00:00:00Z",
                "0001-01-01T00:00:00Z",
                "infinity",
                "0044-03-15 BC",
            )
        ],
        ("bad_timestamp", "event_time"),
    ),
    (50, capi, [row(event_time=text) for text in TIMES_OF_NO_DAY], ("bad_timestamp", "event_time")),
    (
        51,
        meta,
        [{**bought(), "value": value} for value in (float("nan"), float("inf"), -float("inf"))],
        ("bad_value", "value"),
    ),
    (
        54,
        capi,
        [row(value=value) for value in (-1, "-0.01", Decimal("-5"))],
        ("bad_value", "value"),
    ),
    (
        56,
        capi,
        [row(value=value) for value in (1e21, "1e-7", 10**9 + 1, "1000000000.01")],
        ("bad_value", "value"),
    ),
    (
        61,
        meta,
        [{**bought(), "currency": value} for value in ("US$", "$", "RMB", "XXX", "ZZZ", "DEM")],
        ("bad_currency", "currency"),
    ),
    (62, meta, [{**bought(), "currency": None}], ("missing_currency", "currency")),
    (67, capi, [row(first_party_id="jane@shop.org")], ("personal_id", "first_party_id")),
    (
        70,
        lambda: on_paper("snapchat"),
        [
            minimal("snapchat", event_name=name)
            for name in ("purchased!", "😀", "event_name = 'Purchase'")
        ],
        ("unknown_event_name", "event_name"),
    ),
    (82, capi, [row(guid=None), row(guid="no", email="jane", phone="911")], ("no_identity", None)),
]


@pytest.mark.parametrize(
    ("number", "destination", "rows", "reason"), ROWS, ids=[str(case[0]) for case in ROWS]
)
def test_a_row_is_set_aside_with_its_reason_and_its_neighbour_is_sent(
    number: int,
    destination: Callable[[], Destination],
    rows: list[dict[str, Any]],
    reason: tuple[str, str | None],
) -> None:
    good = next(
        row for row in (bought(), minimal("snapchat")) if encode([row], destination()).records
    )
    for bad in rows:
        encoded = encode([bad, {**good, "event_time": good["event_time"]}], destination())
        ((place, code, field),) = reasons(encoded)
        assert (place, code) == (0, reason[0]), bad
        assert reason[1] is None or field == reason[1]
        assert encoded.positions.tolist() == [1]


AMOUNTS: list[tuple[int, dict[str, Any], list[tuple[Any, str | None, Any]]]] = [
    (
        52,
        {},
        [
            (Decimal("99.99"), "USD", "99.99"),
            (Decimal("2.125"), "USD", "2.12"),
            (Decimal("0E-9"), "USD", "0.0"),
        ],
    ),
    (53, {}, [(0.1 + 0.2, "USD", "0.3"), ("1.0050000000001", "USD", "1.01")]),
    (
        55,
        {},
        [(0, "USD", "0.0"), ("-0.0", "USD", "0.0"), (-0.0, "USD", "0.0"), ("0.00", "USD", "0.0")],
    ),
    (57, {}, [(text, "USD", None) for text in ("1,234.50", "1.234,50", "$10", "10 USD")]),
    (
        58,
        {},
        [
            (np.int64(7), "USD", "7.0"),
            (np.float64(7.5), "USD", "7.5"),
            (True, "USD", None),
            (np.bool_(True), "USD", None),
        ],
    ),
    (
        59,
        {"source__value_unit": "minor"},
        [(1234, "USD", "12.34"), (1234, "JPY", "1234.0"), (1234, "KWD", "1.234")],
    ),
    (60, {}, [("5", "usd", "5.0"), ("5", " USD ", "5.0")]),
    (63, {}, [("10.5", "JPY", "10.0"), ("11.5", "JPY", "12.0"), ("1.2345", "KWD", "1.234")]),
]


@pytest.mark.parametrize(
    ("number", "changes", "cases"), AMOUNTS, ids=[str(case[0]) for case in AMOUNTS]
)
def test_an_amount_is_exact_in_its_currency_or_left_out(
    number: int, changes: dict[str, Any], cases: list[tuple[Any, str | None, Any]]
) -> None:
    for value, currency, written in cases:
        encoded = encode([row(value=value, currency=currency)], capi(**changes))
        (record,) = encoded.records
        if written is None:
            assert b"value" not in record
            assert encoded.dropped == {("value", "bad_value"): 1}
        else:
            code = str(currency).strip().upper()
            assert f'"value":{written},"currency":"{code}"}}'.encode() in record, (value, record)
            assert encoded.dropped == {}


def identifier_digest(platform: str, name: str, **changes: Any) -> Any:
    """What a platform is told of one identifier."""
    encoded = encode(
        [minimal(platform, **changes)],
        on_paper(platform, identifiers=[name, *(["gclid"] if platform == "google" else [])]),
    )
    assert encoded.rejected == {}
    return encoded.records[0]


@pytest.mark.parametrize("number", [8], ids=str)
def test_dots_and_alias_of_an_address_follow_the_rule_of_each_platform(number: int) -> None:
    given = "Jane.Doe+shop@googlemail.com"
    assert digest("janedoe@googlemail.com").encode() in identifier_digest(
        "google", "emailAddress", email=given
    )
    assert digest("jane.doe+shop@googlemail.com").encode() in identifier_digest(
        "meta", "em", email=given
    )
    assert digest("janedoe@googlemail.com").encode() in identifier_digest(
        "microsoft", "em", email=given
    )


@pytest.mark.parametrize("number", [13], ids=str)
def test_the_digest_of_no_value_never_leaves(number: int) -> None:
    for text in (
        "",
        "None",
        "nan",
        "NULL",
        "n/a",
        "NaT",
        "<NA>",
        "undefined",
        "[redacted]",
        "test@test.com",
    ):
        encoded = encode([row(email_sha256=digest(text))])
        assert digest(text).encode() not in encoded.records[0]
        assert encoded.dropped == {("email_sha256", "bad_email_sha256"): 1}


@pytest.mark.parametrize("number", [15], ids=str)
def test_a_column_named_so_passes_its_digest_on(number: int) -> None:
    assert ids(body(email_sha256=digest("jane@shop.org")))["HashedEmail"] == digest("jane@shop.org")


@pytest.mark.parametrize("number", [18], ids=str)
def test_a_digest_by_another_rule_cannot_be_told_but_the_share_of_rows_that_carry_one_is_counted(
    number: int,
) -> None:
    encoded = encode([row(email_sha256=digest(" Jane@Shop.org")), row()])
    assert ids(bodies(encoded)[0])["HashedEmail"] == digest(" Jane@Shop.org")
    assert encoded.matched["HashedEmail"] == 1


@pytest.mark.parametrize(
    ("number", "given"),
    [(24, "612345678"), (25, "4155552671"), (27, "01114155552671")],
    ids=["24", "25", "27"],
)
def test_a_national_number_is_read_in_the_region_that_the_yaml_names_and_in_no_other(
    number: int, given: str
) -> None:
    region, international = {
        24: ("FR", "+33612345678"),
        25: ("US", "+14155552671"),
        27: ("US", "+14155552671"),
    }[number]
    assert (
        bodies(encode([row(phone=given)], showing(PHONE, source__default_region=region)))[0]["seen"]
        == international
    )
    for other in (None, "GB"):
        encoded = encode([row(phone=given)], showing(PHONE, source__default_region=other))
        assert "seen" not in bodies(encoded)[0]
        assert encoded.dropped == {("phone", "bad_phone"): 1}


@pytest.mark.parametrize("number", [36], ids=str)
def test_click_ids_keep_their_case(number: int) -> None:
    for column in ("gclid", "fbc", "ttclid", "rdt_cid", "twclid"):
        assert (
            bodies(encode([row(**{column: " AbC-xYz "})], showing(f"{column} | click_id")))[0][
                "seen"
            ]
            == "AbC-xYz"
        )


@pytest.mark.parametrize("number", [37], ids=str)
def test_a_guid_that_is_none_identifies_nobody(number: int) -> None:
    assert reasons(
        encode([row(guid="00000000-0000-0000-0000-000000000000"), row(guid=GUID[:-1])])
    ) == [(0, "bad_guid", "guid"), (1, "bad_guid", "guid")]


SECONDS = 1_780_221_600
MOMENT = "2026-05-31T10:00:00Z"
UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


@pytest.mark.parametrize("number", [39], ids=str)
def test_integers_are_times_of_the_declared_unit(number: int) -> None:
    for unit, factor in UNITS.items():
        assert (
            body(capi(source__time_unit=unit), event_time=SECONDS * factor)["timestamp"] == MOMENT
        )
        assert reasons(encode([row(event_time=factor)], capi(source__time_unit=unit))) == [
            (0, "bad_timestamp", "event_time")
        ]


@pytest.mark.parametrize("number", [40], ids=str)
def test_a_unit_that_is_not_declared_or_not_the_one_stops_the_run(number: int) -> None:
    with pytest.raises(ConfigError, match=r"event_time comes as integers.*source\.time_unit"):
        encode([row(event_time=SECONDS)])
    for declared, real in (("s", "ms"), ("ms", "s"), ("us", "ms"), ("s", "us"), ("us", "ns")):
        with pytest.raises(
            ConfigError,
            match=f"time_unit is {declared}, but the numbers in event_time are times in {real}",
        ):
            encode(
                [row(event_time=(SECONDS + number) * UNITS[real]) for number in range(10)],
                capi(source__time_unit=declared),
            )


@pytest.mark.parametrize("number", [41], ids=str)
def test_seconds_are_seconds_whatever_the_unit_of_the_column_is(number: int) -> None:
    good = {**bought(), "conversion_id": "c0"}
    for unit in ("s", "ms", "us", "ns"):
        times = pa.array([dt.datetime(2026, 5, 31, 10, tzinfo=dt.UTC)]).cast(
            pa.timestamp(unit, "Europe/Berlin")
        )
        table = pa.table(
            {**{name: pa.array([value]) for name, value in good.items()}, "event_time": times}
        )
        assert (
            bodies(encode_table(table.drop_columns(["conversion_id"]), meta()))[0]["event_time"]
            == SECONDS
        )


@pytest.mark.parametrize("number", [42], ids=str)
def test_a_time_without_a_zone_needs_one_in_the_yaml(number: int) -> None:
    naive = dt.datetime(2026, 5, 31, 12)
    with pytest.raises(ConfigError, match=r"without a zone; set source\.time_zone"):
        encode([row(event_time=naive)])
    assert body(capi(source__time_zone="Europe/Berlin"), event_time=naive)["timestamp"] == MOMENT
    assert reasons(encode([row(event_time="2026-05-31T12:00:00")])) == [
        (0, "bad_timestamp", "event_time")
    ]


@pytest.mark.parametrize("number", [43], ids=str)
def test_the_hour_that_is_skipped_moves_forward_and_the_one_that_is_repeated_is_its_first_pass(
    number: int,
) -> None:
    berlin = capi(source__time_zone="Europe/Berlin")
    for wall, instant in (
        ("2026-03-29T02:30:00", "2026-03-29T01:00:00Z"),
        ("2025-10-26T02:30:00", "2025-10-26T00:30:00Z"),
    ):
        assert body(berlin, event_time=wall)["timestamp"] == instant
        assert body(berlin, event_time=dt.datetime.fromisoformat(wall))["timestamp"] == instant


@pytest.mark.parametrize("number", [45], ids=str)
def test_a_day_alone_is_its_midnight_in_the_zone_of_the_source(number: int) -> None:
    for day in ("2026-05-31", dt.date(2026, 5, 31)):
        assert (
            body(capi(source__time_zone="Europe/Berlin"), event_time=day)["timestamp"]
            == "2026-05-30T22:00:00Z"
        )
        assert reasons(encode([row(event_time=day)])) == [(0, "bad_timestamp", "event_time")]


@pytest.mark.parametrize("number", [46], ids=str)
def test_the_base_platform_takes_the_moment_of_reading_where_there_is_no_time_at_all(
    number: int,
) -> None:
    encoded = encode([row(event_time=None), row(event_time="yesterday")])
    assert [record["timestamp"] for record in bodies(encoded)] == ["2026-06-01T12:30:15Z"]
    assert reasons(encoded) == [(1, "bad_timestamp", "event_time")]


@pytest.mark.parametrize("number", [47], ids=str)
def test_a_clock_that_is_a_little_ahead_is_no_reason(number: int) -> None:
    assert encode(
        [row(event_time=(AS_OF + dt.timedelta(minutes=10)).isoformat())]
    ).positions.tolist() == [0]


@pytest.mark.parametrize("number", [48], ids=str)
def test_what_is_too_old_when_it_is_sent_is_expired(number: int) -> None:
    old = {**bought(), "event_time": (AS_OF - dt.timedelta(days=6, hours=23)).isoformat()}
    assert encode([old], meta()).positions.tolist() == [0]
    later = encode([old, bought()], meta(), as_of=AS_OF + dt.timedelta(hours=2))
    assert (later.expired.tolist(), later.positions.tolist(), later.rejected) == ([0], [1], {})


@pytest.mark.parametrize("number", [49], ids=str)
def test_a_time_of_no_calendar_does_not_fail_its_page(number: int) -> None:
    west = dt.datetime(9999, 12, 31, 23, tzinfo=dt.timezone(dt.timedelta(hours=-5)))
    first = dt.datetime(1, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=5)))
    moments = [west, first, dt.datetime(2026, 5, 31, 10, tzinfo=dt.UTC)]
    encoded = encode([row(event_time=moment) for moment in moments])
    assert reasons(encoded) == [
        (0, "bad_timestamp", "event_time"),
        (1, "bad_timestamp", "event_time"),
    ]
    assert encoded.positions.tolist() == [2]
    assert len(moments) == array_of_values(moments).is_valid().sum().as_py()


@pytest.mark.parametrize("number", [51], ids=str)
def test_an_amount_that_is_no_number_is_left_out_where_it_is_not_required(number: int) -> None:
    encoded = encode(
        [row(value=value) for value in (float("nan"), float("inf"), -float("inf"), 5.0)]
    )
    assert [record.get("value") for record in bodies(encoded)] == [None, None, None, 5.0]
    assert encoded.dropped == {("value", "bad_value"): 3}


@pytest.mark.parametrize("number", [61], ids=str)
def test_an_amount_of_unknown_money_is_left_out_with_its_currency(number: int) -> None:
    encoded = encode(
        [row(value="5", currency=code) for code in ("US$", "$", "RMB", "XXX", "ZZZ", "DEM")]
    )
    assert all({"value", "currency"}.isdisjoint(record) for record in bodies(encoded))
    assert encoded.dropped == {("currency", "bad_currency"): 6}


@pytest.mark.parametrize("number", [62], ids=str)
def test_an_amount_without_a_currency_is_in_the_one_that_the_platform_defaults_to(
    number: int,
) -> None:
    assert (body(value="5")["value"], body(value="5")["currency"]) == (5.0, "USD")
    assert "currency" not in body()


@pytest.mark.parametrize("number", [64], ids=str)
def test_ids_beside_null_stay_integers_and_ids_as_floats_stop_the_run(number: int) -> None:
    encoded = encode([row(first_party_id=123456789), row(first_party_id=None)])
    assert ids(bodies(encoded)[0])["FirstPartyId"] == "123456789"
    for column in ("first_party_id", "order_id", "external_id", "event_id"):
        with pytest.raises(
            ConfigError, match=f"the column {column} comes as a floating-point number"
        ):
            encode([row(**{column: 123456789.0})])


@pytest.mark.parametrize("number", [67], ids=str)
def test_an_address_used_as_an_id_is_hashed_where_the_platform_takes_a_digest(number: int) -> None:
    encoded = encode([{**bought(), "external_id": "jane@shop.org"}], meta())
    assert bodies(encoded)[0]["user_data"]["external_id"] == [digest("jane@shop.org")]


@pytest.mark.parametrize("number", [68], ids=str)
def test_an_order_id_that_stands_for_none_collapses_nothing(number: int) -> None:
    empty = [None, "N/A", " ", "null", "-"]
    encoded = encode([row(order_id=value, event_id=value) for value in empty])
    assert len({record["event_id"] for record in bodies(encoded)}) == len(empty)
    assert all("order_id" not in record for record in bodies(encoded))
    used = encode(
        [
            row(event_id=value)
            for value in ("order-1", "order-1", " order-1 ", "x" * 1024, "a\x00b", "order-2")
        ]
    )
    assert reasons(used) == [
        (1, "duplicate_event_id", "event_id"),
        (2, "duplicate_event_id", "event_id"),
        (3, "bad_event_id", "event_id"),
        (4, "bad_event_id", "event_id"),
    ]
    assert [record["event_id"] for record in bodies(used)] == ["order-1", "order-2"]


@pytest.mark.parametrize("number", [68], ids=str)
def test_a_row_that_is_not_sent_takes_no_event_id_from_another(number: int) -> None:
    encoded = encode(
        [row(event_id="o", guid=None), row(event_id="o", opt_out=True), row(event_id="o")]
    )
    assert (encoded.positions.tolist(), reasons(encoded)) == ([2], [(0, "no_identity", None)])


@pytest.mark.parametrize("number", [69], ids=str)
def test_one_order_and_two_events_are_two_records(number: int) -> None:
    made = bodies(encode([row(), row(event_name="Refund")], keys=["c0", "c0"]))
    assert made[0]["event_id"] != made[1]["event_id"]
    own = encode([row(event_id="order-1"), row(event_name="Refund", event_id="order-1")])
    assert (own.positions.tolist(), own.rejected) == ([0, 1], {})


@pytest.mark.parametrize("number", [70], ids=str)
def test_event_names_are_trimmed_mapped_and_never_made_up(number: int) -> None:
    mapped = encode(
        [row(event_name=" order_paid "), row(event_name="😀"), row(event_name=None)],
        capi(events={"order_paid": "Purchase"}),
    )
    assert [record["conversion_type"] for record in bodies(mapped)] == ["Purchase", "😀"]
    assert reasons(mapped) == [(2, "missing_event_name", "event_name")]
    with pytest.raises(DestinationError, match="map each name to its id under events"):
        on_paper("linkedin", events={})
    with pytest.raises(DestinationError, match="the platform has no event 'PURCHASED'"):
        on_paper("snapchat", events={"order_paid": "PURCHASED"})


@pytest.mark.parametrize("number", [73], ids=str)
def test_norway_is_not_false(number: int) -> None:
    with pytest.raises(DestinationError, match=r"defs\.yaml:1:22: YAML readers disagree"):
        strict_yaml.load("constants: {country: NO}", "defs.yaml")


@pytest.mark.parametrize("number", [74], ids=str)
def test_a_postal_code_that_came_as_a_number_stops_the_run(number: int) -> None:
    for value in (2139, Decimal(2139), 2139.0):
        with pytest.raises(ConfigError, match="postal_code comes as a"):
            encode([row(postal_code=value)])
    with_country = encode(
        [row(postal_code="021394307", country="US"), row(postal_code="SW1A 1AA", country="GB")],
        showing("postal_code | zip_meta"),
    )
    assert [record["seen"] for record in bodies(with_country)] == ["02139", "sw1a1"]


@pytest.mark.parametrize("number", [75], ids=str)
def test_names_and_cities_follow_the_rule_of_each_platform(number: int) -> None:
    given = {"first_name": "Mary-Ann", "city": "Saint-Étienne", "state": "California"}
    record = bodies(encode([{**bought(), **given}], meta()))[0]["user_data"]
    assert (record["fn"], record["ct"], record["st"]) == (
        [digest("maryann")],
        [digest("saintétienne")],
        [digest("ca")],
    )
    google = encode(
        [
            minimal(
                "google", first_name="Mary-Ann", last_name="Doe", country="US", postal_code="94105"
            )
        ],
        on_paper("google"),
    )
    assert digest("mary-ann").encode() in google.records[0]


@pytest.mark.parametrize("number", [76], ids=str)
def test_genders_are_one_letter_or_left_out(number: int) -> None:
    given = {"M": "m", "F": "f", "female": "f", "X": None, "unknown": None}
    encoded = encode([row(gender=value) for value in given], showing("gender | gender_f_m"))
    assert [record.get("seen") for record in bodies(encoded)] == list(given.values())
    assert encoded.dropped == {("gender", "bad_gender"): 1}, "unknown stands for no value"


@pytest.mark.parametrize("number", [80], ids=str)
def test_lists_are_read_strictly_and_exactly(number: int) -> None:
    item = {
        "$each": "contents",
        "item": {"id": "id", "quantity": "quantity | whole", "price": "price | amount"},
    }
    destination = capi(overrides={"event": {"items": item, "ids_": "content_ids | text_list"}})
    good = [{"id": "a", "quantity": 2, "price": 9.5}]
    entry = {"id": "a", "quantity": 2, "price": 9.5}

    def seen(value: Any) -> Serialized:
        return encode([row(contents=value)], destination)

    for value in (
        good,
        orjson.dumps(good).decode(),
        [None, *good],
        [{"id": "a", "quantity": 2.0, "price": "9.50"}],
    ):
        assert bodies(seen(value))[0]["items"] == [entry], value
    assert bodies(seen('[{"id":12345678901234567890123}]'))[0]["items"] == [
        {"id": "12345678901234567890123"}
    ]
    for value in ("[", "{}", '{"id":"a"}', '["a"]', "a,b", [{"id": "x"}] * 10_000):
        assert "items" not in bodies(seen(value))[0]
        assert seen(value).dropped == {("contents", "bad_contents"): 1}, value
    for value in (None, [], "[]", "", "null", " N/A "):
        assert "items" not in bodies(seen(value))[0]
        assert seen(value).dropped == {}, value
    listed = encode(
        [row(content_ids=value) for value in ('["a",null,7]', "a;b", "[]", None)], destination
    )
    assert [record.get("ids_") for record in bodies(listed)] == [["a", "7"], None, None, None]
    assert listed.dropped == {("content_ids", "bad_content_ids"): 1}


@pytest.mark.parametrize("number", [81], ids=str)
def test_a_column_that_is_there_twice_or_not_at_all_stops_the_run(
    number: int, project: Project, warehouse: TestWarehouse, destination: Make
) -> None:
    warehouse.insert(conversion(1))
    for query in (
        "select *, email as email from conversions",
        "select *, order_id as email from conversions",
    ):
        project.query(query)
        with pytest.raises(ConfigError, match="two columns of the same name"):
            sync(destination())
    project.query("select * from conversions")
    with pytest.raises(ConfigError, match="customer_mail"):
        sync(destination(columns={"email": "customer_mail"}))
    project.query("select conversion_id, updated_at, email from conversions")
    with pytest.raises(ConfigError, match="event_name"):
        sync(destination())


@pytest.mark.parametrize("number", [83], ids=str)
def test_a_record_that_no_request_has_room_for_is_set_aside(number: int) -> None:
    rows = [
        {**bought(), "conversion_id": f"c{place}", "order_id": order}
        for place, order in enumerate(("1", "x" * 3000, "2"))
    ]
    items = list(preview(meta(overrides={"limits": {"max_bytes": 3000}}), rows, as_of=AS_OF))
    assert [item["rejected"] for item in items if "rejected" in item] == [
        {"row": 1, "reason": "too_large", "field": None}
    ]
    assert [place for item in items if "request" in item for place in item["rows"]] == [0, 2]


@pytest.mark.parametrize("number", [84], ids=str)
def test_frames_without_rows_without_values_and_with_values_of_many_types_are_no_surprise(
    number: int,
) -> None:
    good = row()
    assert encode_table(pa.table({name: pa.nulls(0) for name in good})).rows == 0
    assert encode([]).records == []
    assert encode_table(
        pa.table(
            {**{name: pa.array([value] * 2) for name, value in good.items()}, "email": pa.nulls(2)}
        )
    ).positions.tolist() == [0, 1]
    mixed = [7, "007", 2**53 + 1, Decimal("8.0"), 9.0, None]
    encoded = encode([row(first_party_id=value) for value in mixed])
    assert [ids(record).get("FirstPartyId") for record in bodies(encoded)] == [
        "7",
        "007",
        "9007199254740993",
        "8",
        "9",
        None,
    ]


def covered() -> Iterator[int]:
    """The rows of the table that a test of this module is about."""
    for test in list(globals().values()):
        for mark in getattr(test, "pytestmark", ()):
            names = mark.args[0]
            if names == "number" or names[0] == "number":
                yield from (case if isinstance(case, int) else case[0] for case in mark.args[1])


def test_every_row_of_the_table_has_a_test() -> None:
    assert sorted(set(covered())) == list(range(1, 85))
