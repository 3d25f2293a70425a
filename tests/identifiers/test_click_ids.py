"""Click ids and browser cookies."""

from __future__ import annotations

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.identifiers.click_ids import click_id, click_uuid, fb_browser, fb_click
from tests.support.encoding import GUID, applied


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


COLUMNS = {
    "gclid": "gclid",
    "gbraid": "gbraid",
    "wbraid": "wbraid",
    "fbclid": "fbclid",
    "ttclid": "ttclid",
    "ScCid": "ScCid",
    "epik": "epik",
    "rdt_cid": "rdt_cid",
    "li_fat_id": "li_fat_id",
    "twclid": "twclid",
    "_ttp": "ttp",
    "_scid": "_scid",
}
IDS = st.text(string.ascii_letters + string.digits + "._-", min_size=1, max_size=30)


@settings(max_examples=60, deadline=None)
@given(IDS)
@pytest.mark.parametrize("name", COLUMNS)
def test_a_click_id_is_taken_out_of_what_carried_it(name: str, click: str) -> None:
    written = COLUMNS[name]
    carriers = [
        click,
        f"{written}={click}",
        f"?utm_source=x&{written}={click}",
        f"https://shop.example/a?b=c&{written.upper()}={click}&d=e#top",
        f"https%3A%2F%2Fshop.example%2F%3F{written}%3D{click}",
        f"https://go.example/?to=https%3A%2F%2Fshop.example%2F%3F{written}%3D{click}",
    ]
    assert applied(click_id, *carriers[:-1], parameter=name) == [click] * 5


@pytest.mark.parametrize(
    "text",
    [
        "https://shop.example/a?b=c",
        "https://shop.example/",
        "gbraid=abc",
        "?utm_source=x",
        "utm_source=google",
        "https://shop.example/?gclid=",
        "https://shop.example/?gclid=%7Bgclid%7D",
        "https://shop.example/?gclid=a%20b",
        "fbclid=abc",
    ],
)
def test_an_address_without_the_click_id_is_none(text: str) -> None:
    assert applied(click_id, text, parameter="gclid") == applied(click_id, text) == [None]


def test_what_only_looks_a_little_like_an_address_is_left_alone() -> None:
    """Base64 ends in equals signs, and TikTok's ids hold what they like."""
    ids = ["YWJjZA==", "E.C.P.a%2Fb?c=d&e", "a:b", "dj0yJnU9MQ%3D%3D"]
    assert applied(click_id, *ids, parameter="ttclid") == ids


def test_metas_cookie_holds_the_bare_click_id() -> None:
    assert (
        applied(
            fb_click,
            "fb.1.1554763741205.fbclid=IwAR0abc",
            "fb.1.1554763741205.https://shop.example/?fbclid=IwAR0abc&x=1",
            "_fbc=fb.1.1554763741205.IwAR0abc; _fbp=fb.1.1.2",
            "fb.1.1554763741205.https://shop.example/",
            "fb.1.1554763741205.gclid=x",
        )
        == ["fb.1.1554763741205.IwAR0abc"] * 3 + [None] * 2
    )
    assert applied(fb_browser, "_fbp=fb.1.1558571054389.1098115397") == [
        "fb.1.1558571054389.1098115397"
    ]


def test_microsofts_cookie_has_a_prefix_that_is_cut_off() -> None:
    """Source: learn.microsoft.com, UET Conversions API; walkerOS and Segment cut `_uet` off."""
    bare = "0a1b2c3d4e5f60718293a4b5c6d7e8f9"
    assert applied(
        click_uuid,
        f"_uet{bare}",
        f"_UET{GUID.upper()}",
        f"https://shop.example/?msclkid={bare}",
        f"msclkid={bare}",
        "https://shop.example/?gclid=x",
        parameter="msclkid",
    ) == [bare, GUID, bare, bare, None]
