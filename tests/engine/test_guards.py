"""What asks a person before the first row is sent."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from connector.commands.sync import sync
from connector.config.destination import Destination
from connector.engine.context import open_context
from connector.engine.guards import USUAL_LEAST
from connector.engine.plan import Options
from connector.errors import GuardRail
from connector.sandbox.server import Receiver
from connector.state import tables
from connector.state.clock import microseconds_of
from tests.conftest import Make
from tests.support.projects import Project
from tests.support.warehouses import DuckDb, conversion


def test_more_rows_than_a_run_may_have_wait_for_a_person(
    duck_destination: Make, duck: DuckDb, receiver: Receiver
) -> None:
    duck.insert(*(conversion(number) for number in range(6)))
    made = duck_destination(delivery__max_rows_per_run=5)
    with pytest.raises(
        GuardRail, match=r"6 rows wait, more than delivery.max_rows_per_run \(5\); nothing was sent"
    ):
        sync(made)
    with pytest.raises(GuardRail):
        sync(made, options=Options(limit=6))
    assert receiver.inbox.summary()["requests"] == 0
    assert sync(made, options=Options(limit=2)).delivered == 2
    assert sync(made).delivered == 4
    duck.insert(*(conversion(number) for number in range(6, 12)))
    assert sync(made, options=Options(yes=True)).delivered == 6


def test_a_rebuilt_table_waits_for_a_person(
    project: Project, duck_destination: Make, duck: DuckDb, receiver: Receiver
) -> None:
    """Five runs of a few rows, then a table whose rows all look new."""
    project.query("select *, conversion_id > 'x' as opt_out from conversions")
    made = duck_destination(source__lookback="0s")
    for number in range(5):
        duck.insert(*(conversion(each) for each in range(number * 10, number * 10 + 10)))
        assert sync(made).delivered == 10
    duck.execute(
        (
            "insert into conversions (conversion_id, updated_at) select 'x' || n, now() - "
            "interval 1 hour from range(?) t(n)"
        ),
        USUAL_LEAST + 1,
    )
    with pytest.raises(
        GuardRail, match=r"1001 rows wait, more than 10 times the usual 10; was the table rebuilt\?"
    ):
        sync(made)
    assert receiver.inbox.summary()["requests"] == 50
    assert sync(made, options=Options(limit=10)).rows_read == 10
    assert sync(made, options=Options(yes=True)).rows_read == USUAL_LEAST - 9


def test_rows_of_an_outage_are_as_many_as_the_missed_runs_would_have_had(
    project: Project, duck_destination: Make, duck: DuckDb
) -> None:
    """Runs a minute apart, ten rows each; then none for 20 minutes, and for a whole day."""
    project.query("select *, conversion_id > 'x' as opt_out from conversions")
    made = duck_destination(source__lookback="0s")
    for number in range(5):
        duck.insert(*(conversion(each) for each in range(number * 10, number * 10 + 10)))
        sync(made)
    sql = (
        "insert into conversions (conversion_id, updated_at) select 'x' || n, now() - interval 1"
        " hour from range(?) t(n)"
    )
    duck.execute(sql, USUAL_LEAST + 1)
    _end_runs_before(made, minutes=5)
    with pytest.raises(GuardRail, match="1001 rows wait, more than 10 times the usual 50;"):
        sync(made)
    _end_runs_before(made, minutes=20)
    assert sync(made).rows_read == USUAL_LEAST + 1


def _end_runs_before(made: Destination, minutes: int) -> None:
    """As if the runs had ended a minute apart, and the last one so long ago."""
    with open_context(made) as context, context.store.write() as connection:
        now = microseconds_of(context.clock())
        complete = sa.select(tables.run.c.id).where(tables.run.c.status == "complete")
        ids = connection.execute(complete.order_by(tables.run.c.id.desc())).scalars().all()
        for number, run_id in enumerate(ids):
            ended_at = now - (minutes * 60 + 1 + number * 60) * 1_000_000
            this = tables.run.update().where(tables.run.c.id == run_id)
            connection.execute(this.values(ended_at=ended_at))


def test_a_thousand_rows_are_never_too_many(
    project: Project, duck_destination: Make, duck: DuckDb
) -> None:
    """The counterpart of the test above."""
    project.query("select *, conversion_id > 'x' as opt_out from conversions")
    made = duck_destination(source__lookback="0s")
    for number in range(5):
        duck.insert(conversion(number))
        assert sync(made).delivered == 1
    duck.execute(
        (
            "insert into conversions (conversion_id, updated_at) select 'x' || n, now() - "
            "interval 1 hour from range(?) t(n)"
        ),
        USUAL_LEAST,
    )
    assert sync(made).rows_read == USUAL_LEAST


MANY = (
    "insert into conversions (conversion_id, updated_at, event_time) select 'x' || n, now(), "
    "now() from range(?) t(n)"
)


def test_from_the_first_run_on_touched_rows_of_old_wait_for_a_person(
    duck_destination: Make, duck: DuckDb, receiver: Receiver
) -> None:
    """A destination that starts now, two empty runs,
    and a backfill that touches last year's rows.
    """
    duck.execute(MANY, USUAL_LEAST + 1)
    duck.execute("update conversions set updated_at = now() - interval 300 day")
    made = duck_destination(source__start="now", source__lag="0s")
    assert [sync(made).rows_read for _ in range(2)] == [0, 0]
    duck.execute("update conversions set updated_at = now()")
    with pytest.raises(GuardRail, match="1001 rows wait, more than 10 times the usual 0"):
        sync(made)
    assert receiver.inbox.summary()["requests"] == 0


def test_a_second_run_is_compared_with_the_first(
    project: Project, duck_destination: Make, duck: DuckDb
) -> None:
    project.query("select *, conversion_id > 'x' as opt_out from conversions")
    made = duck_destination(source__lag="0s")
    duck.insert(*(conversion(number) for number in range(100)))
    assert sync(made).delivered == 100
    duck.execute(MANY, USUAL_LEAST + 1)
    with pytest.raises(GuardRail, match="1001 rows wait, more than 10 times the usual 100;"):
        sync(made)


def test_after_a_part_of_the_history_the_rest_is_not_too_much(
    project: Project, duck_destination: Make, duck: DuckDb
) -> None:
    """A first try with --limit says nothing of what is usual."""
    project.query("select *, conversion_id > 'x' as opt_out from conversions")
    made = duck_destination(source__lag="0s")
    duck.execute(MANY, USUAL_LEAST + 2)
    assert sync(made, options=Options(limit=1)).rows_read == 1
    assert sync(made).rows_read == USUAL_LEAST + 1
