"""`capi preflight`: the integration checklist, with nothing left out in silence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import trustme

import connector
from connector.commands.status import status
from connector.sandbox.preflight import STEPS, PreflightStep
from connector.sandbox.server import Receiver, Settings, running
from tests.conftest import Make
from tests.platforms.parts import NAMES, SECRETS, minimal, on_receiver, recent
from tests.support.dagster import load_definitions
from tests.support.projects import TOKEN, Project
from tests.support.servers import closed_port
from tests.support.warehouses import DuckDb, conversion


def outcomes(found: list[PreflightStep]) -> dict[str, str]:
    """Step -> outcome; each step is there once, in order."""
    assert [each.name for each in found] == list(STEPS)
    assert all(each.detail for each in found)
    assert all(each.remedy for each in found if each.outcome != "pass")
    return {each.name: each.outcome for each in found}


def step(found: list[PreflightStep], name: str) -> PreflightStep:
    return next(each for each in found if each.name == name)


def test_a_destination_that_is_ready_passes_and_nothing_is_recorded(
    duck_destination: Make, duck: DuckDb, receiver: Receiver, project: Project
) -> None:
    duck.insert(*(conversion(number) for number in range(3)))
    made = duck_destination()
    found = connector.preflight(made)
    assert set(outcomes(found).values()) == {"pass"}
    assert receiver.inbox.summary()["events"] == 1
    assert "by 2 retries" in step(found, "retries").detail
    assert (status(made).recorded, status(made).backlog) == ({}, 3)
    shown = project.capi("preflight", "acme", "--json", check=True).lines()
    assert [each["outcome"] for each in shown] == ["pass"] * len(STEPS)
    assert "PASS" in project.capi("preflight", "acme", check=True).out


def test_a_yaml_that_cannot_be_read_leaves_the_rest_unknown_and_named(project: Project) -> None:
    path = project.write("env:WAREHOUSE_URL", "http://127.0.0.1:1/x", platfrom="capi")
    found = connector.preflight(path)
    assert outcomes(found) == {"yaml": "fail", **dict.fromkeys(STEPS[1:], "unknown")}
    assert "unknown key 'platfrom'" in found[0].detail
    assert project.capi("preflight", "acme").code == 2


def test_a_secret_that_is_missing_fails_and_nothing_is_sent(
    duck_destination: Make, duck: DuckDb, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    duck.insert(conversion(1))
    made = duck_destination()
    monkeypatch.delenv("ACME_TOKEN")
    found = connector.preflight(made)
    expected = dict.fromkeys(STEPS, "pass") | {"secrets": "fail"}
    expected |= dict.fromkeys(("token", "test_conversion", "retries"), "unknown")
    assert outcomes(found) == expected
    assert "ACME_TOKEN is not set" in step(found, "secrets").detail
    assert receiver.inbox.summary()["events"] == 0


def test_a_token_that_is_refused_fails_with_the_remedy(
    duck_destination: Make, duck: DuckDb, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    duck.insert(conversion(1))
    made = duck_destination()
    monkeypatch.setenv("ACME_TOKEN", "an-old-token")
    found = connector.preflight(made)
    refused = {"token": "fail", "test_conversion": "fail"}
    assert outcomes(found) == dict.fromkeys(STEPS, "pass") | refused
    assert "auth.bearer" in step(found, "token").detail
    finished = project.capi("preflight", "acme")
    assert finished.code == 3
    assert "an-old-token" not in finished.out + finished.err


def test_what_only_sending_can_tell_is_said_to_be_unknown(
    duck_destination: Make, duck: DuckDb, project: Project
) -> None:
    duck.insert(conversion(1))
    duck_destination()
    project.write("env:WAREHOUSE_URL", f"https://127.0.0.2:{closed_port()}/conversion")
    found = connector.preflight(project.load())
    assert outcomes(found) == dict.fromkeys(STEPS, "pass") | {
        "tls": "fail",
        "token": "unknown",
        "test_conversion": "unknown",
    }
    assert "cannot be known before sending" in step(found, "token").detail
    assert "cannot be known before sending" in step(found, "test_conversion").detail


def test_identifiers_that_are_no_good_and_rows_that_become_nothing_fail(
    duck_destination: Make, duck: DuckDb
) -> None:
    duck.insert(*(conversion(number, email="n/a", phone=None) for number in range(5)))
    found = connector.preflight(duck_destination())
    assert (step(found, "identifiers").outcome, step(found, "records").outcome) == ("fail", "fail")
    assert step(found, "retries").outcome == "unknown"


def test_without_rows_what_needs_them_is_unknown(duck_destination: Make) -> None:
    found = outcomes(connector.preflight(duck_destination()))
    needing = ("identifiers", "records", "test_conversion", "retries")
    assert {found[name] for name in needing} == {"unknown"}


def test_a_certificate_is_proven(
    duck_destination: Make, duck: DuckDb, project: Project, tmp_path: Path
) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(str(project.root / "ca.pem"))
    certificate.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    certificate.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
    duck.insert(conversion(1))
    files = {"certificate": str(tmp_path / "cert.pem"), "key": str(tmp_path / "key.pem")}
    duck_destination()
    with running(Settings(port=0, token=TOKEN, **files)) as secured:
        endpoint = f"{secured.url}/signal/v1/conversion"
        project.write("env:WAREHOUSE_URL", endpoint, delivery={"ca_file": "ca.pem"})
        proven = connector.preflight(project.load())
        project.write("env:WAREHOUSE_URL", endpoint)
        strange = connector.preflight(project.load())
    assert set(outcomes(proven).values()) == {"pass"}
    assert "TLSv1" in step(proven, "tls").detail
    assert step(strange, "tls").outcome == "fail"
    assert "CERTIFICATE_VERIFY_FAILED" in step(strange, "tls").detail


@pytest.mark.parametrize("name", NAMES)
def test_retries_are_rehearsed_for_every_platform(
    project: Project, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    for variable, value in SECRETS.items():
        monkeypatch.setenv(variable, value)
    made = on_receiver(project, receiver, [recent(minimal(name))], name)
    found = connector.preflight(made)
    assert outcomes(found)["retries"] == "pass", step(found, "retries")


def test_a_job_in_dagster_shows_the_same_and_fails_where_a_step_fails(
    duck_destination: Make, duck: DuckDb, monkeypatch: pytest.MonkeyPatch
) -> None:
    duck.insert(conversion(1))
    made = duck_destination()

    def run() -> dg.ExecuteInProcessResult:
        job = load_definitions(made).resolve_job_def("acme_preflight")
        with dg.DagsterInstance.ephemeral() as instance:
            return job.execute_in_process(instance=instance, raise_on_error=False)

    def records(result: dg.ExecuteInProcessResult) -> list[dict[str, Any]]:
        (table,) = [
            value
            for event in result.all_events
            if event.is_step_failure or event.is_successful_output
            for value in _metadata(event).values()
            if isinstance(value, dg.TableMetadataValue)
        ]
        return [record.data for record in table.records]

    good = run()
    assert good.success
    assert {record["outcome"] for record in records(good)} == {"PASS"}
    monkeypatch.setenv("ACME_TOKEN", "an-old-token")
    bad = run()
    assert not bad.success
    assert {record["step"] for record in records(bad) if record["outcome"] == "FAIL"} == {
        "token",
        "test_conversion",
    }


def _metadata(event: Any) -> dict[str, Any]:
    if event.is_step_failure:
        failure = event.step_failure_data.user_failure_data
        return dict(failure.metadata) if failure is not None else {}
    return dict(event.step_output_data.metadata)
