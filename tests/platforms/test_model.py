"""Platform files: the language of expressions, what a file may say,
and how a destination lays its own values over it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.config.destination import Destination
from connector.errors import DestinationError
from connector.platforms import loader as platforms
from connector.platforms.expression import Alternatives, FunctionCall, Pipeline, parse
from tests.support.encoding import TEXTS, bodies, body, capi, encode, ids, row

NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True).filter(
    lambda name: name != "or"
)
SPACES = ["column", "account", "param", "identifier", "field", "extra"]
STEPS = st.builds(FunctionCall, NAMES, st.none() | st.text("abc1,. -", max_size=6))
PIPELINES = st.builds(
    lambda space, name, steps: Pipeline(space, name, tuple(steps)),
    st.sampled_from(SPACES),
    NAMES,
    st.lists(STEPS, max_size=3),
)
LITERALS = (
    st.text("ab| .(é", max_size=8)
    .filter(lambda text: text == text.strip())
    .map(lambda text: Pipeline("literal", text, ()))
)


def spelled(pipeline: Pipeline, gap: str) -> str:
    if pipeline.space == "literal":
        return f"={pipeline.name}"
    source = pipeline.name if pipeline.space == "column" else f"{pipeline.space}.{pipeline.name}"
    return f"{gap}|{gap}".join(
        [
            source,
            *(
                call.name if call.argument is None else f"{call.name}({call.argument})"
                for call in pipeline.calls
            ),
        ]
    )


@settings(max_examples=200, deadline=None)
@given(st.lists(PIPELINES | LITERALS, min_size=1, max_size=3), st.sampled_from(["", " ", "  "]))
def test_an_expression_means_what_it_spells(pipelines: list[Pipeline], gap: str) -> None:
    text = f" {gap}or ".join(spelled(pipeline, gap) for pipeline in pipelines)
    assert parse(text) == Alternatives(tuple(pipelines))


@settings(max_examples=200, deadline=None)
@given(TEXTS | st.text("ab.|=()or 1", max_size=20))
def test_any_text_is_an_expression_or_a_sentence_that_says_what_is_wrong(text: str) -> None:
    said, parsed = None, None
    try:
        parsed = parse(text)
    except ValueError as error:
        said = str(error)
    assert parsed.pipelines if parsed is not None else said is not None and "is not" in said


def test_an_expression_knows_its_columns_and_functions() -> None:
    parsed = parse(
        "email | email_basic | sha256_hex or email_sha256 | prehashed_hex or account.x or =none"
    )
    assert parsed.columns == ["email", "email_sha256"]
    assert parsed.functions == ["email_basic", "sha256_hex", "prehashed_hex"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a b",
        "1a",
        "a.b",
        "account",
        "account.",
        "a | ",
        "a | b(",
        "a | b)c",
        "a || b",
        "a | b(c)(d)",
        "e-mail",
        "a or ",
        "secrets.token",
    ],
)
def test_what_is_no_expression_is_refused(text: str) -> None:
    if text == "account":
        assert parse(text).columns == ["account"]
    else:
        with pytest.raises(ValueError, match="is not"):
            parse(text)


def problem(**changes: Any) -> str:
    with pytest.raises(DestinationError) as raised:
        capi(**changes)
    return str(raised.value)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"nope": 1}, "overrides: nope: "),
        ({"title": None}, "title"),
        ({"event": {"x": "email | nope"}}, "there is no function 'nope'"),
        (
            {"event": {"x": {"$list": [{"$each": "contents", "item": "id | nope"}]}}},
            "there is no function 'nope'",
        ),
        ({"fields": {"x": "email | nope"}}, "there is no function 'nope'"),
        ({"request": {"x": "email | nope"}}, "there is no function 'nope'"),
        (
            {"identifiers": {"X": {"value": "email", "hashed": "email_sha256 | nope"}}},
            "there is no function 'nope'",
        ),
        ({"event": {"x": "a b"}}, "'a b' is not a column name"),
        ({"required": ["nope"]}, "'nope' is neither a canonical column nor one of fields"),
        (
            {"required_when": [{"column": "nope", "values": ["a"], "need": ["value"]}]},
            "'nope' is neither a canonical column nor one of fields",
        ),
        (
            {"required_when": [{"column": "event_name", "values": ["a"], "need": ["nope"]}]},
            "'nope' is neither a canonical column nor one of fields",
        ),
        ({"columns": {"nope": "x"}}, "'nope' is not a canonical column"),
        ({"identity": {"any_of": [["Nope"]]}}, "identity names 'Nope'"),
        ({"identity": {"not_only": [["Nope"]]}}, "identity names 'Nope'"),
        ({"windows": {"max_age": "7x"}}, "a duration is a number and a unit"),
        ({"limits": {"max_events": 0}}, "max_events"),
        ({"event_id": {"recipe": "random"}}, "recipe"),
        ({"auth": {"method": "magic"}}, "method"),
        ({"endpoint": "http://px.dsp.example/"}, "https"),
    ],
)
def test_a_part_that_does_not_fit_is_refused_and_named(
    overrides: dict[str, Any], message: str
) -> None:
    assert message in problem(overrides=overrides)


UNCHECKED = [
    ({"event": {"x": "emial"}}, "emial"),
    ({"event": {"x": "account.nope"}}, "nope"),
    ({"event": {"x": "identifier.Nope"}}, "Nope"),
    ({"event": {"x": "field.nope"}}, "nope"),
    ({"event": {"x": {"$each": "nope", "item": "id"}}}, "nope"),
    ({"event": {"x": {"$each": "contents"}}}, "item"),
    ({"event": {"x": {"$all": ["y"], "z": "email"}}}, "y"),
    ({"event": {"x": {"$keeep": True, "z": "email"}}}, "keeep"),
    (
        {"event": {"x": {"$each": "contents", "item": {"y": {"$each": "contents", "item": "id"}}}}},
        "contents",
    ),
    ({"event": {"x": "event_name | lookup(nope)"}}, "nope"),
    ({"identifiers": {"X": {"value": "emial | email_basic"}}}, "emial"),
    ({"identifiers": {"X": {"value": "identifier.X"}}}, "X"),
    ({"event_id": {"recipe": "user_id_and_timestamp", "user_id": "nope"}}, "nope"),
    ({"windows": {"max_age": "7d", "max_age_by": {"web": "1d"}}}, "web"),
    ({"fields": {"x": "field.x"}}, "field.x"),
    ({"request": {"x": "emial"}}, "emial"),
    ({"event": {"x": {"$each": "contents", "item": {"y": "sku"}}}}, "sku"),
    ({"event": {"x": {"$one": ["y"], "z": "email"}}}, "y"),
    ({"body": {"x": "acount.nope"}}, "acount.nope"),
    ({"path": "/{nope}"}, "nope"),
    ({"headers": {"X-A": "{nope}"}}, "nope"),
    ({"query": {"a": "{nope}"}}, "nope"),
    ({"consent": {"opt_out": "send"}}, "opt_out"),
    ({"consent": {"limited_data_use": "send"}}, "limited_data_use"),
    ({"answers": {"status": {"403": "stop"}}}, "answers.status"),
    ({"required_when": [{"column": "action_source", "values": ["web"], "need": ["value"]}]}, "web"),
    ({"event": {"x": {"$each": "contents", "item": {"y": "identifier.Guid"}}}}, "Guid"),
    ({"fields": {"y": "identifier.Nope"}}, "identifier.Nope"),
    ({"request": {"y": "param.nope"}}, "param.nope"),
    ({"body": {"data": "events"}}, "body"),
    ({"body": {"data": "=events"}}, "$events"),
    ({"body": {"data": "$events", "again": "$events"}}, "$events"),
    ({"test_mode": {"method": "path", "value": "/{nope}"}}, "{nope}"),
    ({"event_names": {"unless": "nope"}}, "nope"),
    ({"columns": {"action_source": "website"}}, "columns.action_source"),
]


@pytest.mark.parametrize(
    ("overrides", "name"), UNCHECKED, ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_name_that_nothing_declares_is_refused_when_it_is_read(
    overrides: dict[str, Any], name: str
) -> None:
    assert name in problem(overrides=overrides)


def test_overrides_are_merged_key_by_key() -> None:
    plain = platforms.load("capi")
    changed = platforms.load(
        "capi",
        overrides={
            "limits": {"max_events": 5},
            "event": {"extra": {"a": "=b"}},
            "headers": {"X-A": "b"},
        },
    )
    assert (changed.limits.max_events, changed.limits.concurrency) == (5, plain.limits.concurrency)
    assert changed.event == {**plain.event, "extra": {"a": "=b"}}
    assert changed.headers == {"X-A": "b"}
    assert changed.identifiers == plain.identifiers
    assert platforms.load("capi") == plain


def test_an_override_of_null_takes_a_key_away() -> None:
    record = body(
        capi(overrides={"event": {"conversion_type": None, "user_agent": None}}),
        user_agent="curl/8.1",
    )
    assert {"conversion_type", "user_agent"}.isdisjoint(record)
    fewer = capi(overrides={"identifiers": {"Email": None, "HashedEmail": None}})
    assert ids(body(fewer, email="jane@example.org")) == {"Guid": row()["guid"]}
    assert platforms.load(
        "capi", overrides={"windows": {"max_age": None}, "nothing.such": None}
    ) == platforms.load("capi")


def test_an_override_of_a_list_replaces_it() -> None:
    only_guid = capi(overrides={"event": {"ids": [{"key": "identifier.Guid"}]}})
    assert body(only_guid, email="jane@example.org")["ids"] == [{"key": row()["guid"]}]
    assert platforms.load(
        "capi", overrides={"answers": {"success": {"status": [202]}}}
    ).answers.success.status == [202]


def test_a_field_may_be_renamed_and_reencoded_by_overrides() -> None:
    overrides = {
        "event": {
            "timestamp": "event_time | unix_ms",
            "value": None,
            "amount_minor": "value | minor_units",
            "amount": "value | number",
        }
    }
    record = body(capi(overrides=overrides), value="12.30", currency="KWD")
    assert (record["timestamp"], record["amount_minor"], record["amount"]) == (
        1780221600000,
        12300,
        12.3,
    )


OWN = {
    "title": "Own",
    "docs": "none",
    "endpoint": "https://own.example/events",
    "account": {"shop": {"type": "digits"}, "kind": {"choices": ["a", "b"], "default": "a"}},
    "auth": {"method": "none"},
    "identifiers": {"id": {"value": "first_party_id"}},
    "event": {
        "who": "identifier.id",
        "shop": "account.shop",
        "kind": "account.kind",
        "what": "event_name",
    },
}


def own(folder: Path, account: dict[str, Any], **changes: Any) -> Destination:
    """A destination of a platform that a user wrote."""
    (folder / "own.yaml").write_text(yaml.safe_dump({**OWN, **changes}), encoding="utf-8")
    return capi("own.yaml", folder, account=account)


def test_a_platform_file_of_ones_own_needs_no_code(tmp_path: Path) -> None:
    destination = own(tmp_path, {"shop": "7"})
    assert destination.platform_name == "own"
    assert body(destination, first_party_id="u1", event_time="2026-05-31T10:00:00Z") == {
        "who": "u1",
        "shop": "7",
        "kind": "a",
        "what": "Purchase",
    }


def test_a_platform_file_that_changes_is_read_again(tmp_path: Path) -> None:
    own(tmp_path, {"shop": "7"})
    changed = own(
        tmp_path,
        {"shop": "7"},
        event={"person": "identifier.id"},
        title="A longer title, so that the file differs in size too",
    )
    assert body(changed, first_party_id="u1") == {"person": "u1"}


@pytest.mark.parametrize(
    ("account", "changes", "message"),
    [
        ({}, {}, "account.shop is missing"),
        ({"shop": "12-34"}, {}, "account.shop must be digits alone"),
        ({"shop": "7", "kind": "c"}, {}, "account.kind must be one of a, b"),
        ({"shop": "7", "shopp": "7"}, {}, "no account key 'shopp'; did you mean 'shop'?"),
        ({"shop": "7"}, {"event": None}, "event"),
        (
            {"shop": "7"},
            {"identifiers": {"id": {"value": "first_party_id | nope"}}},
            "own.yaml: identifiers.id: there is no function 'nope'",
        ),
        ({"shop": "7"}, {"limits": {"max_evnts": 1}}, "max_evnts"),
    ],
)
def test_a_platform_file_of_ones_own_is_checked_like_any_other(
    tmp_path: Path, account: dict[str, Any], changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(DestinationError) as raised:
        own(tmp_path, account, **changes)
    assert message in str(raised.value)


def test_a_platform_that_does_not_exist_is_told_with_those_that_do(tmp_path: Path) -> None:
    with pytest.raises(DestinationError, match="no platform 'cappi'; there are .*capi"):
        capi("cappi")
    with pytest.raises(DestinationError, match=r"no platform file missing\.yaml"):
        capi("missing.yaml", tmp_path)


@pytest.mark.parametrize("text", ["a: &x 1\nb: *x\n", "a: 1\na: 2\n", "a: NO\n", "a: [\n", "- 1\n"])
def test_a_platform_file_is_read_as_strictly_as_a_destination(tmp_path: Path, text: str) -> None:
    (tmp_path / "own.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(DestinationError):
        capi("own.yaml", tmp_path)


def test_an_entry_of_a_list_may_hold_what_is_the_same_everywhere() -> None:
    item = {
        "id": "id",
        "brand": "brand or =none",
        "seller": "account.data_source_key | upper",
        "money": "currency",
    }
    destination = capi(overrides={"event": {"contents": {"$each": "contents", "item": item}}})
    contents = [{"id": "a", "brand": "B"}, {"id": "b"}]
    assert body(destination, contents=contents, value=1)["contents"] == [
        {"id": "a", "brand": "B", "seller": "ABC123DEF456", "money": "USD"},
        {"id": "b", "brand": "none", "seller": "ABC123DEF456", "money": "USD"},
    ]


@pytest.mark.parametrize("platform", platforms.names())
def test_the_platforms_that_come_with_the_connector_name_nothing_undeclared(platform: str) -> None:
    assert platforms.load(platform).title


def test_lists_inside_a_row_become_lists_of_objects() -> None:
    item = {"id": "id", "price": "price | amount", "quantity": "quantity | whole"}
    destination = capi(overrides={"event": {"contents": {"$each": "contents", "item": item}}})
    contents = [
        {"id": "a", "price": 9.5, "quantity": 2},
        {"id": "b", "price": "9,50", "quantity": "two"},
        {},
        {"id": 7, "price": "1e3", "quantity": -1},
    ]
    found = [
        record.get("contents")
        for record in bodies(encode([row(contents=contents), row(contents=[]), row()], destination))
    ]
    assert found == [
        [{"id": "a", "price": 9.5, "quantity": 2}, {"id": "b"}, {"id": "7"}],
        None,
        None,
    ]
