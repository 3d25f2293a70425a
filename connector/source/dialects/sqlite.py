"""SQLite: values have types of their own whatever their column says, and times are text."""

from __future__ import annotations

import datetime as dt
import functools
import re
import urllib.parse
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection, Engine
from sqlalchemy.sql.elements import ColumnElement

from connector.config.engines import create_engine
from connector.source.column_types import ColumnType, IsoForm, is_iso_time
from connector.source.dialects.base import Cause, Dialect
from connector.source.dialects.generic import a_value, type_of


class Sqlite(Dialect):
    """A SQLite file, or a database in memory."""

    title = "SQLite"
    embedded = True
    backslash_escapes = False
    collation = "BINARY"

    def create_engine(self, url: URL) -> Engine:
        """A file opens read-only: SQLite would create one that is not there."""
        file = self.file(url)
        if file is not None:
            address = url.set(database=f"file:{urllib.parse.quote(str(file))}")
            url = address.update_query_dict({"mode": "ro", "uri": "true"})
        engine = create_engine(url)
        sa.event.listen(engine, "connect", _keep_invalid_text)
        return engine

    def begin(self, connection: Connection) -> None:
        """Python's driver begins no transaction for a SELECT."""
        connection.exec_driver_sql("BEGIN")

    def clock(self, connection: Connection) -> dt.datetime:
        """SQLite's clock, in milliseconds."""
        now = sa.text("SELECT strftime('%Y-%m-%dT%H:%M:%f', 'now')")
        return dt.datetime.fromisoformat(str(connection.execute(now).scalar())).replace(
            tzinfo=dt.UTC
        )

    def column_names(self, connection: Connection, query: str, found: Sequence[str]) -> list[str]:
        """SQLite names the second of two equal columns `name:1` inside a subquery."""
        plain = (re.sub(r":\d+$", "", name) for name in found)
        return [base if base in found else name for base, name in zip(plain, found, strict=True)]

    def column_type(
        self, connection: Connection, column: ColumnElement[Any], described: Sequence[Any]
    ) -> ColumnType | None:
        """The type of one of the column's values; text may be a time."""
        value = a_value(connection, column)
        if value is None:
            return None
        if isinstance(value, str) and is_iso_time(value):
            return ColumnType("iso_text", None, "0001")
        return ColumnType(type_of(value).kind)

    def irregular(
        self, column: ColumnElement[Any], kind: ColumnType, form: IsoForm | None
    ) -> ColumnElement[bool] | None:
        """Values of another type than the first one, and times in another form."""
        if form is not None:
            return sa.and_(column.is_not(None), sa.not_(_fits(form, column)))
        expected = "integer" if kind.kind == "integer" else "text"
        return sa.func.typeof(column).not_in(["null", expected])

    def cause(self, error: Exception) -> Cause | None:
        """By the name of SQLite's own error code."""
        name = getattr(error, "sqlite_errorname", None) or ""
        if name.startswith(("SQLITE_CANTOPEN", "SQLITE_NOTADB")):
            return Cause.NOT_A_DATABASE
        if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            return Cause.LOCKED
        return Cause.UNREACHABLE if name.startswith("SQLITE_IOERR") else None


def _keep_invalid_text(connection: Any, _record: object) -> None:
    """Text that is no UTF-8 as lone surrogates; one such value would refuse all rows."""
    connection.text_factory = functools.partial(str, encoding="utf-8", errors="surrogateescape")


def _fits(form: IsoForm, column: ColumnElement[Any]) -> ColumnElement[bool]:
    """Whether a column's text is a time in this form."""
    seconds = f"????-??-??{form.separator}??:??:??"
    shape: ColumnElement[bool]
    if form.digits is not None:
        shape = column.op("GLOB")(
            seconds + ("." if form.digits else "") + "[0-9]" * form.digits + form.zone
        )
    else:
        fraction = sa.func.substr(column, 20, sa.func.length(column) - 19 - len(form.zone))
        digits = sa.and_(
            fraction.op("GLOB")(".[0-9]*"),
            sa.not_(sa.func.substr(fraction, 2).op("GLOB")("*[^0-9]*")),
        )
        shape = sa.and_(
            column.op("GLOB")(f"{seconds}*{form.zone}"),
            sa.or_(sa.func.length(column) == 19 + len(form.zone), digits),
        )
    # The seconds alone too: SQLite rounds a fraction such as .9999999 up to the next day.
    return sa.and_(shape, sa.or_(_is_a_day(column), _is_a_day(sa.func.substr(column, 1, 19))))


def _is_a_day(time: ColumnElement[Any]) -> ColumnElement[bool]:
    """Whether a text is a time of the day that it begins with.

    SQLite takes the 30th of February and an hour of 24 for times of a later day.
    """
    return sa.func.coalesce(sa.func.date(time, "+0 days"), time) < time


DIALECT = Sqlite()
