"""Rows that are forgotten for a request of deletion."""

from __future__ import annotations

import pytest

from connector.commands.erase import erase
from connector.commands.reconcile import reconcile
from connector.commands.rejected import rejected
from connector.commands.replay import replay
from connector.commands.resolve import put_watermark
from connector.commands.status import status
from connector.commands.sync import sync
from connector.sandbox.server import Receiver
from tests.conftest import Make
from tests.support.warehouses import DuckDb, ago, conversion


@pytest.mark.parametrize("was_sent", [True, False])
def test_an_erased_row_is_never_sent_again(
    duck_destination: Make, duck: DuckDb, receiver: Receiver, was_sent: bool
) -> None:
    duck.insert(conversion(1), *([conversion(2)] if was_sent else []))
    made = duck_destination()
    sync(made)
    before = receiver.inbox.summary()["requests"]
    assert erase(made, key=("c000002",)).known == was_sent
    if not was_sent:
        duck.insert(conversion(2))
    duck.execute(
        "update conversions set value = 77, updated_at = ? where conversion_id = 'c000002'",
        ago(minutes=30),
    )
    assert (
        sync(made).rows_read,
        reconcile(made, send=True).missing,
        replay(made).rows_read,
    ) == (0, 0, 0)
    put_watermark(made, "all")
    assert sync(made).rows_read == 0
    assert receiver.inbox.summary()["requests"] == before
    assert status(made).recorded["erased"] == 1


def test_an_erased_row_leaves_the_quarantine(duck_destination: Make, duck: DuckDb) -> None:
    duck.insert(conversion(1), conversion(2, email=None))
    made = duck_destination()
    sync(made)
    assert erase(made, key=("c000002",)).known
    assert (rejected(made), replay(made, key=("c000002",)).rows_read) == ([], 0)
