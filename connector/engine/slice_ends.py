"""Which slices of a run have ended and how, where each is a step of its own.

Where a step fails, its orchestrator does not begin the step that would settle the run. So the last
slice to end settles it, whichever that is.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from connector.engine.context import RunContext
from connector.engine.plan import Plan, Slice
from connector.engine.report import RunFailure
from connector.state import runs

_ENDED, _FAILED = "slice_ended", "slice_failed"


@dataclass(frozen=True)
class SliceEnd:
    """How a run stands when one of its slices has ended.

    Attributes:
        failure: Why the run ends early: the first slice in their order that did; None while all
            that ended are complete.
        is_last: No other slice of the run is left.
        is_new_cause: No slice before it ended for the same kind of error.
    """

    failure: RunFailure | None
    is_last: bool
    is_new_cause: bool

    @property
    def must_settle(self) -> bool:
        """Whether nobody else will settle the run."""
        return self.is_last and self.failure is not None


def end_slice(
    context: RunContext, planned: Plan, each: Slice, failure: RunFailure | None
) -> SliceEnd:
    """Record that a slice has ended, and look at the others.

    Two slices that end at the same moment may both be the last one; the run is settled once.

    Args:
        context: The destination.
        planned: The plan that the slice is part of.
        each: The slice.
        failure: Why it ended early, if it did.
    """
    ended = {_ENDED: Counter([str(each.number)])}
    if failure is not None:
        cause = f"{each.number} {failure.exit_code} {failure.kind}"
        ended[_FAILED] = Counter([cause])
    with context.store.write() as connection:
        runs.add(connection, planned.run_id, {}, ended, None)
    with context.store.read() as connection:
        found = runs.tallies(connection, planned.run_id)
    failed = [name.split(" ") for name in found.get(_FAILED, {})]
    others = [kind for number, _, kind in failed if int(number) != each.number]
    return SliceEnd(
        failure or _of_another(failed),
        is_last=len(found[_ENDED]) >= len(planned.slices),
        is_new_cause=failure is not None and failure.kind not in others,
    )


def _of_another(failed: list[list[str]]) -> RunFailure | None:
    """The failure of another slice, which said why in a step of its own."""
    if not failed:
        return None
    number, exit_code, kind = min(failed, key=lambda names: int(names[0]))
    return RunFailure(kind, f"slice {number} ended early; its step says why", int(exit_code))
