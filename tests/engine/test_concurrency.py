"""Requests in flight: learned by one run, taken over by the next, told by the report."""

from __future__ import annotations

from connector.commands.sync import sync
from connector.engine.context import open_context
from connector.engine.plan import Options
from connector.sandbox.faults import Fault
from connector.sandbox.server import Receiver
from connector.state import concurrency
from tests.conftest import Make
from tests.support.warehouses import DuckDb, conversion


def test_a_run_begins_with_as_many_requests_in_flight_as_the_last_one_ended_with(
    duck_destination: Make, duck: DuckDb, receiver: Receiver
) -> None:
    destination = duck_destination()
    most = destination.platform.limits.concurrency
    duck.insert(*(conversion(number) for number in range(200)))
    report = sync(destination)
    learned = report.concurrency
    assert report.delivered == 200
    assert learned is not None
    assert 8 < learned <= most
    assert report.to_json()["concurrency"] == learned
    with open_context(destination) as context:
        assert (context.concurrency.limit, context.concurrency.maximum) == (learned, most)
    duck.insert(conversion(200))
    assert sync(destination).concurrency == learned
    with open_context(duck_destination(delivery__concurrency=8)) as context:
        assert context.concurrency.limit == context.concurrency.maximum == 8


def test_what_a_throttling_platform_taught_is_kept_with_its_moment(
    duck_destination: Make, duck: DuckDb, receiver: Receiver
) -> None:
    duck.insert(*(conversion(number) for number in range(20)))
    receiver.script.add(Fault(status=429, headers={"Retry-After": "0"}, times=1))
    report = sync(duck_destination(delivery__concurrency=2))
    assert (report.delivered, report.retries) == (20, 1)
    with open_context(duck_destination()) as context, context.store.read() as connection:
        kept = concurrency.read(connection, context.destination_id)
        learned = context.concurrency.learned
    assert kept is not None
    assert kept.ceiling == learned.ceiling == 1
    assert kept.throttled_at == int((learned.throttled_at or 0) * 1_000_000)
    assert report.concurrency == kept.in_flight == 1


def test_a_run_that_sends_nothing_leaves_what_was_learned(
    duck_destination: Make, duck: DuckDb, receiver: Receiver
) -> None:
    duck.insert(conversion(1))
    assert sync(duck_destination(), options=Options(dry_run=True)).concurrency is None
    first = sync(duck_destination())
    assert first.concurrency is not None
    with open_context(duck_destination()) as context, context.store.write() as connection:
        kept = concurrency.Kept(3, 3, 1)
        concurrency.keep(connection, context.destination_id, kept)
    assert sync(duck_destination()).concurrency == 3
    with open_context(duck_destination()) as context, context.store.read() as connection:
        assert concurrency.read(connection, context.destination_id) == kept
