"""`capi platforms`: what each can do, and what its documents leave open."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
import yaml

import connector
from connector.platforms import loader
from connector.syntax.spelling import suggest
from tests.platforms.parts import NAMES
from tests.platforms.test_uncertain import CHOICES
from tests.support.projects import REPOSITORY, Project


def test_every_platform_that_comes_along_is_described() -> None:
    assert [facts.name for facts in connector.platform_facts()] == list(NAMES)


def test_what_a_platform_can_do_is_what_its_file_says() -> None:
    """Written by hand from the documents that the files name."""
    (amazon,) = connector.platform_facts("amazon")
    told = amazon.to_json()
    assert (told["max_events"], told["max_age"], told["auth"]) == (500, 7 * 86_400, "oauth2")
    assert told["account"] == {"account_id": {}, "data_set_name": {"optional": True}}
    assert told["identifiers"]["EMAIL"] == {
        "columns": ["email", "email_2", "email_3"],
        "plain": False,
    }
    assert told["identifiers"]["MATCH_ID"] == {
        "columns": ["external_id", "external_id_2", "external_id_3"],
        "plain": True,
    }
    assert told["identity"][0] == ["EMAIL"]
    assert (told["test_mode"], told["consent"], told["limited_data_use"]) == (None, True, "send")
    assert (told["refusals"], told["partial"], told["dedupe_window"]) == ("named", True, 172_800)
    assert {
        "says": "Seven days are said of the API before this one, and kept in Amazon's FAQ.",
        "overrides": ["overrides: {windows: {max_age: 28d}}"],
    } in told["open_facts"]


@pytest.mark.parametrize(
    ("name", "refusals", "partial", "test_mode"),
    [
        ("meta", "halving", False, "body, counts"),
        ("linkedin", "named", True, None),
        ("reddit", "named", False, "body"),
        ("snapchat", "named", False, "path"),
        ("thetradedesk", "named", False, None),
        ("thetradedesk_offline", "named", True, None),
        ("taboola", "halving", False, None),
    ],
)
def test_how_refused_records_are_found(
    name: str, refusals: str, partial: bool, test_mode: str | None
) -> None:
    (facts,) = connector.platform_facts(name)
    assert (facts.refusals, facts.partial, facts.test_mode) == (refusals, partial, test_mode)


@pytest.mark.parametrize("name", NAMES)
def test_every_choice_of_the_page_is_told_with_its_reason(name: str) -> None:
    """`test_uncertain.py` reads the page by itself, and applies each of its overrides."""
    (facts,) = connector.platform_facts(name)
    told = [line for fact in facts.open_facts for line in fact.overrides]
    assert [yaml.safe_load(line)["overrides"] for line in told] == [
        overrides for each, overrides in CHOICES if each == name
    ]
    assert all(fact.says.endswith(".") for fact in facts.open_facts)


def test_a_version_is_told_with_its_end() -> None:
    for facts in connector.platform_facts():
        platform = loader.load(facts.name)
        assert (facts.version, facts.version_end) == (platform.version, platform.version_end)
        end = facts.to_json()["version_end"]
        assert end is None or dt.date.fromisoformat(end) == platform.version_end
    assert any(facts.version_end for facts in connector.platform_facts())


def test_a_file_of_ones_own_can_be_looked_at(tmp_path: Path) -> None:
    (acme,) = connector.platform_facts("docs/examples/acme_batch.yaml", root=REPOSITORY)
    assert (acme.title, acme.version, acme.requests_per_second) == (
        "Acme batch conversions",
        "v2",
        20.0,
    )
    (tmp_path / "mine.yaml").write_text("title: Mine\n", encoding="utf-8")
    with pytest.raises(connector.DestinationError, match=r"mine\.yaml: docs: Field required"):
        connector.platform_facts("mine.yaml", root=tmp_path)


def test_a_platform_that_does_not_exist_is_told_with_the_nearest_one(project: Project) -> None:
    done = project.capi("platforms", "tik-tok")
    assert done.code == 2
    assert suggest("tik-tok", ["tiktok"]) in done.err
    assert "there is no platform 'tik-tok'" in done.err


def test_people_see_a_table_and_scripts_get_json(project: Project) -> None:
    every = project.capi("platforms", check=True).out
    assert all(name in every for name in NAMES)
    lines = project.capi("platforms", "--json", check=True).lines()
    assert [line["name"] for line in lines] == list(NAMES)
    (taboola,) = project.capi("platforms", "taboola", "--format", "json", check=True).lines()
    assert len(taboola["unproven"]) == 2
    shown = " ".join(project.capi("platforms", "taboola", check=True).out.split())
    for said in (
        "recognises an event id for",
        "no time at all",
        "click_id",
        "tblci",
        "validates nothing",
        "capi sandbox",
    ):
        assert said in shown
