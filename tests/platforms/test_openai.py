"""OpenAI Ads: today's field names. Source: developers.openai.com/ads/conversions-api.md."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from tests.platforms.parts import AS_OF, minimal, on_paper
from tests.support.previews import preview


def event(**changes: Any) -> dict[str, Any]:
    (item,) = preview(on_paper("openai"), [minimal("openai", **changes)], as_of=AS_OF)
    sent: dict[str, Any] = item["request"]["body"]["events"][0]
    return sent


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_the_documents_own_phone() -> None:
    user = event(phone="+1 (415) 555-2671")["user"]
    assert user["phone_numbers_sha256"] == [
        "758fbf68945f21c416814c539ab578876c8d98fb69e6da692def92cd52417fe0"
    ]


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("O'Connor", "oconnor"),
        ("José", "josé"),
        ("Mary Jane", "maryjane"),
        (" Anne-Marie ", "annemarie"),
    ],
)
def test_names_lose_spaces_and_punctuation(name: str, form: str) -> None:
    user = event(first_name=name, last_name=name)["user"]
    assert user["first_names_sha256"] == user["last_names_sha256"] == [sha(form)]


@pytest.mark.parametrize(
    ("source", "kind", "custom"),
    [
        ("ORDER_CREATED", "order_created", None),
        ("Purchase", "order_created", None),
        ("--Quote sent!--", "custom", "quote_sent"),
        ("x" * 63 + "_y", "custom", "x" * 63),
    ],
)
def test_event_names_are_standard_ones_or_clean(source: str, kind: str, custom: str | None) -> None:
    sent = event(event_name=source)
    assert (sent["type"], sent.get("custom_event_name")) == (kind, custom)


@pytest.mark.parametrize(
    ("name", "there"), [("Purchase", True), ("Lead", False), ("Subscribe", True), ("quote", True)]
)
def test_contents_are_of_the_events_that_take_them(name: str, there: bool) -> None:
    sent = event(event_name=name, contents=[{"id": "a", "quantity": 1}])
    assert ("contents" in sent["data"]) is there


def test_amount_and_currency_go_together() -> None:
    assert event(value="9.99", currency="EUR")["data"] == {
        "type": "contents",
        "amount": 999,
        "currency": "EUR",
    }
    for alone in ({"value": "9.99"}, {"currency": "EUR"}):
        assert event(**alone)["data"] == {"type": "contents"}
