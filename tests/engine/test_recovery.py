"""A request whose answer was lost is settled by the next run, whatever happens meanwhile."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from connector.commands.erase import erase, recorded
from connector.commands.rejected import rejected
from connector.commands.replay import replay
from connector.commands.resolve import resolve
from connector.commands.status import status
from connector.commands.sync import sync
from connector.config.destination import Destination
from connector.delivery import retry
from tests.conftest import Make
from tests.support.projects import Project
from tests.support.servers import Peer, Server, serving
from tests.support.warehouses import DuckDb, ago, conversion

BATCHING = Path(__file__).parents[1] / "chaos" / "batching.yaml"


class Platform:
    """Takes batches of records, and loses answers while it is told to.

    batches: orders of each request that was taken, in turn. loses: an order whose batches get no
    good answer, or `all`. refuses: an order whose batches are refused.
    """

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.bodies: list[bytes] = []
        self.loses = self.refuses = ""

    def __call__(self, peer: Peer) -> None:
        while (request := peer.read()) is not None:
            orders = [event["order_id"] for event in json.loads(request.body)["events"]]
            if self.refuses in orders:
                peer.answer(400, '{"error": {"code": "E7", "message": "no"}}')
                continue
            self.batches.append(orders)
            self.bodies.append(request.body)
            if self.loses in ("all", *orders):
                peer.answer(500, "{}")
            else:
                peer.answer(200, json.dumps({"received": len(orders), "status": "ok"}))

    def take(self) -> list[list[str]]:
        """The batches that came since the last call, without the retries of each."""
        batches = [list(each) for each in dict.fromkeys(map(tuple, self.batches))]
        self.batches.clear()
        return batches


@pytest.fixture
def platform() -> Platform:
    """A platform that behaves well."""
    return Platform()


@pytest.fixture
def server(platform: Platform) -> Iterator[Server]:
    """Where it is."""
    with serving(platform) as found:
        yield found


@pytest.fixture
def make(
    project: Project, server: Server, duck_destination: Make, monkeypatch: pytest.MonkeyPatch
) -> Make:
    """A destination with batches of three, one request at a time."""
    shutil.copy(BATCHING, project.root / "batching.yaml")
    monkeypatch.setattr(retry, "BACKOFF_BASE", 0.0)

    def made(**changes: object) -> Destination:
        duck_destination()
        project.write(
            "env:WAREHOUSE_URL",
            server.url,
            platform="batching.yaml",
            account={"advertiser": "12"},
            delivery={"batch_size": 3, "concurrency": 1},
            **changes,
        )
        return project.load()

    return made


def order(number: int, **changes: object) -> dict[str, object]:
    """A conversion that names itself in its order_id."""
    return conversion(number, order_id=f"o{number}", **changes)


def lose(made: Destination, platform: Platform) -> None:
    """A run whose answers are all lost."""
    platform.loses = "all"
    assert not sync(made).complete
    platform.loses = ""


def test_an_open_batch_is_sent_again_as_it_was(
    make: Make, duck: DuckDb, platform: Platform
) -> None:
    duck.insert(*(order(number) for number in range(1, 6)))
    made = make()
    lose(made, platform)
    first, body = platform.take(), platform.bodies[0]
    platform.bodies.clear()
    assert (sync(made).complete, status(made).recorded) == (True, {"delivered": 5})
    assert first[0] == ["o1", "o2", "o3"]
    assert (platform.take()[0], platform.bodies[0]) == (first[0], body)


@pytest.mark.parametrize("how", ["killed", "500"])
def test_a_replay_whose_answer_is_lost_is_settled_by_the_next_run(
    project: Project, make: Make, duck: DuckDb, platform: Platform, how: str
) -> None:
    duck.insert(order(1, email=None), order(2))
    made = make(checks={"rejection_rate": {"fail": 1.0}})
    assert sync(made).rejected == 1
    duck.execute("update conversions set email = 'mended@shop.example.org'")
    platform.take()
    if how == "killed":
        killed = project.capi("replay", "acme", CAPI_FAILPOINT="after_send:1")
        assert killed.code == -signal.SIGKILL
    else:
        platform.loses = "all"
        assert not replay(made).complete
        platform.loses = ""
    assert (platform.take(), status(made).recorded) == ([["o1"]], {"delivered": 1, "rejected": 1})
    assert sync(made).complete
    assert platform.take() == [["o1"]], "the platform has it already, and sees the same bytes"
    assert len(set(platform.bodies[1:])) == 1
    assert (status(made).recorded, rejected(made)) == ({"delivered": 2}, [])


def test_a_replayed_row_that_is_gone_waits_for_a_person(
    make: Make, duck: DuckDb, platform: Platform
) -> None:
    """The platform may have it, so it is no row of which nothing can come."""
    duck.insert(order(1, email=None), order(2))
    made = make(checks={"rejection_rate": {"fail": 1.0}})
    sync(made)
    duck.execute("update conversions set email = 'mended@shop.example.org'")
    platform.loses = "all"
    assert not replay(made).complete
    platform.loses = ""
    duck.execute("delete from conversions where conversion_id = 'c000001'")
    assert sync(made).complete
    assert replay(made).rows_read == 0
    assert [(row.key, row.reason, row.state) for row in rejected(made)] == [
        (("c000001",), "ambiguous_expired", "ambiguous_expired")
    ]
    assert resolve(made, ambiguous="delivered").rows == 1
    assert status(made).recorded == {"delivered": 2}


def test_a_row_that_is_erased_meanwhile_is_not_sent_again(
    make: Make, duck: DuckDb, platform: Platform
) -> None:
    """Its batch is sent without it, the others are cut as they were."""
    duck.insert(*(order(number) for number in range(1, 7)))
    made = make()
    lose(made, platform)
    platform.take()
    assert recorded(made, key=("c000002",)) == "ambiguous"
    assert erase(made, key=("c000002",)).before == "ambiguous"
    assert sync(made).complete
    assert platform.take() == [["o1", "o3"], ["o4", "o5", "o6"]]
    assert recorded(made, key=("c000002",)) == "erased"
    assert status(made).recorded == {"delivered": 5, "erased": 1}
    assert (sync(made).rows_read, platform.take()) == (0, [])


def test_a_row_that_is_touched_meanwhile_is_sent_again_once(
    make: Make, duck: DuckDb, platform: Platform
) -> None:
    """In its batch, although its place in the order is another one now;
    and not once more as new.
    """
    duck.insert(*(order(number) for number in range(1, 4)))
    made = make()
    lose(made, platform)
    platform.take()
    duck.execute(
        "update conversions set value = 77, updated_at = ? where conversion_id = 'c000002'",
        ago(minutes=30),
    )
    report = sync(made)
    assert (report.complete, report.tallies["resent"]) == (True, {"rows changed since": 1})
    assert platform.take() == [["o1", "o2", "o3"]]
    assert status(made).recorded == {"delivered": 3}
    assert (sync(made).rows_read, platform.take()) == (0, [])


@pytest.mark.parametrize("touched", [True, False])
def test_after_the_window_in_which_copies_are_recognised_nothing_is_sent_again(
    make: Make, duck: DuckDb, platform: Platform, touched: bool
) -> None:
    duck.insert(*(order(number) for number in range(1, 4)))
    made = make(overrides={"dedupe_window": "0s"})
    lose(made, platform)
    platform.take()
    if touched:
        duck.execute("update conversions set updated_at = ?", ago(minutes=30))
    assert sync(made).complete
    assert (platform.take(), status(made).recorded) == ([], {"ambiguous_expired": 3})
    assert (sync(made).rows_read, platform.take()) == (0, [])


def test_a_row_that_may_not_be_sent_any_more_waits_for_a_person(
    make: Make, duck: DuckDb, platform: Platform
) -> None:
    """It may have arrived; recorded as rejected, it would be sent as new once it is mended."""
    duck.insert(*(order(number) for number in range(1, 4)))
    made = make(checks={"rejection_rate": {"fail": 1.0}})
    lose(made, platform)
    platform.take()
    duck.execute("update conversions set email = null where conversion_id = 'c000002'")
    assert sync(made).complete
    assert platform.take() == [["o1", "o3"]]
    assert status(made).recorded == {"delivered": 2, "ambiguous_expired": 1}


def test_rows_whose_answer_came_are_not_sent_again_with_the_others(
    make: Make, duck: DuckDb, platform: Platform
) -> None:
    """The first batch is refused for one row;
    of its halves one is taken, the other's answer lost.
    """
    duck.insert(*(order(number) for number in range(1, 4)))
    made = make(checks={"rejection_rate": {"fail": 1.0}})
    platform.refuses = "o1"
    lose(made, platform)
    platform.take()
    assert sync(made).complete
    assert "o1" not in [each for batch in platform.take() for each in batch]
    assert status(made).recorded == {"delivered": 2, "rejected": 1}
    assert sum(each["delivered"] for each in status(made).runs) == 2
    assert sum(each["rejected"] for each in status(made).runs) == 1


def test_a_mended_row_whose_answer_is_lost_leaves_the_quarantine_in_the_end(
    make: Make, duck: DuckDb, platform: Platform
) -> None:
    """It came back by itself, without a replay."""
    duck.insert(order(1, email=None), order(2))
    made = make(checks={"rejection_rate": {"fail": 1.0}})
    sync(made)
    duck.execute(
        "update conversions set email = 'mended@shop.example.org', updated_at = ?", ago(hours=1)
    )
    lose(made, platform)
    assert sync(made).complete
    assert (status(made).recorded, rejected(made)) == ({"delivered": 2}, [])


def test_a_changed_row_whose_answer_came_is_not_sent_again_with_its_neighbours(
    make: Make, duck: DuckDb, platform: Platform
) -> None:
    """It was recorded as delivered before the page was sent, and is so now;
    and yet it is settled.
    """
    duck.insert(*(order(number) for number in range(1, 4)))
    made = make(send="on_change", delivery__batch_size=1)
    assert sync(made).delivered == 3
    duck.execute("update conversions set value = 77, updated_at = ?", ago(hours=1))
    platform.take()
    platform.loses = "o2"
    assert not sync(made).complete
    sent = platform.take()
    assert sent[:2] == [["o1"], ["o2"]]
    platform.loses = ""
    assert sync(made).complete
    assert ["o1"] not in platform.take()
    assert status(made).recorded == {"delivered": 3}


def test_a_row_that_is_mended_after_a_kill_leaves_the_quarantine(
    project: Project, make: Make, duck: DuckDb, platform: Platform
) -> None:
    """It was in the page that was cut off, and in none of its requests."""
    duck.insert(order(1, email=None), order(2))
    made = make(checks={"rejection_rate": {"fail": 1.0}})
    sync(made)
    duck.insert(order(3))
    duck.execute("update conversions set updated_at = ? where order_id <> 'o2'", ago(hours=1))
    assert project.capi("sync", "acme", CAPI_FAILPOINT="after_send:1").code == -signal.SIGKILL
    duck.execute("update conversions set email = 'mended@shop.example.org'")
    platform.take()
    assert sync(made).complete
    assert platform.take() == [["o1", "o3"]]
    assert (status(made).recorded, rejected(made)) == ({"delivered": 3}, [])
