"""The YAML of one destination: the models that say what it may hold, and the loader that says where it is wrong.

These models are the only schema: the Dagster component, the command line and the JSON Schema for editors are made from
them. `load` reads a file strictly and reports every problem at once, each with its line.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    ValidationError,
)
from pydantic_core import CoreSchema

from connector.config.namesakes import namesakes
from connector.config.secrets import REFERENCE, is_reference, resolve
from connector.config.validate import inconsistencies
from connector.errors import ConfigError, DestinationError, Problem
from connector.platforms import loader as platforms
from connector.platforms.columns import COLUMNS
from connector.platforms.model import Answers, Platform
from connector.syntax import yaml as strict_yaml
from connector.syntax.spelling import suggest
from connector.syntax.units import Duration, Period, Rate, Schedule
from connector.syntax.yaml import Document

Secret = Annotated[
    str, Field(pattern=REFERENCE, description="env:NAME or file:PATH; never the secret itself")
]
Name = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


Owner = Annotated[
    str,
    Field(
        pattern=r"^(team:.+|[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,})$",
        description="an e-mail address, or team:NAME",
    ),
]
TagKey = Annotated[str, Field(pattern=r"^([A-Za-z0-9_.-]{1,63}/)?[A-Za-z0-9_.-]{1,63}$")]
TagValue = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{0,63}$")]


class _Section:
    """A section that may be left out, but is not null: so that a schema can look inside it."""

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        found: dict[str, Any] = handler(schema)
        (section,) = (each for each in found["anyOf"] if each.get("type") != "null")
        return dict(section)


def _given(value: Any) -> Any:
    if value is None:
        raise ValueError("must hold keys and values; leave it out where there are none")
    return value


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Auth(_Model):
    """Credentials, each as a reference. Which of them a platform needs is said in its file."""

    bearer: Secret | None = Field(
        None, description="access token; the platform decides where it travels"
    )
    api_key: Secret | None = Field(None, description="an API key, sent in `header`")
    header: str = Field(
        "X-Api-Key", pattern=r"^[A-Za-z0-9-]+$", description="header that carries api_key"
    )
    hmac: Secret | None = Field(None, description="key that signs the exact bytes of each request")
    hmac_header: str = Field(
        "X-Signature", pattern=r"^[A-Za-z0-9-]+$", description="header that carries the signature"
    )
    app_secret: Secret | None = Field(None, description="meta: adds appsecret_proof")
    client_id: Secret | None = None
    client_secret: Secret | None = None
    refresh_token: Secret | None = None
    consumer_key: Secret | None = None
    consumer_secret: Secret | None = None
    token: Secret | None = Field(
        None, description="x: OAuth 1.0a access token; elsewhere the same as bearer"
    )
    token_secret: Secret | None = None


class Source(_Model):
    """Where the conversions are and how they are read without losing any."""

    warehouse: str = Field(
        description="any SQLAlchemy URL, or env:NAME or file:PATH where it holds a password"
    )
    query: str = Field(
        description="path of a SQL file: from the project's root, from this file, or absolute"
    )
    cursor: Name = Field(description="column that the high-water mark runs on, such as updated_at")
    key: Name | list[Name] = Field(description="column or columns that identify a conversion")
    start: str = Field(description="all, now, or a timestamp: where the first run begins")
    lag: Duration = Field(
        dt.timedelta(minutes=5),
        description="rows younger than this wait, so that slow transactions can commit",
    )
    lookback: Duration = Field(
        dt.timedelta(hours=24),
        description="how far behind the mark each run looks for rows that were committed late",
    )
    time_zone: str | None = Field(
        None, description="zone of naive timestamps; required where the cursor is naive"
    )
    time_unit: Literal["s", "ms", "us", "ns"] | None = Field(
        None, description="unit of integer times"
    )
    cursor_kind: Literal["auto", "xid8"] = Field(
        "auto",
        description="xid8: a PostgreSQL column `xid8 default pg_current_xact_id()`, exact in commit order",
    )
    null_cursor: Literal["fail", "count"] = Field(
        "fail", description="rows whose cursor is NULL: stop before the first send, or count them"
    )
    value_unit: Literal["major", "minor"] = Field(
        "major", description="minor: value is in cents, or the currency's smallest unit"
    )
    default_region: str | None = Field(
        None,
        pattern=r"^[A-Z]{2}$",
        description="ISO 3166 alpha-2 for phones without a country code",
    )

    @property
    def keys(self) -> tuple[str, ...]:
        """The key columns."""
        return (self.key,) if isinstance(self.key, str) else tuple(self.key)


class Delivery(_Model):
    """How fast and how much."""

    rate: Rate | None = Field(None, description="requests a second at most")
    concurrency: Annotated[int, Field(ge=1, le=64)] | None = Field(
        None, description="requests in flight"
    )
    batch_size: Annotated[int, Field(ge=1)] | None = Field(
        None, description="records a request, up to the platform's limit"
    )
    timeout: Period = Field(dt.timedelta(seconds=30), description="wall-clock limit of one request")
    max_rows_per_run: Annotated[int, Field(ge=1)] | None = Field(
        None, description="more rows than this stop the run until a person says --yes"
    )
    times_usual: Annotated[int, Field(ge=2)] = Field(
        10,
        description="more than this many times the usual rows stop the run until a person says --yes",
    )
    ca_file: str | None = Field(
        None, description="certificate authority of a private endpoint, PEM"
    )
    transport: Literal["auto", "requests", "libcurl"] = Field(
        "auto", description="auto takes libcurl where the extra `fast` is installed"
    )


class Threshold(_Model):
    """A check's limits. Above warn the check is yellow, above fail it is red and the command exits with 1."""

    warn: float | None = None
    fail: float | None = None


class Checks(_Model):
    """Limits of the asset checks."""

    rejection_rate: Threshold = Threshold(warn=0.05, fail=0.25)
    late_rows: Threshold = Threshold(warn=0)
    lag: Duration | None = Field(
        None, description="warn when the oldest waiting row is older than this"
    )
    match_keys: dict[str, float] = Field(
        {}, description="identifier -> least share of rows that must carry it"
    )


class Alerts(_Model):
    """Where changes for the worse and for the better are told."""

    webhook: Secret = Field(description="address of a Slack-compatible webhook, as a reference")


class Freshness(_Model):
    """How old the last materialization may be."""

    fail_after: Duration
    warn_after: Duration | None = None


class Asset(_Model):
    """How the asset looks in Dagster."""

    owners: list[Owner] = []
    tags: dict[TagKey, TagValue] = {}
    group: str | None = Field(None, pattern=r"^[A-Za-z0-9_]+(/[A-Za-z0-9_]+)*$")
    description: str | None = None
    freshness: Annotated[Freshness | None, BeforeValidator(_given), _Section()] = None


class Consent(_Model):
    """Which rows may be sent. require: rows whose `consent` is not true are suppressed, empty ones too."""

    require: bool = False
    denied: Literal["suppress", "send"] = Field(
        "suppress",
        description="rows whose consent is false; send: where the platform has a field that says so",
    )


class Privacy(_Model):
    """What is made less readable before it leaves."""

    obscure_order_id: bool = Field(
        False, description="send SHA-512 (base64) in place of the order id"
    )
    retention: Duration = Field(
        dt.timedelta(days=30),
        description="how long the ledger and the quarantine remember a row; longer where lookback or the platform's age window need it",
    )


class DestinationModel(_Model):
    """One destination: where conversions come from, where they go, and how."""

    model_config = ConfigDict(title="Attributes of a destination")

    platform: str = Field(
        description="the API it speaks: capi, meta, tiktok, ...; or the path of a platform file"
    )
    endpoint: str | None = Field(
        None, description="base address; required for capi, elsewhere only for a stand-in"
    )
    account: dict[str, str | int] = Field({}, description="account ids, as the platform calls them")
    auth: Auth = Auth()
    source: Source
    identifiers: list[str] | None = Field(
        None,
        description="identifiers to send; default: all that are hashed or meaningless elsewhere",
    )
    columns: dict[str, str] = Field({}, description="canonical column -> column of the query")
    constants: dict[str, str | int | float | bool] = Field(
        {}, description="canonical column -> the same value in every row"
    )
    events: dict[str, str] = Field({}, description="event name of the source -> the platform's")
    extra: dict[str, str] = Field({}, description="path in the record -> column of the query")
    send: Literal["once", "on_change"] = Field(
        "once", description="on_change: a row whose values changed is sent again"
    )
    on_change: Literal["same_event_id", "new_version"] = Field(
        "same_event_id", description="the event_id of a row that is sent again"
    )
    consent: Consent = Consent()
    privacy: Privacy = Privacy()
    test_mode: bool | str = Field(
        False, description="the platform's own test mode; where it shows a test code, that code"
    )
    delivery: Delivery = Delivery()
    schedule: Schedule | None = Field(None, description="cron expression")
    poll: Period | None = Field(
        None, description="look for new rows this often, for near-real-time delivery"
    )
    checks: Checks = Checks()
    alerts: Annotated[Alerts | None, BeforeValidator(_given), _Section()] = None
    asset: Asset = Asset()
    overrides: dict[str, Any] = Field({}, description="keys of the platform file to replace")


class DestinationFile(_Model):
    """The defs.yaml of one destination."""

    model_config = ConfigDict(title="A destination")

    type: Literal["dagster_project.components.CapiDestination"] = (
        "dagster_project.components.CapiDestination"
    )
    attributes: DestinationModel


@dataclass(frozen=True)
class Destination:
    """A destination that was read and found consistent.

    name: how people and the state call it. root: folder that relative paths start from. file: where it was read.
    platform: the platform file with this destination's overrides. document: where each key of the file stands, if it was read.
    """

    name: str
    model: DestinationModel
    platform: Platform
    root: Path
    file: Path | None
    document: Document | None = field(default=None, repr=False, compare=False)

    @property
    def platform_name(self) -> str:
        """`capi`, or the stem of a platform file of the user's own."""
        return Path(self.model.platform).stem

    @property
    def answers(self) -> Answers:
        """How answers are understood; in test mode, success may be said in another way."""
        answers, test_mode = self.platform.answers, self.platform.test_mode
        if not self.model.test_mode or test_mode is None or test_mode.success is None:
            return answers
        return answers.model_copy(update={"success": test_mode.success})

    @property
    def concurrency(self) -> int:
        """Requests in flight at most."""
        return self.model.delivery.concurrency or self.platform.limits.concurrency

    @property
    def batch_size(self) -> int:
        """Records that one request may carry."""
        most, test_mode = self.platform.limits.max_events, self.platform.test_mode
        if self.model.test_mode and test_mode is not None and test_mode.max_events is not None:
            most = min(most, test_mode.max_events)
        return min(self.model.delivery.batch_size or most, most)

    def problem(self, message: str, keys: Sequence[str | int]) -> Problem:
        """What is wrong at these keys of the file, with the line of the last of them that stands there."""
        document = self.document or Document(None, str(self.file or ""))
        return document.problem(("attributes", *keys), message)

    @property
    def query_file(self) -> Path:
        """Where the query is, whether or not it exists."""
        return _find(self.model.source.query, self.root, self.file)

    def query(self) -> str:
        """The SQL text. Raises DestinationError where the file is missing."""
        try:
            return self.query_file.read_text(encoding="utf-8")
        except OSError:
            raise DestinationError(
                [
                    self.problem(
                        f"source.query: there is no file {self.model.source.query}",
                        ("source", "query"),
                    )
                ]
            ) from None

    @property
    def identifiers(self) -> tuple[str, ...]:
        """Identifiers that are sent, in the platform's order."""
        chosen = self.model.identifiers
        return tuple(
            name
            for name, spec in self.platform.identifiers.items()
            if (name in chosen if chosen is not None else not spec.plain)
        )

    @property
    def personal_key(self) -> bool:
        """Whether a column of the key describes a person, or is a digest of what does; then no key is stored or shown."""
        personal = {
            self.model.columns.get(name, name)
            for name, column in COLUMNS.items()
            if column.personal or name.endswith("_sha256")
        }
        return not personal.isdisjoint(self.model.source.keys)


def credential(destination: Destination, name: str) -> str:
    """The secret behind one of the references under `auth`. Raises ConfigError where it is not there."""
    try:
        return resolve(getattr(destination.model.auth, name), destination.root)
    except ValueError as error:
        raise ConfigError(f"{destination.name}: auth.{name}: {error}", at=("auth", name)) from None


def credentials(destination: Destination) -> list[str]:
    """All secrets under `auth`. Raises ConfigError for one that is not there."""
    given = destination.model.auth
    return [
        credential(destination, name)
        for name, value in given
        if isinstance(value, str) and is_reference(value)
    ]


def named_credentials(destination: Destination) -> str:
    """The settings under `auth` and what they refer to, such as: auth.bearer (env:NAME)."""
    given = destination.model.auth
    return ", ".join(
        f"auth.{name} ({value})"
        for name, value in given
        if isinstance(value, str) and is_reference(value)
    )


def load(path: Path, root: Path | None = None) -> Destination:
    """Read one destination. Raises DestinationError with all problems of the file."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise DestinationError([Problem("the file cannot be read", str(path))]) from None
    document = strict_yaml.load(text, str(path))
    return build(document, root or project_root(path), path)


def build(document: Document, root: Path, path: Path | None) -> Destination:
    """A parsed YAML file as a Destination."""
    try:
        model = DestinationFile.model_validate(document.value).attributes
    except ValidationError as error:
        raise DestinationError(_problems(document, error)) from None
    where = path.resolve() if path is not None else None
    name = (
        "destination"
        if where is None
        else where.parent.name
        if where.name == "defs.yaml"
        else where.stem
    )
    return assemble(name, model, root, path, document)


def assemble(
    name: str,
    model: DestinationModel,
    root: Path,
    path: Path | None,
    document: Document | None = None,
) -> Destination:
    """Put a model together with its platform file and check what one model cannot see alone."""
    document = document or Document(None, str(path or name))
    try:
        platform = platforms.load(model.platform, root, model.overrides)
    except platforms.PlatformError as error:
        raise DestinationError(
            [document.problem(("attributes", *error.keys), str(error))]
        ) from None
    problems = [
        document.problem(("attributes", *keys), message)
        for keys, message in inconsistencies(model, platform)
    ]
    for text, keys in ((name, ()), (Path(model.platform).stem, ("attributes", "platform"))):
        if not re.fullmatch(r"[A-Za-z0-9_.-]{1,100}", text):
            problems.append(
                document.problem(
                    keys,
                    f"'{text}' cannot be a name in Dagster; name the file or its folder with letters, digits, dashes, dots and underscores alone",
                )
            )
    problems += [document.problem((), message) for message in namesakes(path)]
    if problems:
        raise DestinationError(problems)
    return Destination(name, model, platform, root, path, document)


def project_root(path: Path) -> Path:
    """The nearest folder above a YAML file, or above here, that holds `sql/` or a Dagster project; otherwise here."""
    for start in (path.resolve().parent, Path.cwd()):
        for folder in (start, *start.parents):
            if (folder / "sql").is_dir() or (folder / "dagster_project").is_dir():
                return folder
    return Path.cwd()


def _find(name: str, root: Path, file: Path | None) -> Path:
    candidates = [root / name, *([file.parent / name] if file is not None else [])]
    return next((path for path in candidates if path.is_file()), candidates[0])


def _problems(document: Document, error: ValidationError) -> list[Problem]:
    """One problem a key: where several forms are allowed, the one that was meant is the one that went furthest."""
    found: dict[tuple[str | int, ...], Any] = {}
    for item in error.errors(include_input=False, include_url=False):
        path = _path(document, item)
        inner = next((known for known in found if known[: len(path)] == path), None)
        if inner is None:
            found = {
                known: each for known, each in found.items() if path[: len(known)] != known
            } | {path: item}
    return [_problem(document, path, item) for path, item in found.items()]


def _path(document: Document, error: Any) -> tuple[str | int, ...]:
    """Keys and indices of the YAML down to an error; pydantic names the members of unions in between."""
    path: tuple[str | int, ...] = ()
    for part in error["loc"]:
        path = (*path, part) if (*path, part) in document.positions else path
    named = error["type"] in ("missing", "extra_forbidden")
    return (*path, error["loc"][-1]) if named and path[-1:] != error["loc"][-1:] else path


def _problem(document: Document, path: tuple[str | int, ...], error: Any) -> Problem:
    """One pydantic error as a sentence with a line. The value that was wrong is never shown: it may be a secret."""
    where = ".".join(map(str, path[1:] if path[:1] == ("attributes",) and len(path) > 1 else path))
    kind = error["type"]
    if kind == "extra_forbidden":
        known = _known_keys(path[:-1])
        return document.problem(path, f"unknown key '{path[-1]}'{suggest(str(path[-1]), known)}")
    if kind == "missing":
        return document.problem(path[:-1], f"{where} is missing")
    if kind == "string_pattern_mismatch" and error["ctx"]["pattern"] == REFERENCE:
        return document.problem(
            path, f"{where} must be env:NAME or file:PATH; a secret does not belong in this file"
        )
    if kind == "literal_error":
        return document.problem(path, f"{where} must be {error['ctx']['expected']}")
    if kind in ("model_type", "dict_type", "model_attributes_type"):
        return document.problem(path, f"{where or 'the file'} must hold keys and values")
    message = str(error["msg"]).removeprefix("Value error, ")
    return document.problem(path, f"{where}: {message[0].lower()}{message[1:]}")


def _known_keys(path: tuple[Any, ...]) -> list[str]:
    """Keys that the schema allows at a path."""
    model: Any = DestinationFile
    for part in path:
        field = (
            model.model_fields.get(part)
            if isinstance(model, type) and issubclass(model, BaseModel)
            else None
        )
        if field is None:
            return []
        options = [field.annotation, *getattr(field.annotation, "__args__", ())]
        model = next(
            (
                option
                for option in options
                if isinstance(option, type) and issubclass(option, BaseModel)
            ),
            None,
        )
    return (
        list(model.model_fields) if isinstance(model, type) and issubclass(model, BaseModel) else []
    )


def json_schema() -> dict[str, Any]:
    """JSON Schema of a destination file, for editors."""
    schema = DestinationFile.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
