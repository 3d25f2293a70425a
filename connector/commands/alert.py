"""Tells people when something begins to be wrong with a destination, and when it is over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from connector.commands.alert_channels import Alert, channels
from connector.commands.alert_conditions import (
    CRITICAL,
    HEADLINES,
    Condition,
    LastRun,
    conditions,
    last_run,
)
from connector.config.destination import Destination
from connector.config.loader import Target, destination_of
from connector.engine.context import RunContext, open_context
from connector.errors import ConnectorError
from connector.state import alerts
from connector.state.alerts import DueAlert


@dataclass(frozen=True)
class ToldAlert:
    """An alert that was told.

    Attributes:
        channel: webhook, email or pagerduty.
        kind: failing, credentials, systemic, rejection_rate, lag or quarantine.
        over: Whether it said that this is over.
    """

    channel: str
    kind: str
    over: bool

    def to_json(self) -> dict[str, Any]:
        """As `capi alert --json` prints it."""
        return dict(vars(self))


def alert(target: Target, *, state: str | None = None) -> list[ToldAlert]:
    """Tell what changed since alerts were last told, on every channel of the YAML.

    Each change is told once on each channel, whether this, `capi sync --alert` or an orchestrator
    comes first.

    Args:
        target: The destination, or the path of its YAML file.
        state: SQLAlchemy URL of the state database; default: as for `sync`.

    Returns:
        What was told.

    Raises:
        ConfigError, EndpointError: A channel cannot be reached; the other ones were.
        StateError: The state cannot be read.
    """
    with open_context(destination_of(target), state=state) as context:
        return tell(context)


def tell(context: RunContext) -> list[ToldAlert]:
    """As `alert`, where the state is open already."""
    asked = channels(context.destination)
    if not context.destination_id or not asked:
        return []
    wrong, last = {each.kind: each for each in conditions(context)}, last_run(context)
    found: list[ToldAlert] = []
    failed: ConnectorError | None = None
    for channel, send in asked.items():
        with context.store.write() as connection:
            due = alerts.claim(connection, context.destination_id, channel, wrong.keys())
        for each in due:
            try:
                send(context.destination, _alert(context.destination, each, wrong, last))
            except ConnectorError as error:
                failed = failed or error
                with context.store.write() as connection:
                    alerts.untold(connection, context.destination_id, channel, each)
                continue
            with context.store.write() as connection:
                alerts.told(connection, context.destination_id, channel, each)
            found.append(ToldAlert(channel, each.kind, each.over))
    if failed is not None:
        raise failed
    return found


def tell_lost_state(destination: Destination, cause: str, *, over: bool = False) -> None:
    """Tell on every channel that the state is gone or is back; the caller remembers that.

    Args:
        destination: Whose state.
        cause: A sentence.
        over: Whether it is back.
    """
    lost = Alert(
        destination.name,
        "failing",
        over,
        "critical",
        f"{destination.name} {HEADLINES['failing'][over]}",
        (cause,),
    )
    for send in channels(destination).values():
        send(destination, lost)


def _alert(
    destination: Destination, due: DueAlert, wrong: dict[Any, Condition], last: LastRun | None
) -> Alert:
    begins, ends = HEADLINES[due.kind]  # type: ignore[index]
    lines = []
    condition = wrong.get(due.kind)
    is_critical = due.kind in CRITICAL if condition is None else condition.is_critical
    if condition is not None:
        lines.append(condition.cause)
        lines.append(f"Since {condition.since:%Y-%m-%d %H:%M:%S} UTC.")
    if last is not None:
        counts = ", ".join(f"{number} {name}" for name, number in _shown(last).items())
        lines.append(f"Last run {last.run_id}: {counts}.")
    settings = destination.model.alerts
    link = None
    if settings is not None and settings.link is not None and last is not None:
        link = settings.link.replace("{run_id}", last.run_id)
    return Alert(
        destination.name,
        due.kind,
        due.over,
        "critical" if is_critical else "warning",
        f"{destination.name} {ends if due.over else begins}",
        tuple(lines),
        link,
    )


def _shown(last: LastRun) -> dict[str, int]:
    names = ("delivered", "rejected", "expired", "suppressed")
    return {name: last.counts[name] for name in names}
