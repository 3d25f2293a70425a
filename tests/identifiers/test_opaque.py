"""UUIDs, click ids, own ids, network addresses, user agents and pages."""

from __future__ import annotations

import ipaddress
import re
import uuid
from collections.abc import Callable

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.identifiers.opaque import (
    click_id,
    click_uuid,
    fb_browser,
    fb_click,
    own_id,
    public_ip,
    public_ipv4,
    url_full,
    url_page,
    user_agent_text,
    uuid4,
    uuid_lower,
)
from tests.support.encoding import GUID, TEXTS, applied

Rule = Callable[[pa.Array], pa.Array]
ALL = [
    uuid_lower,
    uuid4,
    own_id,
    click_id,
    fb_click,
    fb_browser,
    click_uuid,
    public_ip,
    public_ipv4,
    user_agent_text,
    url_page,
    url_full,
]
LIKELY = st.sampled_from(
    [
        GUID,
        GUID.upper(),
        "{gclid}",
        "8.8.8.8",
        "::ffff:8.8.8.8",
        "[2606:4700::1]:443",
        "[::1",
        "https://x.example/a?b#c",
        "a b",
        "a@b",
        "\x00",
        "1:2",
    ]
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.none() | TEXTS | LIKELY, max_size=10))
@pytest.mark.parametrize("rule", ALL)
def test_every_text_has_a_normal_form_or_none(rule: Rule, texts: list[str | None]) -> None:
    found = applied(rule, *texts)
    assert len(found) == len(texts)
    assert all(form is None for text, form in zip(texts, found, strict=True) if text is None)


@settings(max_examples=60, deadline=None)
@given(TEXTS | LIKELY)
@pytest.mark.parametrize("rule", ALL)
def test_a_normal_form_is_its_own_normal_form(rule: Rule, text: str) -> None:
    (once,) = applied(rule, text)
    assert applied(rule, once) == [once]


@settings(max_examples=100, deadline=None)
@given(st.uuids())
def test_a_uuid_is_one_however_it_is_spelled(value: uuid.UUID) -> None:
    spellings = [
        str(value),
        str(value).upper(),
        f"{{{value}}}",
        f"({value})",
        f"urn:uuid:{value}",
        f"URN:UUID:{value}".upper(),
        value.hex,
    ]
    expected = None if value.int == 0 else str(value)
    assert applied(uuid_lower, *spellings) == [expected] * len(spellings)
    version_4 = expected if value.version == 4 and value.variant == uuid.RFC_4122 else None
    assert applied(uuid4, *spellings) == [version_4] * len(spellings)


@pytest.mark.parametrize(
    "text",
    [
        "00000000-0000-0000-0000-000000000000",
        "5-50e8400e29b41d4a716446655440000",
        GUID[:-1],
        f"{GUID}0",
        GUID.replace("a", "g"),
        GUID.replace("-", "_"),
        "85b04ded09dd-4015-ad30-581e45452dd9",
    ],
)
def test_what_is_no_uuid_is_dropped(text: str) -> None:
    assert applied(uuid_lower, text) == applied(uuid4, text) == [None]


@pytest.mark.parametrize("text", [f"{{{GUID}", f"{GUID})", f"({GUID}}}", f"urn:uuid:{{{GUID}}}"])
def test_a_uuid_in_broken_brackets_is_dropped(text: str) -> None:
    assert applied(uuid_lower, text) == [None]


def test_microsofts_click_id_keeps_its_dashes_or_their_absence() -> None:
    assert applied(
        click_uuid, "0A1B2C3D4E5F60718293A4B5C6D7E8F9", GUID.upper(), "0a1b", "{msclkid}"
    ) == ["0a1b2c3d4e5f60718293a4b5c6d7e8f9", GUID, None, None]


def test_click_ids_pass_as_they_came_and_unfilled_templates_do_not() -> None:
    good = ["Cj0KCQjw_-AbC", "fb.1.1554763741205.AbCdEf", "E.C.P.a%2Fb?c=d&e", "x" * 512]
    assert applied(click_id, *good) == good
    assert (
        applied(click_id, "{gclid}", "{{fbclid}}", "a b", "a\tb", "a\x00", "x" * 513) == [None] * 6
    )


def test_own_ids_pass_as_they_came_and_addresses_do_not() -> None:
    good = ["customer_12345", "007", "  7", "Ünïcode", "x" * 256]
    assert applied(own_id, *good) == good
    assert applied(own_id, "jane@example.org", "a\nb", "a\x7f", "x" * 257) == [None] * 4


@settings(max_examples=200, deadline=None)
@given(st.ip_addresses())
def test_an_address_is_sent_only_where_it_is_public(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    inside = getattr(address, "ipv4_mapped", None) or address
    expected = str(inside) if inside.is_global and not inside.is_multicast else None
    assert (
        applied(public_ip, str(address), f"10.0.0.1, {address}", f"{address}, 8.8.8.8")[:2]
        == [expected] * 2
    )
    assert applied(public_ip, f"{address}, 8.8.8.8") == [expected or "8.8.8.8"]
    assert applied(public_ipv4, str(address)) == [expected if inside.version == 4 else None]
    assert applied(public_ip, f"{address}:443" if address.version == 4 else f"[{address}]:443") == [
        expected
    ]


@pytest.mark.parametrize(
    "text",
    [
        "0.0.0.0",
        "::1",
        "127.0.0.1",
        "10.1.2.3",
        "192.168.0.1",
        "100.64.0.1",
        "fe80::1",
        "8.8.8.8/24",
        "8.8.8",
        "unknown",
        "8.8.8.8.example.org",
    ],
)
def test_an_address_that_is_not_public_is_dropped(text: str) -> None:
    assert applied(public_ip, text) == [None]


@pytest.mark.parametrize("text", ["224.0.0.1", "ff02::1"])
def test_a_multicast_address_is_dropped(text: str) -> None:
    assert applied(public_ip, text) == [None]


def test_the_zone_of_an_address_is_not_sent() -> None:
    assert (
        applied(public_ip, "2606:4700::1%eth0", "[2606:4700::1%25eth0]:443") == ["2606:4700::1"] * 2
    )


@settings(max_examples=100, deadline=None)
@given(TEXTS)
def test_a_user_agent_is_one_line(text: str) -> None:
    (line,) = applied(user_agent_text, text)
    assert line is not None
    assert not re.search(r"[\x00-\x1f\x7f]", line)
    assert applied(user_agent_text, "x" * 1000, "x" * 1001) == ["x" * 1000, None]


def test_a_page_loses_what_may_describe_a_person() -> None:
    assert applied(
        url_page,
        "https://shop.example/thanks?email=jane@example.org&t=1#top",
        "http://shop.example:8080/",
        "https://shop.example",
    ) == [
        "https://shop.example/thanks",
        "http://shop.example:8080/",
        "https://shop.example",
    ]
    assert (
        applied(
            url_page,
            "https://jane:pw@shop.example/",
            "https://shop.example/u/jane@example.org",
            "shop.example/a",
            "javascript:alert(1)",
            "ftp://x.example",
        )
        == [None] * 5
    )
    assert applied(
        url_full, "https://shop.example/a?b=c#d", "https://u@shop.example/", "nowhere"
    ) == ["https://shop.example/a?b=c#d", None, None]


def test_an_escaped_address_in_a_path_does_not_leave() -> None:
    assert applied(
        url_page,
        "https://shop.example/u/jane%40example.org",
        "https://shop.example/u/jane%2540example.org",
    ) == [None, None]
    assert applied(url_page, "https://shop.example/100%25/a%20b") == [
        "https://shop.example/100%25/a%20b"
    ]


@pytest.mark.parametrize(
    "cookie", ["fb.1.1554763741205.AbCdEf", "fb.0.1.x", "fb.2.1554763741205.IwAR0-_x.AQ"]
)
def test_metas_click_cookie_passes_as_it_came(cookie: str) -> None:
    assert applied(fb_click, cookie) == [cookie]


@pytest.mark.parametrize(
    "cookie",
    [
        "fb.1.1558571054389.1098115397",
        "fb.1.1558571054389.1098115397.AQ",
        "fb.0.1558571054389.1098115397.AQEBAQIA",
    ],
)
def test_metas_browser_cookie_passes_as_it_came(cookie: str) -> None:
    assert applied(fb_browser, cookie) == [cookie]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "abc",
        "fb.1.1554763741205.",
        "FB.1.1.a",
        "fb.9.1.a",
        "fb.1.x.a",
        "fb.1.1.a b",
        "fb.1.1.{fbclid}",
    ],
)
def test_what_is_no_cookie_of_metas_is_dropped(text: str) -> None:
    assert applied(fb_click, text) == applied(fb_browser, text) == [None]


@pytest.mark.parametrize(
    "text", ["fb.1.1558571054389.abc", "fb.1.1558571054389.1.A", "fb.1.1558571054389.1.AQE"]
)
def test_a_browser_cookie_ends_in_a_number_and_perhaps_an_appendix(text: str) -> None:
    assert applied(fb_browser, text) == [None]
