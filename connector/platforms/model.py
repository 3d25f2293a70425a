"""What a platform file may say, as pydantic models. A platform is data: one YAML file beside this module.

`docs/add-a-platform.md` walks through every key with an example.
"""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from connector.platforms.columns import ACTION_SOURCES, COLUMNS
from connector.platforms.expression import parse
from connector.syntax.units import Duration, Rate
from connector.syntax.urls import endpoint_problem

Template = dict[str, Any] | list[Any] | str | int | float | bool


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class AccountField(_Model):
    """One key that a destination must give under `account`."""

    type: Literal["text", "integer", "digits"] = "text"
    optional: bool = False
    choices: list[str] | None = None
    default: str | None = None


class Auth(_Model):
    """How requests prove who sends them. name: of the header, query parameter or body key that carries the token."""

    method: Literal["any", "bearer", "header", "query", "body", "oauth2", "oauth1", "none"]
    name: str = "Authorization"
    proof: str | None = Field(
        None,
        description="body key for hex HMAC-SHA256(app_secret, token), where the user gives app_secret",
    )
    token_url: str | None = Field(None, description="oauth2: where a refresh token is exchanged")
    scope: str | None = None


class Identifier(_Model):
    """One thing the platform can match a person by.

    value: expression for its normal form and digest. hashed: expression over a `*_sha256` column made by the same rule.
    plain: it leaves the process readable, so it is sent only where a destination lists it.
    """

    value: str
    hashed: str | None = None
    plain: bool = False

    @property
    def columns(self) -> set[str]:
        """Canonical columns that this identifier can be made from."""
        texts = [self.value] if self.hashed is None else [self.value, self.hashed]
        return {name for text in texts for name in parse(text).columns}


class Identity(_Model):
    """Which identifiers make a conversion matchable.

    any_of: at least one of these groups must be complete; empty: any identifier will do. not_only: a record whose
    identifiers all lie within one of these groups is useless to the platform.
    """

    any_of: list[list[str]] = []
    not_only: list[list[str]] = []


class RequiredWhen(_Model):
    """`need` must be present in rows whose `column` is one of `values`; all of them name canonical columns or `fields`."""

    column: str
    values: list[str]
    need: list[str]


class Windows(_Model):
    """How old or how far ahead `event_time` may be when it is sent.

    max_age_by: per canonical action_source. margin: how long before its limit a row counts as too old already, because it has
    yet to travel: one that is over the limit when it arrives spoils its batch.
    """

    max_age: Duration | None = None
    max_age_by: dict[str, Duration] = {}
    max_future: Duration = dt.timedelta(minutes=10)
    margin: Duration = dt.timedelta(0)


class EventNames(_Model):
    """How source event names become the platform's.

    names: source name -> platform name. mapping: `optional` sends other names as they are, `listed` rejects names that
    are neither mapped nor one of `known`, `required` wants every name in the destination's own `events`, `unless` an account
    key stands in for the mapping. pattern: what the destination's `events` must map to, whole. longest: characters that a name
    may have; a row with a longer one is rejected. most: distinct names in one request; batches are cut accordingly.
    """

    names: dict[str, str] = {}
    known: list[str] = []
    mapping: Literal["optional", "listed", "required"] = "optional"
    unless: str | None = None
    pattern: str | None = None
    longest: int | None = None
    most: int | None = None


class EventId(_Model):
    """How a row without an event_id gets one.

    recipe: `key_and_event_name` hashes the key and the source's event name; `user_id_and_timestamp` hashes the column
    `user_id` and the timestamp as it is sent.
    """

    recipe: Literal["key_and_event_name", "user_id_and_timestamp"] = "key_and_event_name"
    user_id: str = "first_party_id"


class Limits(_Model):
    """What one request may carry and how fast requests may follow each other."""

    max_events: Annotated[int, Field(ge=1)] = 1
    max_bytes: Annotated[int, Field(ge=1)] = 1024 * 1024
    rate: Rate | None = None
    concurrency: Annotated[int, Field(ge=1, le=64)] = 8


class Success(_Model):
    """What a body must say before its records count as delivered.

    empty: statuses for which an empty body will do. text: bodies, in lower case, that are a yes in words. count: dotted path
    that must equal the number of records sent. count_in: dotted path -> regular expression whose group must equal it.
    present: dotted paths that must hold a value. equals: dotted path -> the values that mean success. error: dotted paths
    that must be absent, empty or false.
    """

    status: list[int] = [200, 201]
    empty: list[int] = []
    text: list[str] = []
    count: str | None = None
    count_in: dict[str, str] = {}
    present: list[str] = []
    equals: dict[str, list[str | int | bool]] = {}
    error: list[str] = []


class TestMode(_Model):
    """How the platform is asked to validate without counting.

    method: `body` and `query` add `name`, `path` uses another path; the value is the destination's `test_mode` text, or
    `value`. counts: true where the platform counts test events all the same. max_events: of a test request, where it may
    carry fewer. success: what a body says in test mode, where that is something else than usual.
    """

    method: Literal["body", "query", "path"]
    name: str = ""
    value: str | bool | None = None
    counts: bool = False
    max_events: Annotated[int, Field(ge=1)] | None = None
    success: Success | None = None


class Consent(_Model):
    """What happens to rows of people who opted out, or whose data may be used in a limited way alone.

    send: the platform has a field for it, so the row is sent and says so; `event` must use the column. suppress: it has none,
    so the row is not sent.
    """

    opt_out: Literal["send", "suppress"] = "suppress"
    limited_data_use: Literal["send", "suppress"] = "suppress"


class Located(_Model):
    """Where an answer names the records it refuses.

    path: dotted path to a list of entries (several are tried); `.` is the body itself as the only entry. index: key of an
    entry that holds the position; none means that entries stand in the order of the request. text, pattern: dotted paths to
    texts (`*` steps into lists), and regular expressions whose first group is a position, or several with commas; a group
    named `field` is the field. echo: path in an entry -> path in the record that it repeats. code, message, field: paths in an
    entry, or beside a text. warning: key that marks an entry as harmless. ok: key and the values that mean the record was
    accepted.
    """

    path: list[str] = []
    index: str | None = None
    text: list[str] = []
    pattern: list[str] = []
    echo: dict[str, str] = {}
    code: str | None = None
    message: str | None = None
    field: str | None = None
    warning: str | None = None
    ok: dict[str, list[str | int]] = {}


class Code(_Model):
    """What one error code means, and what a person can do about it."""

    means: Literal["retry", "ambiguous", "auth", "halt", "refused", "delivered"]
    remedy: str = ""


class Codes(_Model):
    """The platform's error registry.

    path: where codes stand; several are tried, and `a/b` joins two with a slash. known: code -> meaning; a code that ends in
    * matches by its beginning.
    """

    path: list[str] = []
    known: dict[str, Code] = {}

    def find(self, code: str) -> Code | None:
        """What is known of a code."""
        exact = self.known.get(code)
        if exact is not None:
            return exact
        return next(
            (
                found
                for name, found in self.known.items()
                if name.endswith("*") and code.startswith(name[:-1])
            ),
            None,
        )


class Poll(_Model):
    """Where the final result of an accepted request can be asked for later.

    receipt: dotted path in the answer. path, param: of the address. states: dotted path (`*` steps into lists) to the
    results. pending: states that are not final. counts: dotted path to entries of {reason, count}.
    """

    receipt: str
    path: str
    param: str
    states: str
    pending: list[str] = []
    counts: str | None = None
    reason: str = "reason"
    count: str = "recordCount"


class Answers(_Model):
    """How an answer is understood.

    partial: statuses of answers after which records that are not named as refused were processed. status: narrows the table
    of `connector.delivery.response` for single codes. transient: dotted paths that hold true where the request may be tried again.
    """

    success: Success = Success()
    codes: Codes = Codes()
    located: Located = Located()
    partial: list[int] = []
    message: list[str] = Field(
        ["error.message", "message", "error"], description="where the platform says why"
    )
    status: dict[
        int,
        Literal["read", "refused", "too_large", "retry", "ambiguous", "duplicate", "auth", "halt"],
    ] = {}
    transient: list[str] = []
    poll: Poll | None = None


class Platform(_Model):
    """One platform file."""

    title: str
    docs: str
    endpoint: str | None = Field(
        None, description="base address; none: every destination gives its own"
    )
    path: str = Field(
        "", description="appended to the base address; {name} is filled from params and account"
    )
    params: dict[str, str] = Field({}, description="values for {name}, such as the API version")
    account: dict[str, AccountField] = {}
    auth: Auth
    headers: dict[str, str] = {}
    query: dict[str, str] = {}
    body: Template = Field(
        "$event",
        description="what a request carries; $events is the list of records, $event a single one",
    )
    fields: dict[str, str] = Field(
        {}, description="named expressions that several parts of this file use, as field.x"
    )
    request: dict[str, str] = Field(
        {}, description="expressions whose value is the same for all records of a request"
    )
    limits: Limits = Limits()
    dedupe_window: Duration = dt.timedelta(hours=48)
    columns: dict[str, str] = Field(
        {}, description="defaults for canonical columns that a row leaves empty"
    )
    missing_time: Literal["now", "reject"] = "reject"
    required: list[str] = []
    required_when: list[RequiredWhen] = []
    identifiers: dict[str, Identifier]
    identity: Identity = Identity()
    windows: Windows = Windows()
    event_names: EventNames = EventNames()
    event_id: EventId = EventId()
    tables: dict[str, dict[str, str | int | bool]] = {}
    event: dict[str, Any]
    answers: Answers = Answers()
    test_mode: TestMode | None = None
    consent: Consent = Consent()

    @model_validator(mode="after")
    def _names_exist(self) -> Platform:
        """Every name that one part of the file uses must be declared by another."""
        for group in (*self.identity.any_of, *self.identity.not_only):
            for name in group:
                if name not in self.identifiers:
                    raise ValueError(f"identity names '{name}', which is not among identifiers")
        needed = (
            *self.required,
            *(name for rule in self.required_when for name in (rule.column, *rule.need)),
        )
        for name in needed:
            if name not in COLUMNS and name not in self.fields:
                raise ValueError(f"'{name}' is neither a canonical column nor one of fields")
        for name in (
            *self.columns,
            *([self.event_id.user_id] if self.event_id.recipe == "user_id_and_timestamp" else []),
        ):
            if name not in COLUMNS:
                raise ValueError(f"'{name}' is not a canonical column")
        for name in self.windows.max_age_by:
            if name not in ACTION_SOURCES:
                raise ValueError(
                    f"'{name}' is not an action source; there are {', '.join(ACTION_SOURCES)}"
                )
        for address in (self.endpoint, self.auth.token_url):
            problem = endpoint_problem(address) if address is not None else None
            if problem:
                raise ValueError(problem)
        return self
