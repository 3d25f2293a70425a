"""What the receiver has taken: every event by its id, how often, and whether a repetition carried the same bytes."""

from __future__ import annotations

import hashlib
import threading
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Arrival:
    """One event id. copies: how often it arrived; digest: of its first bytes; conflicts: copies with other bytes."""

    digest: bytes
    copies: int = 1
    conflicts: int = 0


@dataclass
class Ledger:
    """Counts and the latest events; safe to use from several threads."""

    arrivals: dict[tuple[str, str], Arrival] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    latest: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=50))
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, account: str, event_id: str, event: dict[str, Any], raw: bytes) -> None:
        """Remember one accepted event. account: platform and account, within which ids are unique. raw: its canonical JSON."""
        digest = hashlib.sha256(raw).digest()
        with self.lock:
            self.counts["accepted"] += 1
            seen = self.arrivals.get((account, event_id))
            if seen is None:
                self.arrivals[account, event_id] = Arrival(digest)
                self.counts["events"] += 1
            else:
                seen.copies += 1
                self.counts["duplicates"] += 1
                if seen.digest != digest:
                    seen.conflicts += 1
                    self.counts["conflicts"] += 1
            self.latest.appendleft({"account": account, "event_id": event_id, "event": event})

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
            names = ("requests", "accepted", "events", "duplicates", "conflicts", "refused")
            return {**{name: self.counts[name] for name in names}, "statuses": dict(self.statuses), "reasons": dict(self.reasons)}
