"""Dagster and `capi` read one schema: they accept the same YAML,
and refuse the same line in the same words.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from connector.commands.check import check
from connector.errors import DestinationError
from connector.platforms import loader as platforms
from dagster_project.components import CapiDestination
from dagster_project.model import Asset, schedule_problems
from tests.config.test_destination import ENDPOINT, EVERY_KEY, URL, line_of, problems, told
from tests.config.test_destination_schema import BROKEN
from tests.support.projects import Project
from tests.support.warehouses import DuckDb

PYPROJECT = """
[tool.dg]
directory_type = "project"

[tool.dg.project]
root_module = "dagster_project"
code_location_target_module = "dagster_project.definitions"
registry_modules = ["dagster_project.components"]
"""

WITHIN_A_CHOICE: dict[str, dict[str, Any]] = {
    "webhook": {"alerts": {"webhook": "https://hooks.example.org/x"}},
    "freshness": {"asset": {"freshness": {"fail_after": "soon"}}},
}


@pytest.fixture
def dg_check(project: Project, monkeypatch: pytest.MonkeyPatch) -> Callable[[], str]:
    """`dg check yaml` on the project's destination; what it prints."""
    from dagster_dg_cli.cli import cli

    (project.root / "pyproject.toml").write_text(PYPROJECT, encoding="utf-8")
    monkeypatch.chdir(project.root)
    (project.root / ".dagster").mkdir()
    (project.root / ".dagster" / "dagster.yaml").write_text(
        "telemetry: {enabled: false}\n", encoding="utf-8"
    )
    monkeypatch.setenv("DAGSTER_HOME", str(project.root / ".dagster"))

    def check() -> str:
        return CliRunner().invoke(cli, ["check", "yaml", str(project.path().parent)]).output

    return check


def test_dg_and_capi_accept_the_same_destination(
    project: Project, dg_check: Callable[[], str]
) -> None:
    assert problems(project, **EVERY_KEY) == []
    assert "All component YAML validated successfully" in dg_check()


def test_dg_and_capi_flag_the_same_line(project: Project, dg_check: Callable[[], str]) -> None:
    """One test for the whole table: Dagster's own start takes longer than all of it."""
    for name, changes in BROKEN.items():
        ours = {int(problem.split(":")[0]) for problem in problems(project, **changes)}
        theirs = {int(line) for line in re.findall(r"defs\.yaml:(\d+)", dg_check())}
        assert ours == theirs, name


@pytest.mark.parametrize("broken", WITHIN_A_CHOICE)
def test_dg_and_capi_flag_the_same_line_in_a_section_that_may_be_null(
    project: Project, dg_check: Callable[[], str], broken: str
) -> None:
    ours = {int(problem.split(":")[0]) for problem in problems(project, **WITHIN_A_CHOICE[broken])}
    assert ours == {int(line) for line in re.findall(r"defs\.yaml:(\d+)", dg_check())}


@pytest.mark.parametrize(
    "changes",
    [
        {"platform": "cappi"},
        {"account": {}},
        {"source__time_zone": "Mars/Phobos"},
        {"columns": {"e_mail": "x"}},
        {"auth": {}},
        {"overrides": {"x": 1}},
    ],
)
def test_what_no_schema_can_say_dagster_tells_in_the_words_of_capi(
    project: Project, changes: dict[str, Any]
) -> None:
    project.write(URL, ENDPOINT, **changes)
    with pytest.raises(DestinationError) as ours:
        project.load()
    where: Any = SimpleNamespace(path=project.path().parent, project_root=project.root)
    with pytest.raises(dg.DagsterInvalidDefinitionError) as theirs:
        CapiDestination.load(None, where)
    assert str(theirs.value) == str(ours.value)


@pytest.mark.parametrize(
    "changes", [{}, {k: v for k, v in EVERY_KEY.items() if k not in ("source", "auth", "extra")}]
)
def test_what_capi_accepts_dagster_can_load(
    project: Project, duck: DuckDb, changes: dict[str, Any]
) -> None:
    project.write(duck.url, ENDPOINT, **changes)
    load_in_dagster(project, "acme")


def load_in_dagster(project: Project, name: str) -> None:
    """All that Dagster checks when it loads a project."""
    component: Any = CapiDestination(project.load(name))
    context = dg.ComponentTree.for_test().load_context
    dg.Definitions.validate_loadable(component.build_defs(context))


@pytest.mark.parametrize(
    "changes",
    [
        {"asset": {"owners": ["bob"]}},
        {"asset": {"group": "a b"}},
        {"asset": {"tags": {"no spaces!": "x"}}},
        {"asset": {"freshness": {"fail_after": "30s"}}},
        {"asset": {"freshness": {"fail_after": "1h", "warn_after": "1h"}}},
    ],
)
def test_what_dagster_cannot_load_capi_refuses(project: Project, changes: dict[str, Any]) -> None:
    assert problems(project, **changes)


@settings(max_examples=300, deadline=None)
@given(
    st.text(st.sampled_from("aZ0_.-/:@ é"), max_size=12),
    st.sampled_from(["owners", "tags", "values", "group"]),
)
def test_what_capi_accepts_of_an_asset_dagster_accepts(text: str, what: str) -> None:
    values: dict[str, Any] = {
        "owners": [text],
        "tags": {text: "x"},
        "values": {"x": text},
        "group": text,
    }
    name = "tags" if what == "values" else what
    try:
        Asset.model_validate({name: values[what]})
    except ValidationError:
        return
    dg.AssetSpec("x", **{"group_name" if name == "group" else name: values[what]})


def test_a_destination_may_have_a_dash_in_its_name(project: Project, duck: DuckDb) -> None:
    project.write(duck.url, ENDPOINT, "acme-dsp")
    load_in_dagster(project, "acme-dsp")


@pytest.mark.parametrize("name", ["my dsp", "acme!", "ünï"])
def test_a_name_that_dagster_cannot_have_is_refused(project: Project, name: str) -> None:
    project.write(URL, ENDPOINT, name)
    assert [
        problem
        for problem in told(lambda: project.load(name))
        if f"'{name}' cannot be a name in Dagster" in problem
    ]
    (project.root / f"{name}.yaml").write_text(
        (platforms.FOLDER / "capi.yaml").read_text(encoding="utf-8"), encoding="utf-8"
    )
    (problem,) = problems(project, platform=f"{name}.yaml")
    assert problem.startswith(f"{line_of(project, 'platform:')}: '{name}' cannot be a name")


def test_a_platform_file_may_have_dashes_and_dots_in_its_name(
    project: Project, duck: DuckDb
) -> None:
    own = project.root / "my-dsp.v2.yaml"
    own.write_text((platforms.FOLDER / "capi.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    project.write(duck.url, ENDPOINT, platform=own.name)
    load_in_dagster(project, "acme")


@pytest.mark.parametrize(
    "cron", ["61 * * * *", "* * 32 * *", "*/0 * * * *", "@often", "0 0 30 2 *"]
)
def test_a_schedule_that_never_comes_due_is_refused_by_check_and_by_dagster(
    project: Project, cron: str
) -> None:
    project.write(URL, ENDPOINT, schedule=cron)
    sentence = f"schedule: '{cron}' is no cron expression of five fields that ever comes due"
    found = [problem for problem in check(project.path()).errors if problem.message == sentence]
    assert [problem.line for problem in found] == [line_of(project, "schedule:")]
    where: Any = SimpleNamespace(path=project.path().parent, project_root=project.root)
    with pytest.raises(dg.DagsterInvalidDefinitionError) as refused:
        CapiDestination.load(None, where)
    assert str(refused.value) == str(found[0])


@pytest.mark.parametrize(
    "cron", ["0 9-17 * * mon-fri", "0,30 8 1 1,JUL *", "@daily", "0 0 29 2 *", "0 0 31 4 1"]
)
def test_a_schedule_that_dagster_knows_is_accepted(project: Project, cron: str) -> None:
    project.write(URL, ENDPOINT, schedule=cron)
    assert list(schedule_problems(project.load())) == []


@pytest.mark.parametrize(
    ("first", "second"), [("acme-dsp", "acme_dsp"), ("eu/acme", "us/acme"), ("eu/acme", "acme")]
)
def test_two_folders_with_one_name_in_dagster_are_refused(
    project: Project, first: str, second: str
) -> None:
    for name in (first, second):
        project.write("duckdb:///x", "https://px.dsp.example/signal", name)
    project.write("duckdb:///x", "https://px.dsp.example/signal", "another")
    for name in (first, second):
        with pytest.raises(
            DestinationError, match="would have the same names in Dagster; rename one of them"
        ) as told:
            project.load(name)
        assert f"defs/{first}" in str(told.value)
        assert f"defs/{second}" in str(told.value)
    assert project.load("another").name == "another"
    project.write_text("type: another_project.Component\nattributes: {}\n", first)
    assert project.load(second).name == second.rpartition("/")[2]
