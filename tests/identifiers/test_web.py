"""User agents and pages."""

from __future__ import annotations

import re

from hypothesis import given, settings

from connector.identifiers.web import url_origin, url_page, user_agent_text
from tests.support.encoding import TEXTS, applied


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


def test_of_a_page_only_its_host_is_left() -> None:
    assert applied(
        url_origin,
        "https://clinic.example/oncology/a?b#c",
        "http://clinic.example:8080",
        "https://clinic.example?visit=1",
        "https://jane@clinic.example/",
        "clinic.example/a",
        None,
    ) == [
        "https://clinic.example/",
        "http://clinic.example:8080/",
        "https://clinic.example/",
        None,
        None,
        None,
    ]


@settings(max_examples=100, deadline=None)
@given(TEXTS, TEXTS)
def test_nothing_of_a_path_is_left(path: str, query: str) -> None:
    address = f"https://clinic.example/{path}?{query}"
    assert applied(url_origin, address) in (["https://clinic.example/"], [None])


def test_an_escaped_address_in_a_path_does_not_leave() -> None:
    assert applied(
        url_page,
        "https://shop.example/u/jane%40example.org",
        "https://shop.example/u/jane%2540example.org",
    ) == [None, None]
    assert applied(url_page, "https://shop.example/100%25/a%20b") == [
        "https://shop.example/100%25/a%20b"
    ]
