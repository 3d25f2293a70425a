"""What the YAML of one destination may hold: a model for each section, each key described once.

These models are the only schema: the command line, the JSON Schema for editors and whatever hosts
the library are made from them. A host may add keys of its own by a subclass of `DestinationModel`
(`config/host.py`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    model_validator,
)
from pydantic_core import CoreSchema

from connector.config.secrets import REFERENCE
from connector.syntax.units import Duration, Period, Rate

Secret = Annotated[
    str, Field(pattern=REFERENCE, description="env:NAME or file:PATH; never the secret itself")
]
Mailbox = Annotated[str, Field(pattern=r"^[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*$")]
Name = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


class Section(BaseModel):
    """A part of the YAML: unknown keys are refused, and no value is converted to another type."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class _NotNull:
    """Describes a section that may be left out, but is not null, by the section alone."""

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        found: dict[str, Any] = handler(schema)
        (section,) = (each for each in found["anyOf"] if each.get("type") != "null")
        return dict(section)


def _refuse_null(value: Any) -> Any:
    if value is None:
        raise ValueError("must hold keys and values; leave it out where there are none")
    return value


Part = TypeVar("Part", bound=Section)

OptionalSection = Annotated[Part | None, BeforeValidator(_refuse_null), _NotNull()]
"""A section that may be left out. The JSON Schema shows the section itself, so that editors look
inside it."""


class Auth(Section):
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


class Source(Section):
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
        description="how far behind the watermark each run looks for rows that were committed late",
    )
    time_zone: str | None = Field(
        None, description="zone of naive timestamps; required where the cursor is naive"
    )
    time_unit: Literal["s", "ms", "us", "ns"] | None = Field(
        None, description="unit of integer times"
    )
    cursor_kind: Literal["auto", "xid8"] = Field(
        "auto",
        description="xid8: a PostgreSQL column `xid8 default pg_current_xact_id()`, exact in commit"
        " order",
    )
    null_cursor: Literal["fail", "count"] = Field(
        "fail", description="rows whose cursor is NULL: stop before the first send, or count them"
    )
    value_unit: Literal["major", "minor"] = Field(
        "major", description="minor: value is in cents, or the currency's smallest unit"
    )
    default_currency: str | None = Field(
        None, pattern=r"^[A-Z]{3}$", description="ISO 4217, for rows with a value and no currency"
    )
    default_region: str | None = Field(
        None,
        pattern=r"^[A-Z]{2}$",
        description="ISO 3166 alpha-2, for national phones of rows without a country",
    )
    date_order: Literal["dmy", "mdy"] | None = Field(
        None,
        description="whether day or month comes first in dates of birth such as 03/04/1990; without"
        " it these are left out",
    )

    @property
    def keys(self) -> tuple[str, ...]:
        """The key columns."""
        return (self.key,) if isinstance(self.key, str) else tuple(self.key)


def _number_or_auto(value: object) -> object:
    if isinstance(value, str) and value != "auto":
        raise ValueError("give a number from 1 to 64, or auto")
    return "auto" if value is None else value


Concurrency = Annotated[
    Annotated[int, Field(ge=1, le=64)] | Literal["auto"], BeforeValidator(_number_or_auto)
]


class Delivery(Section):
    """How fast and how much."""

    rate: Rate | None = Field(None, description="requests a second at most")
    concurrency: Concurrency = Field(
        "auto",
        description="requests in flight at most; auto takes the platform's maximum. How many there"
        " are follows what the platform bears",
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
        description="more than this many times the usual rows stop the run until a person says"
        " --yes",
    )
    slice_rows: Annotated[int, Field(ge=1)] = Field(
        250_000,
        description="rows of a slice; a backlog of more is cut into slices, each a step of its own"
        " that an executor may run in another process",
    )
    ca_file: str | None = Field(
        None, description="certificate authority of a private endpoint, PEM"
    )
    transport: Literal["auto", "requests", "libcurl"] = Field(
        "auto", description="auto takes libcurl where the extra `fast` is installed"
    )


class Threshold(Section):
    """A check's limits.

    Above `warn` the check is yellow; above `fail` it is red, and the command exits with 1.
    """

    warn: float | None = None
    fail: float | None = None


class Checks(Section):
    """Limits of what is checked after each run."""

    rejection_rate: Threshold = Threshold(warn=0.05, fail=0.25)
    late_rows: Threshold = Threshold(warn=0)
    lag: Duration | None = Field(
        None,
        description="red when the oldest row waited for longer; default: three intervals of the"
        " schedule, at least 15m, and source.lag",
    )
    match_keys: dict[str, float] = Field(
        {}, description="identifier -> least share of rows that must carry it"
    )
    match_keys_fall: float = Field(
        0.2,
        gt=0,
        le=1,
        description="warn when the share of an identifier is lower than the median of the last ten"
        " runs by more than this part of it",
    )
    completeness: bool = Field(
        True,
        description="once a day, count the two days before source.lookback in the warehouse; each"
        " of their rows must be recorded",
    )


class EmailAlerts(Section):
    """Mail to people."""

    model_config = ConfigDict(title="Mail")

    to: list[Mailbox] = Field(min_length=1, description="addresses that get each alert")
    sender: Mailbox = Field(alias="from", description="address that they come from")
    server: Secret = Field(
        description="smtps://user:password@host:465, or smtp://... for STARTTLS, as a reference"
    )


class PagerDutyAlerts(Section):
    """Incidents, by PagerDuty's Events API v2 or what speaks it."""

    model_config = ConfigDict(title="Incidents")

    routing_key: Secret = Field(description="integration key, as a reference")
    endpoint: str = Field(
        "https://events.pagerduty.com/v2/enqueue", description="where events are sent"
    )


class Alerts(Section):
    """Where people are told that something begins to be wrong, and that it is over."""

    webhook: Secret | None = Field(
        None, description="address of a Slack-compatible webhook, as a reference"
    )
    email: OptionalSection[EmailAlerts] = None
    pagerduty: OptionalSection[PagerDutyAlerts] = None
    link: str | None = Field(
        None,
        pattern=r"^https?://[^\s]+$",
        description="address of a run, with {run_id} in it, such as https://runs.example/{run_id}",
    )

    @model_validator(mode="after")
    def _some_channel(self) -> Alerts:
        if self.webhook is None and self.email is None and self.pagerduty is None:
            raise ValueError("give at least one of webhook, email and pagerduty")
        return self


class Audit(Section):
    """Where it is written down what became of each row."""

    path: str = Field(
        description="folder for one Parquet file a run: from the project's root, absolute, or an"
        " address such as s3://bucket/folder or gs://bucket/folder; env:NAME where it holds a"
        " secret"
    )
    table: str | None = Field(
        None,
        pattern=r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)?$",
        description="table of the source's warehouse that gets the same rows, in bulk (DuckDB,"
        " PostgreSQL); it is created where it is missing, so the user of source.warehouse must be"
        " allowed to write to it",
    )
    retention: Duration = Field(
        dt.timedelta(days=400), description="how long its rows are kept; whole days of UTC"
    )


class Consent(Section):
    """Which rows may be sent."""

    require: bool = Field(
        False, description="suppress rows whose consent is not true, empty ones too"
    )
    denied: Literal["suppress", "send"] = Field(
        "suppress",
        description="rows whose consent is false; send: where the platform has a field that says"
        " so",
    )


class Privacy(Section):
    """What may leave, what is made less readable before it does, and how long it is remembered."""

    profile: Literal["hipaa"] | None = Field(
        None,
        description="hipaa: only what is listed under identifiers, privacy.fields and events is"
        " sent, with consent alone, and of addresses of pages the host",
    )
    fields: list[str] | None = Field(
        None,
        description="fields that a profile lets pass, as `capi check` calls them; url_path lets"
        " whole addresses of pages pass",
    )
    platform_messages: Literal["none", "redacted"] = Field(
        "none",
        description="what is kept of a platform's own words about a refused row. none: its code"
        " where the platform file registers it, and names of fields; redacted: all, without what"
        " was sent in any form",
    )

    obscure_order_id: bool = Field(
        False, description="send SHA-512 (base64) in place of the order id"
    )
    keys: Literal["plain", "hashed"] | None = Field(
        None,
        description="how the keys of rows are kept and shown; default: hashed with a"
        " profile, and where they may describe a person, by the names of their columns or by what"
        " they look like, else plain",
    )
    retention: Duration = Field(
        dt.timedelta(days=30), description="how long the quarantine remembers a row"
    )
    ledger_retention: Duration = Field(
        dt.timedelta(days=400),
        description="how long the ledger remembers a row that was delivered, some 38 bytes each;"
        " an older row that comes back is expired (beyond_ledger) unless --yes sends it. Never"
        " shorter than retention, lookback and the platform's age window",
    )


class ExtraField(Section):
    """A field of the record or the request, from a column of the query or the same for all.

    As a text it is `column | type`.
    """

    model_config = ConfigDict(title="Extra")

    column: str | None = Field(None, description="column of the query")
    constant: str | int | float | bool | list[Any] | dict[str, Any] | None = Field(
        None, description="in place of a column: the value, written as it stands here"
    )
    functions: list[str] = Field([], description="functions of platform files, in order")
    type: Literal["text", "number", "integer", "boolean", "json"] | None = Field(
        None, description="how it is written; without it, as the column's own type asks for"
    )
    on_bad: Literal["drop", "reject"] = Field(
        "drop", description="of a value that is not of this type: the field alone, or the row"
    )

    @model_validator(mode="after")
    def _column_or_constant(self) -> ExtraField:
        if (self.column is None) == (self.constant is None):
            raise ValueError("give a column of the query, or a constant")
        if self.constant is not None and (self.functions or self.type):
            raise ValueError("a constant is written as it stands, without functions and type")
        return self

    @property
    def expression(self) -> str:
        """As platform files write it: `column | function | type`. Of a column alone."""
        parts = [self.column or "", *self.functions, *([self.type] if self.type else [])]
        return " | ".join(parts)


class DestinationModel(Section):
    """One destination: where conversions come from, where they go, and how."""

    model_config = ConfigDict(title="Attributes of a destination")

    platform: str = Field(
        description="the API it speaks: capi, meta, tiktok, ...; or the path of a platform file"
    )
    name: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9_.-]{1,100}$",
        description="how it is called; default: its folder's name. Required where a file has"
        " several destinations, as YAML documents",
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
    extra: dict[str, str | ExtraField] = Field(
        {}, description="path in the record -> column of the query, such as `ltv | number`"
    )
    request_extra: dict[str, str | ExtraField] = Field(
        {}, description="path in the request beside its records -> likewise, or a constant"
    )
    transform: str | None = Field(
        None,
        pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*$",
        description="package.module:function, which takes and returns each page as a DataFrame",
    )
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
    checks: Checks = Checks()
    alerts: OptionalSection[Alerts] = None
    audit: OptionalSection[Audit] = None
    overrides: dict[str, Any] = Field({}, description="keys of the platform file to replace")

    @property
    def extra_fields(self) -> dict[str, ExtraField]:
        """`extra`, with texts read as fields: path in the record -> field."""
        return _fields_of(self.extra)

    @property
    def request_extra_fields(self) -> dict[str, ExtraField]:
        """`request_extra` likewise: path in the request -> field."""
        return _fields_of(self.request_extra)


def _fields_of(fields: Mapping[str, str | ExtraField]) -> dict[str, ExtraField]:
    return {
        path: field if isinstance(field, ExtraField) else _field_of(field)
        for path, field in fields.items()
    }


def _field_of(text: str) -> ExtraField:
    """`ltv | number` as a field; what is written without a type is the functions alone."""
    column, *functions = (part.strip() for part in text.split("|"))
    return ExtraField(column=column, functions=functions)
