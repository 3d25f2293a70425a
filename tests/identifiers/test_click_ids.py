"""Click ids and browser cookies."""

from __future__ import annotations

import pytest

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
