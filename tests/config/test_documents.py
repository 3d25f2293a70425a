"""Several destinations in one file: a YAML document for each, told apart by `name`."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.commands.destinations import list_destinations
from connector.config.documents import destinations_in
from connector.config.loader import load
from connector.syntax.yaml import load_all
from tests.config.test_destination import ENDPOINT, URL, told
from tests.support.projects import Project

NAMES = ("acme_dsp", "acme_leads")


@pytest.fixture
def shared(project: Project) -> Path:
    """A file of two destinations, and a document that is none of ours."""
    texts = [project.write(URL, ENDPOINT).read_text(encoding="utf-8") for _ in NAMES]
    documents = [
        text.replace("attributes:\n", f"attributes:\n  name: {name}\n")
        for name, text in zip(NAMES, texts, strict=True)
    ]
    other = "type: shop.Component\nattributes:\n  name: shop\n"
    return project.write_text("---\n".join([documents[0], other, documents[1]]))


def test_each_document_is_a_destination_of_its_own(shared: Path, project: Project) -> None:
    assert [load(f"{shared}#{name}", project.root).name for name in NAMES] == [*NAMES]
    assert [each.name for each in destinations_in(shared)] == [*NAMES]
    [second] = [each for each in list_destinations(project.root) if each.name == NAMES[1]]
    assert load(second.target, project.root).name == NAMES[1]


def test_one_of_several_must_be_named(shared: Path, project: Project) -> None:
    [message] = told(lambda: load(shared, project.root))
    assert "the file has 2 destinations: acme_dsp, acme_leads. Name one, as in" in message
    [message] = told(lambda: load(f"{shared}#acme_dps", project.root))
    assert "has no destination 'acme_dps'; did you mean 'acme_dsp'?" in message


def test_a_problem_stands_in_its_own_document(shared: Path, project: Project) -> None:
    text = shared.read_text(encoding="utf-8")
    first, _, last = text.rpartition("cursor: updated_at")
    shared.write_text(f"{first}cursr: updated_at{last}", encoding="utf-8")
    line = first.count("\n") + 1
    assert any(each.startswith(f"{line}: ") for each in told(lambda: load(f"{shared}#acme_leads")))
    assert load(f"{shared}#acme_dsp", project.root).name == "acme_dsp"


def test_a_name_that_is_missing_or_given_twice_is_refused_at_its_line(
    shared: Path, project: Project
) -> None:
    text = shared.read_text(encoding="utf-8")
    shared.write_text(text.replace("acme_leads", "acme_dsp"), encoding="utf-8")
    [twice] = told(lambda: load(f"{shared}#acme_dsp", project.root))
    line = text[: text.index("acme_leads")].count("\n") + 1
    assert twice == f"{line}: the name 'acme_dsp' is given twice"
    shared.write_text(text.replace("  name: acme_leads\n", ""), encoding="utf-8")
    [missing] = told(lambda: load(f"{shared}#acme_dsp", project.root))
    assert missing.endswith(": a file of several destinations gives each a name of its own")


def test_a_file_of_one_may_have_a_name_too(project: Project) -> None:
    path = project.write(URL, ENDPOINT)
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("attributes:\n", "attributes:\n  name: other\n"), "utf-8")
    assert load(path, project.root).name == load(f"{path}#other", project.root).name == "other"
    assert [each.name for each in list_destinations(project.root)] == ["other"]


def test_the_command_line_finds_each_by_its_name(shared: Path, project: Project) -> None:
    found = project.capi("list", "--json").lines()
    assert [(each["name"], each["file"]) for each in found] == [
        (name, str(shared)) for name in NAMES
    ]
    checked = project.capi("check", "acme_leads", "--json")
    assert "the file has" not in checked.out + checked.err
    refused = project.capi("check", "acme_lead")
    assert "did you mean 'acme_leads'?" in refused.err


WORD = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True).filter(
    lambda word: word not in ("y", "n", "yes", "no", "on", "off", "true", "false", "null")
)
"""Names that need no quotes: as they stand, these are refused where a text is meant."""


@given(st.lists(WORD, min_size=1, max_size=5, unique=True), st.sampled_from(["'", '"', ""]))
@settings(max_examples=60)
def test_names_are_found_without_reading_as_reading_finds_them(
    tmp_path_factory: pytest.TempPathFactory, names: list[str], quote: str
) -> None:
    path = tmp_path_factory.mktemp("defs") / "defs.yaml"
    path.write_text(
        "".join(
            "---  # one\n"
            f"type: x\nattributes:\n  account: {{name: nested}}\n  platform: meta\n"
            f"  name: {quote}{name}{quote}\n  x:\n    name: deeper\n"
            for name in names
        ),
        encoding="utf-8",
    )
    read = [each.value["attributes"]["name"] for each in load_all(path.read_text(), str(path))]
    assert [each.name for each in destinations_in(path)] == read == names
