"""E-mail addresses: what is one, its normal form, and the rule of each platform."""

from __future__ import annotations

import string
import unicodedata
from collections.abc import Callable

import idna
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from connector.arrow.bytes import EDGES
from connector.identifiers.email import (
    email_alnum_local,
    email_amazon,
    email_basic,
    email_gmail,
    email_strip_all,
    email_u_label,
    email_uid2,
    is_placeholder,
)
from tests.support.encoding import TEXTS, applied

RULES = [email_basic, email_gmail, email_uid2, email_strip_all, email_alnum_local, email_amazon]
ATOM = string.ascii_lowercase + string.digits + "!#$%&'*+/=?^_`{|}~-"
INVISIBLE = "\u00ad\u180e\u200b\u200c\u200d\u2060\u2061\u2062\u2063\u2064\ufeff"

LOCALS = st.lists(st.text("abcJKz019_+-'", min_size=1, max_size=8), min_size=1, max_size=3).map(
    ".".join
)
LABELS = st.sampled_from(
    ["shop", "EXAMPLE", "mail-1", "x9", "gmail", "googlemail", "bücher", "例子", "a_b", "-a", ""]
)
DOMAINS = st.builds(
    lambda labels, top: ".".join([*labels, top]),
    st.lists(LABELS, min_size=1, max_size=2),
    st.sampled_from(["org", "COM", "xn--p1ai", "c", "1", "рф"]),
)
ADDRESSES = st.builds(lambda local, domain: f"{local}@{domain}", LOCALS, DOMAINS)
NOISE = st.sampled_from(
    [
        "",
        "",
        "",
        " ",
        "mailto:",
        "\u00a0",
        "@",
        ".",
        ",",
        "\n",
        ";",
        "\u0130",
        "é",
        *INVISIBLE,
        "\u202e",
        "\u200e",
        "\u202b",
        "\x00",
        "ｊ",
        "＠",
        "+",
    ]
)


@st.composite
def nearly_addresses(draw: st.DrawFn) -> str:
    """An address with something put into it, at any place."""
    address, noise = draw(ADDRESSES), draw(NOISE)
    place = draw(st.integers(0, len(address)))
    return address[:place] + noise + address[place:]


EMAILS = st.one_of(TEXTS, ADDRESSES, nearly_addresses())


def reference(text: str) -> str | None:
    """RFC 5321 dot-atoms read by hand, one character after the other."""
    text = unicodedata.normalize(
        "NFKC", "".join(letter for letter in text if letter not in INVISIBLE)
    ).strip(EDGES)
    if text.lower().startswith("mailto:"):
        text = text[7:].strip(EDGES)
    if text.count("@") != 1:
        return None
    local, domain = text.split("@")
    if not domain.isascii():
        try:
            domain = idna.encode(domain, uts46=True).decode()
        except idna.IDNAError:
            return None
    if not local.isascii():
        return None
    local, domain = local.lower(), domain.lower()
    atoms, labels = local.split("."), domain.split(".")
    letters = string.ascii_lowercase + string.digits
    good = (
        all(atom and set(atom) <= set(ATOM) for atom in atoms)
        and all(
            label
            and set(label) <= set(letters + "-")
            and label[0] != "-"
            and label[-1] != "-"
            and len(label) <= 63
            for label in labels
        )
        and len(labels) >= 2
        and (
            (labels[-1].startswith("xn--") and len(labels[-1]) > 4)
            or (len(labels[-1]) >= 2 and labels[-1].isalpha())
        )
        and len(local) <= 64
        and len(local) + 1 + len(domain) <= 254
    )
    address = f"{local}@{domain}"
    return address if good and not is_placeholder(address) else None


@settings(max_examples=300, deadline=None)
@given(EMAILS)
@example("a" * 65 + "@example.org")
@example("a@" + ".".join(["b" * 63] * 4) + ".org")
@example("a@" + "b" * 64 + ".org")
@example("\u212a@example.org")
@example("a@b。org")
def test_an_address_is_what_the_reference_reads(text: str) -> None:
    assert applied(email_basic, text) == [reference(text)]


@settings(max_examples=300, deadline=None)
@given(EMAILS)
def test_an_address_that_takes_the_careful_path_gets_the_same_form(text: str) -> None:
    """A soft hyphen is not plain, so it sends any text the long way round;
    it must change nothing.
    """
    assert (
        applied(email_basic, text)
        == applied(email_basic, f"{text}\u00ad")
        == applied(email_basic, f"\u200b{text}")
    )


@settings(max_examples=100, deadline=None)
@given(st.lists(st.none() | EMAILS, max_size=12))
@pytest.mark.parametrize("rule", RULES)
def test_every_text_has_a_normal_form_or_none(
    rule: Callable[[pa.Array], pa.Array], texts: list[str | None]
) -> None:
    found = applied(rule, *texts)
    assert len(found) == len(texts)
    assert all(form is None for text, form in zip(texts, found, strict=True) if text is None)
    for form in found:
        assert form is None or (set(form) <= set(ATOM + ".@") and form.count("@") == 1)


@settings(max_examples=100, deadline=None)
@given(EMAILS)
@pytest.mark.parametrize("rule", RULES)
def test_a_normal_form_is_its_own_normal_form(
    rule: Callable[[pa.Array], pa.Array], text: str
) -> None:
    (once,) = applied(rule, text)
    assert applied(rule, once) == [once]


@pytest.mark.parametrize("rule", [email_gmail, email_strip_all, email_alnum_local])
def test_a_placeholder_that_shows_only_after_normalising_is_dropped(
    rule: Callable[[pa.Array], pa.Array],
) -> None:
    assert applied(rule, "no.reply+shop@gmail.com") == [None]


@pytest.mark.parametrize("text", ["_@example.org", "{.jane@example.org", "'@example.org"])
def test_amazon_gets_no_address_without_a_local_part(text: str) -> None:
    assert applied(email_amazon, text) == [None]


@pytest.mark.parametrize(
    ("rule", "form"),
    [
        (email_basic, "jane.doe+news@{}"),
        (email_gmail, "jane.doe+news@{}"),
        (email_uid2, "jane.doe+news@{}"),
        (email_strip_all, "janedoe@{}"),
        (email_alnum_local, "janedoe@{}"),
        (email_amazon, "jane.doe+news@{}"),
    ],
)
@pytest.mark.parametrize(
    "domain", ["example.org", "notgmail.com", "gmail.com.example.org", "mail.gmail.com"]
)
def test_dots_and_alias_go_where_the_platform_says(
    rule: Callable[[pa.Array], pa.Array], form: str, domain: str
) -> None:
    assert applied(rule, f"Jane.Doe+News@{domain}") == [form.format(domain)]


@pytest.mark.parametrize(
    ("rule", "domains"),
    [
        (email_gmail, {"gmail.com", "googlemail.com"}),
        (email_uid2, {"gmail.com"}),
        (email_basic, set()),
    ],
)
@pytest.mark.parametrize("domain", ["gmail.com", "googlemail.com"])
def test_gmail_addresses_lose_dots_and_alias(
    rule: Callable[[pa.Array], pa.Array], domains: set[str], domain: str
) -> None:
    expected = f"janedoe@{domain}" if domain in domains else f"jane.doe+news@{domain}"
    assert applied(rule, f"Jane.Doe+News@{domain.upper()}") == [expected]


@pytest.mark.parametrize("rule", [email_strip_all, email_alnum_local])
def test_an_alias_without_a_name_in_front_is_no_address(
    rule: Callable[[pa.Array], pa.Array],
) -> None:
    assert applied(rule, "+news@example.org") == [None]


def test_reddit_keeps_letters_and_digits_and_amazon_drops_what_it_cannot_read() -> None:
    assert applied(email_alnum_local, "O'Brien_7.x$y@Ex-ample.org") == ["obrien7xy@ex-ample.org"]
    assert applied(email_amazon, "O'Brien_7.x$y@Ex-ample.org") == ["obrien7.xy@ex-ample.org"]


@pytest.mark.parametrize(
    "text",
    [
        "noreply@shop.example.org",
        "No-Reply@shop.example.org",
        "unknown@shop.example.org",
        "test@test.com",
        "a@a.org",
        "null@shop.example.org",
        "n/a@shop.example.org",
    ],
)
def test_a_placeholder_is_nobody(text: str) -> None:
    assert applied(email_basic, text) == [None]


@pytest.mark.parametrize(
    "text",
    [
        "noreplyjane@example.org",
        "jane@noreply.example.org",
        "test@test.example.org",
        "contest@test.example.org",
    ],
)
def test_a_person_whose_address_resembles_a_placeholder_stays(text: str) -> None:
    assert applied(email_basic, text) == [text]


@pytest.mark.parametrize(
    ("written", "form"),
    [
        ("Info@Müller.Example", "info@müller.example"),
        ("info@xn--mller-kva.example", "info@müller.example"),
        ("info@shop.xn--fiqs8s", "info@shop.中国"),
        ("info@xn--zzzz.example", "info@xn--zzzz.example"),
        ("xn--a@shop.example", "xn--a@shop.example"),
        ("Jane@shop.example", "jane@shop.example"),
        ("no address", None),
    ],
)
def test_a_domain_in_its_own_letters(written: str, form: str | None) -> None:
    assert applied(email_u_label, written) == [form]
    assert applied(email_u_label, form or "") == [form], "it is its own normal form"
