"""One YAML serves several deployments: what it takes from the environment when it is read."""

from __future__ import annotations

import pytest

from connector.errors import DestinationError
from tests.config.test_destination import line_of
from tests.support.projects import Project

SECRET = "secret-of-a-variable"


@pytest.fixture
def written(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A destination whose address, accounts and owner come from the environment."""
    monkeypatch.setenv("ACME_ENDPOINT", "https://px.staging.example/conversion")
    monkeypatch.setenv("ACME_ADVERTISER", "12")
    monkeypatch.setenv("STAGE", "staging")
    project.write(
        "duckdb:///x",
        "env:ACME_ENDPOINT",
        account={"advertiser_id": "env:ACME_ADVERTISER", "data_source_key": "shop-{{ env.STAGE }}"},
        asset={"tags": {"stage": "{{env.STAGE}}"}},
    )
    return project


def test_endpoint_accounts_and_templates_are_filled_in(written: Project) -> None:
    model = written.load().model
    assert model.endpoint == "https://px.staging.example/conversion"
    assert model.account == {"advertiser_id": 12, "data_source_key": "shop-staging"}
    assert model.model_dump()["asset"]["tags"] == {"stage": "staging"}


def test_variables_that_are_not_set_are_told_together_with_their_lines(
    written: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ACME_ENDPOINT")
    monkeypatch.setenv("STAGE", "")
    with pytest.raises(DestinationError) as found:
        written.load()
    assert [(each.line, each.message) for each in found.value.problems] == [
        (
            line_of(written, "endpoint:"),
            "endpoint: the environment variable ACME_ENDPOINT is not set",
        ),
        (
            line_of(written, "data_source_key:"),
            "account.data_source_key: the environment variable STAGE is not set",
        ),
        (line_of(written, "stage:"), "asset.tags.stage: the environment variable STAGE is not set"),
    ]


def test_what_comes_from_the_environment_is_checked_as_if_it_stood_there(
    written: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACME_ENDPOINT", "http://px.staging.example/conversion")
    monkeypatch.setenv("ACME_ADVERTISER", "twelve")
    with pytest.raises(DestinationError) as found:
        written.load()
    assert [each.line for each in found.value.problems] == [
        line_of(written, "advertiser_id:"),
        line_of(written, "endpoint:"),
    ]


def test_a_secret_is_still_a_reference_and_its_value_is_not_shown(
    written: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACME_TOKEN", SECRET)
    written.write("duckdb:///x", "env:ACME_ENDPOINT", auth={"bearer": "{{ env.ACME_TOKEN }}"})
    with pytest.raises(DestinationError, match=r"auth\.bearer") as found:
        written.load()
    assert SECRET not in str(found.value)


@pytest.mark.parametrize("text", ["{{ project_root }}", "{{ env.STAGE | upper }}", "{{ env.A-B }}"])
def test_a_template_of_another_kind_is_told(written: Project, text: str) -> None:
    written.write("duckdb:///x", "env:ACME_ENDPOINT", asset={"description": text})
    with pytest.raises(DestinationError, match=r"asset\.description: of templates there is only"):
        written.load()


def test_what_dagster_reads_beside_the_attributes_is_left_to_it(written: Project) -> None:
    path = written.path()
    text = path.read_text(encoding="utf-8")
    path.write_text(f"{text}requirements:\n  env: [ACME_TOKEN]\n", encoding="utf-8")
    assert written.load().model.endpoint
    path.write_text(f"{text}requirement:\n  env: [ACME_TOKEN]\n", encoding="utf-8")
    with pytest.raises(DestinationError, match="did you mean 'requirements'"):
        written.load()
