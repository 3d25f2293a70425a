"""Amounts: exact, rounded as their currency is counted,
and written so that every JSON reader understands them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from connector.arrow.money import currency_digits, parse_amounts, rounded
from connector.arrow.text import decimal_text
from tests.support.encoding import TEXTS, bodies, capi, encode, encode_table, reasons, row

DIGITS = {"USD": 2, "EUR": 2, "JPY": 0, "KRW": 0, "KWD": 3, "BHD": 3, "CLF": 4}
AMOUNTS = st.decimals(0, 10**9, places=9) | st.integers(0, 10**6).map(
    lambda number: Decimal(number) / 2000
)


def exact(amount: Decimal, digits: int, minor: bool) -> Decimal:
    """What an accountant would write down."""
    major = amount / 10**digits if minor else amount
    return major.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_EVEN)


def written(
    texts: Sequence[str | None], digits: Sequence[int], minor: bool = False
) -> list[str | None]:
    amounts, _, _ = parse_amounts(pa.array(texts, pa.string()))
    return decimal_text(rounded(amounts, np.array(digits, np.int8), minor=minor)).to_pylist()


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(AMOUNTS, st.sampled_from(sorted(DIGITS.values()))), min_size=1, max_size=8)
)
def test_amounts_are_rounded_half_to_even_to_the_digits_of_their_currency(
    pairs: list[tuple[Decimal, int]],
) -> None:
    texts, digits = [f"{amount:f}" for amount, _ in pairs], [count for _, count in pairs]
    expected = [exact(amount, count, minor=False) for amount, count in pairs]
    assert [Decimal(text or "NaN") for text in written(texts, digits)] == expected


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(st.decimals(0, 10**11, places=5), st.sampled_from(sorted(DIGITS.values()))),
        min_size=1,
        max_size=8,
    )
)
def test_minor_units_are_divided_and_then_rounded(pairs: list[tuple[Decimal, int]]) -> None:
    texts, digits = [f"{amount:f}" for amount, _ in pairs], [count for _, count in pairs]
    expected = [exact(amount, count, minor=True) for amount, count in pairs]
    assert [Decimal(text or "NaN") for text in written(texts, digits, minor=True)] == expected


@pytest.mark.parametrize(
    ("text", "yen"),
    [
        ("1.5", "2"),
        ("2.5", "2"),
        ("2.500001", "3"),
        ("3.5", "4"),
        ("1.49999", "1"),
        ("999999999.5", "1000000000"),
    ],
)
def test_halves_go_to_the_even_neighbour(text: str, yen: str) -> None:
    cents = f"{Decimal(text) / 100:f}"
    found = written([text, cents], [0, 2])
    assert found[0] == yen
    assert Decimal(str(found[1])) == Decimal(yen) / 100


def test_an_amount_just_above_a_half_is_rounded_up() -> None:
    assert written(["1.0050000000001"], [2]) == ["1.01"]


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("99.99", "99.99"),
        ("100.00", "100"),
        ("100", "100"),
        ("0.50", "0.5"),
        ("+7", "7"),
        ("007.10", "7.1"),
        ("5.", "5"),
    ],
)
def test_amounts_are_written_plainly(text: str, plain: str) -> None:
    assert written([text], [2]) == [plain]


@pytest.mark.parametrize("text", ["0", "0.00", "-0", "0.004", "0.000000000"])
def test_nothing_is_written_as_nought(text: str) -> None:
    assert written([text], [2]) == ["0"]


@settings(max_examples=300, deadline=None)
@given(TEXTS | st.text("0123456789.,-+eE $", max_size=16))
def test_text_is_an_amount_only_where_it_is_plain_decimal(text: str) -> None:
    amounts, bad, extreme = parse_amounts(pa.array([text], pa.string()))
    assert [bad[0], extreme[0], amounts.is_valid()[0].as_py()].count(True) == 1
    if amounts.is_valid()[0].as_py():
        assert re.fullmatch(r"[+-]?[0-9]{1,12}(\.[0-9]*)?", text)
        assert abs(amounts[0].as_py() - Decimal(text)) < Decimal("1e-9")


@pytest.mark.parametrize(
    "text",
    [
        "1,234.50",
        "1.234,50",
        "$10",
        "10 USD",
        "1 000",
        "0x10",
        "ten",
        ".5",
        "--1",
        "1.2.3",
        "\u0661",
    ],
)
def test_nothing_is_guessed_about_how_a_country_writes_numbers(text: str) -> None:
    _, bad, extreme = parse_amounts(pa.array([text]))
    assert (bad[0], extreme[0]) == (True, False)


@pytest.mark.parametrize(
    "text", ["1e21", "1e-7", "1E+5", "-2.5e3", "1234567890123", "99999999999999999999.5"]
)
def test_numbers_beyond_reason_are_told_from_text(text: str) -> None:
    _, bad, extreme = parse_amounts(pa.array([text]))
    assert (bad[0], extreme[0]) == (False, True)


def test_currencies_count_as_iso_4217_says() -> None:
    listed = dict(
        zip(
            currency_digits().field("code").to_pylist(),
            currency_digits().field("digits").to_pylist(),
            strict=True,
        )
    )
    assert {code: listed[code] for code in DIGITS} == DIGITS
    assert not {"XAU", "XXX", "XTS", "XDR", "DEM", "RMB", "US$"} & set(listed)
    assert 150 < len(listed) < 190


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(st.decimals("0.01", 10**9, places=4), st.sampled_from(sorted(DIGITS))),
        min_size=1,
        max_size=6,
    ),
    st.booleans(),
)
def test_a_record_carries_the_exact_amount(pairs: list[tuple[Decimal, str]], minor: bool) -> None:
    expected = [exact(amount, DIGITS[currency], minor) for amount, currency in pairs]
    assume(all(amount and amount <= 10**9 for amount in expected))
    destination = capi(source__value_unit="minor" if minor else "major")
    encoded = encode(
        [row(value=amount, currency=currency) for amount, currency in pairs], destination
    )
    assert [(Decimal(str(body["value"])), body["currency"]) for body in bodies(encoded)] == [
        (amount, currency) for amount, (_, currency) in zip(expected, pairs, strict=True)
    ]
    assert all(isinstance(body["value"], float) for body in bodies(encoded))
    assert all(re.search(rb'"value":\d+\.\d+,', record) for record in encoded.records)


@pytest.mark.parametrize(
    "kind",
    [
        pa.int8(),
        pa.int64(),
        pa.uint64(),
        pa.float32(),
        pa.float64(),
        pa.decimal128(10, 2),
        pa.decimal128(38, 9),
        pa.decimal256(50, 12),
        pa.string(),
    ],
)
def test_every_type_of_number_gives_the_same_amount(kind: pa.DataType) -> None:
    good = row()
    table = pa.table(
        {
            **{name: pa.array([value] * 2) for name, value in good.items()},
            "value": pa.array([7, None]).cast(pa.string()).cast(kind),
        }
    )
    first, second = bodies(encode_table(table))
    assert first["value"] == 7.0
    assert "value" not in second


@pytest.mark.parametrize("scale", [0, 2, 6])
def test_a_conversion_worth_nothing_is_still_json(scale: int) -> None:
    table = pa.table(
        {
            **{name: pa.array([value]) for name, value in row().items()},
            "value": pa.array([Decimal(0)], pa.decimal128(18, scale)),
        }
    )
    assert bodies(encode_table(table))[0]["value"] == 0.0


@pytest.mark.parametrize("scale", [7, 9, 18])
def test_nought_of_many_digits_is_no_extreme_value(scale: int) -> None:
    table = pa.table(
        {
            **{name: pa.array([value]) for name, value in row().items()},
            "value": pa.array([Decimal(0)], pa.decimal128(38, scale)),
        }
    )
    assert reasons(encode_table(table)) == []
