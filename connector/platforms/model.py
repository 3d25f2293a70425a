"""One platform file as a pydantic model. A platform is data: one YAML file beside this module.

`docs/add-a-platform.md` walks through every key with an example.
"""

from __future__ import annotations

import datetime as dt
from typing import Any, Literal

from pydantic import Field, model_validator

from connector.platforms.answers import Answers
from connector.platforms.columns import ACTION_SOURCES, COLUMNS
from connector.platforms.request_rules import AccountField, AuthSpec, RequestLimits, TestMode
from connector.platforms.row_rules import (
    ConsentFields,
    EventIdRecipe,
    EventNames,
    IdentifierSpec,
    IdentityRule,
    RequiredWhen,
    Windows,
)
from connector.platforms.strict import StrictModel
from connector.syntax.units import Duration
from connector.syntax.urls import endpoint_problem

Template = dict[str, Any] | list[Any] | str | int | float | bool


RETIRING = dt.timedelta(days=60)
"""How long before its end a version is warned of."""


class Platform(StrictModel):
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
    version_ends: dict[str, dt.date] = Field(
        {}, description="API version -> the day from which it is not answered any more, if known"
    )
    account: dict[str, AccountField] = {}
    auth: AuthSpec
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
    limits: RequestLimits = RequestLimits()
    dedupe_window: Duration = dt.timedelta(hours=48)
    columns: dict[str, str] = Field(
        {}, description="defaults for canonical columns that a row leaves empty"
    )
    missing_time: Literal["now", "reject"] = "reject"
    required: list[str] = []
    required_when: list[RequiredWhen] = []
    identifiers: dict[str, IdentifierSpec]
    identity: IdentityRule = IdentityRule()
    windows: Windows = Windows()
    event_names: EventNames = EventNames()
    event_id: EventIdRecipe = EventIdRecipe()
    tables: dict[str, dict[str, str | int | bool]] = {}
    event: dict[str, Any]
    answers: Answers = Answers()
    test_mode: TestMode | None = None
    consent: ConsentFields = ConsentFields()
    variants: dict[str, dict[str, dict[str, Any]]] = Field(
        {},
        description="account key -> one of its choices -> keys of this file to replace for it",
    )
    unproven: list[str] = Field(
        [], description="what no document settles and delivery depends on; `check` says each"
    )

    @property
    def version(self) -> str | None:
        """The API version that requests are made for."""
        return self.params.get("version")

    @property
    def version_end(self) -> dt.date | None:
        """When that version retires; None where nobody said."""
        return None if self.version is None else self.version_ends.get(self.version)

    def version_warning(self, today: dt.date) -> str | None:
        """A sentence from 60 days before the version retires; None before that."""
        end = self.version_end
        if end is None or end - today > RETIRING:
            return None
        retired = f"retires on {end}" if end > today else f"retired on {end}"
        return (
            f"version {self.version} of {self.title} {retired}; upgrade the connector, or set"
            " overrides.params.version to a newer one"
        )

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
        for key, choices in self.variants.items():
            known = self.account[key].choices if key in self.account else None
            if known is None:
                raise ValueError(f"variants: account.{key} is not an account key with choices")
            for choice in choices:
                if choice not in known:
                    raise ValueError(f"variants: account.{key} cannot be '{choice}'")
        for address in (self.endpoint, self.auth.token_url):
            problem = endpoint_problem(address) if address is not None else None
            if problem:
                raise ValueError(problem)
        return self
