"""Types that a cursor or key column may have; exact text as a SQL value of one."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import sqlalchemy as sa
from sqlalchemy.sql.elements import ColumnElement

from connector.errors import ConfigError

Kind = Literal["zoned", "naive", "date", "integer", "text", "iso_text", "xid8"]

YEAR_1 = "0001-01-01"
"""The first day that Python has; databases that know earlier ones give it as `ColumnType.least`."""


@dataclass(frozen=True)
class ColumnType:
    """The type of a cursor or key column.

    Attributes:
        kind: what its values mean.
        sql: its SQL name, for CAST; None where values are bound as they are.
        least: text of the smallest value that a row may have, where the database knows smaller
            ones that Python does not (-infinity, years BC).
    """

    kind: Kind
    sql: str | None = None
    least: str | None = None

    @property
    def collated(self) -> bool:
        """Whether a collation orders the values, which may take different texts for equal."""
        return self.kind in ("text", "iso_text") and self.sql in (None, "TEXT", "VARCHAR")

    def bind(self, text: str) -> ColumnElement[Any]:
        """Exact text as a SQL value of this type."""
        return self.cast(sa.literal(self.value(text), self.bound))

    @property
    def bound(self) -> sa.types.TypeEngine[Any]:
        """The type of the bound parameter: text, or an integer where integers are not cast."""
        return sa.BigInteger() if self.sql is None and self.kind == "integer" else sa.String()

    def value(self, text: str) -> str | int:
        """Exact text as the value of the bound parameter."""
        return int(text) if isinstance(self.bound, sa.BigInteger) else text

    def fits(self, text: str) -> bool:
        """Whether a text is a value of this type; after a change of types a stored one may not."""
        if self.kind in ("integer", "xid8"):
            return _INTEGER.match(text) is not None and abs(int(text)) <= self._most
        if self.sql == "UUID":
            return _UUID.match(text) is not None
        if self.kind == "iso_text":
            return is_iso_time(text)
        return self.kind == "text" or _TIME.match(text) is not None

    @property
    def _most(self) -> int:
        """The greatest integer."""
        digits = re.fullmatch(r"DECIMAL\((\d+),\s*0\)", self.sql or "")
        if digits is not None:
            return 10 ** int(digits[1]) - 1
        return {"HUGEINT": 2**127 - 1, "NUMERIC": 10**1000, "XID8": 2**64 - 1}.get(
            self.sql or "", 2**63 - 1
        )

    def cast(self, value: ColumnElement[Any]) -> ColumnElement[Any]:
        """A bound parameter as a value of this type."""
        return value if self.sql is None else sa.cast(value, NamedType(self.sql))


class NamedType(sa.types.UserDefinedType[Any]):
    """A type by its SQL name."""

    cache_ok = True

    def __init__(self, name: str) -> None:
        self.name = name

    def get_col_spec(self, **_: Any) -> str:
        """The name, as SQLAlchemy asks for it."""
        return self.name


_INTEGER = re.compile(r"-?\d{1,1000}\Z")
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\Z")
_TIME = re.compile(r"\d{4}-[01]\d-[0-3]\d([T ][0-2]\d:[0-5]\d:[0-5]\d(\.\d+)?(Z|\+00:00)?)?\Z")
_ISO_TEXT = re.compile(r"\d{4}-\d{2}-\d{2}([T ])\d{2}:\d{2}:\d{2}(?:\.(\d+))?(Z|\+00:00)?\Z")


def is_iso_time(text: str) -> bool:
    """Whether a text is an ISO 8601 time, in UTC or without a zone."""
    return _ISO_TEXT.match(text) is not None


class IsoForm(NamedTuple):
    """How a column of text writes its times.

    Attributes:
        separator: T or a space.
        zone: Z, +00:00 or nothing.
        digits: of the fraction, where all texts need as many for text order to be time order;
            otherwise None.
    """

    separator: str
    zone: str
    digits: int | None = None

    def text(self, moment: dt.datetime) -> str:
        """A moment in this form, floored.

        Args:
            moment: In the zone of the text.
        """
        fraction = f"{moment.microsecond:06d}"
        fraction = (
            fraction.rstrip("0")
            if self.digits is None
            else fraction.ljust(self.digits, "0")[: self.digits]
        )
        return (
            moment.replace(tzinfo=None).isoformat(self.separator, "seconds")
            + (f".{fraction}" if fraction else "")
            + self.zone
        )


def iso_form(value: str) -> IsoForm:
    """The form of one time in text. Raises ConfigError where text order is not time order."""
    match = _ISO_TEXT.match(value)
    if match is None:
        raise ConfigError(
            "the cursor is text that is not an ISO 8601 time in UTC; use a timestamp, an integer,"
            " or text such as 2026-01-01T00:00:00Z"
        )
    separator, fraction, zone = match.groups()
    return IsoForm(separator, zone or "", len(fraction or "") if zone == "Z" else None)
