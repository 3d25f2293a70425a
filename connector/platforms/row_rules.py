"""Which rows a platform takes, and by what it recognises people and events."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal

from pydantic import Field

from connector.platforms.columns import numbered
from connector.platforms.expression import Alternatives, parse
from connector.platforms.strict import StrictModel
from connector.syntax.units import Duration


class IdentifierSpec(StrictModel):
    """One thing the platform can match a person by.

    Attributes:
        value: Expression for its normal form and digest.
        hashed: Expression over a `*_sha256` column made by the same rule.
        plain: It leaves the process readable, so it is sent only where a destination lists it.
        several: Values that the platform takes of one person, out of columns such as `email`,
            `email_2` and `email_3`; written where the identifier stands in a list of `event`.
    """

    value: str
    hashed: str | None = None
    plain: bool = False
    several: Annotated[int, Field(ge=1)] = 1

    @property
    def columns(self) -> set[str]:
        """Canonical columns that this identifier can be made from."""
        texts = [self.value] if self.hashed is None else [self.value, self.hashed]
        named = {name for text in texts for name in parse(text).columns}
        return named | {each for name in named for each in numbered(name)}

    @property
    def conditions(self) -> set[str]:
        """Canonical columns that decide whether there is a value."""
        return set(parse(self.value).conditions)


def numbered_expression(expression: Alternatives, number: int) -> Alternatives:
    """An expression over the columns that hold a further value: `email_2` for `email`.

    Columns that have no further values are left out.
    """
    return Alternatives(
        tuple(
            pipeline._replace(name=f"{pipeline.name}_{number}")
            for pipeline in expression.pipelines
            if pipeline.space == "column" and numbered(pipeline.name)
        )
    )


class IdentityRule(StrictModel):
    """Which identifiers make a conversion matchable.

    Attributes:
        any_of: Groups, one of which must be complete; without groups any identifier will do.
        not_only: Groups that are useless to the platform on their own.
    """

    any_of: list[list[str]] = []
    not_only: list[list[str]] = []


class RequiredWhen(StrictModel):
    """`need` must be present in rows whose `column` is one of `values`, or has any value.

    All of them name canonical columns or `fields`.
    """

    column: str
    values: list[str] | None = None
    need: list[str]


class Windows(StrictModel):
    """How old, or how far ahead, `event_time` may be when it is sent.

    Attributes:
        max_age: Age at which a row is `expired`.
        max_age_by: The same for single canonical action sources.
        max_future: How far ahead it may be.
        margin: How long before its limit a row counts as too old, because it has yet to travel: one
            that is over the limit on arrival spoils its batch.
    """

    max_age: Duration | None = None
    max_age_by: dict[str, Duration] = {}
    max_future: Duration = dt.timedelta(minutes=10)
    margin: Duration = dt.timedelta(0)


class EventNames(StrictModel):
    """How source event names become the platform's.

    Attributes:
        names: Source name -> platform name.
        known: Names that the platform has.
        mapping: `optional` sends other names as they are, `listed` rejects names that are neither
            mapped nor known, `required` wants every name in the destination's own `events`.
        unless: Account key that stands in for a required mapping.
        pattern: Regular expression of what the destination's `events` must map to, whole; where
            mapping is optional, also of names that are sent as they are.
        longest: Characters of a name; a row with a longer one is rejected.
        most: Distinct names in one request; batches are cut accordingly.
    """

    names: dict[str, str] = {}
    known: list[str] = []
    mapping: Literal["optional", "listed", "required"] = "optional"
    unless: str | None = None
    pattern: str | None = None
    longest: int | None = None
    most: int | None = None


class EventIdRecipe(StrictModel):
    """How a row without an event_id gets one.

    Attributes:
        recipe: `key_and_event_name` hashes the key and the source's event name;
            `user_id_and_timestamp` hashes the column `user_id` and the timestamp as it is sent.
        user_id: That column.
    """

    recipe: Literal["key_and_event_name", "user_id_and_timestamp"] = "key_and_event_name"
    user_id: str = "first_party_id"


class ConsentFields(StrictModel):
    """What happens to rows of people who opted out or limited the use of their data.

    `send`: the platform has a field for it, which `event` must use. `suppress`: it has none, so the
    row is not sent.
    """

    opt_out: Literal["send", "suppress"] = "suppress"
    limited_data_use: Literal["send", "suppress"] = "suppress"
