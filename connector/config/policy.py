"""`policy.yaml` at a project's root: what any destination of the project may name at all.

Who may change a destination's YAML can send conversions anywhere, and read any variable of the
environment. The policy pins both, in a file that may have other owners.
"""

from __future__ import annotations

import os.path
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import parse_qsl, urlsplit

from pydantic import ConfigDict, Field, ValidationError

from connector.config.credentials import secrets_of_alerts
from connector.config.destination import Destination
from connector.config.environment import variables
from connector.config.models import Section
from connector.config.secrets import is_reference
from connector.config.validation_errors import problems_of
from connector.errors import DestinationError, Problem
from connector.syntax import yaml as strict_yaml
from connector.syntax.yaml import Document

FILE = "policy.yaml"

_Pattern = Annotated[str, Field(min_length=1)]


class Policy(Section):
    """The keys of `policy.yaml`; what is left out is not pinned, an empty list allows nothing."""

    model_config = ConfigDict(title="Policy of a project")

    hosts: list[Annotated[str, Field(pattern=r"^[a-z0-9.:*\[\]_-]+$")]] | None = Field(
        None,
        description="hosts that a YAML may name: of endpoints, of the platform's own addresses, and"
        " of a warehouse that is written out; *.shop.example takes all below shop.example",
    )
    environment: list[Annotated[str, Field(pattern=r"^[A-Za-z0-9_*]+$")]] | None = Field(
        None,
        description="environment variables that env:NAME and {{ env.NAME }} may name; ACME_* takes"
        " all that begin with ACME_",
    )
    files: list[_Pattern] | None = Field(
        None,
        description="files that file:PATH may name, from the project's root or absolute; secrets/*"
        " takes all below secrets",
    )
    identifiers: list[_Pattern] | None = Field(
        None,
        description="identifiers that may be sent, as their platform calls them, or with it in"
        " front: HashedEmail, meta.em, tiktok.*",
    )


@dataclass(frozen=True)
class PolicyFile:
    """A policy that was read.

    Attributes:
        policy: What it says.
        document: Where each of its keys stands.
    """

    policy: Policy
    document: Document

    def variable_problems(self, document: Document) -> list[Problem]:
        """What a destination's YAML may not take from the environment.

        Args:
            document: The YAML as it was written, before anything is filled in.
        """
        allowed = self.policy.environment
        return [
            self._problem(document, path, "environment", f"the environment variable {name}")
            for path, name in variables(document)
            if allowed is not None and not _matches(name, allowed)
        ]

    def problems(self, destination: Destination) -> list[Problem]:
        """What else a destination may not name."""
        document = destination.document or Document(None, str(destination.file or ""))
        found = []
        for key, named in (
            ("hosts", _hosts(destination)),
            ("files", _files(destination)),
            ("identifiers", _identifiers(destination)),
        ):
            allowed = getattr(self.policy, key)
            for keys, what, names in named:
                if allowed is not None and not any(_matches(name, allowed) for name in names):
                    found.append(self._problem(document, ("attributes", *keys), key, what))
        return found

    def _problem(
        self, document: Document, path: tuple[str | int, ...], key: str, what: str
    ) -> Problem:
        where = ".".join(map(str, path[1:]))
        pinned = self.document.problem((key,), "")
        return document.problem(
            path, f"{where}: {what} is not among {key} of {pinned.file}:{pinned.line}"
        )


def read_policy(root: Path) -> PolicyFile | None:
    """The policy of a project; None where it has none.

    Args:
        root: The project's root.

    Raises:
        DestinationError: The policy cannot be read, or has mistakes; nothing is sent until then.
    """
    path = root / FILE
    misspelt = root / "policy.yml"
    if misspelt.exists():
        raise DestinationError([Problem(f"the policy must be called {FILE}", str(misspelt))])
    if not path.exists() and not path.is_symlink():
        return None
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise DestinationError([Problem("the policy cannot be read", str(path))]) from None
    document = strict_yaml.load(text, str(path))
    try:
        return PolicyFile(Policy.model_validate(document.value), document)
    except ValidationError as error:
        raise DestinationError(problems_of(document, error, Policy)) from None


def policy_schema() -> dict[str, Any]:
    """JSON Schema of `policy.yaml`, for editors."""
    schema = Policy.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


_Named = Iterator[tuple[tuple[str, ...], str, tuple[str, ...]]]
"""Keys below `attributes` of the YAML, what they name in words, and names of which one must be
allowed."""


def _hosts(destination: Destination) -> _Named:
    model, platform = destination.model, destination.platform
    overridden = model.overrides
    for keys, address in (
        (
            ("overrides", "endpoint") if "endpoint" in overridden else ("platform",),
            None if model.endpoint is not None else platform.endpoint,
        ),
        (("endpoint",), model.endpoint),
        (
            ("overrides", "auth") if "auth" in overridden else ("platform",),
            platform.auth.token_url,
        ),
    ):
        if address is not None:
            host = _host(urlsplit(address).hostname)
            yield keys, f"the host {host}", (host,)
    if model.alerts is not None and model.alerts.pagerduty is not None:
        host = _host(urlsplit(model.alerts.pagerduty.endpoint).hostname)
        yield ("alerts", "pagerduty", "endpoint"), f"the host {host}", (host,)
    if not is_reference(model.source.warehouse):
        for host in _warehouse_hosts(model.source.warehouse):
            yield ("source", "warehouse"), f"the host {host}", (host,)
    if model.audit is not None and "://" in model.audit.path:
        parts = urlsplit(model.audit.path)
        given = dict(parse_qsl(parts.query)).get("endpoint_override")
        host = _host(urlsplit(f"//{given}").hostname) if given else _host(parts.hostname)
        yield ("audit", "path"), f"the host or bucket {host}", (host,)


def _warehouse_hosts(url: str) -> Iterator[str]:
    """Hosts in a SQLAlchemy URL; PostgreSQL takes several, also as parameters."""
    parts = urlsplit(url)
    given = [value for name, value in parse_qsl(parts.query) if name in ("host", "hostaddr")]
    for text in ",".join([parts.netloc.rpartition("@")[2], *given]).split(","):
        host = urlsplit(f"//{text}").hostname
        if host:
            yield _host(host)


def _host(name: str | None) -> str:
    return (name or "").lower().rstrip(".")


def _files(destination: Destination) -> _Named:
    root = str(destination.root)
    model = destination.model
    named: dict[tuple[str, ...], str] = {
        ("auth", name): value for name, value in model.auth if isinstance(value, str)
    }
    named["source", "warehouse"] = model.source.warehouse
    named |= secrets_of_alerts(model)
    if model.audit is not None:
        named["audit", "path"] = model.audit.path
    for keys, value in named.items():
        if value.startswith("file:"):
            path = os.path.normpath(os.path.join(root, value.removeprefix("file:")))
            yield keys, "this file", (path, os.path.relpath(path, os.path.normpath(root)))


def _identifiers(destination: Destination) -> _Named:
    keys = ("identifiers",)
    for name in destination.identifiers:
        yield (
            keys,
            f"{destination.platform_name}.{name}, which is sent,",
            (name, f"{destination.platform_name}.{name}"),
        )


def _matches(name: str, allowed: list[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in allowed)
