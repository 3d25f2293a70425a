"""A backlog is delivered in slices by several steps,
and the watermark moves only over what is recorded without a gap.
"""

from __future__ import annotations

import dagster as dg
import duckdb
import pytest

from connector.commands.status import status
from connector.sandbox.faults import Fault
from connector.sandbox.server import Receiver
from tests.conftest import Make
from tests.support.dagster import materialize, materialize_in_processes
from tests.support.projects import TOKEN, Project
from tests.support.warehouses import DuckDb

pytestmark = pytest.mark.slow

SLICE_ROWS = 100_000
ROWS = 2 * SLICE_ROWS + 10
SENT = range(7, ROWS, 5_000)
"""Rows that may be sent; the rest is suppressed, which costs no request."""
BAD = 50_007
"""One of them, in the middle of the first slice; its value is told from all others."""

BACKLOG = f"""
create table backlog as select
    'c' || lpad(n::varchar, 6, '0') as conversion_id,
    now() - interval 1 day + interval (n) millisecond as updated_at,
    'Purchase' as event_name,
    now() - interval 2 day as event_time,
    'person' || n || '@shop.example.org' as email,
    case n when {BAD} then 77777.77 else 9.5 end as value,
    n % 5000 <> 7 as opt_out
from range({ROWS}) numbers(n)
"""


@pytest.fixture
def backlog(project: Project, duck: DuckDb) -> DuckDb:
    """Three slices of rows."""
    project.query("select * from backlog")
    duck.execute(BACKLOG)
    return duck


@pytest.mark.usefixtures("backlog")
def test_slices_are_delivered_by_processes_side_by_side(
    duck_destination: Make, receiver: Receiver, lasting_instance: dg.DagsterInstance
) -> None:
    made = duck_destination(delivery__slice_rows=SLICE_ROWS)
    run = materialize_in_processes(made, lasting_instance)
    assert run.success, run.failed_steps
    assert sorted(run.steps("STEP_SUCCESS")) == [
        "deliver[range_0]",
        "deliver[range_1]",
        "deliver[range_2]",
        "plan",
        "settle",
    ]
    assert run.counts("rows_read", "delivered", "suppressed") == (ROWS, len(SENT), ROWS - len(SENT))
    assert (status(made).mark, status(made).backlog) == (run.values["mark_to"], 0)
    assert (receiver.inbox.summary()["events"], receiver.inbox.summary()["duplicates"]) == (
        len(SENT),
        0,
    )


def test_the_mark_stops_at_a_gap_and_later_slices_are_not_sent_twice(
    duck_destination: Make, backlog: DuckDb, receiver: Receiver, instance: dg.DagsterInstance
) -> None:
    receiver.script.add(Fault(status=404, match="77777.77"))
    made = duck_destination(delivery__slice_rows=SLICE_ROWS)
    first = materialize(made, instance)
    assert "404" in first.failure
    assert list(first.failed_steps) == ["deliver[range_0]"]
    assert "settle" not in first.steps("STEP_START")
    later = [number for number in SENT if number >= SLICE_ROWS]
    before = [number for number in SENT if number < BAD]
    assert len(later) + len(before) <= receiver.inbox.summary()["events"] < len(SENT)
    assert_mark_is_before(backlog, str(first.values["mark_to"]), BAD)

    second = materialize(made, instance)
    assert second.success
    assert first.values["delivered"] + second.values["delivered"] == len(SENT)
    assert (receiver.inbox.summary()["events"], receiver.inbox.summary()["duplicates"]) == (
        len(SENT),
        0,
    )
    assert status(made).backlog == 0


@pytest.mark.usefixtures("backlog")
def test_one_cause_is_one_red_step_and_the_run_is_settled_all_the_same(
    duck_destination: Make, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = duck_destination(delivery__slice_rows=SLICE_ROWS)
    monkeypatch.setenv("ACME_TOKEN", "an-old-token")
    run = materialize(made, instance)
    assert list(run.failed_steps) == ["deliver[range_0]"]
    assert "401" in run.failure
    assert run.counts("delivered", "retries") == (0, 0)
    assert status(made).runs[0]["status"] == "failed"
    monkeypatch.setenv("ACME_TOKEN", TOKEN)
    assert materialize(made, instance).success, "the lease was given back"


def assert_mark_is_before(duck: DuckDb, mark: str, number: int) -> None:
    """The mark has moved, but not over a row."""
    with duckdb.connect(str(duck.path)) as connection:
        sql = (
            "select count(*) from backlog where updated_at <= ?::timestamptz and conversion_id = ?"
        )
        over = connection.execute(sql, [mark, f"c{number:06d}"]).fetchone()
        behind = connection.execute(
            "select count(*) from backlog where updated_at <= ?::timestamptz", [mark]
        ).fetchone()
    assert over == (0,)
    assert behind is not None
    assert 0 < behind[0] <= number
