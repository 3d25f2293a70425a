"""A webhook is told once when a destination begins to fail,
when its token is refused, and when it delivers again.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass

import dagster as dg
import pytest

from connector.config.destination import Destination
from connector.sandbox.faults import Fault
from connector.sandbox.server import Receiver
from tests.conftest import Make
from tests.support.alerts import Webhook
from tests.support.dagster import load_definitions, materialize
from tests.support.projects import TOKEN, Project
from tests.support.servers import closed_port
from tests.support.warehouses import DuckDb, conversion


@dataclass
class Daemon:
    """Evaluates the sensor as Dagster's daemon does, and keeps its cursor."""

    destination: Destination
    instance: dg.DagsterInstance
    cursor: str | None = None

    def tick(self) -> str | None:
        definitions = load_definitions(self.destination)
        with dg.build_sensor_context(
            self.instance, self.cursor, definitions=definitions, resources=definitions.resources
        ) as context:
            result = definitions.resolve_sensor_def("acme_alerts").evaluate_tick(context)
        assert not result.run_requests
        self.cursor = result.cursor
        return result.skip_message


@pytest.fixture
def daemon(
    duck_destination: Make,
    instance: dg.DagsterInstance,
    webhook: Webhook,
    monkeypatch: pytest.MonkeyPatch,
) -> Daemon:
    monkeypatch.setenv("SLACK_WEBHOOK", webhook.url)
    return Daemon(duck_destination(alerts={"webhook": "env:SLACK_WEBHOOK"}), instance)


def test_before_the_first_run_and_while_all_is_well_nobody_is_told(
    daemon: Daemon, duck: DuckDb, webhook: Webhook
) -> None:
    daemon.tick()
    duck.insert(conversion(1))
    materialize(daemon.destination, daemon.instance)
    daemon.tick()
    materialize(daemon.destination, daemon.instance)
    daemon.tick()
    assert webhook.texts == []


def test_each_change_is_told_once(
    daemon: Daemon, duck: DuckDb, webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    duck.insert(conversion(1))
    first = materialize(daemon.destination, daemon.instance)
    daemon.tick()

    duck.insert(conversion(2))
    monkeypatch.setenv("ACME_TOKEN", "an-old-token")
    refused = materialize(daemon.destination, daemon.instance)
    daemon.tick()
    daemon.tick()
    materialize(daemon.destination, daemon.instance)
    daemon.tick()
    assert webhook.headlines == ["acme is refused by the platform: its token must be renewed"]
    assert f"Last run {refused.run_id}: 0 delivered, 0 rejected" in webhook.texts[0]

    monkeypatch.setenv("ACME_TOKEN", TOKEN)
    mended = materialize(daemon.destination, daemon.instance)
    daemon.tick()
    daemon.tick()
    assert webhook.headlines[1:] == ["acme is accepted by the platform again"]
    assert f"Last run {mended.run_id}: 1 delivered, 0 rejected" in webhook.texts[1]
    assert len({first.run_id, refused.run_id, mended.run_id}) == 3


def test_a_destination_whose_rows_are_all_rejected_is_told(
    daemon: Daemon, duck: DuckDb, webhook: Webhook
) -> None:
    duck.insert(conversion(1, email=None))
    run = materialize(daemon.destination, daemon.instance)
    daemon.tick()
    assert webhook.headlines == ["acme has too many rows rejected"]
    assert f"Last run {run.run_id}: 0 delivered, 1 rejected" in webhook.texts[0]


def test_a_failing_destination_whose_token_is_refused_next_is_told_again(
    daemon: Daemon,
    duck: DuckDb,
    receiver: Receiver,
    webhook: Webhook,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    duck.insert(conversion(1))
    receiver.script.add(Fault(status=404))
    materialize(daemon.destination, daemon.instance)
    daemon.tick()
    assert webhook.headlines == ["acme is refused by the platform as a whole"]
    monkeypatch.setenv("ACME_TOKEN", "an-old-token")
    materialize(daemon.destination, daemon.instance)
    daemon.tick()
    assert sorted(webhook.headlines[1:]) == [
        "acme is accepted by the platform again",
        "acme is refused by the platform: its token must be renewed",
    ]


def test_a_webhook_that_does_not_answer_is_tried_again(
    daemon: Daemon, duck: DuckDb, webhook: Webhook
) -> None:
    duck.insert(conversion(1, email=None))
    materialize(daemon.destination, daemon.instance)
    webhook.status = 500
    assert daemon.tick() == "acme: alerts.webhook did not take the message"
    webhook.status = 200
    assert daemon.tick() == "reported: rejection_rate"
    assert daemon.tick() == "nothing changed"
    assert len(webhook.texts) == 2


def test_a_webhook_without_an_address_is_a_sentence(
    daemon: Daemon, duck: DuckDb, monkeypatch: pytest.MonkeyPatch
) -> None:
    duck.insert(conversion(1, email=None))
    materialize(daemon.destination, daemon.instance)
    monkeypatch.delenv("SLACK_WEBHOOK")
    assert "SLACK_WEBHOOK" in str(daemon.tick())
    monkeypatch.setenv("SLACK_WEBHOOK", "http://hooks.example.org/services/T000")
    assert "must be an https address" in str(daemon.tick())


def test_a_warehouse_that_is_gone_is_told(daemon: Daemon, duck: DuckDb, webhook: Webhook) -> None:
    duck.insert(conversion(1))
    materialize(daemon.destination, daemon.instance)
    daemon.tick()
    duck.path.rename(duck.path.with_suffix(".moved"))
    assert not materialize(daemon.destination, daemon.instance).success
    daemon.tick()
    assert webhook.headlines == ["acme is failing"]


def test_a_query_that_was_changed_is_told(
    daemon: Daemon, project: Project, duck: DuckDb, webhook: Webhook
) -> None:
    """Every run fails from now on until a person decides, and nobody looks at the UI."""
    duck.insert(conversion(1))
    materialize(daemon.destination, daemon.instance)
    daemon.tick()
    project.query("select * from conversions where event_name <> 'Test'")
    assert (
        "the query changed since the last run"
        in materialize(daemon.destination, daemon.instance).failure
    )
    daemon.tick()
    assert webhook.headlines == ["acme is failing"]


@pytest.mark.parametrize("how", ["out of reach", "lost"])
def test_a_state_that_is_gone_is_told(
    daemon: Daemon,
    project: Project,
    duck: DuckDb,
    webhook: Webhook,
    monkeypatch: pytest.MonkeyPatch,
    how: str,
) -> None:
    duck.insert(conversion(1))
    materialize(daemon.destination, daemon.instance)
    daemon.tick()
    if how == "lost":
        shutil.rmtree(project.root / ".capi")
    else:
        monkeypatch.setenv("CAPI_STATE_URL", f"postgresql://127.0.0.1:{closed_port()}/state")
    assert not materialize(daemon.destination, daemon.instance).success
    daemon.tick()
    daemon.tick()
    assert webhook.headlines == ["acme is failing"]
