"""Writers that fill a PostgreSQL table as busy systems do:
several at once, transactions held open, rollbacks, late rows, updates.
"""

from __future__ import annotations

import itertools
import random
import threading
import time

import psycopg

from tests.chaos.receiver import POISON
from tests.chaos.world import World

HOLD = 0.6
"""Seconds for which a transaction stays open at most; the lag of the destination is longer."""

_INSERT = """
insert into conversions
    (conversion_id, order_id, updated_at, event_name, event_time, email, value, currency)
select 'c' || lpad(n::text, 6, '0'), 'c' || lpad(n::text, 6, '0'),
    now() - %(late)s * interval '1 second', 'Purchase', now() - interval '1 hour',
    'person' || n || '@shop.example.org',
    case when n %% 97 = 13 then %(poison)s when n %% 211 = 17 then -1 else 9.50 end, 'USD'
from generate_series(%(first)s::int, %(last)s::int) n
"""
_TOUCH = (
    "update conversions set updated_at = now() where value > 0 and value < 1000 and "
    "conversion_id = any(%s)"
)


class Writers:
    """Threads that keep adding rows to a world until `target` rows are there,
    as fast as `pace` allows.

    late: share of transactions whose rows carry a timestamp from up to 40 seconds ago.
    """

    def __init__(
        self, world: World, target: int, seed: int, *, threads: int = 3, late: float = 0.06
    ) -> None:
        self._world, self._target, self._late = world, target, late
        self._numbers, self._lock = itertools.count(), threading.Lock()
        self._stop = threading.Event()
        self.allowed = 0
        self.written = self.rolled_back = self.touched = 0
        self._threads = [
            threading.Thread(
                target=self._write, args=(random.Random(f"{seed}/{number}"),), daemon=True
            )
            for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def pace(self, share: float) -> None:
        """Let rows be written up to this share of the target."""
        self.allowed = int(self._target * min(share, 1.0))

    def finish(self) -> None:
        """Write what is left of the target, and end."""
        self.pace(1.0)
        while self.written < self._target and any(thread.is_alive() for thread in self._threads):
            self._stop.wait(0.05)
        self._stop.set()
        for thread in self._threads:
            thread.join(30)

    def _write(self, chance: random.Random) -> None:
        connection: psycopg.Connection | None = None
        while not self._stop.wait(chance.uniform(0.0, 0.05)):
            if self.written >= self.allowed:
                continue
            try:
                if connection is None:
                    connection = psycopg.connect(self._world.warehouse.url, connect_timeout=5)
                self._transaction(connection, chance)
            except psycopg.Error:  # the database is restarting
                if connection is not None:
                    connection.close()
                connection = None
        if connection is not None:
            connection.close()

    def _transaction(self, connection: psycopg.Connection, chance: random.Random) -> None:
        count = chance.randint(1, 40)
        with self._lock:
            numbers = list(itertools.islice(self._numbers, count))
        late = chance.random() < self._late
        keys = [f"c{number:06d}" for number in numbers]
        if late:
            self._world.late |= set(keys)
        began = time.monotonic()
        values = {
            "first": numbers[0],
            "last": numbers[-1],
            "late": chance.uniform(8, 40) if late else 0.0,
            "poison": POISON,
        }
        connection.execute(_INSERT, values)
        if numbers[0] > 50 and chance.random() < 0.3:
            touched = [f"c{chance.randrange(numbers[0]):06d}" for _ in range(5)]
            connection.execute(_TOUCH, (touched,))
            self.touched += len(touched)
        if chance.random() < 0.3:
            self._stop.wait(chance.uniform(0, HOLD))
        if chance.random() < 0.05 or time.monotonic() - began > 2 * HOLD:
            connection.rollback()
            self.rolled_back += 1
        else:
            connection.commit()
            self.written += count
