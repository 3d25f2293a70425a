"""Several e-mails, phones and ids of one person, as arrays or as numbered columns."""

from __future__ import annotations

import hashlib
from typing import Any

import duckdb
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.commands.lint import lint_identifiers
from connector.commands.sync import sync
from connector.sandbox.server import Receiver
from tests.platforms.parts import AS_OF, minimal, on_paper, on_receiver, recent
from tests.platforms.test_golden import at, first_record
from tests.support.encoding import TEXTS
from tests.support.previews import preview
from tests.support.projects import Project


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


A, B, C, D = (sha(f"{name}@shop.example") for name in "abcd")
EMAILS: dict[str, Any] = {
    "array": {"email": ["a@shop.example", "B@shop.example ", None]},
    "JSON text": {"email": '["a@shop.example", "b@shop.example"]'},
    "numbered": {"email": "a@shop.example", "email_2": "b@shop.example"},
    "array and numbered": {"email": ["a@shop.example"], "email_3": "b@shop.example"},
    "the same twice": {"email": ["a@shop.example", "A@SHOP.example", "b@shop.example"]},
    "a broken one in front": {
        "email": "nobody",
        "email_2": "a@shop.example",
        "email_3": "b@shop.example",
    },
}


def record(name: str, **changes: Any) -> Any:
    (item,) = preview(on_paper(name), [minimal(name, **changes)], as_of=AS_OF)
    return first_record(item["request"]["body"])


@pytest.mark.parametrize("given", EMAILS.values(), ids=EMAILS.keys())
@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("meta", "user_data.em"),
        ("snapchat", "user_data.em"),
        ("pinterest", "user_data.em"),
        ("tiktok", "user.email"),
    ],
)
def test_the_distinct_addresses_of_a_person_are_sent(
    name: str, path: str, given: dict[str, Any]
) -> None:
    assert at(record(name, **given), path) == [A, B]


def test_a_member_of_a_list_is_written_for_each_value() -> None:
    sent = record("google", email=["a@shop.example", "b@shop.example"], phone_2="+14155552671")
    assert sent["userData"]["userIdentifiers"] == [
        {"emailAddress": A},
        {"emailAddress": B},
        {"phoneNumber": sha("+14155552671")},
    ]


def test_a_platform_that_takes_one_gets_the_first_that_can_be_used() -> None:
    sent = record("reddit", email=["nobody", "a@shop.example", "b@shop.example"])
    assert sent["user"] == {"email": A}


def test_no_more_than_three_are_read() -> None:
    four = [f"{name}@shop.example" for name in "abcd"]
    assert record("meta", email=four)["user_data"]["em"] == [A, B, C]


def test_a_digest_among_plain_addresses_is_refused() -> None:
    items = list(
        preview(on_paper("meta"), [minimal("meta", email=["a@shop.example", D])], as_of=AS_OF)
    )
    assert items == [{"rejected": {"row": 0, "reason": "looks_hashed", "field": "email_2"}}]


@given(st.lists(TEXTS | st.none() | st.just("a@shop.example"), max_size=5) | TEXTS)
def test_whatever_an_array_holds_no_digest_is_sent_twice(values: Any) -> None:
    text = orjson.dumps(values).decode() if isinstance(values, list) else values
    sent = record("meta", external_id=text)["user_data"].get("external_id", [])
    assert len(sent) == len(set(sent)) <= 3


def test_an_array_column_of_the_warehouse_is_read_as_such(
    project: Project, receiver: Receiver
) -> None:
    row = recent(minimal("meta"))
    destination = on_receiver(project, receiver, [row], "meta")
    with duckdb.connect(str(project.root / "conversions.duckdb")) as connection:
        connection.execute("alter table conversions add column email text[]")
        connection.execute("update conversions set email = ['a@shop.example', 'b@shop.example']")
    assert sync(destination).delivered == 1
    (arrived,) = receiver.inbox.latest
    assert at(arrived["event"], "user_data.em") == [A, B]
    (quality,) = [each for each in lint_identifiers(destination) if each.column == "email"]
    assert (quality.valid, quality.malformed) == (1, 0)
