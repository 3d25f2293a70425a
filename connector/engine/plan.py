"""What a run was asked to do, and its slices: plain data that passes between processes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from connector.errors import ConfigError
from connector.model import Mark, Range, SliceKind
from connector.state.lease import Lease


@dataclass(frozen=True)
class Options:
    """How one run differs from the schedule's.

    Attributes:
        dry_run: Nothing is sent or recorded.
        limit: Rows at most.
        since: Cursor time from which rows are sent, also behind the watermark, which stays.
        until: Cursor time up to which rows are sent.
        replay_rejected: Quarantined rows are tried again as well.
        test_mode: The platform's own; nothing is recorded.
        yes: A person agreed to more rows than usual, to refusals of nearly all of them, and to
            rows that may have been delivered before the ledger's memory.
    """

    dry_run: bool = False
    limit: int | None = None
    since: dt.datetime | None = None
    until: dt.datetime | None = None
    replay_rejected: bool = False
    test_mode: bool = False
    yes: bool = False

    @property
    def recorded(self) -> bool:
        """Whether this run leaves a trace in the state."""
        return not (self.dry_run or self.test_mode)

    def __post_init__(self) -> None:
        if self.limit is not None and self.limit < 1:
            raise ConfigError("limit is a number of rows, at least 1")


@dataclass(frozen=True)
class Slice:
    """A contiguous key range of the backlog, or quarantined rows to replay; one step delivers it.

    Attributes:
        number: Its place among the slices of a run.
        kind: What its rows are.
        after: The rows lie behind this place.
        upto: They end with this place.
        before: Their cursor values are less than this text.
        limit: Rows at most.
        reason: Of a replay: only rows with this reason code.
        key: Of a replay: only the row with this key.
        beyond_ledger: Of a replay: also rows that may have been delivered before.
    """

    number: int
    kind: SliceKind
    after: Mark | None = None
    upto: Mark | None = None
    before: str | None = None
    limit: int | None = None
    reason: str | None = None
    key: tuple[str, ...] | None = None
    beyond_ledger: bool = False

    @property
    def range(self) -> Range:
        """The rows it covers."""
        return Range(self.after, self.upto, self.before)

    def to_json(self) -> dict[str, Any]:
        """As plain values, to hand on to another process."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Slice:
        """The reverse of `to_json`, also after a way through JSON text."""
        key = values["key"]
        return cls(
            number=values["number"],
            kind=values["kind"],
            after=_place(values["after"]),
            upto=_place(values["upto"]),
            before=values["before"],
            limit=values["limit"],
            reason=values["reason"],
            key=None if key is None else tuple(key),
            beyond_ledger=values["beyond_ledger"],
        )


@dataclass(frozen=True)
class Plan:
    """One run.

    Attributes:
        run_id: Its name, which is also the owner of its lease.
        token: Fencing token of the lease.
        destination_id: The destination's number in the state.
        mark_from: Cursor text of the watermark before the run.
        slices: What it delivers, in order.
        options: What it was asked to do.
        kind: sync, replay, reconcile or send.
        facts: What the survey found, for people.
    """

    run_id: str
    token: int
    destination_id: int
    mark_from: str | None
    slices: list[Slice]
    options: Options
    kind: str
    facts: dict[str, int | float | None] = field(default_factory=dict)

    @property
    def lease(self) -> Lease:
        """The right to record."""
        return Lease(self.destination_id, self.token, self.run_id)

    @property
    def reads_to_the_end(self) -> bool:
        """Whether the run leaves no row behind the watermark unread, once it is complete."""
        asked = self.options
        return self.kind == "sync" and not (asked.limit or asked.since or asked.until)

    @property
    def accepts_all_refusals(self) -> bool:
        """Whether refusals of nearly all rows are recorded, and do not stop the run."""
        return self.options.yes or self.kind not in ("sync", "send")

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        plain = asdict(self)
        plain["options"] = {
            name: value.isoformat() if isinstance(value, dt.datetime) else value
            for name, value in plain["options"].items()
        }
        return plain

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Plan:
        """The reverse of `to_json`."""
        options: dict[str, Any] = {
            name: dt.datetime.fromisoformat(value)
            if name in ("since", "until") and value
            else value
            for name, value in values["options"].items()
        }
        return cls(
            values["run_id"],
            values["token"],
            values["destination_id"],
            values["mark_from"],
            [Slice.from_json(each) for each in values["slices"]],
            Options(**options),
            values["kind"],
            values["facts"],
        )


def _place(values: Sequence[Any] | None) -> Mark | None:
    if values is None:
        return None
    cursor, key = values
    return Mark(cursor, None if key is None else tuple(key))
