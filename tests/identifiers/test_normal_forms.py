"""What every normaliser has in common: total, null for null, and idempotent."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.identifiers.click_ids import click_id, click_uuid, fb_browser, fb_click
from connector.identifiers.country import country_alpha2, country_alpha2_upper
from connector.identifiers.demographics import dob_yyyymmdd, gender_f_m
from connector.identifiers.ids import own_id, uuid4, uuid_lower
from connector.identifiers.ip import public_ip, public_ipv4
from connector.identifiers.names import name_basic, name_nopunct
from connector.identifiers.places import (
    city_nospace,
    lower_alnum,
    state_2,
    zip_digits,
    zip_nospace,
)
from connector.identifiers.web import url_page, user_agent_text
from tests.support.encoding import GUID, TEXTS, applied

Rule = Callable[[pa.Array], pa.Array]
NAME_TEXTS = st.text("aZéÉŁ정 '-.,\u00a0\u200b😀ßＡ9", max_size=12)
PERSON = [
    *(name_basic, name_nopunct, city_nospace, lower_alnum, state_2, zip_nospace, zip_digits),
    *(country_alpha2, country_alpha2_upper, dob_yyyymmdd, gender_f_m),
]
OPAQUE = [
    *(uuid_lower, uuid4, own_id, click_id, fb_click, fb_browser, click_uuid),
    *(public_ip, public_ipv4, user_agent_text, url_page),
]
LIKELY = st.sampled_from(
    [
        *(GUID, GUID.upper(), "{gclid}", "8.8.8.8", "::ffff:8.8.8.8", "[2606:4700::1]:443", "[::1"),
        *("gclid=gclid=x", "https://x.example/?gclid=a", "_uet" + GUID, "fb.1.1.fbclid=x"),
        *("https://x.example/a?b#c", "a b", "a@b", "\x00", "1:2"),
    ]
)
SOME = TEXTS | NAME_TEXTS | LIKELY


@settings(max_examples=60, deadline=None)
@given(st.lists(st.none() | SOME, max_size=10))
@pytest.mark.parametrize("rule", [*PERSON, *OPAQUE])
def test_every_text_has_a_normal_form_or_none(rule: Rule, texts: list[str | None]) -> None:
    found = applied(rule, *texts)
    assert len(found) == len(texts)
    assert all(form is None for text, form in zip(texts, found, strict=True) if text is None)
    assert rule in OPAQUE or "" not in found


@settings(max_examples=60, deadline=None)
@given(SOME)
@pytest.mark.parametrize("rule", [*PERSON, *OPAQUE])
def test_a_normal_form_is_its_own_normal_form(rule: Rule, text: str) -> None:
    (once,) = applied(rule, text)
    assert rule in OPAQUE or once is None or unicodedata.is_normalized("NFC", once)
    assert applied(rule, once) == [once]
