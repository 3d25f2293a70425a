"""The integration checklist as a report: what is in order before a destination goes live.

Each step passes, fails with what to do, or cannot be known before something is sent; none is left
out in silence. Nothing that counts is sent to the platform: a test conversion goes there only in a
test mode that does not count, and retries are rehearsed against the receiver of this package.
"""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal
from urllib.parse import urlsplit

from connector.commands.check import check
from connector.commands.lint import lint_identifiers
from connector.commands.preview import PreviewedRequest, preview
from connector.config.destination import Destination
from connector.config.loader import Target, destination_of
from connector.config.secrets import is_reference, resolve
from connector.delivery.auth.select import auth_for
from connector.delivery.factory import ca_file
from connector.delivery.request import origins
from connector.delivery.transports.base import HttpRequest
from connector.delivery.transports.requests import RequestsTransport
from connector.engine.context import open_context
from connector.engine.plan import Options
from connector.engine.report import Report
from connector.engine.unrecorded import in_mode, run_unrecorded
from connector.errors import ConnectorError, DestinationError, Problem

Outcome = Literal["pass", "fail", "unknown"]

STEPS = (
    "yaml",
    "secrets",
    "source",
    "identifiers",
    "records",
    "tls",
    "token",
    "test_conversion",
    "retries",
)
"""What is looked at, in order."""

ROWS = 20
"""Rows that records are made of."""

_LEAST_VALID = 0.5
"""Share of the values of an identifier below which it fails."""

_TIMEOUT = 10.0
_LOCAL = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class PreflightStep:
    """One line of the report.

    Attributes:
        name: One of `STEPS`.
        outcome: pass, fail, or unknown: it cannot be known before something is sent.
        detail: What was found.
        remedy: What to do where it failed or is unknown.
    """

    name: str
    outcome: Outcome
    detail: str
    remedy: str = ""

    def to_json(self) -> dict[str, Any]:
        """As `capi preflight --json` prints it."""
        return dict(vars(self))


def preflight(target: Target, *, state: str | None = None) -> list[PreflightStep]:
    """Go through the integration checklist of a destination.

    Args:
        target: The destination, or the path of its YAML file.
        state: SQLAlchemy URL of the state database; default: as for `sync`.

    Returns:
        One step for each of `STEPS`; none of them raises.
    """
    try:
        destination = destination_of(target)
    except DestinationError as error:
        broken = PreflightStep("yaml", "fail", _listed(error.problems), "mend the file")
        return [broken, *(_unseen(name, "the YAML cannot be read") for name in STEPS[1:])]
    return list(_steps(destination, state))


def _steps(destination: Destination, state: str | None) -> Iterator[PreflightStep]:
    yaml, secrets, source = _configuration(destination)
    yield from (yaml, secrets, source)
    reads, may_send = source.outcome == "pass", secrets.outcome == "pass"
    yield _step("identifiers", _identifiers, destination, unless=reads or "the source fails")
    records = _step("records", _records, destination, unless=reads or "the source fails")
    yield records
    yield _step("tls", _tls, destination)
    tested = _step(
        "test_conversion",
        lambda each: _test_conversion(each, state),
        destination,
        unless=(reads and may_send) or "the source or a secret fails",
    )
    if tested.outcome == "pass":
        yield PreflightStep("token", "pass", "the test conversion was accepted with it")
    elif tested.outcome == "fail" and re.search(r"\b40[13]\b", tested.detail):
        yield replace(tested, name="token")
    else:
        yield _step("token", _token, destination, unless=may_send or "a secret is missing")
    yield tested
    ready = (records.outcome == "pass" and may_send) or "there is no record to send"
    yield _step("retries", lambda each: _retries(each, state), destination, unless=ready)


def _step(
    name: str,
    look: Callable[[Destination], tuple[Outcome, str, str]],
    destination: Destination,
    unless: bool | str = True,
) -> PreflightStep:
    """Look at one thing.

    Args:
        name: Of the step.
        look: Gives outcome, detail and remedy, or raises what is wrong.
        destination: What is looked at.
        unless: True, or why it cannot be looked at.
    """
    if unless is not True:
        return _unseen(name, str(unless))
    try:
        return PreflightStep(name, *look(destination))
    except ConnectorError as error:
        return PreflightStep(name, "fail", str(error), "mend that, and run this again")


def _unseen(name: str, why: str) -> PreflightStep:
    return PreflightStep(name, "unknown", f"not looked at: {why}", "mend that first")


def _configuration(destination: Destination) -> tuple[PreflightStep, PreflightStep, PreflightStep]:
    """What `check` finds, by what it is about."""
    findings = check(destination)
    found: dict[str, list[Problem]] = {"yaml": [], "secrets": [], "source": []}
    for problem in findings.errors:
        section = problem.where.removeprefix("attributes.").partition(".")[0]
        in_query = problem.file == str(destination.query_file)
        found[
            "secrets"
            if section in ("auth", "alerts")
            else "source"
            if in_query or section in ("source", "columns", "extra", "request_extra", "identifiers")
            else "yaml"
        ].append(problem)
    good = {
        "yaml": f"{len(findings.warnings)} warnings; `capi check {destination.name}` shows them",
        "secrets": "all that are named can be read",
        "source": f"the query gives {len(findings.columns)} columns that are used",
    }
    yaml, secrets, source = (
        PreflightStep(name, "fail", _listed(problems), "mend what is named")
        if problems
        else PreflightStep(name, "pass", good[name])
        for name, problems in found.items()
    )
    return yaml, secrets, source


def _listed(problems: list[Problem]) -> str:
    return "; ".join(map(str, problems))


def _identifiers(destination: Destination) -> tuple[Outcome, str, str]:
    seen = [each for each in lint_identifiers(destination) if each.rows]
    filled = [each for each in seen if each.valid_share is not None]
    shown = ", ".join(f"{each.identifier} {each.valid_share:.0%} valid" for each in filled)
    if not seen:
        return "unknown", "the query gives no rows yet", "add rows, and run this again"
    poor = [each for each in filled if (each.valid_share or 0.0) < _LEAST_VALID]
    if poor or not filled:
        named = shown or "no row carries an identifier"
        return "fail", named, f"run `capi lint-identifiers {destination.name}`"
    return "pass", shown, ""


def _records(destination: Destination) -> tuple[Outcome, str, str]:
    items = list(preview(destination, limit=ROWS))
    sent = sum(len(each.rows) for each in items if isinstance(each, PreviewedRequest))
    if not items:
        return "unknown", "the query gives no rows yet", "add rows, and run this again"
    remedy = f"run `capi preview {destination.name}`"
    detail = f"{sent} of the first {ROWS} rows or fewer become records"
    return ("pass", detail, "") if sent else ("fail", "no row becomes a record", remedy)


def _tls(destination: Destination) -> tuple[Outcome, str, str]:
    address = urlsplit(destination.endpoint)
    host, port = address.hostname or "", address.port or 443
    if address.scheme == "http":
        return "pass", f"{host} is this machine, reached without TLS", ""
    proven = ssl.create_default_context(cafile=ca_file(destination))
    proven.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        with (
            socket.create_connection((host, port), timeout=_TIMEOUT) as plain,
            proven.wrap_socket(plain, server_hostname=host) as secured,
        ):
            return "pass", f"{host}: {secured.version()}, the certificate is proven", ""
    except ssl.SSLError as error:
        reason = error.reason or type(error).__name__
        return "fail", f"{host}: {reason}", "check endpoint, delivery.ca_file and the clock"
    except OSError as error:
        named = type(error).__name__
        return "fail", f"{host} cannot be reached ({named})", "check endpoint, DNS and firewall"


def _token(destination: Destination) -> tuple[Outcome, str, str]:
    method = destination.platform.auth.method
    if method == "none":
        return "pass", "the platform asks for none", ""
    if method == "oauth2" and not (destination.model.auth.bearer or destination.model.auth.token):
        options: dict[str, Any] = {"ca_file": ca_file(destination), "origins": origins(destination)}
        transport = RequestsTransport(timeout=_TIMEOUT, connections=1, **options)
        try:
            auth_for(destination, transport).sign(HttpRequest("POST", "", {}, b""))
        finally:
            transport.close()
        return "pass", "the authorization server gave an access token", ""
    return (
        "unknown",
        "it cannot be known before sending: every request of this platform that proves it counts",
        f"run `capi sync {destination.name} --limit 1`",
    )


def _test_conversion(destination: Destination, state: str | None) -> tuple[Outcome, str, str]:
    """Send one conversion, where it counts nowhere."""
    test_mode = destination.platform.test_mode
    here = urlsplit(destination.endpoint).hostname in _LOCAL
    if test_mode is None and not here:
        return (
            "unknown",
            "it cannot be known before sending: the platform has no test mode",
            f"run `capi sync {destination.name} --limit 1`, and look for it at the platform",
        )
    if test_mode is not None and test_mode.counts and not here:
        return (
            "unknown",
            "it cannot be known before sending: the platform counts test conversions too",
            f"run `capi sync {destination.name} --test-mode --limit 1` where that is all right",
        )
    wanted = (
        in_mode(destination, Options(test_mode=True)) if test_mode and not here else destination
    )
    report = _send(wanted, 1, state)
    if report.failure is not None:
        return "fail", report.failure.message, "mend that, and run this again"
    if report.delivered:
        statuses = ", ".join(report.tallies.get("status", {}))
        where = "a receiver on this machine" if here else "the platform, in its test mode"
        return "pass", f"receipt confirmed by {where} (HTTP {statuses})", ""
    if report.rejected:
        reasons = ", ".join(report.tallies.get("rejected", {}))
        return "fail", f"it was rejected ({reasons})", f"run `capi preview {destination.name}`"
    return "unknown", "no row waits", "add rows, and run this again"


def _retries(destination: Destination, state: str | None) -> tuple[Outcome, str, str]:
    """Send to a receiver of our own that first fails, throttles, and then answers."""
    try:
        # Late: the receiver's web server is an extra of the package.
        from connector.sandbox.dialects import all_dialects
        from connector.sandbox.faults import Fault
        from connector.sandbox.server import Settings, running
    except ImportError:
        remedy = "install the extra `sandbox`, and run this again"
        return "unknown", "the receiver is not installed", remedy
    if destination.platform_name not in {each.name for each in all_dialects()}:
        return "unknown", "the receiver does not speak this platform", "watch the first runs"
    names = Settings().__dataclass_fields__.keys()
    known = {
        {"bearer": "token", "api_key": "token"}.get(name, name): resolve(value, destination.root)
        for name, value in destination.model.auth
        if isinstance(value, str) and is_reference(value)
    }
    secrets: dict[str, Any] = {name: value for name, value in known.items() if name in names}
    with running(Settings(port=0, **secrets)) as receiver:
        receiver.script.add(Fault(status=503))
        receiver.script.add(Fault(status=429))
        report = _send(_pointed_at(destination, receiver.url), 1, state)
        seen = receiver.inbox.summary()
    if report.failure is not None:
        return "fail", report.failure.message, "please report this"
    if not report.delivered and not report.rejected:
        return "unknown", "no row waits", "add rows, and run this again"
    if not report.delivered or seen["conflicts"]:
        statuses = ", ".join(report.tallies.get("status", {}))
        return "fail", f"the receiver answered {statuses}", f"run `capi preview {destination.name}`"
    detail = f"after 503 and 429 the same bytes arrived, by {report.retries} retries"
    return "pass", detail, ""


def _pointed_at(destination: Destination, url: str) -> Destination:
    """The destination with a receiver in the place of its platform."""
    own = destination.platform_name == "capi"
    endpoint = f"{url}/signal/v1/conversion" if own else url
    platform = destination.platform
    if platform.auth.token_url is not None:
        token_url = f"{url}{urlsplit(platform.auth.token_url).path}"
        auth = platform.auth.model_copy(update={"token_url": token_url})
        platform = platform.model_copy(update={"auth": auth})
    delivery = destination.model.delivery.model_copy(update={"ca_file": None})
    update = {"endpoint": endpoint, "delivery": delivery, "test_mode": False}
    return replace(
        destination, model=destination.model.model_copy(update=update), platform=platform
    )


def _send(destination: Destination, rows: int, state: str | None) -> Report:
    with open_context(destination, state=state) as context:
        return run_unrecorded(context, Options(limit=rows))
