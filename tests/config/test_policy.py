"""`policy.yaml`: hosts, variables, files and identifiers that any YAML of a project may name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from connector.config.loader import assemble
from connector.config.policy import policy_schema, read_policy
from connector.errors import DestinationError, Problem
from tests.config.test_destination import line_of
from tests.support.projects import Project

URL = "duckdb:///x"
ENDPOINT = "https://px.dsp.example/conversion"


def pin(project: Project, **keys: Any) -> Path:
    """Write a policy; a comment stands above it, so that no key is on the first line."""
    path = project.root / "policy.yaml"
    path.write_text("# pinned\n" + yaml.safe_dump(keys), encoding="utf-8")
    return path


def refused(project: Project) -> list[Problem]:
    """What the loader says of the destination."""
    with pytest.raises(DestinationError) as found:
        project.load()
    return found.value.problems


def test_without_a_policy_and_with_one_that_allows_it_a_destination_loads(
    project: Project,
) -> None:
    project.write(URL, ENDPOINT)
    assert project.load().model.endpoint == ENDPOINT
    pin(
        project,
        hosts=["*.dsp.example"],
        environment=["ACME_*"],
        files=[],
        identifiers=["capi.Hashed*", "Guid", "FirstPartyId"],
    )
    assert project.load().model.endpoint == ENDPOINT


def test_each_refusal_has_file_and_line_of_the_yaml_and_of_the_policy(project: Project) -> None:
    project.write(
        URL, ENDPOINT, identifiers=["Guid", "Email"], auth={"bearer": "file:secrets/token"}
    )
    policy = pin(project, hosts=["px.other.example"], files=["mounted/*"], identifiers=["Guid"])
    pinned = {
        line.partition(":")[0]: number
        for number, line in enumerate(policy.read_text(encoding="utf-8").splitlines(), 1)
    }
    found = {each.message: (each.file, each.line) for each in refused(project)}
    yaml_file = str(project.path())
    assert found == {
        f"endpoint: the host px.dsp.example is not among hosts of {policy}:{pinned['hosts']}": (
            yaml_file,
            line_of(project, "endpoint:"),
        ),
        f"auth.bearer: this file is not among files of {policy}:{pinned['files']}": (
            yaml_file,
            line_of(project, "bearer:"),
        ),
        "identifiers: capi.Email, which is sent, is not among identifiers of"
        f" {policy}:{pinned['identifiers']}": (yaml_file, line_of(project, "identifiers:")),
    }


@pytest.mark.parametrize(
    ("changes", "place", "name"),
    [
        ({"auth": {"bearer": "env:HOME_TOKEN"}}, "bearer:", "HOME_TOKEN"),
        ({"source__warehouse": "env:OTHER_URL"}, "warehouse:", "OTHER_URL"),
        ({"alerts": {"webhook": "env:SLACK"}}, "webhook:", "SLACK"),
        ({"asset": {"description": "is {{ env.AWS_KEY }}"}}, "description:", "AWS_KEY"),
        ({"account": {"advertiser_id": "env:ELSEWHERE"}}, "advertiser_id:", "ELSEWHERE"),
    ],
)
def test_a_variable_is_refused_before_it_is_read(
    project: Project, changes: dict[str, Any], place: str, name: str
) -> None:
    project.write(URL, ENDPOINT, **changes)
    pin(project, environment=["ACME_TOKEN"])
    (problem,) = refused(project)  # none of them is set, and that is not what is told
    assert problem.line == line_of(project, place)
    assert f"the environment variable {name} is not among environment of" in problem.message


def test_addresses_of_the_platform_itself_are_hosts_too(project: Project) -> None:
    oauth = ("client_id", "client_secret", "refresh_token")
    project.write(
        URL,
        ENDPOINT,
        platform="google",
        events={"Purchase": "1"},
        account={"account_id": "1"},
        auth=dict.fromkeys(oauth, "env:ACME_TOKEN"),
    )
    own = project.path().read_text(encoding="utf-8").replace(f"  endpoint: {ENDPOINT}\n", "")
    project.write_text(own)
    pin(project, hosts=["datamanager.googleapis.com"])
    assert [each.message.partition(" is not")[0] for each in refused(project)] == [
        "platform: the host oauth2.googleapis.com"
    ]
    pin(project, hosts=["*.googleapis.com"])
    project.load()
    text = project.path().read_text(encoding="utf-8")
    project.write_text(text + "  overrides:\n    endpoint: https://evil.example\n")
    (problem,) = refused(project)
    assert problem.message.startswith("overrides.endpoint: the host evil.example is not among")
    assert problem.line == len(text.splitlines()) + 2


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://reader@evil.example:5432/shop",
        "postgresql://reader@wh.example,evil.example/shop",
        "postgresql:///shop?host=wh.example:5432&host=evil.example:5433",
        "postgresql://wh.example/shop?hostaddr=evil.example",
        "postgresql://EVIL.example./shop",
    ],
)
def test_a_warehouse_that_is_written_out_is_a_host(project: Project, url: str) -> None:
    project.write(url, ENDPOINT)
    pin(project, hosts=["px.dsp.example", "wh.example"])
    assert [each.message.partition(" is not")[0] for each in refused(project)] == [
        "source.warehouse: the host evil.example"
    ]


def test_alerts_are_held_to_the_policy_too(project: Project) -> None:
    pagerduty = {"routing_key": "file:elsewhere/key", "endpoint": "https://evil.example/events"}
    project.write(URL, ENDPOINT, alerts={"pagerduty": pagerduty})
    pin(project, hosts=["px.dsp.example"], files=["secrets/*"])
    assert [each.message.partition(" is not")[0] for each in refused(project)] == [
        "alerts.pagerduty.endpoint: the host evil.example",
        "alerts.pagerduty.routing_key: this file",
    ]


@pytest.mark.parametrize("path", ["secrets/../../etc/passwd", "/etc/passwd", "secretsx/a"])
def test_a_file_is_told_apart_by_where_it_is(project: Project, path: str) -> None:
    project.write(URL, ENDPOINT, auth={"bearer": f"file:{path}"})
    pin(project, files=["secrets/*"])
    assert len(refused(project)) == 1
    project.write(URL, ENDPOINT, auth={"bearer": "file:./secrets/a"})
    project.load()


def test_identifiers_of_the_default_are_pinned_too(project: Project) -> None:
    project.write(URL, ENDPOINT)
    pin(project, identifiers=["HashedEmail"])
    assert [each.message.split(",")[0] for each in refused(project)] == [
        f"identifiers: capi.{name}" for name in ("Guid", "HashedPhone", "FirstPartyId")
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("host: [a.example]\n", "unknown key 'host'; did you mean 'hosts'?"),
        ("hosts: a.example\n", "hosts: input should be a valid list"),
        ("hosts:\n- https://a.example\n", "hosts.0:"),
        ("", "the file must hold keys and values"),
        ("hosts: [a\n", "not valid YAML"),
    ],
)
def test_a_policy_with_a_mistake_stops_every_destination(
    project: Project, text: str, message: str
) -> None:
    project.write(URL, ENDPOINT)
    path = project.root / "policy.yaml"
    path.write_text(text, encoding="utf-8")
    (problem,) = refused(project)
    assert problem.file == str(path)
    assert message in problem.message


def test_a_policy_that_would_be_passed_over_is_refused(project: Project) -> None:
    project.write(URL, ENDPOINT)
    path = project.root / "policy.yml"
    path.write_text("hosts: []\n", encoding="utf-8")
    (problem,) = refused(project)
    assert (problem.file, problem.message) == (str(path), "the policy must be called policy.yaml")
    path.unlink()
    (project.root / "policy.yaml").symlink_to("gone.yaml")
    assert refused(project)[0].message == "the policy cannot be read"


def test_a_destination_that_stands_in_no_file_is_held_to_the_policy(project: Project) -> None:
    project.write(URL, ENDPOINT)
    model = project.load().model
    pin(project, environment=["OTHER_*"])
    with pytest.raises(DestinationError, match="ACME_TOKEN is not among environment"):
        assemble("acme", model, project.root, None)
    pin(project, hosts=[])
    with pytest.raises(DestinationError, match="px.dsp.example is not among hosts"):
        assemble("acme", model, project.root, None)


def test_the_command_line_shows_both_places_and_the_schema(project: Project) -> None:
    project.write(URL, ENDPOINT)
    policy = pin(project, hosts=[])
    finished = project.capi("sync", "acme")
    assert finished.code == 2
    place = f"{project.path().relative_to(project.root)}:{line_of(project, 'endpoint:')}"
    assert place in finished.err
    assert f"{policy}:2" in finished.err
    assert project.capi("schema", "--policy", check=True).json() == policy_schema()


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.dictionaries(
        st.sampled_from(["hosts", "environment", "files", "identifiers", "other"]),
        st.one_of(
            st.none(), st.text(max_size=5), st.lists(st.text("a*./ A", max_size=4), max_size=3)
        ),
    )
)
def test_the_schema_accepts_what_the_loader_accepts(project: Project, keys: dict[str, Any]) -> None:
    schema = policy_schema()
    Draft202012Validator.check_schema(schema)
    (project.root / "policy.yaml").write_text(yaml.safe_dump(keys), encoding="utf-8")
    try:
        read_policy(project.root)
        accepted = True
    except DestinationError:
        accepted = False
    assert Draft202012Validator(schema).is_valid(keys) == accepted
