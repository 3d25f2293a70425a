"""What a run did, as people, orchestrators and `capi sync --json` see it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from connector.errors import ConnectorError

COUNTS = (
    "rows_read",
    "delivered",
    "rejected",
    "expired",
    "suppressed",
    "late",
    "ambiguous",
    "http_requests",
    "retries",
)
Facts = dict[str, int | float | None]


@dataclass(frozen=True)
class RunFailure:
    """Why a run ended early.

    Attributes:
        kind: The class of the error.
        message: A sentence.
        exit_code: What the command line ends with.
    """

    kind: str
    message: str
    exit_code: int

    @classmethod
    def of(cls, error: ConnectorError) -> RunFailure:
        """An error as plain data."""
        return cls(type(error).__name__, str(error), error.exit_code)

    def to_json(self) -> dict[str, Any]:
        """As plain values, to hand on to another process."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> RunFailure:
        """The reverse of `to_json`."""
        return cls(**values)


@dataclass(frozen=True)
class Report:
    """What one run did. Counts are rows, but for http_requests, retries and ambiguous: requests.

    Attributes:
        run_id: Its name.
        rows_read: Rows that were settled, or that a dry run would have sent.
        mark_from: Cursor text of the watermark before the run.
        mark_to: Cursor text of the watermark after it.
        complete: All that the run was asked to do is recorded.
        seconds: Wall-clock time.
        changed: Rows that were delivered before and have changed since.
        unsent: Rows that a dry run would have sent.
        tallies: Kind -> name -> how many; kinds are rejected, dropped, status, match, resent,
            later and completeness.
        concurrency: Requests in flight that the platform bore at the end; None before anything
            was sent.
        usual_match: Identifier -> median share of delivered rows with it, of the last ten runs;
            empty before there are five.
        facts: What the survey found.
        failure: Why it ended early.
    """

    run_id: str
    rows_read: int = 0
    delivered: int = 0
    rejected: int = 0
    expired: int = 0
    suppressed: int = 0
    late: int = 0
    ambiguous: int = 0
    http_requests: int = 0
    retries: int = 0
    mark_from: str | None = None
    mark_to: str | None = None
    complete: bool = True
    seconds: float = 0.0
    changed: int = 0
    unsent: int = 0
    tallies: dict[str, dict[str, int]] = field(default_factory=dict)
    concurrency: int | None = None
    usual_match: dict[str, float] = field(default_factory=dict)
    facts: Facts = field(default_factory=dict)
    failure: RunFailure | None = None

    def to_json(self) -> dict[str, Any]:
        """The interface of `capi sync --json`."""
        names = ("run_id", *COUNTS, "mark_from", "mark_to", "complete", "seconds")
        extra: dict[str, Any] = {"watermark_ahead": True} if self.watermark_ahead else {}
        if self.concurrency is not None:
            extra["concurrency"] = self.concurrency
        return {name: getattr(self, name) for name in names} | extra

    @property
    def watermark_ahead(self) -> bool:
        """The watermark stands beyond the last row, so rows that are added may never be read."""
        return bool(self.facts.get("watermark_ahead"))

    @property
    def reconciled(self) -> bool:
        """Every row that was read ended in exactly one state."""
        return (
            self.rows_read
            == self.delivered + self.rejected + self.expired + self.suppressed + self.unsent
        )

    @property
    def found_nothing(self) -> bool:
        """No row was settled, and no result came that the platform tells later."""
        return not (self.rows_read or self.unsent or self.tallies.get("later"))

    @property
    def rejection_rate(self) -> float:
        """Share of the rows read that were rejected."""
        return self.rejected / self.rows_read if self.rows_read else 0.0

    @property
    def all_rejected(self) -> bool:
        """Rows were due, and not one was accepted, or would have been."""
        return self.rejected > 0 and self.delivered + self.unsent == 0
