"""Template variables of a `defs.yaml` mean the same to Dagster and to the command line."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from connector.errors import DestinationError
from tests.config.test_destination import ENDPOINT, URL, told
from tests.support.projects import Project

Write = Callable[..., Project]

VARIABLES = """
import dagster as dg


@dg.template_var
def region() -> str:
    return "eu"


@dg.template_var
def account() -> dict:
    return {"id": 77, "source": "abc123def456"}
"""

BROKEN = """

@dg.template_var
def broken() -> str:
    raise LookupError("s3cr3t-7f2a")
"""


@pytest.fixture
def write(project: Project, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes a destination whose file names a module of variables, and the module."""
    monkeypatch.setenv("STAGE", "staging")

    def written(module: str = ".variables", **changes: object) -> Project:
        path = project.write(URL, ENDPOINT, **changes)
        text = path.read_text(encoding="utf-8")
        path.write_text(f"{text}template_vars_module: {module}\n", encoding="utf-8")
        (path.parent / "variables.py").write_text(VARIABLES, encoding="utf-8")
        return project

    return written


def test_variables_and_the_environment_fill_one_text(write: Write) -> None:
    made = write(
        asset={"description": "orders of {{ region }}, {{ env.STAGE | upper }}"},
        account={"advertiser_id": "{{ account.id }}", "data_source_key": "{{ account.source }}"},
    ).load()
    assert made.model.asset.description == "orders of eu, STAGING"
    assert made.model.account == {"advertiser_id": 77, "data_source_key": "abc123def456"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{{ regoin }}", "did you mean 'region'?"),
        ("{{ region", "the template cannot be filled"),
        ("{{ env.NOWHERE }} {{ region }}", "the environment variable NOWHERE is not set"),
    ],
)
def test_what_cannot_be_filled_is_told_at_its_key(write: Write, text: str, message: str) -> None:
    [problem] = told(write(asset={"description": text}).load)
    assert "asset.description: " in problem
    assert message in problem
    assert "s3cr3t" not in problem


def test_a_variable_that_raises_is_told_without_its_words(write: Write) -> None:
    project = write(asset={"description": "{{ region }}"})
    (project.path().parent / "variables.py").write_text(VARIABLES + BROKEN, encoding="utf-8")
    [problem] = told(project.load)
    assert "LookupError" in problem
    assert "s3cr3t" not in problem


def test_a_secret_is_no_template(write: Write) -> None:
    with pytest.raises(DestinationError, match=r"auth\.bearer"):
        write(auth={"bearer": "{{ region }}"}).load()


@pytest.mark.parametrize("module", [".nowhere", "nowhere.at.all"])
def test_a_module_that_is_not_there_is_told_with_its_line(write: Write, module: str) -> None:
    project = write(module)
    [problem] = told(project.load)
    line = project.path().read_text(encoding="utf-8").count("\n")
    assert problem.startswith(f"{line}: template_vars_module: {module} raised ")
