"""Rows behind the watermark, compared with the ledger."""

from __future__ import annotations

import pytest

from connector.commands.reconcile import reconcile
from connector.commands.status import status
from connector.commands.sync import sync
from connector.errors import ConfigError
from connector.sandbox.server import Receiver
from tests.conftest import Make
from tests.support.projects import Project
from tests.support.warehouses import DuckDb, TestWarehouse, ago, conversion


def copies(receiver: Receiver) -> list[int]:
    """How often each event arrived."""
    return sorted(arrival.copies for arrival in receiver.inbox.arrivals.values())


def test_reconciling_reports_what_has_no_record_and_sends_it_when_asked(
    destination: Make, warehouse: TestWarehouse, receiver: Receiver
) -> None:
    warehouse.insert(conversion(1, updated_at=ago(days=6)), conversion(2, updated_at=ago(hours=1)))
    made = destination()
    sync(made)
    warehouse.insert(conversion(3, updated_at=ago(days=5)), conversion(4, updated_at=ago(days=3)))
    assert sync(made).rows_read == 0
    found = reconcile(made)
    assert (found.rows, found.missing, found.report) == (4, 2, None)
    assert (
        reconcile(made, since=ago(days=4)).rows,
        reconcile(made, since=ago(days=4)).missing,
    ) == (2, 1)
    mark = status(made).mark
    sent = reconcile(made, since=ago(days=4), send=True)
    assert sent.report is not None
    assert (sent.missing, sent.report.delivered, sent.report.late, sent.report.complete) == (
        1,
        1,
        1,
        True,
    )
    whole = reconcile(made, send=True)
    assert whole.report is not None
    assert (whole.missing, whole.report.delivered) == (1, 1)
    assert (reconcile(made, send=True).missing, status(made).mark, copies(receiver)) == (
        0,
        mark,
        [1, 1, 1, 1],
    )


def test_before_the_first_run_there_is_nothing_to_reconcile(
    duck_destination: Make, duck: DuckDb
) -> None:
    duck.insert(conversion(1))
    assert reconcile(duck_destination(), send=True).to_json() == {
        "rows": 0,
        "missing": 0,
        "sent": None,
    }


def test_reconcile_since_needs_a_cursor_that_is_a_time(
    project: Project, duck_destination: Make, duck: DuckDb
) -> None:
    project.query("select *, substr(conversion_id, 2)::bigint as number from conversions")
    duck.insert(conversion(1))
    made = duck_destination(source__cursor="number")
    sync(made)
    with pytest.raises(ConfigError, match="--since needs a cursor that is a time"):
        reconcile(made, since=ago(days=1))
