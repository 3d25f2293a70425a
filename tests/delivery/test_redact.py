"""Redaction: whatever a platform says of a record, nothing of the record stays in it."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import urllib.parse
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.delivery import redact as redaction
from connector.delivery.outcome import Refusal
from connector.delivery.redact import MAX_MESSAGE, UNREGISTERED, Redactor, redact, redact_code
from connector.platforms.answers import Codes

WORDS = st.sampled_from(
    [
        "the value",
        "of field",
        "is not valid:",
        "events[3]",
        "Param",
        "{",
        "}",
        '"',
        "'",
        ",",
        "\n",
        "must be",
        "data.7.user_data.em",
    ]
)
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=40).map(
    str.strip
)
VALUES = st.one_of(
    TEXTS,
    st.integers(-(2**53), 2**53),
    st.from_regex(r"\d{1,6}\.\d[1-9]", fullmatch=True).map(float),
    st.booleans(),
    st.none(),
)
RECORDS = st.dictionaries(
    st.text("abcdefghij_", min_size=1, max_size=8),
    st.recursive(
        VALUES,
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.text("klmnop_", min_size=1, max_size=6), inner, max_size=3)
        ),
        max_leaves=8,
    ),
    max_size=6,
)


def values_of(node: Any) -> list[str]:
    """Every value that could describe somebody, as text."""
    if isinstance(node, dict):
        return [value for child in node.values() for value in values_of(child)]
    if isinstance(node, list):
        return [value for child in node for value in values_of(child)]
    return [str(node)] if isinstance(node, str | int | float) and not isinstance(node, bool) else []


@given(record=RECORDS, words=st.lists(WORDS, max_size=6), data=st.data())
@settings(max_examples=150, deadline=None)
def test_no_value_of_the_record_survives(
    record: dict[str, Any], words: list[str], data: st.DataObject
) -> None:
    values = values_of(record)
    echoed = data.draw(st.lists(st.sampled_from(values), max_size=4)) if values else []
    message = " ".join(data.draw(st.permutations([*words, *echoed])))
    said = redact(message, orjson.dumps(record))
    assert len(said) <= MAX_MESSAGE == 200
    for value in echoed:
        assert len(value) < 3 or value not in said.replace("***", "\0")


DIGEST = st.binary(max_size=8).map(lambda content: hashlib.sha256(content).hexdigest())
PERSONAL = {
    "an e-mail address": st.from_regex(
        r"[a-z0-9.!#$%&*+/=?^_{|}~-]{1,20}@[a-z0-9-]{1,12}\.[a-z]{2,6}", fullmatch=True
    ),
    "a digest": DIGEST,
    "an upper-case digest": DIGEST.map(str.upper),
    "an MD5": st.binary(max_size=8).map(lambda content: hashlib.md5(content).hexdigest()),
    "a phone number": st.from_regex(r"\+[1-9]\d{7,14}", fullmatch=True),
    "a written phone number": st.from_regex(r"\([2-9]\d\d\) [2-9]\d\d-\d{4}", fullmatch=True),
    "a token": st.from_regex(r"EAA[A-Za-z0-9]{60}", fullmatch=True),
    "a UUID": st.uuids().map(str),
    "an IPv4 address": st.ip_addresses(v=4).map(str),
    "an IPv6 address": st.ip_addresses(v=6, network="2001:db8::/32").map(
        lambda address: address.exploded
    ),
}


@pytest.mark.parametrize("what", PERSONAL)
@given(data=st.data())
@settings(max_examples=100, deadline=None)
def test_nothing_that_looks_like_a_person_survives_though_it_was_never_sent(
    what: str, data: st.DataObject
) -> None:
    value = data.draw(PERSONAL[what])
    before, after = data.draw(WORDS), data.draw(WORDS)
    said = redact(f"{before} {value} {after}", b"{}")
    assert value not in said
    assert not [
        part
        for part in re.findall(r"[^\W_]{6,}", value)
        if part in said and part not in before + after
    ]


def test_an_address_with_an_apostrophe_goes_as_a_whole() -> None:
    assert "mary" not in redact("not valid: mary-o'brien@example.org", b"{}")


def test_words_and_field_names_stay() -> None:
    message = "user_data.em: must be a SHA-256 hash in lower case"
    assert redact(message, b'{"user_data":{"em":"abc"}}') == message


@pytest.mark.parametrize(
    "written",
    [
        str.upper,
        str.title,
        lambda text: f'"{text}"',
        lambda text: f"<{text}>",
        lambda text: text + text,
    ],
)
def test_a_value_is_found_however_it_is_set(written: Any) -> None:
    assert "shelley" not in redact(written("mary shelley"), b'{"name":"mary shelley"}').lower()


@pytest.mark.parametrize(
    "value",
    [
        "12345678 Baker Street",
        "flat 3, 020 7946 0123 Road",
        "Mozilla/5.0 Gecko/20100101 Seldom/9.1",
        "order 2026-11-24 10:15 Jane",
    ],
)
def test_a_value_with_a_number_in_it_goes_as_a_whole(value: str) -> None:
    assert redact(f"not valid: {value}!", orjson.dumps({"value": value})) == "not valid: ***!"


def test_a_value_of_two_lines_is_found() -> None:
    assert "Baker" not in redact("not valid: Jane\nBaker", orjson.dumps({"value": "Jane\nBaker"}))


@pytest.mark.parametrize(
    "written",
    [urllib.parse.quote, urllib.parse.quote_plus, json.dumps],
    ids=["percent", "plus", "JSON"],
)
def test_a_value_in_another_writing_is_found(written: Any) -> None:
    said = redact(f"not valid: {written('Zoë Baker')}", orjson.dumps({"value": "Zoë Baker"}))
    assert "Baker" not in said


def test_what_no_database_takes_is_left_out() -> None:
    assert (
        redact(
            "Jane\x00Doe is \x1b[31mnot\x7f valid\x85\ud800", orjson.dumps({"value": "Jane\x00Doe"})
        )
        == "*** is [31mnot valid"
    )


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("no Mary Ann Smith here", "no *** here"),
        ("code 100 - 12345678 Baker Street", "code ***"),
        ("Ann Smith and Mary Ann", "*** and ***"),
    ],
)
def test_values_that_overlap_go_together(message: str, said: str) -> None:
    record = orjson.dumps({"a": "Mary Ann", "b": "Ann Smith", "c": "12345678 Baker Street"})
    assert redact(message, record) == said


@pytest.mark.parametrize(
    "value",
    [
        'Jane "Jay" Doe',
        "Jane\\Doe",
        "Jane & Doe",
        "<Jane>",
        "Jane O'Doe",
        "a/b Jane?x=1",
        "\u0130stanbul Jane",
        "Jane\u00a0Doe",
        "Ja\u1e9ene",
    ],
)
@pytest.mark.parametrize(
    "written",
    [
        str,
        urllib.parse.quote,
        urllib.parse.quote_plus,
        lambda text: urllib.parse.quote(text, safe=""),
        json.dumps,
        lambda text: orjson.dumps(text).decode(),
        html.escape,
        lambda text: html.escape(text).replace("&#x27;", "&#39;"),
    ],
)
def test_every_value_is_found_in_every_writing(value: str, written: Any) -> None:
    said = redact(f"not valid: {written(value)}", orjson.dumps({"value": value}))
    assert not re.search("Jane|Doe|ene|stanbul", said)


ENCODED = {
    "as it is": lambda piece: piece,
    "base64": lambda piece: base64.b64encode(piece.encode()).decode(),
    "base64 for addresses": lambda piece: base64.urlsafe_b64encode(piece.encode()).decode(),
    "base64 behind other bytes": lambda piece: base64.b64encode(b"to " + piece.encode()).decode(),
    "hex": lambda piece: piece.encode().hex(),
    "upper-case hex": lambda piece: piece.encode().hex().upper(),
    "percent": lambda piece: "".join(f"%{byte:02X}" for byte in piece.encode()),
    "entities": lambda piece: "".join(f"&#{ord(char)};" for char in piece),
    "hex entities": lambda piece: "".join(f"&#x{ord(char):x};" for char in piece),
    "JSON escapes": lambda piece: "".join(f"\\u{ord(char):04x}" for char in piece),
    "percent of entities": lambda piece: urllib.parse.quote(
        "".join(f"&#{ord(char)};" for char in piece)
    ),
    "percent of base64": lambda piece: urllib.parse.quote(
        base64.b64encode(piece.encode()).decode(), safe=""
    ),
    "base64 of JSON": lambda piece: base64.b64encode(json.dumps({"v": piece}).encode()).decode(),
}
"""How a platform may write a piece of what it was sent."""


@pytest.mark.parametrize("how", ENCODED)
@given(
    value=st.text("abcdefghkmnpqrstuvwxyzABCDEFGHKMNPQRST23456789_.", min_size=6, max_size=40),
    data=st.data(),
)
@settings(max_examples=30, deadline=None)
def test_six_characters_in_a_row_are_taken_out_in_any_form(
    how: str, value: str, data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, len(value) - 6))
    piece = value[start : data.draw(st.integers(start + 6, len(value)))]
    written = ENCODED[how](piece)
    as_secret = data.draw(st.booleans())
    record, secrets = ({}, [value]) if as_secret else ({"value": [value]}, [])
    said = redact(f"§§ {written} §§", orjson.dumps(record), secrets)
    assert "***" in said
    left = html.unescape(html.unescape(urllib.parse.unquote(said))).replace("***", " ")
    told = [said, left, left.encode().decode("unicode_escape", "replace"), *decoded(left)]
    assert not [run for run in runs(piece) for text in told if run.lower() in text.lower()]


def decoded(text: str) -> list[str]:
    """What the words of a text say if they are parts of hex or of base64."""
    found = []
    for word in re.findall(r"[0-9A-Za-z+/_-]{2,}", text):
        for start in range(4):
            part = word[start:].replace("-", "+").replace("_", "/")
            part = part[:-1] if len(part) % 4 == 1 else part
            found.append(base64.b64decode(part + "=" * (-len(part) % 4)).decode("latin-1"))
        found += [
            bytes.fromhex(pairs).decode("latin-1")
            for start in range(2)
            for pairs in re.findall(r"^(?:[0-9A-Fa-f]{2})+", word[start:])
        ]
    return found


def runs(value: str) -> list[str]:
    return [value[start : start + 6] for start in range(len(value) - 5)]


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("Malformed access token EAAzzq7canaryToken0K", "Malformed access token ***"),
        ("no pixel at https://shop.example/basket/77", "no pixel at ***"),
        ("is Shelley a name?", "is*** a name?"),
        ("is \u201cShelley\u201d a name?", "is \u201c***\u201d a name?"),
        ("mailbox mary.shelley is not one", "mailbox *** is not one"),
        ("020 7946-0123 is short", "*** is short"),
        ("2079460 is short", "*** is short"),
    ],
)
def test_a_piece_of_a_value_is_taken_out(message: str, said: str) -> None:
    record = {
        "name": "Mary Shelley",
        "mail": "mary.shelley@example.org",
        "url": "https://shop.example/basket/7745?who=8",
        "phone": "0207 946 0123",
    }
    assert redact(message, orjson.dumps(record), ["EAAzzq7canaryToken0KxYz99q1"]) == said


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("100", "100"),
        ("2804050", "2804050"),
        ("-1", "-1"),
        ("INVALID_EM", "INVALID_EM"),
        ("4915112345678", "***"),
        ("bad:A-77", "bad:***"),
    ],
)
def test_a_code_stays_unless_it_tells_something(code: str, said: str) -> None:
    assert redact_code(code, b'{"value":100,"order":"A-77"}', 64) == said


ORDERED = {"kind": "Order", "person": {"last_name": "smith"}, "lines": [{"label": "Total"}]}
NOT_A_PERSON = {("kind",), ("lines", "label")}


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("order_total", "order_total"),
        ("ORDER.TOTAL-MISSING", "ORDER.TOTAL-MISSING"),
        ("smith_invalid", "***_invalid"),
        ("order_of_smith", "order_of_***"),
        ("no total in order", "no *** in ***"),
    ],
)
def test_a_code_of_one_word_keeps_what_cannot_be_a_person(code: str, said: str) -> None:
    assert redact_code(code, orjson.dumps(ORDERED), 64, NOT_A_PERSON) == said


def test_a_person_who_is_called_as_an_event_is_not_told() -> None:
    assert (
        redact_code(
            "order_total",
            orjson.dumps({**ORDERED, "person": {"last_name": "Order"}}),
            64,
            NOT_A_PERSON,
        )
        == "***_total"
    )


@given(
    people=st.lists(st.from_regex(r"[a-z0-9]{3,9}", fullmatch=True), min_size=1, max_size=4),
    kind=TEXTS,
    data=st.data(),
)
@settings(max_examples=200, deadline=None)
def test_a_code_tells_no_person_whatever_else_may_stay(
    people: list[str], kind: str, data: st.DataObject
) -> None:
    parts = data.draw(
        st.permutations(
            [
                *people,
                *data.draw(st.lists(st.sampled_from([kind, "invalid", "total", "E7"]), max_size=3)),
            ]
        )
    )
    code = data.draw(st.sampled_from(["_", "-", ".", " ", ""])).join(parts)
    record = orjson.dumps({"kind": kind, "person": [{"name": name} for name in people]})
    said = redact_code(code, record, 256, NOT_A_PERSON)
    assert not [
        name for name in people if name in said.lower() and not re.fullmatch(r"-?\d{1,5}", code)
    ]


def test_a_code_is_as_long_as_it_may_be() -> None:
    assert redact_code("E " * 100, b"{}", 64) == "E " * 32


CODES = Codes.model_validate(
    {"known": {"BAD_EMAIL": {"means": "refused"}, "ORDER_*": {"means": "refused"}}}
)
NONE = Redactor("none", CODES, ["user_data", "em", "custom_data", "order_id"])


@pytest.mark.parametrize(
    ("code", "kept"),
    [
        ("BAD_EMAIL", "BAD_EMAIL"),
        ("ORDER_OF_SMITH", "ORDER_*"),
        ("422", "422"),
        ("invalid", "invalid"),
        ("BAD_PHONE", UNREGISTERED),
        ("94177", UNREGISTERED),
        ("bad_email", UNREGISTERED),
        ("", UNREGISTERED),
    ],
)
def test_a_code_is_kept_as_the_platform_file_registers_it(code: str, kept: str) -> None:
    assert NONE.refused(Refusal(code, "no such thing"), b"{}").code == kept


@pytest.mark.parametrize(
    ("field", "kept"),
    [
        ("data[3].user_data.em", "user_data.em"),
        ("events.7.CUSTOM_DATA.order_id", "custom_data.order_id"),
        ("user_data.smith@shop.example.org", "user_data"),
        ("em_smith", None),
        (None, None),
    ],
)
def test_of_a_field_the_names_that_we_gave_it_are_kept(field: str | None, kept: str | None) -> None:
    assert NONE.refused(Refusal("E1", "", field), b"{}").field == kept


@given(said=st.text(max_size=60), code=st.text(max_size=60), field=st.none() | st.text(max_size=60))
@settings(max_examples=200, deadline=None)
def test_nothing_but_known_words_is_kept_of_any_refusal(
    said: str, code: str, field: str | None
) -> None:
    kept = NONE.refused(Refusal(code, said, field), b"{}")
    assert kept.message is None
    assert kept.code in {*CODES.known, UNREGISTERED, "invalid"} or kept.code.isdecimal()
    assert set((kept.field or "em").split(".")) <= {"user_data", "em", "custom_data", "order_id"}


def test_where_words_are_kept_no_secret_is_in_them() -> None:
    redactor = Redactor("redacted", CODES, secrets=["EAAzzq7canaryToken0KxYz99q1"])
    said = "token EAAzzq7canary is not valid"
    kept = redactor.refused(Refusal(said, said, said), b"{}")
    assert (kept.code, kept.message, kept.field) == ("token *** is not valid",) * 3


def test_a_word_about_many_records_is_kept_where_it_is_known() -> None:
    assert NONE.word("SUCCESS", ["SUCCESS"], 100) == "SUCCESS"
    assert NONE.word("smith@shop.example.org", ["SUCCESS"], 100) == UNREGISTERED
    assert Redactor("redacted").word("smith@shop.example.org", [], 100) == "***"
    assert Redactor("redacted").word("TOO_OLD", [], 100) == "TOO_OLD"


@pytest.mark.parametrize("text", ["a.", "1 ", "0123456789abcdef-", "@", ".", "jane "])
def test_of_a_megabyte_only_the_beginning_is_looked_at(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer holds up to 1 MiB, and some patterns take quadratic time."""
    looked_at: list[int] = []
    one_line = redaction._one_line

    def spied(part: str) -> str:
        looked_at.append(len(part))
        return one_line(part)

    monkeypatch.setattr(redaction, "_one_line", spied)
    record = orjson.dumps({"value": "a b", "other": "aaa", "name": "jane"})
    said = redact(text * (1024 * 1024 // len(text)), record)
    assert max(looked_at) == redaction.MAX_READ
    assert "jane" not in said
