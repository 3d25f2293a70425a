"""One transaction for a page: what became of its rows,
their counts and the mark are all there, or none of it is.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import orjson
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import URL

from connector.commands.status import status
from connector.commands.sync import sync
from connector.sandbox.server import Receiver
from connector.state import ledger, tables
from connector.state.store import Store
from tests.conftest import Make
from tests.support.projects import Project
from tests.support.servers import Peer, serving
from tests.support.warehouses import DuckDb, conversion

ROWS = 900


def count(connection: sa.Connection, table: sa.Table) -> int:
    return int(connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one())


@pytest.mark.slow
@pytest.mark.usefixtures("state")
@pytest.mark.parametrize(
    "failpoint",
    [
        "inside_commit:1",
        "inside_commit:2",
        "after_commit:2",
        "before_commit:3",
        "inside_commit:3",
        "after_commit:4",
        "before_settle:1",
    ],
)
def test_wherever_a_run_is_killed_rows_counts_and_mark_agree(
    project: Project,
    duck_destination: Make,
    duck: DuckDb,
    receiver: Receiver,
    state: URL,
    failpoint: str,
) -> None:
    duck.insert(
        *(
            conversion(number, email=None if number % 10 == 0 else f"p{number}@example.org")
            for number in range(ROWS)
        )
    )
    made = duck_destination(source__lookback="0s")
    assert project.capi("sync", "acme", CAPI_FAILPOINT=failpoint).code < 0
    store = Store.open(state)
    with store.read() as connection:
        run = connection.execute(sa.select(tables.run)).one()
        mark = connection.execute(sa.select(tables.mark)).one()
        recorded, refused = (
            sum(ledger.count(connection, 1).values()),
            count(connection, tables.quarantine),
        )
    store.close()
    behind = 0 if mark.cursor is None else int(orjson.loads(mark.key)[0][1:]) + 1
    assert (run.rows_read, run.rejected, run.mark_to) == (recorded, refused, mark.cursor)
    assert (recorded, run.delivered) == (behind, behind - refused)
    assert behind % 200 == 0 or behind == ROWS
    assert sync(made).complete
    assert sum(each["rows_read"] for each in status(made).runs) == ROWS
    assert status(made).recorded == {"delivered": 810, "rejected": 90}
    assert (receiver.inbox.summary()["events"], receiver.inbox.summary()["conflicts"]) == (810, 0)


class TwoAtOnce:
    """Meta, whose first request is refused while the answer to the second one gets lost,
    until all is well.
    """

    def __init__(self) -> None:
        self.second_came = threading.Event()
        self.well = False
        self.taken: list[str] = []

    def __call__(self, peer: Peer) -> None:
        while (request := peer.read()) is not None:
            events: list[dict[str, Any]] = orjson.loads(request.body)["data"]
            orders = [event["custom_data"]["order_id"] for event in events]
            if "o0" in orders and not self.well:
                self.second_came.wait(20)
                peer.answer(
                    401,
                    orjson.dumps(
                        {
                            "error": {
                                "message": "this token is old",
                                "code": 190,
                                "type": "OAuthException",
                            }
                        }
                    ),
                )
                continue
            self.taken += orders
            if "o2" in orders and not self.second_came.is_set():
                self.second_came.set()
                peer.reset()
                return
            peer.answer(200, orjson.dumps({"events_received": len(events), "fbtrace_id": "A"}))


def test_a_page_that_is_settled_after_a_stop_moves_the_mark_over_no_open_page(
    duck_destination: Make, duck: DuckDb, project: Project
) -> None:
    """The first page was refused and is open;
    the answer to the second one got lost, so the next run begins with it.
    """
    duck.insert(*(conversion(number, order_id=f"o{number}") for number in range(4)))
    project.query("select *, 'physical_store' as action_source from conversions")
    meta = TwoAtOnce()
    with serving(meta) as server:
        duck_destination()
        meta_like = {
            "platform": "meta",
            "account": {"pixel_id": "123456789012345"},
            "delivery__batch_size": 2,
            "source__lookback": "0s",
        }
        project.write("env:WAREHOUSE_URL", server.url, **meta_like)
        made = project.load()
        first, second = sync(made), sync(made)
        assert (first.complete, second.complete) == (False, False)
        assert {"o2", "o3"} <= set(meta.taken)
        assert status(made).mark is None
        meta.well = True
        assert sync(made).complete
    assert set(meta.taken) == {"o0", "o1", "o2", "o3"}
    assert status(made).recorded == {"delivered": 4}


def test_progress_is_the_same_on_both_databases(
    state: URL, duck_destination: Make, duck: DuckDb, tmp_path: Path
) -> None:
    duck.insert(
        *(
            conversion(number, email=None if number == 3 else f"p{number}@example.org")
            for number in range(10)
        )
    )
    made = duck_destination()
    report = sync(made)
    assert (report.delivered, report.rejected, status(made).recorded, status(made).quarantine) == (
        9,
        1,
        {"delivered": 9, "rejected": 1},
        {"no_identity": 1},
    )
    assert (tmp_path / "state" / "state.db").is_file() == (state.get_backend_name() == "sqlite")
