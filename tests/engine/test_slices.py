"""A backlog of several slices in one process:
they follow each other without a pause, and each is complete once all of it is recorded.
"""

from __future__ import annotations

import threading
from typing import Any

import orjson
import pytest
import sqlalchemy as sa

from connector.commands.status import status
from connector.commands.sync import sync
from connector.config.destination import Destination
from connector.delivery import retry
from connector.engine import dedupe as choose
from connector.engine import page_builder as paging
from connector.engine.checkpoint import Checkpointer
from connector.engine.context import open_context
from connector.engine.plan import Options
from connector.engine.planner import plan_slices
from connector.engine.run import take_lease
from connector.engine.slice_reader import read_slices
from connector.errors import ConfigError
from connector.model import Mark, PageResult, Range, RowState
from connector.sandbox.faults import Fault
from connector.sandbox.server import Receiver
from connector.source.warehouse import Warehouse
from connector.state import slice_progress, tables
from connector.state.store import Store
from tests.conftest import Make
from tests.support.projects import Project
from tests.support.servers import Peer, serving
from tests.support.warehouses import DuckDb, TestWarehouse, ago, conversion

BAD = "77777.77"
"""The value of rows whose requests fail."""


@pytest.fixture
def pages_of_30(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages that are a read of their own each; two are a slice of 60 rows."""
    _page(monkeypatch, page_rows=30)


def _page(monkeypatch: pytest.MonkeyPatch, *, page_rows: int) -> None:
    monkeypatch.setattr(paging, "SINGLE_PAGE", page_rows)
    monkeypatch.setattr(paging, "ROWS_TOGETHER", 1)
    monkeypatch.setattr(retry, "BACKOFF_BASE", 0.001)


def complete(made: Destination) -> list[bool]:
    """Which slices of the last plan are complete, in order."""
    with open_context(made) as session:
        return complete_in(session.store)


def complete_in(store: Store) -> list[bool]:
    """The same, of an open state."""
    with store.read() as connection:
        return list(
            connection.execute(
                sa.select(tables.slices.c.complete).order_by(tables.slices.c.number)
            ).scalars()
        )


def mark(made: Destination) -> Mark | None:
    """The high-water mark."""
    with open_context(made) as session:
        return session.watermark()


def key_of(place: Mark | None) -> tuple[str, ...] | None:
    """The key of a mark."""
    return None if place is None else place.key


@pytest.mark.usefixtures("pages_of_30")
@pytest.mark.parametrize("code", [400, 401, 503])
def test_a_run_that_fails_in_the_middle_keeps_the_slices_that_are_finished(
    destination: Make, warehouse: TestWarehouse, receiver: Receiver, code: int
) -> None:
    """The second page of the second slice fails:
    for one reason that no record can be blamed for, at once, or time and again.
    """
    warehouse.insert(
        *(conversion(number, value=BAD if 90 <= number < 120 else "9.50") for number in range(200))
    )
    receiver.script.add(
        Fault(status=code, times=10_000, match=BAD, body={"error": {"code": "E1", "message": "no"}})
    )
    made = destination(delivery__concurrency=1, delivery__slice_rows=60)
    first = sync(made)
    assert not first.complete
    assert complete(made) == [True, False, False, False]
    assert key_of(mark(made)) == ("c000089",), "the end of the page before the one that failed"

    receiver.script.clear()
    second = sync(made)
    assert second.complete
    assert complete(made) == [True] * len(complete(made))
    assert key_of(mark(made)) == ("c000199",)
    assert first.delivered + second.delivered == 200
    summary = receiver.inbox.summary()
    assert (summary["events"], summary["duplicates"], summary["conflicts"]) == (200, 0, 0)
    assert status(made).recorded == {"delivered": 200}
    assert sync(made).rows_read == 0


@pytest.mark.parametrize(
    ("rows", "slices"), [(59, 1), (60, 1), (61, 2), (119, 2), (120, 2), (121, 3)]
)
def test_no_slice_is_empty_and_the_setting_says_how_many_rows_one_has(
    duck_destination: Make, duck: DuckDb, rows: int, slices: int
) -> None:
    duck.insert(*(conversion(number) for number in range(rows)))
    with open_context(duck_destination(delivery__slice_rows=60)) as session:
        planned = plan_slices(session, None, Options())
        pages = [session.warehouse.read_keys(each.range, 1000) for each in planned]
        assert [sum(map(len, read)) for read in pages] == [
            min(60, rows - start) for start in range(0, rows, 60)
        ]
    assert len(planned) == slices


def test_a_backlog_is_cut_by_one_statement_however_many_slices_it_has(
    destination: Make, warehouse: TestWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An OFFSET a slice reads everything before it again: the time grows with the square."""
    warehouse.insert(*(conversion(number) for number in range(120)))
    fetched: list[object] = []
    fetch = Warehouse.fetch
    monkeypatch.setattr(
        Warehouse, "fetch", lambda *arguments: fetched.append(1) or fetch(*arguments)
    )
    for size in (60, 3):
        with open_context(destination(delivery__slice_rows=size)) as session:
            session.warehouse.survey(None)
            fetched.clear()
            ends = session.warehouse.slice_ends(Range(), size)
        assert (len(ends), len(fetched)) == (120 // size - 1, 1)


@pytest.mark.usefixtures("pages_of_30")
@pytest.mark.parametrize("key", ["conversion_id", "email"])
def test_every_slice_ends_complete_and_the_mark_at_the_end_of_the_last(
    destination: Make, warehouse: TestWarehouse, receiver: Receiver, key: str
) -> None:
    """Keys that may describe a person are not handed on,
    so those slices are cut between cursor values.
    """
    warehouse.insert(*(conversion(number) for number in range(200)))
    made = destination(source__key=key, delivery__slice_rows=60)
    report = sync(made)
    assert (report.complete, report.delivered, status(made).mark) == (True, 200, report.mark_to)
    assert complete(made) == [True] * 4
    assert sync(made).rows_read == 0
    assert receiver.inbox.summary()["duplicates"] == 0


@pytest.mark.usefixtures("pages_of_30")
def test_a_limit_ends_a_slice_before_its_end(
    project: Project, destination: Make, warehouse: TestWarehouse
) -> None:
    """A cursor that is no time: there the end of what waits is known as a place."""
    warehouse.execute("alter table conversions add column version integer")
    warehouse.insert(*(conversion(number, version=number) for number in range(50)))
    made = destination(source__cursor="version", delivery__slice_rows=60)
    assert sync(made, options=Options(limit=40)).delivered == 40
    assert (complete(made), key_of(mark(made))) == ([True], ("c000039",))
    assert sync(made).delivered == 10


@pytest.mark.usefixtures("pages_of_30")
@pytest.mark.parametrize("options", [Options(dry_run=True), Options(dry_run=True, limit=100)])
def test_a_dry_run_counts_all_slices_and_completes_none(
    duck_destination: Make, duck: DuckDb, receiver: Receiver, options: Options
) -> None:
    duck.insert(*(conversion(number) for number in range(200)))
    made = duck_destination(delivery__slice_rows=60)
    assert sync(made, options=options).unsent == (options.limit or 200)
    assert receiver.inbox.summary()["requests"] == 0
    assert complete(made) == []


class AnswersOnceTheNextSliceCame:
    """Meta, which answers to the last request of the first slice when a row of the second came."""

    def __init__(self) -> None:
        self.second_came = threading.Event()
        self.in_time: list[bool] = []

    def __call__(self, peer: Peer) -> None:
        while (request := peer.read()) is not None:
            events: list[dict[str, Any]] = orjson.loads(request.body)["data"]
            orders = {event["custom_data"]["order_id"] for event in events}
            if "o4" in orders:
                self.second_came.set()
            if "o3" in orders:
                self.in_time.append(self.second_came.wait(20))
            peer.answer(200, orjson.dumps({"events_received": len(events), "fbtrace_id": "A"}))


def test_a_slice_begins_while_the_one_before_is_under_way(
    project: Project, duck_destination: Make, duck: DuckDb
) -> None:
    duck.insert(*(conversion(number, order_id=f"o{number}") for number in range(8)))
    project.query("select *, 'physical_store' as action_source from conversions")
    meta = AnswersOnceTheNextSliceCame()
    with serving(meta) as server:
        duck_destination()
        project.write(
            "env:WAREHOUSE_URL",
            server.url,
            platform="meta",
            account={"pixel_id": "123456789012345"},
            delivery__batch_size=2,
            delivery__slice_rows=4,
        )
        made = project.load()
        assert sync(made).delivered == 8
    assert meta.in_time == [True]
    assert set(complete(made)) == {True}


def test_rows_of_two_slices_that_share_a_key_are_named_before_either_is_recorded(
    duck_destination: Make, duck: DuckDb, monkeypatch: pytest.MonkeyPatch
) -> None:
    _page(monkeypatch, page_rows=2)
    duck.insert(
        *(conversion(number) for number in range(4)), conversion(1, updated_at=ago(hours=3))
    )
    with open_context(duck_destination(delivery__slice_rows=2)) as session:
        planned = plan_slices(session, None, Options())
        assert [each.kind for each in planned] == ["range"] * 3
        with pytest.raises(ConfigError, match="share a key"):
            list(read_slices(session, planned, Options()))


@pytest.mark.parametrize("concurrency", [1, 16])
def test_rows_that_share_a_key_are_named_however_many_requests_are_in_flight(
    duck_destination: Make, duck: DuckDb, monkeypatch: pytest.MonkeyPatch, concurrency: int
) -> None:
    """As many lie between them as may be sent,
    or wait to be recorded, before the first of them is.
    """
    _page(monkeypatch, page_rows=1)
    between = 2 * concurrency
    duck.insert(
        *(conversion(number) for number in range(between + 1)),
        conversion(0, updated_at=ago(hours=3)),
    )
    with (
        open_context(duck_destination(delivery__concurrency=concurrency)) as session,
        pytest.raises(ConfigError, match=r"share a key \(c000000\)"),
    ):
        list(read_slices(session, plan_slices(session, None, Options()), Options()))


def test_the_warehouse_is_asked_in_every_slice_whether_a_returned_key_is_another_row(
    duck_destination: Make, duck: DuckDb, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The row that came back in the first slice is the same one, the one in the second is not."""
    _page(monkeypatch, page_rows=1)
    monkeypatch.setattr(choose, "TIMES_ASKED", 1)
    duck.insert(conversion(1), conversion(2))
    made = duck_destination(delivery__slice_rows=1)
    assert sync(made).delivered == 2
    duck.execute(
        "update conversions set updated_at = ? where conversion_id = 'c000001'", ago(hours=4)
    )
    duck.insert(conversion(2, updated_at=ago(hours=3)))
    report = sync(made)
    assert report.failure is not None
    assert "share a key (c000002)" in report.failure.message


def test_a_slice_is_complete_only_once_everything_before_its_closing_page_is_recorded(
    duck_destination: Make, duck: DuckDb
) -> None:
    duck.insert(*(conversion(number) for number in range(4)))
    with open_context(duck_destination()) as session:
        held = take_lease(session, None)
        with session.store.write() as connection:
            slice_progress.plan(connection, held, [0, 1])
        *read, [closing] = session.page_builder().of_range(0, Range())
        results = [PageResult.of(page) for pages in read for page in pages]
        for result in results:
            result.states[:] = RowState.DELIVERED
        checkpointer = Checkpointer(session.store, held, held.owner)
        checkpointer.advance([PageResult.of(closing)], [])
        assert (session.watermark(), complete_in(session.store)) == (None, [False, False])
        checkpointer.advance(results, [])
        assert (key_of(session.watermark()), complete_in(session.store)) == (
            ("c000003",),
            [False, False],
        )
        checkpointer.advance([PageResult.of(closing)], [])
        assert complete_in(session.store) == [True, False]


def test_a_slice_whose_rows_are_gone_is_complete_at_its_end(
    duck_destination: Make, duck: DuckDb
) -> None:
    duck.insert(conversion(1))
    with open_context(duck_destination()) as session:
        held = take_lease(session, None)
        with session.store.write() as connection:
            slice_progress.plan(connection, held, [0])
        end = next(session.page_builder().of_range(0, Range()))[-1].upto
        pages = [
            page for read in session.page_builder().of_range(0, Range(end, end)) for page in read
        ]
        assert [(len(page), page.closes) for page in pages] == [(0, True)]
        Checkpointer(session.store, held, held.owner).advance(
            [PageResult.of(page) for page in pages], []
        )
        assert (session.watermark(), complete_in(session.store)) == (end, [True])
