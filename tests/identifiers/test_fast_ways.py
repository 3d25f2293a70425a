"""What is done a column at a time gives what is done a value at a time,
for every value that it does not leave to it.
"""

from __future__ import annotations

import ipaddress
import re

import phonenumbers
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.arrow.dictionary import over_distinct, remembered
from connector.identifiers import digest, email, ids, names, places
from connector.identifiers.characters import (
    CONTROL,
    NOT_ALPHANUMERIC,
    PUNCTUATION,
    SPACE,
    SPACE_OR_DASH,
    without_characters,
)
from connector.identifiers.e164 import plain_e164
from connector.identifiers.ip import public_ip
from connector.identifiers.phone import _read_number, phone_e164
from tests.support.encoding import TEXTS

REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)
KINDS = list(range(11))


def examples(region: str) -> list[phonenumbers.PhoneNumber]:
    found = (phonenumbers.example_number_for_type(region, kind) for kind in KINDS)
    return [number for number in found if number is not None]


def spelled(number: phonenumbers.PhoneNumber) -> list[str]:
    forms = [phonenumbers.format_number(number, form) for form in (0, 1, 2)]
    national = phonenumbers.national_significant_number(number)
    return [
        *forms,
        national,
        f"0{national}",
        f"+{number.country_code}0{national}",
        f"{number.country_code}{national}",
        f"00{number.country_code}{national}",
    ]


def agrees(texts: list[str], region: str | None) -> int:
    """Checks the fast way against libphonenumber, text by text; how many it took on."""
    fast = plain_e164(pa.array(texts, pa.string()), region).to_pylist()
    for text, found in zip(texts, fast, strict=True):
        assert found is None or found == _read_number(text, region), (text, region)
    return sum(found is not None for found in fast)


def test_example_numbers_of_every_country_in_every_spelling() -> None:
    taken = 0
    for region in REGIONS:
        texts = [text for number in examples(region) for text in spelled(number)]
        taken += sum(agrees(texts, home) for home in (None, region, "US"))
    assert taken > 3000


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_numbers_with_other_digits_and_separators(data: st.DataObject) -> None:
    region = data.draw(st.sampled_from(REGIONS))
    number = data.draw(st.sampled_from(spelled(data.draw(st.sampled_from(examples(region))))))
    place = data.draw(st.integers(0, len(number) - 1))
    changed = (
        number[:place]
        + data.draw(st.text("0123456789 ().-+", max_size=3))
        + number[place + data.draw(st.integers(0, 2)) :]
    )
    agrees([changed], data.draw(st.sampled_from([None, region, "US", "DE", "IT", "AR", "XX"])))


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.none() | st.from_regex(r"\+?[0-9 ().-]{3,18}(\.0)?", fullmatch=True) | TEXTS, max_size=5
    )
)
def test_any_text_as_a_phone(texts: list[str | None]) -> None:
    fast = plain_e164(pa.array(texts, pa.string()), "US").to_pylist()
    for text, found in zip(texts, fast, strict=True):
        assert found is None or (text is not None and found == _read_number(text, "US"))


@pytest.mark.parametrize(
    "text", ["+14155552671", "+1 (415) 555-2671", "415-555-2671", "+442079460958", "+4930901820"]
)
def test_the_usual_spellings_are_not_left_to_libphonenumber(text: str) -> None:
    assert plain_e164(pa.array([text]), "US").is_valid().to_pylist() == [True]


@pytest.mark.parametrize("texts", [[], [None], [None, None]])
def test_columns_without_phones(texts: list[None]) -> None:
    assert phone_e164(pa.array(texts, pa.string()), "US").to_pylist() == texts


@settings(max_examples=300, deadline=None)
@given(st.lists(st.ip_addresses(v=4).map(str), min_size=1, max_size=20))
def test_addresses_on_the_network(addresses: list[str]) -> None:
    expected = [
        text
        if ipaddress.ip_address(text).is_global and not ipaddress.ip_address(text).is_multicast
        else None
        for text in addresses
    ]
    assert public_ip(pa.array(addresses)).to_pylist() == expected


@pytest.mark.parametrize("rest", ["0.0.0", "0.0.9", "2.3.4", "64.0.1", "168.1.1", "255.255.255"])
def test_every_first_octet(rest: str) -> None:
    for address in (f"{first}.{rest}" for first in range(256)):
        known = ipaddress.ip_address(address)
        expected = address if known.is_global and not known.is_multicast else None
        assert public_ip(pa.array([address])).to_pylist() == [expected], address


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(st.lists(st.none() | TEXTS, max_size=6), st.integers(1, 4))
def test_values_that_repeat_give_what_they_give_alone(texts: list[str | None], times: int) -> None:
    for normalise in (
        names.name_basic,
        names.name_nopunct,
        places.city_nospace,
        places.zip_nospace,
        digest.sha256_hex,
        ids.own_id,
    ):
        alone = [normalise(pa.array([text], pa.string()))[0].as_py() for text in texts]
        assert normalise(pa.array(texts * times, pa.string())).to_pylist() == alone * times


@pytest.mark.parametrize(
    "removed",
    [
        CONTROL,
        PUNCTUATION,
        SPACE,
        SPACE_OR_DASH,
        NOT_ALPHANUMERIC,
        r"[^0-9]",
    ],
)
def test_characters_are_taken_out_as_the_regular_expression_says(removed: str) -> None:
    everything = pa.array(
        [f"a{chr(point)}1" for point in range(0x110000) if not 0xD800 <= point < 0xE000]
    )
    for texts in (
        everything.slice(0, 0x3000),
        everything.slice(5, 300),
        everything.slice(0, 0),
        everything,
    ):
        assert without_characters(texts, removed).equals(
            pc.replace_substring_regex(texts, removed, "")
        )


PLACEHOLDER_ADDRESSES = st.from_regex(
    re.compile(email._PLACEHOLDER, re.ASCII), fullmatch=True
).filter(str.isprintable)


@settings(max_examples=300, deadline=None)
@given(PLACEHOLDER_ADDRESSES)
def test_an_address_that_stands_for_none_is_found_by_its_first_letter(address: str) -> None:
    assert email._without_placeholders(pa.array(["jane@example.org", address])).to_pylist() == [
        "jane@example.org",
        None,
    ]


def test_a_value_that_repeats_is_looked_at_once() -> None:
    seen: list[int] = []

    def watched(values: pa.Array) -> pa.Array:
        seen.append(len(values))
        return pc.utf8_upper(values)

    assert over_distinct(pa.array(["a", "b", "a", None, "a"]), watched).to_pylist() == [
        "A",
        "B",
        "A",
        None,
        "A",
    ]
    assert over_distinct(pa.array(["a", "b"]), watched).to_pylist() == ["A", "B"]
    assert seen == [2, 2]


def test_long_texts_are_not_remembered() -> None:
    asked: list[str] = []

    @remembered(2, longest=3)
    def answer(text: str) -> str:
        asked.append(text)
        return text

    for text in ("abc", "abc", "abcd", "abcd", "d", "e", "abc"):
        answer(text)
    assert asked == ["abc", "abcd", "abcd", "d", "e", "abc"]
