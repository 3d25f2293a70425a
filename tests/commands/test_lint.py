"""What share of a source's identifiers can be used, and what is wrong with the rest:
counts alone, never a value.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.commands import lint
from connector.commands.lint import lint_identifiers
from tests.platforms.parts import ACCOUNTS, AUTH, EVENTS, NAMES, fill, full, on_paper, recent
from tests.support.encoding import TEXTS
from tests.support.projects import Project
from tests.support.warehouses import Sqlite, conversion

COUNTED = ("empty", "valid", "placeholder", "already_hashed", "no_country_code", "malformed")


def look(
    project: Project,
    rows: list[dict[str, Any]],
    name: str = "capi",
    limit: int = lint.ROWS,
    **changes: Any,
) -> dict[tuple[str, str], dict[str, Any]]:
    """Identifier and column -> what was found."""
    url = fill(project, rows)
    wanted = {"auth__bearer": None, **{f"auth__{key}": value for key, value in AUTH[name].items()}}
    project.write(
        url,
        "https://px.dsp.example/v1",
        **{
            **wanted,
            "platform": name,
            "account": dict(ACCOUNTS[name]),
            "events": dict(EVENTS.get(name, {})),
            **changes,
        },
    )
    return {
        (entry["identifier"], entry["column"]): entry
        for entry in (each.to_json() for each in lint_identifiers(project.load(), limit=limit))
    }


ANDROID = ("gaid", "aaid", "AAID", "android_advertising_id", "GOOGLE_AID")
"""Identifiers that an advertising id of iOS is none of."""


def counts(entry: dict[str, Any]) -> dict[str, int]:
    """What is not zero."""
    return {name: entry[name] for name in COUNTED if entry[name]}


EMAILS = {
    "valid": ["jane@shop.example", " Jane.Doe+x@Shop.Example ", "mailto:jane@shop.example"],
    "empty": [None, "", "   "],
    "placeholder": ["N/A", "null", "test@test.com", "noreply@shop.example", "None"],
    "already_hashed": ["a" * 64, "B" * 40, "c" * 32],
    "malformed": [
        "jane",
        "a@b.example;c@d.example",
        "jane@shop,example",
        "Jane <jane@shop.example>",
        "jane @shop.example",
        "jöhn@shop.example",
        "a@b",
    ],
}
PHONES = {
    "valid": ["+14155552671", "0044 20 7946 0958"],
    "empty": [None],
    "placeholder": ["unknown", "-"],
    "already_hashed": ["d" * 64],
    "no_country_code": ["(415) 555-2671", "020 7946 0958", "4155552671"],
    "malformed": ["+1 415", "call me", "+999 123456789", "+1 555 000 0000 0000 0000"],
}


def test_it_is_told_by_what_phones_were_read(project: Project) -> None:
    rows = [
        conversion(0, phone="06 12 34 56 78", country="FR"),
        conversion(1, phone="06 12 34 56 78", country=None),
        conversion(2, phone="+33 6 12 34 56 78", country="DE"),
        conversion(3, phone="(415) 555-2671", country=" usa "),
        conversion(4, phone="(415) 555-2671", country="unknown"),
        conversion(5, phone="+1 415", country="US"),
        conversion(6, phone="06 12 34 56 78", country="Atlantis"),
    ]
    found = look(project, rows, source__default_region="FR")["HashedPhone", "phone"]
    assert found["read_by"] == {"country_code": 1, "country": 2, "default_region": 1}
    assert found["valid"] == 4


def column(values: dict[str, list[str | None]]) -> list[str | None]:
    return [value for kind in values.values() for value in kind]


def rows_of(**columns: list[str | None]) -> list[dict[str, Any]]:
    """Rows with these columns, as long as the longest."""
    longest = max(map(len, columns.values()))
    return [
        {
            "event_name": "Purchase",
            "event_time": None,
            **{
                name: values[number] if number < len(values) else None
                for name, values in columns.items()
            },
        }
        for number in range(longest)
    ]


def test_every_value_is_of_one_kind_and_malformed_ones_have_a_reason(project: Project) -> None:
    found = look(project, rows_of(email=column(EMAILS), phone=column(PHONES)))
    emails, phones = found["HashedEmail", "email"], found["HashedPhone", "phone"]
    assert emails["rows"] == len(column(EMAILS))
    assert counts(emails) == {kind: len(values) for kind, values in EMAILS.items()}
    assert emails["malformed_by_reason"] == {
        "comma": 1,
        "display_name": 1,
        "no_at": 1,
        "not_ascii": 1,
        "several_addresses": 1,
        "space": 1,
        "syntax": 1,
    }
    assert emails["valid_share"] == round(3 / (len(column(EMAILS)) - 3), 4)
    padding = len(column(EMAILS)) - len(column(PHONES))
    assert counts(phones) == {
        **{kind: len(values) for kind, values in PHONES.items()},
        "empty": 1 + padding,
    }
    assert phones["malformed_by_reason"] == {
        "letters": 1,
        "no_such_number": 1,
        "too_long": 1,
        "too_short": 1,
    }


def test_a_region_turns_national_numbers_into_valid_ones(project: Project) -> None:
    found = look(
        project, rows_of(phone=["(415) 555-2671", "020 7946 0958"]), source__default_region="US"
    )
    assert counts(found["HashedPhone", "phone"]) == {"valid": 1, "no_country_code": 1}


def test_each_column_that_an_identifier_can_come_from_is_looked_at(project: Project) -> None:
    found = look(project, rows_of(email=["a@shop.example"], email_sha256=["A" * 64]))
    assert counts(found["HashedEmail", "email_sha256"]) == {"valid": 1}
    bad = look(
        project,
        rows_of(
            email_sha256=["abc", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"]
        ),
    )
    assert counts(bad["HashedEmail", "email_sha256"])["malformed"] >= 1
    assert "valid" not in counts(bad["HashedEmail", "email_sha256"])


def test_the_rule_is_that_of_the_platform(project: Project) -> None:
    rows = rows_of(email=["+news@shop.example", "jane@shop.example"])
    assert counts(look(project, rows, "meta")["em", "email"]) == {"valid": 2}
    assert counts(look(project, rows, "microsoft")["em", "email"]) == {"valid": 1, "malformed": 1}


@pytest.mark.parametrize("name", NAMES)
def test_a_full_row_is_valid_in_every_identifier_of_every_platform(
    name: str, project: Project
) -> None:
    several = {
        **{
            f"{column}_{number}": f"{column}{number}@shop.example"
            for column in ("email",)
            for number in (2, 3)
        },
        **{f"phone_{number}": f"+1 650 555 121{number}" for number in (2, 3)},
        **{f"external_id_{number}": f"u-{number}" for number in (2, 3)},
        **dict.fromkeys(("idfa", "gaid"), "6d92078a-8246-4ba4-ae5b-76104861e7dc"),
    }
    found = look(project, [recent(full(conversion_id="c1", **several))], name)
    assert found
    for (identifier, column), entry in found.items():
        other = identifier in ANDROID or (name, identifier) == ("thetradedesk", "DAID")
        android = column == "mobile_ad_id" and other
        assert counts(entry) == ({"empty": 1} if android else {"valid": 1}), (identifier, column)


@pytest.mark.parametrize("name", ["meta", "capi"])
def test_a_source_that_keeps_times_as_text_can_be_looked_at(
    name: str, project: Project, tmp_path: Any
) -> None:
    warehouse = Sqlite(tmp_path)
    warehouse.create()
    warehouse.insert(conversion(1))
    warehouse.execute("alter table conversions add column fbclid text default 'IwAR0'")
    project.write(
        warehouse.url, "https://px.dsp.example/v1", platform=name, account=dict(ACCOUNTS[name])
    )
    assert {
        entry["valid"]
        for entry in (each.to_json() for each in lint_identifiers(project.load()))
        if entry["column"] in ("email", "fbclid")
    } == {1}


def test_no_more_rows_are_read_than_asked_for(project: Project) -> None:
    rows = rows_of(email=["jane@shop.example"] * 50)
    assert look(project, rows, limit=7)["HashedEmail", "email"]["rows"] == 7
    assert look(project, rows)["HashedEmail", "email"]["rows"] == 50


def test_an_empty_source_has_nothing_to_tell(project: Project) -> None:
    assert (
        look(
            project,
            rows_of(email=["a@shop.example"])[:0]
            or [{"email": None, "event_name": None, "event_time": None}],
        )["HashedEmail", "email"]["valid_share"]
        is None
    )


SOME = st.none() | TEXTS | st.sampled_from(column(EMAILS) + column(PHONES))


@settings(max_examples=60, deadline=None)
@given(st.lists(SOME, min_size=1, max_size=8))
@pytest.mark.parametrize("name", ["capi", "meta", "google", "reddit"])
def test_the_kinds_add_up_for_any_text(name: str, texts: list[str | None]) -> None:
    destination = on_paper(name)
    table = pa.table(
        {
            column: pa.array(texts, pa.string())
            for column in ("email", "phone", "guid", "client_ip", "postal_code", "external_id")
        }
    )
    for _, column, steps in lint._sources(destination):
        if column in table.column_names:
            found = lint._count(destination, table, column, steps)
            assert sum(found[kind] for kind in COUNTED) == found["rows"] == len(texts)
            assert (
                sum(number for key, number in found.items() if key.startswith("malformed "))
                == found["malformed"]
            )


def test_nothing_personal_is_printed(project: Project) -> None:
    values = [*column(EMAILS), "canary.person@shop.example", "CANARY broken"]
    url = fill(
        project,
        rows_of(
            email=values,
            phone=[*column(PHONES), "+49 170 9999999 CANARY"],
            first_party_id=["CANARY-id"],
        ),
    )
    project.write(url, "https://px.dsp.example/v1")
    for arguments in ((), ("--json",), ("--limit", "3")):
        done = project.capi("lint-identifiers", "acme", *arguments, check=True)
        said = (done.out + done.err).lower()
        assert "hashedemail" in said
        for value in ("canary", "shop.example", "jane", "555", "7946", "a" * 40):
            assert value not in said, value


def test_the_json_is_one_line_for_each_identifier(project: Project) -> None:
    project.write(fill(project, rows_of(email=column(EMAILS))), "https://px.dsp.example/v1")
    (line,) = [
        entry
        for entry in project.capi("lint-identifiers", "acme", "--json", check=True).lines()
        if entry["column"] == "email"
    ]
    assert line.keys() == {
        "identifier",
        "column",
        "rows",
        *COUNTED,
        "malformed_by_reason",
        "valid_share",
    }
