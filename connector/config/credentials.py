"""The secrets under `auth` of a destination, read when they are needed."""

from __future__ import annotations

from collections.abc import Iterator

from connector.config.destination import Destination
from connector.config.models import DestinationModel
from connector.config.secrets import is_reference, resolve
from connector.errors import ConfigError


def credential(destination: Destination, name: str) -> str:
    """The secret behind one of the references under `auth`.

    Raises:
        ConfigError: It is not there.
    """
    try:
        return resolve(getattr(destination.model.auth, name), destination.root)
    except ValueError as error:
        raise ConfigError(f"{destination.name}: auth.{name}: {error}", at=("auth", name)) from None


def credentials(destination: Destination) -> list[str]:
    """All secrets under `auth`.

    Raises:
        ConfigError: One of them is not there.
    """
    return [credential(destination, name) for name, _ in _references(destination)]


def named_credentials(destination: Destination) -> str:
    """The settings under `auth` and what they refer to, such as: auth.bearer (env:NAME)."""
    return ", ".join(f"auth.{name} ({value})" for name, value in _references(destination))


def secrets_of_alerts(model: DestinationModel) -> dict[tuple[str, ...], str]:
    """The references under `alerts`, by the keys of the YAML."""
    alerts = model.alerts
    if alerts is None:
        return {}
    found: dict[tuple[str, ...], str] = {}
    if alerts.webhook is not None:
        found["alerts", "webhook"] = alerts.webhook
    if alerts.email is not None:
        found["alerts", "email", "server"] = alerts.email.server
    if alerts.pagerduty is not None:
        found["alerts", "pagerduty", "routing_key"] = alerts.pagerduty.routing_key
    return found


def _references(destination: Destination) -> Iterator[tuple[str, str]]:
    for name, value in destination.model.auth:
        if isinstance(value, str) and is_reference(value):
            yield name, value
