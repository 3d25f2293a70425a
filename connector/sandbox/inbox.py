"""What the receiver has taken: every event by its id, how often, and with which bytes."""

from __future__ import annotations

import hashlib
import threading
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple


class Arrival(NamedTuple):
    """One event id.

    Attributes:
        digest: Of the bytes that arrived first.
        copies: How often it arrived.
        conflicts: Copies with other bytes.
    """

    digest: int
    copies: int = 1
    conflicts: int = 0


class Arrivals(Mapping[tuple[str, str], Arrival]):
    """Arrivals by account and event id.

    A million that arrived once take some 200 MB: a digest each, and no object.
    """

    def __init__(self) -> None:
        self._once: dict[str, dict[str, int]] = {}
        self._again: dict[tuple[str, str], Arrival] = {}

    def add(self, account: str, event_id: str, digest: int) -> Arrival:
        """Count one more, and return what is known of it now."""
        of_account = self._once.setdefault(account, {})
        if event_id not in of_account:
            of_account[event_id] = digest
            return Arrival(digest)
        seen = self[account, event_id]
        self._again[account, event_id] = again = Arrival(
            seen.digest, seen.copies + 1, seen.conflicts + (digest != seen.digest)
        )
        return again

    def clear(self) -> None:
        """Forget all."""
        self._once.clear()
        self._again.clear()

    def __getitem__(self, key: tuple[str, str]) -> Arrival:
        account, event_id = key
        try:
            return self._again.get(key) or Arrival(self._once[account][event_id])
        except KeyError:
            raise KeyError(key) from None

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return (
            (account, event_id)
            for account, of_account in list(self._once.items())
            for event_id in list(of_account)
        )

    def __len__(self) -> int:
        return sum(map(len, self._once.values()))


@dataclass
class Inbox:
    """What arrived: counts and the latest events; safe to use from several threads."""

    arrivals: Arrivals = field(default_factory=Arrivals)
    counts: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    latest: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=50))
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, account: str, event_id: str, event: dict[str, Any], raw: bytes) -> None:
        """Remember one accepted event.

        Args:
            account: Platform and account, within which ids are unique.
            event_id: Its id.
            event: The event.
            raw: Its canonical JSON.
        """
        digest = int.from_bytes(hashlib.blake2b(raw, digest_size=7).digest())
        with self.lock:
            self.counts["accepted"] += 1
            seen = self.arrivals.add(account, event_id, digest)
            if seen.copies == 1:
                self.counts["events"] += 1
            else:
                self.counts["duplicates"] += 1
                self.counts["conflicts"] += seen.digest != digest
            self.latest.appendleft({"account": account, "event_id": event_id, "event": event})

    def validate(self, events: int) -> None:
        """Count events that were fine, of a request in test mode."""
        with self.lock:
            self.counts["validated"] += events

    def refuse(self, reason: str) -> None:
        """Count one refused event."""
        with self.lock:
            self.counts["refused"] += 1
            self.reasons[reason] += 1

    def answer(self, status: int | str) -> None:
        """Count one answer."""
        with self.lock:
            self.counts["requests"] += 1
            self.statuses[str(status)] += 1

    def clear(self) -> None:
        """Forget everything."""
        with self.lock:
            for part in (self.arrivals, self.counts, self.statuses, self.reasons, self.latest):
                part.clear()

    def summary(self) -> dict[str, Any]:
        """Counts as plain data."""
        with self.lock:
            names = (
                "requests",
                "accepted",
                "events",
                "duplicates",
                "conflicts",
                "refused",
                "validated",
            )
            return {
                **{name: self.counts[name] for name in names},
                "statuses": dict(self.statuses),
                "reasons": dict(self.reasons),
            }
