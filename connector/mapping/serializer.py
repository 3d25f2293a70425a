"""A table of conversions and a destination -> the exact bytes of each record."""

from __future__ import annotations

import copy
import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from connector.arrow.convert import array_of_values
from connector.arrow.masks import Mask, present
from connector.arrow.records import Records
from connector.config.destination import Destination
from connector.mapping.bindings import RowBindings
from connector.mapping.coerce import conform
from connector.mapping.constants import constants_of
from connector.mapping.conversions import Conversions, Rules
from connector.mapping.envelope import Envelope, insert
from connector.mapping.event_ids import event_ids, reject_repeated_ids, reject_unusable_ids
from connector.mapping.event_names import EventNameMapper
from connector.mapping.groups import Grouper
from connector.mapping.misplaced import reject_addresses, reject_digests
from connector.mapping.person_arrays import spread_arrays
from connector.mapping.reasons import reason_for
from connector.mapping.render import render
from connector.mapping.safe_paths import field_names, impersonal_places
from connector.mapping.template import Constant, compile_template
from connector.mapping.validate import judge
from connector.model import Rejection
from connector.platforms.columns import COLUMNS, EXTRA
from connector.platforms.expression import parse

if TYPE_CHECKING:
    from connector.mapping.transform import Transform


@dataclass
class Serialized:
    """What became of the rows of one table.

    Attributes:
        rows: How many there were.
        records: JSON of the rows to send.
        positions: Their row numbers, shape (len(records),).
        groups: For each record its index into group_values.
        group_values: The request fields that records of one request must share.
        rejected: Row -> why.
        expired, suppressed, left_out: Row numbers.
        dropped: (column, reason) -> rows whose value was left out.
        matched: Identifier -> records that carry it.
        events: event_name as the source has it, event_id and event_time of each row, also of those
            that are not sent, shape (rows,).
    """

    rows: int
    records: Records
    positions: np.ndarray
    groups: np.ndarray
    group_values: list[dict[str, str | None]]
    rejected: dict[int, Rejection]
    expired: np.ndarray
    suppressed: np.ndarray
    left_out: np.ndarray
    dropped: dict[tuple[str, str], int]
    matched: dict[str, int]
    events: pa.Table

    @property
    def refused(self) -> dict[int, Rejection]:
        """Row -> why it would not be sent: rejected, expired and suppressed ones."""
        return {
            **self.rejected,
            **dict.fromkeys(self.expired.tolist(), Rejection("expired", "event_time")),
            **dict.fromkeys(self.suppressed.tolist(), Rejection("suppressed", "consent")),
        }


class Serializer:
    """Normalises, checks and writes conversions for one destination. Compiled once per destination.

    Attributes:
        impersonal: Places of a record that hold nothing of a person.
        field_names: Names of its fields, which are the same whatever the rows hold.
    """

    def __init__(self, destination: Destination) -> None:
        self.destination = destination
        self.platform = destination.platform
        self._transform = _transform_of(destination)
        self._constants = constants_of(destination)
        template = copy.deepcopy(self.platform.event)
        extras = destination.model.extra_fields
        for path, field in extras.items():
            leaf = (
                EXTRA + field.expression
                if field.constant is None
                else Constant(orjson.dumps(field.constant).decode())
            )
            insert(template, path.split("."), leaf)
        self._extras_of_columns = [
            field
            for field in (
                *extras.values(),
                *destination.model.request_extra_fields.values(),
            )
            if field.column is not None
        ]
        several = {name: spec.several for name, spec in self.platform.identifiers.items()}
        self._event = compile_template(template, self._constants, several)
        self.impersonal = impersonal_places(self._event, self.platform)
        ours = COLUMNS.keys() | self.platform.identifiers.keys()
        self.field_names = field_names(self._event) | ours
        self._names = EventNameMapper(destination)
        self._grouper = Grouper(destination)
        self._envelope = Envelope(destination)

    def encode(
        self,
        table: pa.Table,
        keys: pa.Array,
        as_of: dt.datetime,
        versions: pa.Array | None = None,
        leave_out: Callable[[pa.Array], Mask] | None = None,
    ) -> Serialized:
        """Records for the rows of a table: the same bytes for the same arguments, always.

        Args:
            table: Canonical and `extra.` columns, shape (n, columns).
            keys: Key text of each row, shape (n,).
            as_of: When the rows were first read to be sent.
            versions: Text that becomes part of the event_id, where a changed row is a new event.
            leave_out: Chooses rows that are not sent by their event_time, shape (n,), UTC; null
                where the source has none.

        Raises:
            ConfigError: A column has a type that cannot be exact, or the transform failed.
        """
        if self._transform is not None:
            table = self._transform.apply(table, keys)
        table = spread_arrays(self._with_constants(table))
        canonical = [name for name in table.column_names if name in COLUMNS]
        conversions = conform(table.select(canonical), self._rules(as_of))
        source_names = conversions.table["event_name"].combine_chunks()
        self._names.apply(conversions)
        reject_digests(conversions)
        reject_unusable_ids(conversions)
        reject_addresses(conversions, self.destination)
        rows = RowBindings(self.destination, self._constants, conversions, table)
        identifiers = {
            name: (rows.identifier(name), self.platform.identifiers[name].columns)
            for name in self.destination.identifiers
        }
        fields = {
            name: (rows.text(parse(text)), self._columns_behind(text))
            for name, text in self.platform.fields.items()
        }
        self._reject_bad_extras(conversions, rows)
        verdicts = judge(
            conversions, self.platform, identifiers, fields, self.destination.model.consent, as_of
        )
        rows.event_ids = event_ids(
            conversions, self.platform.event_id, keys, source_names, versions, verdicts.rejected
        )
        if leave_out is not None:
            verdicts.leave_out(leave_out(_source_times(conversions)))
        reject_repeated_ids(conversions, verdicts)
        send = verdicts.sendable()
        # Rows that are not sent are rendered too: unusable values are counted on the way.
        written = render(self._event, rows)
        if len(send) < len(written):
            written = written.take(pa.array(send))
        groups, group_values = self._grouper.group(rows, send)
        return Serialized(
            rows=table.num_rows,
            records=Records(written.cast(pa.binary())),
            positions=send,
            groups=groups,
            group_values=group_values,
            rejected=verdicts.rejected,
            expired=np.flatnonzero(verdicts.expired),
            suppressed=np.flatnonzero(verdicts.suppressed),
            left_out=np.flatnonzero(verdicts.left_out),
            dropped=_dropped(conversions),
            matched={
                name: int(present(values)[send].sum()) for name, (values, _) in identifiers.items()
            },
            events=pa.table(
                {
                    "event_name": source_names,
                    "event_id": rows.event_ids,
                    "event_time": conversions.table["event_time"],
                }
            ),
        )

    def body(self, records: Records, group: Mapping[str, str | None]) -> bytes:
        """Make the body of one request.

        Args:
            records: JSON of each record.
            group: The request fields that these records share.
        """
        return self._envelope.wrap(records, group)

    def overhead(self, group: Mapping[str, str | None]) -> int:
        """Bytes that a body has beside its records and the commas between them."""
        return self._envelope.overhead(group)

    def _reject_bad_extras(self, conversions: Conversions, rows: RowBindings) -> None:
        """Reject rows with an extra value that is not of its type, where the YAML wants that."""
        for field in self._extras_of_columns:
            written = rows.text(parse(EXTRA + field.expression))
            column = f"{EXTRA}{field.column}"
            if field.on_bad == "reject" and column in conversions.bad:
                bad = conversions.bad[column] & ~present(written)
                conversions.reject(bad, reason_for(column), column)

    def _columns_behind(self, text: str) -> set[str]:
        """Canonical columns behind an expression and the identifiers in it that are sent."""
        expression = parse(text)
        identifiers = [
            pipeline.name
            for pipeline in expression.pipelines
            if pipeline.space == "identifier" and pipeline.name in self.destination.identifiers
        ]
        return {
            *expression.columns,
            *(column for name in identifiers for column in self.platform.identifiers[name].columns),
        }

    def _rules(self, as_of: dt.datetime) -> Rules:
        source = self.destination.model.source
        return Rules(
            time_zone=source.time_zone,
            time_unit=source.time_unit,
            minor=source.value_unit == "minor",
            default_currency=source.default_currency or self.platform.columns.get("currency"),
            default_time=as_of if self.platform.missing_time == "now" else None,
        )

    def _with_constants(self, table: pa.Table) -> pa.Table:
        """The table with the destination's `constants` as columns."""
        for name, value in self.destination.model.constants.items():
            typed = COLUMNS[name].kind in ("money", "flag", "integer")
            column = array_of_values([value if typed else str(value)] * table.num_rows)
            table = (
                table.set_column(table.column_names.index(name), name, column)
                if name in table.column_names
                else table.append_column(name, column)
            )
        return table


def _transform_of(destination: Destination) -> Transform | None:
    if destination.model.transform is None:
        return None
    from connector.mapping.transform import Transform  # late: pandas is only for those who use it

    return Transform(destination)


def _source_times(conversions: Conversions) -> pa.Array:
    """event_time of each row; null where it is not the source's."""
    times = conversions.table["event_time"].combine_chunks()
    return pc.if_else(pa.array(conversions.without_time), None, times)


def _dropped(conversions: Conversions) -> dict[tuple[str, str], int]:
    dropped = {
        (column, reason_for(column)): int(bad.sum()) for column, bad in conversions.bad.items()
    }
    if conversions.defaulted:
        dropped["event_time", "defaulted"] = conversions.defaulted
    return dropped
