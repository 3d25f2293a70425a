"""`request_extra`: what a destination adds to the request beside its records."""

from __future__ import annotations

from typing import Any

import pytest

from connector.commands.sync import sync
from connector.errors import DestinationError
from connector.sandbox.faults import Fault
from connector.sandbox.server import Receiver
from tests.platforms.parts import AS_OF, minimal, on_paper, on_receiver, quarantined, recent
from tests.support.previews import preview
from tests.support.projects import Project


def bodies(rows: list[dict[str, Any]], name: str = "meta", **changes: Any) -> list[Any]:
    items = preview(on_paper(name, **changes), rows, as_of=AS_OF)
    return [item["request"]["body"] for item in items if "request" in item]


def test_a_constant_stands_in_every_request_and_in_every_record_as_the_yaml_has_it() -> None:
    hostile = 'this or "that" | $events, =x'
    (body,) = bodies(
        [minimal("meta", conversion_id=f"c{number}") for number in range(2)],
        request_extra={
            "upload_tag": {"constant": hostile},
            "meta.version": {"constant": 2},
            "meta.flags": {"constant": [True, {"a": None}]},
        },
        extra={"custom_data.status": {"constant": hostile}, "custom_data.step": {"constant": 3}},
    )
    assert (body["upload_tag"], body["meta"]) == (
        hostile,
        {"version": 2, "flags": [True, {"a": None}]},
    )
    found = [each["custom_data"] for each in body["data"]]
    assert [(each["status"], each["step"]) for each in found] == [(hostile, 3)] * 2


def test_records_of_one_request_share_the_value_of_a_column() -> None:
    given = [("$events", 1), ("b", 2), ("$events", 1), (None, 1), ("b", 3)]
    rows = [
        minimal("meta", conversion_id=f"c{number}", event_id=f"e{number}", tag=tag, part=part)
        for number, (tag, part) in enumerate(given)
    ]
    sent = bodies(rows, request_extra={"upload_tag": "tag", "upload.part": "part | integer"})
    found = [
        (
            body.get("upload_tag"),
            body["upload"]["part"],
            *(each["event_id"] for each in body["data"]),
        )
        for body in sent
    ]
    assert found == [
        ("$events", 1, "e0", "e2"),
        ("b", 2, "e1"),
        (None, 1, "e3"),
        ("b", 3, "e4"),
    ]


def test_a_value_that_is_not_of_its_type_is_left_out_or_rejects_its_row() -> None:
    rows = [
        minimal("meta", conversion_id=f"c{number}", part=part) for number, part in enumerate("1x")
    ]
    field = {"column": "part", "type": "integer"}
    assert [body.get("part") for body in bodies(rows, request_extra={"part": field})] == [1, None]
    items = list(
        preview(
            on_paper("meta", request_extra={"part": {**field, "on_bad": "reject"}}),
            rows,
            as_of=AS_OF,
        )
    )
    assert [item["rejected"] for item in items if "rejected" in item] == [
        {"row": 1, "reason": "bad_extra", "field": "extra.part"}
    ]


@pytest.mark.parametrize(
    ("name", "path", "said"),
    [
        ("meta", "data", "fills data itself"),
        ("meta", "partner_agent", "fills partner_agent itself"),
        ("meta", "test_event_code", "`test_mode`"),
        ("meta", "a..b", "a path is made of names"),
        ("reddit", "data.events", "fills data.events itself"),
        ("reddit", "data.events.x", "has no place in it"),
        ("reddit", "data", "holds an object"),
        ("capi", "agency", "holds nothing beside its records"),
    ],
)
def test_a_place_that_is_taken_is_refused(name: str, path: str, said: str) -> None:
    with pytest.raises(DestinationError) as refused:
        on_paper(name, request_extra={path: {"constant": "x"}})
    assert said in str(refused.value)
    assert f"request_extra.{path}" in str(refused.value)


@pytest.mark.parametrize(
    "field", [{}, {"column": "a", "constant": 1}, {"constant": 1, "type": "text"}]
)
@pytest.mark.parametrize("section", ["extra", "request_extra"])
def test_a_field_is_a_column_or_a_constant(section: str, field: dict[str, Any]) -> None:
    with pytest.raises(DestinationError, match="constant"):
        on_paper("meta", **{section: {"agency": field}})


def test_what_a_request_says_of_its_rows_is_in_no_message(
    project: Project, receiver: Receiver
) -> None:
    rows = [recent(minimal("meta", conversion_id="c0", branch="Schlossallee"))]
    receiver.script.add(
        Fault(status=400, body={"error": {"code": 100, "message": "no branch SCHLOSSALLEE here"}})
    )
    changes = {"request_extra": {"upload_tag": "branch"}, "privacy__platform_messages": "redacted"}
    destination = on_receiver(project, receiver, rows, "meta", **changes)
    assert sync(destination).rejected == 1
    (entry,) = quarantined(project)
    assert entry["message"] == "no branch *** here"
    assert "Schlossallee" not in repr(entry)
