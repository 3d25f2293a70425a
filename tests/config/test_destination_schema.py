"""One schema: editors, `dg check yaml`, Dagster's loader and `capi check` say the same. And which addresses may be named at all."""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest
import requests
import urllib3
import yaml
from click.testing import CliRunner
from dagster._utils.schedules import is_valid_cron_string, schedule_execution_time_iterator
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from connector.config.destination import Asset, json_schema
from connector.errors import DestinationError
from connector.platforms import loader as platforms
from connector.syntax.units import parse_schedule
from dagster_project.components import CapiDestination
from dagster_project.resources import CapiResource, State, Warehouse
from tests.config.test_destination import ENDPOINT, EVERY_KEY, URL, line_of, problems, told
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

BROKEN: dict[str, dict[str, Any]] = {
    "unknown section": {"platfrom": "capi"},
    "unknown key": {"delivery": {"timout": "1s"}},
    "missing key": {"source__start": None},
    "literal secret": {"auth": {"bearer": "EAAGm0PX4ZCpsBAKZC"}},
    "duration": {"source__lag": "5 minutes"},
    "rate": {"delivery": {"rate": "200"}},
    "range": {"delivery": {"concurrency": 65}},
    "choice": {"source__time_unit": "sec"},
    "type": {"source__cursor": 5},
    "list": {"identifiers": "Guid"},
    "map": {"columns": ["email"]},
    "cron": {"schedule": "now and then"},
    "nested": {"checks": {"rejection_rate": {"warn": "a lot"}}},
    "region": {"source__default_region": "Germany"},
}
WITHIN_A_CHOICE: dict[str, dict[str, Any]] = {
    "webhook": {"alerts": {"webhook": "https://hooks.example.org/x"}},
    "freshness": {"asset": {"freshness": {"fail_after": "soon"}}},
}


def instance(project: Project, **changes: Any) -> Any:
    """A destination's YAML as an editor sees it."""
    return yaml.safe_load(project.write(URL, ENDPOINT, **changes).read_text(encoding="utf-8"))


def test_the_json_schema_is_valid_and_describes_every_key() -> None:
    schema = json_schema()
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    source = schema["$defs"]["Source"]["properties"]
    assert [name for name, key in source.items() if not key.get("description")] == []


@pytest.mark.parametrize(
    "changes",
    [
        {},
        EVERY_KEY,
        {"source__key": ["a", "b"]},
        {"account": {"advertiser_id": 12, "data_source_key": "x"}},
    ],
)
def test_the_json_schema_accepts_what_the_loader_accepts(
    project: Project, changes: dict[str, Any]
) -> None:
    assert list(Draft202012Validator(json_schema()).iter_errors(instance(project, **changes))) == []
    assert problems(project, **changes) == []


@pytest.mark.parametrize("broken", BROKEN)
def test_the_json_schema_refuses_what_the_loader_refuses(project: Project, broken: str) -> None:
    assert list(
        Draft202012Validator(json_schema()).iter_errors(instance(project, **BROKEN[broken]))
    )
    assert problems(project, **BROKEN[broken])


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
    warehouse, state = Warehouse(), State()
    resources = dg.Definitions(resources={"capi": CapiResource(warehouse=warehouse, state=state)})
    dg.Definitions.validate_loadable(dg.Definitions.merge(component.build_defs(None), resources))


@pytest.mark.parametrize(
    "changes",
    [
        {"schedule": "61 * * * *"},
        {"schedule": "@often"},
        {"asset": {"owners": ["bob"]}},
        {"asset": {"group": "a b"}},
        {"asset": {"tags": {"no spaces!": "x"}}},
        {"asset": {"freshness": {"fail_after": "30s"}}},
        {"asset": {"freshness": {"fail_after": "1h", "warn_after": "1h"}}},
    ],
)
def test_what_dagster_cannot_load_capi_refuses(project: Project, changes: dict[str, Any]) -> None:
    assert problems(project, **changes)


FIELDS = st.lists(
    st.sampled_from(
        [
            "*",
            "0",
            "1",
            "5",
            "7",
            "12",
            "23",
            "30",
            "31",
            "59",
            "60",
            "mon",
            "JAN",
            "1-5",
            "5-1",
            "*/5",
            "*/0",
            "2/3",
            "1,2",
            "1-10/2",
            "L",
            "?",
            "",
        ]
    ),
    min_size=4,
    max_size=6,
).map(" ".join)


@settings(max_examples=400, deadline=None)
@given(
    FIELDS
    | st.sampled_from(
        [
            "@hourly",
            "@daily",
            "@midnight",
            "@weekly",
            "@monthly",
            "@yearly",
            "@annually",
            "@reboot",
            "0 0 30 2 *",
            "0 0 31 4,6 *",
        ]
    )
)
def test_a_schedule_that_capi_accepts_comes_due_in_dagster(text: str) -> None:
    try:
        parse_schedule(text)
    except ValueError:
        return
    assert is_valid_cron_string(text)
    assert next(schedule_execution_time_iterator(0.0, text, "UTC")) is not None


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


REFUSED = [
    "http://px.dsp.example/x",
    "http://127.0.0.2:8000/x",
    "http://0.0.0.0/x",
    "http://0x7f000001/x",
    "http://2130706433/x",
    "http://127.1/x",
    "http://localhost.evil.test/x",
    "http://[::ffff:127.0.0.1]/x",
    "https://graph.facebook.com\\@evil.test/",
    "https://graph.facebook.com@evil.test/",
    "https://user:s3cr3t-7f2a@px.dsp.example/x",
    "https://user@px.dsp.example/x",
    "https://px.dsp.example/x?access_token=s3cr3t-7f2a",
    "https://px.dsp.example/x#fragment",
    "https://px.dsp.example:/x",
    "https://px.dsp.example:443:80/x",
    "https://px.dsp.example/a b",
    "https://px.dsp.example/x\n",
    "https://px.dsp.example/x\r\nHost: evil.test",
    "https://px.dsp.example\t/x",
    "https://fаcebook.com/x",
    "https://px。dsp.example/x",
    "https:///x",
    "https:/px.dsp.example/x",
    "//px.dsp.example/x",
    "px.dsp.example/x",
    "ftp://px.dsp.example/x",
    "file:///etc/passwd",
    "HTTPS://px.dsp.example/x",
    " https://px.dsp.example/x",
    "https://[::1]evil.test/x",
    "https://px.dsp.example/{account}",
    "",
]


@pytest.mark.parametrize("url", REFUSED)
def test_an_address_that_can_be_read_in_two_ways_is_refused(project: Project, url: str) -> None:
    (problem,) = problems(project, endpoint=url)
    assert re.fullmatch(
        r"\d+: endpoint must be (a plain address such as .*|https; plain http is only for a receiver on this machine)",
        problem,
    )
    assert int(problem.split(":")[0]) == line_of(project, "endpoint:")


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://px.dsp.example/x", "px.dsp.example"),
        ("https://px.dsp.example:8443/a/b;c=d,e", "px.dsp.example"),
        ("https://0x7f000001/x", "0x7f000001"),
        ("http://127.0.0.1:8477/x", "127.0.0.1"),
        ("http://localhost/x", "localhost"),
        ("http://[::1]:8477/x", "::1"),
    ],
)
def test_the_host_of_an_accepted_address_is_the_one_that_requests_connects_to(
    project: Project, url: str, host: str
) -> None:
    assert problems(project, endpoint=url) == []
    prepared = requests.Request("POST", url).prepare().url
    assert prepared == url
    assert urllib.parse.urlsplit(prepared).hostname == host
    assert urllib3.util.parse_url(prepared).host.strip("[]") == host


@pytest.mark.parametrize(
    "url",
    [
        "https://px.dsp.example:99999/x",
        "https://px.dsp.example:8\u0660/x",
        "https://-/x",
        "https://a..b/x",
    ],
)
def test_an_address_that_nothing_can_connect_to_is_refused(project: Project, url: str) -> None:
    assert problems(project, endpoint=url)
