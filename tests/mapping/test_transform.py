"""`transform: package.module:function` and `connector.encode`:
where people put their own code over pandas.
"""

from __future__ import annotations

import itertools
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import connector
from connector.errors import DestinationError
from connector.sandbox.server import Receiver
from tests.conftest import Make
from tests.support.projects import REPOSITORY, Project
from tests.support.warehouses import DuckDb, ago, conversion

_names = (f"own_code_{number}" for number in itertools.count())
SECRET = "jane.canary@shop.example.org"

Write = Callable[[str], str]


@pytest.fixture
def write(project: Project) -> Write:
    """Writes the body of `def page(frame)` into a module of the project;
    gives what the YAML says.
    """

    def written(body: str) -> str:
        name = next(_names)
        lines = "\n".join(f"    {line}" for line in body.splitlines())
        text = f"import pandas as pd\n\n\ndef page(frame):\n{lines}\n"
        (project.root / f"{name}.py").write_text(text, encoding="utf-8")
        return f"{name}:page"

    return written


def arrived(receiver: Receiver) -> list[dict[str, Any]]:
    """The events that the receiver took."""
    return [each["event"] for each in receiver.inbox.latest]


def test_a_transform_changes_values_before_they_are_normalised(
    duck_destination: Make, duck: DuckDb, receiver: Receiver, write: Write
) -> None:
    """It sees the warehouse's own values, and what it makes is normalised and hashed as ever."""
    duck.insert(*(conversion(number, email=f" P{number}@Shop.example.org ") for number in range(3)))
    made = duck_destination(
        identifiers=["HashedEmail"],
        transform=write(
            "assert frame['email'].str.startswith(' P').all()\n"
            "assert all(isinstance(kind, pd.ArrowDtype) for kind in frame.dtypes)\n"
            "return frame.assign(value=10, email=frame['email'].str.replace('Shop', 'Other'))"
        ),
    )
    plain = duck_destination(identifiers=["HashedEmail"], transform=None)
    expected = connector.encode(
        pd.DataFrame({"conversion_id": ["c000000"], "email": ["p0@other.example.org"]}).assign(
            event_name="Purchase", event_time=ago(hours=1), value=10
        ),
        plain,
    )
    [record] = list(expected)
    report = connector.sync(made)
    assert report.delivered == 3
    assert record["ids"] in [event["ids"] for event in arrived(receiver)]
    assert {event["value"] for event in arrived(receiver)} == {10.0}


def test_a_transform_may_add_a_column_that_the_query_lacks(
    project: Project, duck_destination: Make, duck: DuckDb, receiver: Receiver, write: Write
) -> None:
    duck.insert(conversion(1))
    project.query("select * exclude (event_name) from conversions")
    made = duck_destination(transform=write("return frame.assign(event_name='Lead')"))
    assert [each.message for each in connector.check(made).errors] == []
    assert connector.sync(made).delivered == 1
    assert [event["conversion_type"] for event in arrived(receiver)] == ["Lead"]


def test_the_same_row_becomes_the_same_bytes_in_preview_sync_and_encode(
    duck_destination: Make, duck: DuckDb, receiver: Receiver, write: Write
) -> None:
    duck.insert(conversion(1))
    made = duck_destination(transform=write("return frame.assign(value=frame['value'] * 2)"))
    [shown] = connector.preview(made)
    assert isinstance(shown, connector.PreviewedRequest)
    connector.sync(made)
    assert arrived(receiver) == [shown.body]


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (
            "frame['value'].map(lambda value: 1 // 0 if value == 7 else value)\nreturn frame",
            "raised ZeroDivisionError in {file}:5 at the row with key c000003;",
        ),
        (f"raise OSError('{SECRET}')", "raised OSError in {file}:5 at the row with key c000000;"),
        (
            f"if len(frame) > 2:\n    raise KeyError('{SECRET}')\nreturn frame",
            "raised KeyError in {file}:6 for a page of 8 rows, though for none of them alone;",
        ),
        ("return frame['email']", "must return a DataFrame, and returned Series;"),
        ("return None", "must return a DataFrame, and returned NoneType;"),
        (
            "return frame[frame['value'] != 7]",
            (
                "must return a DataFrame with the index of the one it was given (8 rows), "
                "and returned"
                " 7 rows with another index; to leave a row out, set its opt_out to true;"
            ),
        ),
        (
            "return frame.iloc[::-1]",
            "must return a DataFrame with the index of the one it was given",
        ),
        (
            "return frame.rename(columns={'email': 'e_mail'})",
            "returned columns that are not canonical: e_mail; did you mean 'email'?",
        ),
        (
            f"return frame.assign(email=[1, '{SECRET}', 2.5, [], 1, 1, 1, 1])",
            "returned a column that holds values of several types: email",
        ),
        (
            "return frame.drop(columns='extra.coupon')",
            "left out columns that `extra` sends: extra.coupon",
        ),
    ],
)
def test_what_goes_wrong_is_a_sentence_that_names_the_row_and_no_value(
    project: Project,
    duck_destination: Make,
    duck: DuckDb,
    receiver: Receiver,
    write: Write,
    body: str,
    sentence: str,
) -> None:
    duck.insert(*(conversion(number, value=7 if number == 3 else 5) for number in range(8)))
    project.query("select *, 'SPRING' as coupon from conversions")
    reference = write(body)
    made = duck_destination(transform=reference, extra={"coupon": "coupon"})
    report = connector.sync(made)
    assert report.failure is not None
    sentence = sentence.format(file=f"{reference.partition(':')[0]}.py")
    assert f"acme: transform {reference} {sentence.removesuffix(';')}" in report.failure.message
    assert (report.failure.kind, report.failure.exit_code) == ("ConfigError", 2)
    assert SECRET not in report.failure.message
    assert (receiver.inbox.summary()["requests"], report.mark_to) == (0, None)
    (problem,) = [each for each in connector.check(made).errors if "transform" in each.message]
    lines = project.path().read_text(encoding="utf-8").splitlines()
    assert lines[problem.line - 1].strip().startswith("transform:")
    assert SECRET not in problem.message


def test_a_personal_key_is_not_shown(
    project: Project, duck_destination: Make, duck: DuckDb, write: Write
) -> None:
    duck.insert(conversion(1, email=SECRET))
    made = duck_destination(source__key="email", transform=write("raise ValueError"))
    report = connector.sync(made)
    assert report.failure is not None
    assert "at row 0 of a page; its key is personal, and not shown" in report.failure.message
    assert SECRET not in report.failure.message


@pytest.mark.parametrize(
    ("reference", "sentence"),
    [
        ("no_such_module:page", "cannot be imported: there is no module no_such_module"),
        ("{module}:pages", "is not there: {module} has no function pages; did you mean 'page'?"),
        ("broken_code:page", "cannot be imported: SyntaxError in broken_code.py:1"),
        ("failing_code:page", "cannot be imported: ZeroDivisionError in failing_code.py:1"),
    ],
)
def test_a_function_that_is_not_there_is_found_by_check_with_its_line(
    project: Project,
    duck_destination: Make,
    write: Write,
    reference: str,
    sentence: str,
) -> None:
    module = write("return frame").partition(":")[0]
    (project.root / "broken_code.py").write_text("def page(:\n", encoding="utf-8")
    (project.root / "failing_code.py").write_text("1 / 0\n", encoding="utf-8")
    path = list(sys.path)
    made = duck_destination(transform=reference.format(module=module))
    (problem,) = [each for each in connector.check(made).errors if "transform" in each.message]
    assert problem.message.endswith(sentence.format(module=module))
    assert problem.line
    assert sys.path == path, "the library leaves its host as it was"


@pytest.mark.parametrize("text", ["page", "a.b", "a:b:c", "a b:c", ":page", "os.system('x'):y"])
def test_a_reference_of_another_form_is_refused(duck_destination: Make, text: str) -> None:
    with pytest.raises(DestinationError, match="transform"):
        duck_destination(transform=text)


def test_another_transform_is_another_source(
    duck_destination: Make, duck: DuckDb, write: Write
) -> None:
    """It is part of what the state remembers: a change is a person's decision."""
    duck.insert(conversion(1))
    connector.sync(duck_destination())
    changed = duck_destination(transform=write("return frame"))
    with pytest.raises(connector.StateMismatch, match="transform changed since the last run"):
        connector.sync(changed)
    assert connector.resolve(changed, accept_change=True).accepted == ("transform",)
    assert connector.sync(changed).rows_read == 0


def test_state_of_before_there_were_transforms_goes_on(
    duck_destination: Make, duck: DuckDb
) -> None:
    duck.insert(conversion(1))
    made = duck_destination()
    connector.sync(made)
    assert connector.sync(made).complete


def test_without_a_transform_a_page_stays_in_arrow(
    project: Project, duck_destination: Make, duck: DuckDb
) -> None:
    """It is not turned to pandas and back: the one module that does so is not even imported."""
    duck.insert(conversion(1))
    duck_destination()
    done = project.capi_anew("sync", "acme", "--json", PYTHONPROFILEIMPORTTIME="1", check=True)
    imported = {line.rpartition("|")[2].strip() for line in done.err.splitlines()}
    assert done.json()["delivered"] == 1
    assert "connector.mapping.serializer" in imported
    assert "connector.mapping.transform" not in imported
    users = {
        str(path.relative_to(REPOSITORY))
        for path in (REPOSITORY / "connector").rglob("*.py")
        if re.search(r"\bto_frame\(|\.to_pandas\(", path.read_text(encoding="utf-8"))
    }
    assert users == {
        *("connector/arrow/convert.py", "connector/arrow/pandas_import.py"),
        "connector/mapping/transform.py",
    }


def test_encode_gives_records_and_says_which_rows_it_refuses(duck_destination: Make) -> None:
    made = duck_destination(identifiers=["HashedEmail"])
    frame = pd.DataFrame(
        {
            "conversion_id": [1, 2, 3, 4],
            "event_name": "Purchase",
            "event_time": pd.to_datetime(["2026-01-01T10:00:00Z"] * 4),
            "email": ["a@shop.example.org", None, "b@shop.example.org", "c@shop.example.org"],
            "opt_out": [False, False, True, False],
            "value": [1.5, 2.0, 3.0, None],
        },
        index=[10, 11, 12, 13],
    )
    found = connector.encode(frame, made)
    assert [each.row for each in found.encoded] == [0, 3]
    assert [(each.row, each.reason) for each in found.refused] == [
        (1, "no_identity"),
        (2, "suppressed"),
    ]
    assert len(found) == 2
    first, last = found
    assert (first["value"], first["timestamp"]) == (1.5, "2026-01-01T10:00:00Z")
    assert "value" not in last
    assert first["event_id"] != last["event_id"]
    assert list(connector.encode(frame, made.file or Path())) == [first, last]


def test_encode_refuses_a_column_that_is_not_canonical(duck_destination: Make) -> None:
    with pytest.raises(connector.ConfigError, match="emial; did you mean 'email'"):
        connector.encode(pd.DataFrame({"emial": ["x"]}), duck_destination())
