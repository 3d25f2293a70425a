"""Everything that can be known to be wrong before a run, found in one go."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from sqlalchemy.engine import URL

from connector.commands.check_source import check_source
from connector.commands.findings import Findings
from connector.config.credentials import secrets_of_alerts
from connector.config.destination import Destination
from connector.config.home import home, refuse_shared
from connector.config.host import host_of
from connector.config.loader import Target, load
from connector.config.secrets import is_reference, resolve
from connector.config.tls import unproven_server
from connector.delivery.auth.select import auth_for
from connector.delivery.transports.requests import RequestsTransport
from connector.engine.backlog import survey, watermark_warning
from connector.engine.context import open_context
from connector.errors import ConfigError, DestinationError
from connector.source.warehouse import Warehouse
from connector.state import installation
from connector.state.clock import utc_now
from connector.state.store import Store, state_url


def check(target: Target, *, root: Path | None = None) -> Findings:
    """Look at a destination's YAML, secrets, query, warehouse and state.

    Args:
        target: The destination, or the path of its YAML file.
        root: Folder that relative paths in the YAML start from; default: the project's.

    Returns:
        All problems together; none of them is raised.
    """
    findings = Findings()
    try:
        destination = target if isinstance(target, Destination) else load(target, root)
    except DestinationError as error:
        findings.errors += error.problems
        return findings
    for part, keys in (
        (_secrets, ("auth",)),
        (_certificate, ("delivery", "ca_file")),
        (_host, ()),
        (_transform, ("transform",)),
        (_audit, ("audit", "path")),
    ):
        findings.collect(destination, partial(part, destination), keys)
    findings.warnings += _risks(destination)
    findings.warnings += _unproven_servers(destination)
    findings.collect(destination, partial(_state, findings, destination), None)
    findings.collect(destination, partial(check_source, findings, destination), ("source",))
    if not findings.errors:
        findings.collect(destination, partial(_watermark, findings, destination), None)
    return findings


def _secrets(destination: Destination) -> None:
    """Every secret that is named can be read, and together they are what the platform asks for."""
    model = destination.model
    named: dict[tuple[str, ...], str] = {
        ("auth", name): reference
        for name, reference in model.auth
        if reference is not None and is_reference(reference)
    }
    named |= secrets_of_alerts(model)
    problems = []
    for where, reference in named.items():
        try:
            resolve(reference, destination.root)
        except ValueError as error:
            problems.append(destination.problem(f"{'.'.join(where)}: {error}", where))
    if problems:
        raise DestinationError(problems)
    transport = RequestsTransport(connections=1)
    try:
        auth_for(destination, transport)
    finally:
        transport.close()


def _certificate(destination: Destination) -> None:
    """The certificate authority can be read."""
    ca_file = destination.model.delivery.ca_file
    if ca_file is not None:
        RequestsTransport(connections=1, ca_file=str(destination.root / ca_file)).close()


def _host(destination: Destination) -> None:
    """What the host has to say that takes too long to be asked at each run."""
    host = host_of(destination.yaml_type)
    problems = [destination.problem(text, at) for at, text in host.slow_problems(destination)]
    if problems:
        raise DestinationError(problems)


def _transform(destination: Destination) -> None:
    """The function of `transform` can be imported."""
    if destination.model.transform is not None:
        from connector.mapping.transform import Transform  # late: only who uses it needs pandas

        Transform(destination)


def _audit(destination: Destination) -> None:
    """The file system of `audit.path` opens; that it can be written to is seen by the first run."""
    if destination.model.audit is not None:
        from connector.engine.audit_files import open_folder  # late: only who has one needs it

        open_folder(destination)
        if destination.model.audit.table is not None and not Warehouse(destination).dialect.loads:
            raise ConfigError(
                "audit.table needs DuckDB or PostgreSQL; leave it out, and load the files of"
                " audit.path",
                at=("audit", "table"),
            )


def _state(findings: Findings, destination: Destination) -> None:
    """The state database opens, where there is one, and does not keep the key of its hashes."""
    url = state_url(destination.root)
    refuse_shared(home(destination.root))
    if not Store.exists(url):
        return
    with contextlib.closing(Store.open(url)) as store, store.read() as connection:
        if installation.is_stored(connection):
            findings.warnings.append(
                "the installation key lies in the state database, beside the hashes: whoever reads"
                " that can try keys out, such as all phone numbers. Set CAPI_INSTALLATION_KEY"
                " (openssl rand -hex 32), and run `capi rekey`"
            )


def _unproven_servers(destination: Destination) -> Iterator[str]:
    """Yields the databases that another server could stand in for."""
    addresses: dict[str, Callable[[], URL]] = {
        "source.warehouse": lambda: Warehouse(destination).url,
        "the state (CAPI_STATE_URL)": lambda: state_url(destination.root),
    }
    for what, url_of in addresses.items():
        try:
            mode = unproven_server(url_of())
        except ConfigError:
            continue  # reported as an error elsewhere
        if mode is not None:
            yield (
                f"{what} is reached with sslmode={mode}, so any server in between could pose as"
                " it; set sslmode=verify-full (and sslrootcert) in its address"
            )


def _watermark(findings: Findings, destination: Destination) -> None:
    """The watermark, where there is one, stands among the rows of the source."""
    if not Store.exists(state_url(destination.root)):
        return
    with open_context(destination) as context:
        after = context.watermark() if context.destination_id else None
        if after is not None:
            warning = watermark_warning(context, after, survey(context, after))
            findings.warnings += [] if warning is None else [warning]


def _risks(destination: Destination) -> Iterator[str]:
    """Yields what choices in the YAML risk."""
    source = destination.model.source
    if not source.lag:
        yield (
            "source.lag is 0s: a row whose transaction commits after a younger row was read is"
            " found only by lookback or `capi reconcile`"
        )
    if not source.lookback:
        yield (
            "source.lookback is 0s: rows that commit later than source.lag are found only by"
            " `capi reconcile`"
        )
    for sentence in destination.platform.unproven:
        yield f"unproven: {sentence}"
    test_mode = destination.platform.test_mode
    if destination.model.test_mode and test_mode is not None and test_mode.counts:
        yield "test_mode is on, and this platform counts test events like any other"
    retiring = destination.platform.version_warning(utc_now().date())
    if retiring is not None:
        yield retiring
    plain = [
        name for name in destination.identifiers if destination.platform.identifiers[name].plain
    ]
    if plain:
        yield (
            f"identifiers {', '.join(plain)} leave this process readable, because the YAML lists"
            " them"
        )
    model = destination.model
    for section, fields in (
        ("extra", model.extra_fields),
        ("request_extra", model.request_extra_fields),
    ):
        for path, field in fields.items():
            if field.column is not None:
                yield (
                    f"{section}: {field.column} is sent as it is at {path}; make sure that it"
                    " describes no person"
                )
