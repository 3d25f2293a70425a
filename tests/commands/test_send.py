"""`send`: rows of a pandas frame, with the ledger, the verdicts and the report of a run."""

from __future__ import annotations

from collections.abc import Callable

import dagster as dg
import pandas as pd
import pytest

from connector import ConfigError, Destination, RunStopped, sync
from connector.commands.rejected import rejected
from connector.commands.send import send
from connector.commands.status import status
from connector.sandbox.faults import Fault
from connector.sandbox.server import Receiver
from dagster_project.resources import DEFAULT, CapiResource
from tests.conftest import Make
from tests.support.warehouses import DuckDb, ago, conversion

NOWHERE = "duckdb:////nowhere/warehouse.duckdb"


def frame(*numbers: int, **changes: object) -> pd.DataFrame:
    """Rows as a program makes them: canonical columns and the key, no cursor."""
    return pd.DataFrame(
        {
            "conversion_id": [f"c{number:06d}" for number in numbers],
            "event_name": "Purchase",
            "event_time": ago(hours=2),
            "email": [f"person{number}@shop.example.org" for number in numbers],
            "value": 9.5,
            "currency": "EUR",
            **changes,
        }
    )


@pytest.fixture
def away(duck_destination: Make, monkeypatch: pytest.MonkeyPatch) -> Destination:
    """A destination whose warehouse cannot be reached."""
    made = duck_destination()
    monkeypatch.setenv("WAREHOUSE_URL", NOWHERE)
    return made


def test_a_frame_is_delivered_once_without_a_warehouse(
    away: Destination, receiver: Receiver
) -> None:
    report = send(frame(1, 2, 3), away)
    assert (report.rows_read, report.delivered, report.complete) == (3, 3, True)
    again = send(frame(3, 2, 1, 4), away)
    assert (again.rows_read, again.delivered, again.late) == (1, 1, 0)
    assert (receiver.inbox.summary()["events"], receiver.inbox.summary()["duplicates"]) == (4, 0)


def test_frames_and_the_warehouse_share_one_ledger(
    duck_destination: Make, duck: DuckDb, receiver: Receiver
) -> None:
    made = duck_destination()
    send(frame(1, 2), made)
    assert status(made).mark is None, "the watermark stays"
    duck.insert(*(conversion(number) for number in (1, 2, 3)))
    assert sync(made).delivered == 1
    assert send(frame(1, 2, 3), made).rows_read == 0
    assert receiver.inbox.summary()["events"] == 3
    assert [run["kind"] for run in status(made).runs] == ["send", "sync", "send"]


def test_a_refused_row_is_in_quarantine_and_tried_again_once_it_has_changed(
    away: Destination,
) -> None:
    bad = frame(1, 2, email=["person1@shop.example.org", None])
    assert send(bad, away).rejected == 1
    assert [(row.key, row.reason) for row in rejected(away)] == [(("c000002",), "no_identity")]
    assert send(bad, away).rows_read == 0
    mended = send(frame(1, 2, value=11.5), away)
    assert (mended.rows_read, mended.delivered, mended.changed) == (1, 1, 1)
    assert rejected(away) == []


def test_a_run_that_broke_off_is_settled_by_the_same_frame_with_the_same_bytes(
    away: Destination, receiver: Receiver
) -> None:
    receiver.script.add(Fault(status=404, after=2, take=True, times=1))
    rows = frame(*range(5))
    first = send(rows, away)
    assert first.failure is not None
    second = send(rows, away)
    assert first.delivered + second.delivered == 5
    assert (receiver.inbox.summary()["events"], receiver.inbox.summary()["conflicts"]) == (5, 0)


def interrupted(made: Destination) -> None:
    """A run that ends between a request and its record."""

    class Stop:
        def expect(self, rows: int) -> None: ...

        def settle(self, rows: int, rejected: int) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        send(frame(*range(900)), made, progress=Stop())


def test_what_an_interrupted_send_left_does_not_stop_the_warehouses_own_run(
    duck_destination: Make, duck: DuckDb, receiver: Receiver
) -> None:
    """Its rows have no place in the order of the warehouse; they are found by their keys."""
    made = duck_destination()
    interrupted(made)
    duck.insert(*(conversion(number) for number in range(900)))
    assert sync(made).complete
    assert status(made).in_flight == 0
    assert receiver.inbox.summary()["events"] == 900


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (lambda rows: rows.drop(columns="conversion_id"), "has no column conversion_id"),
        (lambda rows: rows.assign(conversion_id=["c1", None]), "has 1 rows without conversion_id"),
        (lambda rows: rows.assign(conversion_id="c1"), "share a key"),
        (lambda rows: rows.assign(emial="x"), "not canonical: emial; did you mean 'email'?"),
    ],
)
def test_a_frame_that_cannot_be_delivered_is_refused_in_a_sentence(
    away: Destination,
    receiver: Receiver,
    changed: Callable[[pd.DataFrame], pd.DataFrame],
    message: str,
) -> None:
    try:
        failure = send(changed(frame(1, 2)), away).failure
        found = "" if failure is None else failure.message
    except (ConfigError, RunStopped) as error:
        found = str(error)
    assert message in found
    assert "shop.example.org" not in found
    assert receiver.inbox.summary()["requests"] == 0


def test_an_asset_of_ones_own_sends_a_frame_through_the_resource(
    away: Destination, receiver: Receiver
) -> None:
    @dg.asset
    def vip_orders(capi: CapiResource) -> dg.MaterializeResult:
        report = capi.send(frame(1, 2), destination=away)
        return dg.MaterializeResult(metadata={"delivered": report.delivered})

    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize([vip_orders], instance=instance, resources={"capi": DEFAULT})
    [made] = result.asset_materializations_for_node("vip_orders")
    assert made.metadata["delivered"].value == receiver.inbox.summary()["events"] == 2
