"""What a look at a column's bytes says is what a look at each text says,
for slices and nulls too.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.arrow.bytes import (
    EDGES,
    contains_bytes,
    first_bytes,
    is_ascii,
    longest_bytes,
    lower,
    trimmed,
    upper,
)
from connector.identifiers.placeholders import PLACEHOLDERS, without_placeholders
from tests.support.encoding import TEXTS

COLUMNS = st.tuples(
    st.lists(st.none() | TEXTS | st.text('aZ \x00\x7f"\\é\u3000', max_size=4), max_size=8),
    st.integers(0, 3),
    st.integers(0, 8),
)


def column(drawn: tuple[list[str | None], int, int]) -> pa.Array:
    """A slice of a column, so that it does not begin where its buffer does."""
    texts, begin, length = drawn
    return pa.array(texts, pa.string()).slice(min(begin, len(texts)), length)


def encoded(texts: pa.Array) -> list[bytes]:
    return [(text or "").encode() for text in texts.to_pylist()]


@settings(deadline=None)
@given(COLUMNS)
def test_a_look_at_all_bytes_finds_what_is_in_any_text(
    drawn: tuple[list[str | None], int, int],
) -> None:
    texts = column(drawn)
    each = encoded(texts)
    assert contains_bytes(texts, below=0x20) == any(octet < 0x20 for text in each for octet in text)
    assert contains_bytes(texts, among=b'"\\') == any(
        octet in b'"\\' for text in each for octet in text
    )
    assert contains_bytes(texts, below=1, among=b"a") == any(
        octet in b"\x00a" for text in each for octet in text
    )
    assert is_ascii(texts) == all(text.isascii() for text in each)
    assert longest_bytes(texts) == max(map(len, each), default=0)
    assert first_bytes(texts).tolist() == [text[0] if text else 0 for text in each]


@settings(deadline=None)
@given(COLUMNS)
def test_case_and_white_space_are_those_of_every_script(
    drawn: tuple[list[str | None], int, int],
) -> None:
    texts = column(drawn)
    each = texts.to_pylist()
    assert lower(texts).to_pylist() == [text and text.lower() for text in each]
    assert upper(texts).to_pylist() == [text and text.upper() for text in each]
    assert trimmed(texts).to_pylist() == [text and text.strip(EDGES) for text in each]


@pytest.mark.slow
def test_the_case_of_every_character_is_unicodes() -> None:
    """Source: `str.lower`, as the platforms' own libraries use it;
    Arrow's kernel knows no special casing.
    """
    every = [chr(point) for point in range(0x110000) if not 0xD800 <= point < 0xE000]
    assert lower(pa.array(every)).to_pylist() == [letter.lower() for letter in every]
    assert upper(pa.array(every)).to_pylist() == [letter.upper() for letter in every]
    words = ["İSTANBUL", "ΠΑΠΠΑΣ", "Σ", "ΑΣΑ", "ΑΣ-Α", "Straße"]
    assert lower(pa.array(words)).to_pylist() == [word.lower() for word in words]


def test_marks_of_direction_and_white_space_are_cut_off_at_the_ends() -> None:
    for mark in EDGES:
        assert trimmed(pa.array([f"{mark} a{mark}b {mark}"])).to_pylist() == [f"a{mark}b"]


KELVIN, DOTTED_I = "\N{KELVIN SIGN}", "\N{LATIN CAPITAL LETTER I WITH DOT ABOVE}"
SPELLED = [
    f"un{KELVIN}nown",
    f"undef{DOTTED_I}ned",
    *(
        case
        for text in PLACEHOLDERS
        for case in (text, text.upper(), text.title(), f"{text}x", f"x{text}")
    ),
]


@settings(deadline=None)
@given(
    st.tuples(
        st.lists(st.none() | st.sampled_from(SPELLED) | TEXTS, max_size=8),
        st.integers(0, 3),
        st.integers(0, 8),
    )
)
def test_placeholders_are_found_in_any_case(drawn: tuple[list[str | None], int, int]) -> None:
    texts = column(drawn)
    listed = pc.is_in(lower(texts), value_set=pa.array(sorted(PLACEHOLDERS)))
    assert without_placeholders(texts).equals(pc.if_else(listed, None, texts))


@pytest.mark.parametrize("letter", sorted({text[0] for text in PLACEHOLDERS if text[:1].isalpha()}))
def test_only_a_letter_and_its_capital_become_the_first_letter_of_a_placeholder(
    letter: str,
) -> None:
    everything = pa.array([chr(point) for point in range(0x110000) if not 0xD800 <= point < 0xE000])
    assert everything.filter(pc.equal(lower(everything), letter)).to_pylist() == [
        letter.upper(),
        letter,
    ]
