"""Alerts: what is told, on which channel, and that each is told once."""

from __future__ import annotations

import datetime as dt
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

import connector
from connector.engine.context import open_context
from connector.errors import ConfigError, DestinationError, EndpointError
from connector.sandbox.faults import Fault
from connector.sandbox.server import Receiver
from connector.state import alerts as state
from connector.state import quarantine
from connector.state.quarantine import Quarantined
from tests.conftest import Make
from tests.support.alerts import MailServer, Webhook, listening, mail_server
from tests.support.clock import FakeClock
from tests.support.encoding import capi
from tests.support.projects import TOKEN, Project
from tests.support.warehouses import DuckDb, conversion

SLACK = {"webhook": "env:SLACK_WEBHOOK", "link": "https://dagster.example/runs/{run_id}"}


@pytest.fixture
def webhook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Webhook]:
    """A webhook as Slack has them."""
    with listening() as hook:
        monkeypatch.setenv("SLACK_WEBHOOK", hook.url)
        yield hook


@pytest.fixture
def mail(monkeypatch: pytest.MonkeyPatch) -> Iterator[MailServer]:
    """A mail server on this machine."""
    with mail_server() as server:
        monkeypatch.setenv("SMTP_URL", f"smtp://127.0.0.1:{server.port}")
        yield server


EMAIL = {"to": ["ops@shop.example", "ads@shop.example"], "from": "capi@shop.example"}


def kinds(found: list[connector.ToldAlert]) -> list[tuple[str, bool]]:
    """What was told: kind, and whether it is over."""
    return [(each.kind, each.over) for each in found]


def test_refused_credentials_are_told_once_with_cause_counts_remedy_and_link(
    duck_destination: Make, duck: DuckDb, webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    duck.insert(conversion(1))
    made = duck_destination(alerts=SLACK)
    assert connector.alert(made) == []  # before the first run
    assert connector.sync(made).delivered == 1
    assert connector.alert(made) == []
    duck.insert(conversion(2))
    monkeypatch.setenv("ACME_TOKEN", "an-old-token")
    before = dt.datetime.now(dt.UTC).replace(microsecond=0)
    run = connector.sync(made)
    assert kinds(connector.alert(made)) == [("credentials", False)]
    connector.sync(made)
    assert connector.alert(made) == []
    (text,) = webhook.texts
    headline, cause, since, counts, link = text.splitlines()
    assert headline == "acme is refused by the platform: its token must be renewed"
    assert run.failure is not None
    assert cause == run.failure.message
    assert "auth.bearer" in cause
    told = dt.datetime.strptime(since, "Since %Y-%m-%d %H:%M:%S UTC.").replace(tzinfo=dt.UTC)
    assert before <= told <= dt.datetime.now(dt.UTC)
    assert counts == (f"Last run {run.run_id}: 0 delivered, 0 rejected, 0 expired, 0 suppressed.")
    assert link == f"https://dagster.example/runs/{run.run_id}"
    monkeypatch.setenv("ACME_TOKEN", TOKEN)
    connector.sync(made)
    assert kinds(connector.alert(made)) == [("credentials", True)]
    assert webhook.headlines[1:] == ["acme is accepted by the platform again"]
    assert connector.alert(made) == []


def test_what_the_platform_refuses_as_a_whole_is_another_kind(
    duck_destination: Make, duck: DuckDb, receiver: Receiver, webhook: Webhook
) -> None:
    duck.insert(*(conversion(number) for number in range(3)))
    made = duck_destination(alerts=SLACK)
    receiver.script.add(Fault(status=404))
    connector.sync(made)
    assert kinds(connector.alert(made)) == [("systemic", False)]
    connector.sync(made)
    assert kinds(connector.alert(made)) == [("systemic", True)]
    assert webhook.headlines == [
        "acme is refused by the platform as a whole",
        "acme is accepted by the platform again",
    ]


def test_a_warehouse_that_is_gone_is_failing_and_then_a_token_is_refused(
    duck_destination: Make, duck: DuckDb, webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    duck.insert(conversion(1))
    made = duck_destination(alerts=SLACK)
    connector.sync(made)
    duck.path.rename(duck.path.with_suffix(".moved"))
    with pytest.raises(connector.WarehouseError):
        connector.sync(made)
    assert kinds(connector.alert(made)) == [("failing", False)]
    assert len(webhook.texts[0].splitlines()) == 5
    duck.path.with_suffix(".moved").rename(duck.path)
    duck.insert(conversion(2))
    monkeypatch.setenv("ACME_TOKEN", "an-old-token")
    connector.sync(made)
    assert kinds(connector.alert(made)) == [("credentials", False), ("failing", True)]


def test_a_share_of_rejected_rows_above_its_limit_is_told(
    duck_destination: Make, duck: DuckDb, webhook: Webhook
) -> None:
    duck.insert(*(conversion(number) for number in range(9)), conversion(9, email=None))
    made = duck_destination(alerts=SLACK)
    connector.sync(made)
    assert kinds(connector.alert(made)) == [("rejection_rate", False)]
    assert "rejection_rate is 0.1, above 0.05" in webhook.texts[0]
    assert connector.sync(made).rows_read == 0
    assert connector.alert(made) == [], "a run that finds nothing says nothing of rejected rows"
    duck.insert(*(conversion(number) for number in range(20, 25)))
    connector.sync(made)
    assert kinds(connector.alert(made)) == [("rejection_rate", True)]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """A clock that tests set."""
    return FakeClock(monkeypatch, dt.datetime.now(dt.UTC))


def test_a_schedule_that_stands_still_is_told(
    duck_destination: Make, duck: DuckDb, webhook: Webhook, clock: FakeClock
) -> None:
    duck.insert(conversion(1))
    made = duck_destination(alerts=SLACK, schedule="@hourly")
    connector.sync(made)
    clock.advance(hours=3)
    assert connector.alert(made) == []
    clock.advance(minutes=6)
    assert kinds(connector.alert(made)) == [("lag", False)]
    assert "no run was completed for longer than 3:05:00" in webhook.texts[0]
    connector.sync(made)
    assert kinds(connector.alert(made)) == [("lag", True)]


def test_a_quarantine_that_grows_more_than_in_the_days_before_is_told(
    duck_destination: Make, duck: DuckDb, webhook: Webhook, clock: FakeClock
) -> None:
    duck.insert(conversion(1))
    made = duck_destination(alerts=SLACK)
    connector.sync(made)

    def refuse(first: int, number: int) -> None:
        rows = [
            Quarantined(each.to_bytes(16), None, None, "no_identity", None, None, None)
            for each in range(first, first + number)
        ]
        with open_context(made) as context, context.store.write() as connection:
            quarantine.put(connection, context.destination_id, rows)

    refuse(0, 19)
    assert connector.alert(made) == []  # too few
    clock.advance(days=2)
    refuse(100, 30)
    assert kinds(connector.alert(made)) == [("quarantine", False)]
    assert "30 rows were rejected within a day" in webhook.texts[0]
    clock.advance(days=1.5)
    assert kinds(connector.alert(made)) == [("quarantine", True)]
    refuse(200, 25)
    assert connector.alert(made) == []  # as much as two days ago


def test_mail_says_the_same_and_a_refused_address_is_an_error(
    duck_destination: Make, duck: DuckDb, mail: MailServer
) -> None:
    duck.insert(conversion(1, email=None))
    made = duck_destination(alerts={"email": {**EMAIL, "server": "env:SMTP_URL"}})
    run = connector.sync(made)
    mail.refuses = "ads@shop.example"
    with pytest.raises(EndpointError, match="refused 1 of 2 addresses under alerts.email.to"):
        connector.alert(made)
    mail.refuses = ""
    assert kinds(connector.alert(made)) == [("rejection_rate", False)]
    message = mail.messages[-1]
    assert message["Subject"] == "acme has too many rows rejected"
    assert (message["From"], message["To"]) == (
        "capi@shop.example",
        "ops@shop.example, ads@shop.example",
    )
    assert f"Last run {run.run_id}: 0 delivered, 1 rejected" in message.get_content()
    assert "1 of 1 rows were rejected" in message.get_content()


@pytest.mark.parametrize("implicit", [True, False], ids=["smtps", "starttls"])
def test_mail_goes_over_tls_to_a_server_that_is_proven(
    duck_destination: Make,
    duck: DuckDb,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    implicit: bool,
) -> None:
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    duck.insert(conversion(1, email=None))
    made = duck_destination(alerts={"email": {**EMAIL, "server": "env:SMTP_URL"}})
    connector.sync(made)
    scheme = "smtps" if implicit else "smtp"
    with mail_server(context, implicit=implicit) as server:
        monkeypatch.setenv("SMTP_URL", f"{scheme}://jane:p%40ss@127.0.0.1:{server.port}")
        with pytest.raises(EndpointError, match="did not take the alert"):
            connector.alert(made)  # nobody vouches for it
        assert server.messages == []
        authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        assert kinds(connector.alert(made)) == [("rejection_rate", False)]
        assert (server.encrypted, server.logins) == ([True], [("jane", "p@ss")])


def test_pagerduty_gets_an_event_that_opens_an_incident_and_one_that_closes_it(
    duck_destination: Make, duck: DuckDb, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys as in PagerDuty's documentation of the Events API v2, `Send an alert event`."""
    duck.insert(conversion(1))
    monkeypatch.setenv("PD_KEY", "R0UT1NGK3Y")
    with listening() as events:
        events.status = 202
        pagerduty = {"routing_key": "env:PD_KEY", "endpoint": events.url}
        made = duck_destination(alerts={**SLACK, "webhook": None, "pagerduty": pagerduty})
        monkeypatch.setenv("ACME_TOKEN", "an-old-token")
        run = connector.sync(made)
        connector.alert(made)
        monkeypatch.setenv("ACME_TOKEN", TOKEN)
        connector.sync(made)
        connector.alert(made)
    opened, closed = events.bodies
    text = opened["payload"].pop("custom_details")["text"]
    assert f"Last run {run.run_id}" in text
    assert opened == {
        "routing_key": "R0UT1NGK3Y",
        "event_action": "trigger",
        "dedup_key": "capi/acme/credentials",
        "payload": {
            "summary": "acme is refused by the platform: its token must be renewed",
            "source": "capi/acme",
            "severity": "critical",
        },
        "links": [{"href": f"https://dagster.example/runs/{run.run_id}", "text": "the run"}],
    }
    assert closed == {
        "routing_key": "R0UT1NGK3Y",
        "event_action": "resolve",
        "dedup_key": "capi/acme/credentials",
    }


def test_a_channel_that_fails_is_tried_again_and_the_other_one_is_not_told_twice(
    duck_destination: Make, duck: DuckDb, webhook: Webhook, mail: MailServer
) -> None:
    duck.insert(conversion(1, email=None))
    email = {**EMAIL, "server": "env:SMTP_URL"}
    made = duck_destination(alerts={**SLACK, "email": email})
    connector.sync(made)
    webhook.status = 500
    for _ in range(2):
        with pytest.raises(EndpointError, match="alerts.webhook did not take the message"):
            connector.alert(made)
    webhook.status = 200
    found = connector.alert(made)
    assert [(each.channel, each.kind) for each in found] == [("webhook", "rejection_rate")]
    assert (len(webhook.texts), len(mail.messages)) == (3, 1)


def test_what_is_over_before_anybody_could_be_told_is_not_told(
    duck_destination: Make, duck: DuckDb, webhook: Webhook
) -> None:
    duck.insert(conversion(1, email=None))
    made = duck_destination(alerts=SLACK)
    connector.sync(made)
    webhook.status = 500
    with pytest.raises(EndpointError):
        connector.alert(made)
    webhook.status = 200
    duck.insert(conversion(2))
    connector.sync(made)
    assert connector.alert(made) == []
    assert len(webhook.texts) == 1


def test_of_two_processes_that_look_at_once_one_tells(
    duck_destination: Make, duck: DuckDb, webhook: Webhook, clock: FakeClock
) -> None:
    duck.insert(conversion(1))
    made = duck_destination(alerts=SLACK)
    connector.sync(made)
    with open_context(made) as context:

        def claim() -> list[str]:
            with context.store.write() as connection:
                due = state.claim(connection, context.destination_id, "webhook", ["failing"])
            return [each.kind for each in due]

        assert (claim(), claim()) == (["failing"], [])
        clock.advance(seconds=61)  # the first one was killed before it could tell
        assert claim() == ["failing"]


def test_the_command_line_tells_after_a_run_and_from_cron(
    duck_destination: Make, duck: DuckDb, webhook: Webhook, project: Project
) -> None:
    duck.insert(conversion(1))
    duck_destination(alerts=SLACK)
    assert project.capi("sync", "acme", "--alert", check=True).err == ""
    duck.insert(conversion(2))
    refused = project.capi("sync", "acme", "--alert", ACME_TOKEN="an-old-token")
    assert (refused.code, webhook.headlines) == (
        3,
        ["acme is refused by the platform: its token must be renewed"],
    )
    assert project.capi("alert", "acme", "--json", check=True).out == ""
    project.query("select * from conversions where event_name <> 'Test'")
    changed = project.capi("sync", "acme", "--alert")
    assert changed.code == 2  # it could not even begin, and is told all the same
    assert webhook.headlines[1:] == [
        "acme is accepted by the platform again",
        "acme is failing",
    ]
    assert "the query changed since the last run" in webhook.texts[2]
    webhook.status = 500
    project.query("select * from conversions")
    mended = project.capi("sync", "acme", "--alert")
    assert (mended.code, mended.err.splitlines()[-1]) == (
        0,
        "acme: alerts.webhook did not take the message",
    )
    webhook.status = 200
    assert project.capi("alert", "acme", check=True).out == "webhook: failing is over\n"


@pytest.mark.parametrize(
    ("alerts", "message"),
    [
        ({"link": "https://x.example"}, "give at least one of webhook, email and pagerduty"),
        ({"email": {**EMAIL, "to": [], "server": "env:X"}}, "alerts.email.to"),
        ({"email": {**EMAIL, "server": "smtp://mail"}}, "must be env:NAME or file:PATH"),
        (
            {"pagerduty": {"routing_key": "env:X", "endpoint": "http://x.example"}},
            "alerts.pagerduty: endpoint must be https",
        ),
    ],
)
def test_alerts_that_would_go_nowhere_are_refused(alerts: dict[str, Any], message: str) -> None:
    with pytest.raises(DestinationError, match=message):
        capi(alerts=alerts)


@pytest.mark.parametrize(
    "address", ["mail.example", "http://mail.example", "smtp://", "smtp://h:x"]
)
def test_a_mail_server_that_is_none_is_a_sentence(
    duck_destination: Make, duck: DuckDb, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("SMTP_URL", address)
    duck.insert(conversion(1, email=None))
    made = duck_destination(alerts={"email": {**EMAIL, "server": "env:SMTP_URL"}})
    connector.sync(made)
    with pytest.raises(ConfigError, match="alerts.email.server must be an address such as"):
        connector.alert(made)
