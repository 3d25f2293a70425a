"""A frame of conversions + a destination -> the exact bytes of each record, and which rows they are.

`Serializer` is compiled once per destination. `encode` is a function of the frame, the keys and the moment alone: called
again with the same three it gives the same bytes.
"""

from __future__ import annotations

import copy
import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from connector.arrow.bytes import holds, longest
from connector.arrow.composite_key import SEPARATOR
from connector.arrow.convert import array_of_values, mask, present, text_array, to_table
from connector.arrow.dictionary import map_distinct
from connector.arrow.records import Records
from connector.config.destination import Destination
from connector.identifiers.digest import sha256_hex_of_each
from connector.mapping.bindings import RowSource
from connector.mapping.coerce import Conversions, Rules, conform, reason_for
from connector.mapping.safe_paths import impersonal_places
from connector.mapping.template import compile_template, render
from connector.mapping.validate import Verdicts, judge
from connector.model import Rejection
from connector.platforms.columns import COLUMNS, EXTRA
from connector.platforms.expression import parse
from connector.platforms.functions import FUNCTIONS, Context

if TYPE_CHECKING:
    import pandas as pd

MAX_EVENT_ID = 256
"""Characters of an event_id of the shop's own; a longer one would be cut or refused, and would not meet its pixel event."""

_HEX_DIGEST = 64
"""Characters of a SHA-256 digest in hex."""

_EVENTS = "$events"
_EVENT = "$event"


@dataclass
class Serialized:
    """What became of the rows of one frame.

    records: JSON of the rows to send. positions: their row numbers, shape (len(records),). groups: for each record, its
    index into group_values, the request fields that its batch must share. rejected, expired, suppressed: the other rows.
    dropped: (column, reason) -> rows whose value was left out. matched: identifier -> records that carry it.
    """

    rows: int
    records: Records
    positions: np.ndarray
    groups: np.ndarray
    group_values: list[dict[str, str | None]]
    rejected: dict[int, Rejection]
    expired: np.ndarray
    suppressed: np.ndarray
    dropped: dict[tuple[str, str], int]
    matched: dict[str, int]


class Serializer:
    """Normalises, checks and writes conversions for one destination. impersonal: where in a record there is nothing of a person."""

    def __init__(self, destination: Destination) -> None:
        self.destination = destination
        self.platform = destination.platform
        model = destination.model
        self._constants = {"account": _account(destination), "param": dict(self.platform.params)}
        template = copy.deepcopy(self.platform.event)
        for path, text in model.extra.items():
            _insert(template, path.split("."), f"{EXTRA}{text}")
        self._event = compile_template(template, self._constants)
        self.impersonal = impersonal_places(self._event, self.platform)
        self._request = {name: parse(text) for name, text in self.platform.request.items()}
        self._names = {**self.platform.event_names.names, **model.events}
        most = self.platform.event_names.most
        self._block = (
            {
                name: str(rank // most)
                for rank, name in enumerate(sorted(set(model.events.values())))
            }
            if most
            else {}
        )
        self._last_envelope: tuple[Mapping[str, str | None] | None, tuple[bytes, bytes]] = (
            None,
            (b"", b""),
        )

    def encode(
        self,
        frame: pd.DataFrame,
        keys: pa.Array,
        as_of: dt.datetime,
        versions: pa.Array | None = None,
    ) -> Serialized:
        """Records for the rows of a frame.

        frame: canonical and `extra.` columns, shape (n, columns). keys: canonical key text of each row, shape (n,). as_of:
        when the rows were first read to be sent. versions: text that becomes part of the event_id, where a changed row
        counts as a new event.
        """
        table = self._with_constants(to_table(frame))
        conversions = conform(
            table.select([name for name in table.column_names if name in COLUMNS]),
            self._rules(as_of),
        )
        source_names = conversions.table["event_name"].combine_chunks()
        self._map_names(conversions)
        self._refuse_disguised(conversions)
        rows = RowSource(self.destination, self._constants, conversions, table)
        identifiers = {
            name: (rows.identifier(name), self.platform.identifiers[name].columns)
            for name in self.destination.identifiers
        }
        fields = {
            name: (rows.text(parse(text)), self._columns_behind(text))
            for name, text in self.platform.fields.items()
        }
        verdicts = judge(
            conversions, self.platform, identifiers, fields, self.destination.model.consent, as_of
        )
        rows.event_ids = self._event_ids(
            conversions, keys, source_names, versions, verdicts.rejected
        )
        self._refuse_repeated(conversions, verdicts)
        send = verdicts.sendable()
        # Also where nothing is sent: what could not be used is counted on the way, whatever the page holds beside it.
        written = render(self._event, rows)
        if len(send) < len(written):
            written = written.take(pa.array(send))
        groups, group_values = self._groups(rows, send)
        dropped = {
            (column, reason_for(column)): int(bad.sum()) for column, bad in conversions.bad.items()
        }
        if conversions.defaulted:
            dropped["event_time", "defaulted"] = conversions.defaulted
        return Serialized(
            rows=table.num_rows,
            records=Records(written.cast(pa.binary())),
            positions=send,
            groups=groups,
            group_values=group_values,
            rejected=verdicts.rejected,
            expired=np.flatnonzero(verdicts.expired),
            suppressed=np.flatnonzero(verdicts.suppressed),
            dropped=dropped,
            matched={
                name: int(present(values)[send].sum()) for name, (values, _) in identifiers.items()
            },
        )

    def body(self, records: Records, group: Mapping[str, str | None]) -> bytes:
        """The body of one request. group: the request fields these records share."""
        head, tail = self._envelope(group)
        return b"".join((head, records.joined(), tail))

    def overhead(self, group: Mapping[str, str | None]) -> int:
        """Bytes that a body has beside its records and the commas between them."""
        head, tail = self._envelope(group)
        return len(head) + len(tail)

    def _envelope(self, group: Mapping[str, str | None]) -> tuple[bytes, bytes]:
        """What stands before and after the records; most requests share it with the one before."""
        before, envelope = self._last_envelope
        if group != before:
            envelope = self._make_envelope(group)
            self._last_envelope = dict(group), envelope
        return envelope

    def _make_envelope(self, group: Mapping[str, str | None]) -> tuple[bytes, bytes]:
        body = _fill(self.platform.body, {**self._constants, "request": dict(group)})
        test_mode, wanted = self.platform.test_mode, self.destination.model.test_mode
        if wanted and test_mode is not None and test_mode.method == "body":
            _insert(
                body,
                test_mode.name.split("."),
                wanted if isinstance(wanted, str) else test_mode.value,
            )
        text = orjson.dumps(body)
        if text == orjson.dumps(_EVENT):
            return b"", b""
        head, _, tail = text.partition(orjson.dumps(_EVENTS))
        return head + b"[", b"]" + tail

    def _columns_behind(self, text: str) -> set[str]:
        """Canonical columns that an expression is made from, through the identifiers that are sent."""
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
            default_currency=self.platform.columns.get("currency"),
            default_time=as_of if self.platform.missing_time == "now" else None,
        )

    def _with_constants(self, table: pa.Table) -> pa.Table:
        for name, value in self.destination.model.constants.items():
            column = array_of_values(
                [value if COLUMNS[name].kind in ("money", "flag", "integer") else str(value)]
                * table.num_rows
            )
            table = (
                table.set_column(table.column_names.index(name), name, column)
                if name in table.column_names
                else table.append_column(name, column)
            )
        return table

    def _map_names(self, conversions: Conversions) -> None:
        rule = self.platform.event_names
        names = conversions.table["event_name"].combine_chunks()
        known = set(rule.known) | set(self._names.values())
        strict = rule.mapping != "optional" and not (
            rule.unless and rule.unless in self.destination.model.account
        )

        def mapped_name(name: str) -> str | None:
            passes = not strict or (rule.mapping == "listed" and name in known)
            return self._names.get(name) or (name if passes else None)

        mapped = map_distinct(names, mapped_name)
        conversions.reject(present(names) & ~present(mapped), "unknown_event_name", "event_name")
        if rule.longest is not None:
            conversions.reject(
                mask(pc.greater(pc.utf8_length(mapped), rule.longest)),
                "long_event_name",
                "event_name",
            )
        conversions.table = conversions.table.set_column(
            conversions.table.column_names.index("event_name"), "event_name", mapped
        )

    def _refuse_disguised(self, conversions: Conversions) -> None:
        """Digests in columns for plain values and addresses in columns for ids: both would be hashed or sent wrongly."""
        table = conversions.table
        for name in ("email", "phone"):
            if name in table.column_names:
                column = table[name].combine_chunks()
                if longest(column) >= _HEX_DIGEST:
                    conversions.reject(
                        mask(pc.match_substring_regex(column, r"^[0-9a-fA-F]{64}$")),
                        "looks_hashed",
                        name,
                    )
        plain_ids = {
            column
            for name in self.destination.identifiers
            for column in self._plain_id_columns(name)
        }
        if not self.destination.model.privacy.obscure_order_id:
            plain_ids.add("order_id")
        if "event_id" in table.column_names:
            too_long = mask(
                pc.greater(pc.utf8_length(table["event_id"].combine_chunks()), MAX_EVENT_ID)
            )
            conversions.reject(
                too_long | conversions.bad.get("event_id", np.zeros(table.num_rows, bool)),
                "bad_event_id",
                "event_id",
            )
        for name in sorted(plain_ids | {"event_id"}):
            if name in table.column_names and holds(
                column := table[name].combine_chunks(), among=b"@"
            ):
                conversions.reject(mask(pc.match_substring(column, "@")), "personal_id", name)

    def _refuse_repeated(self, conversions: Conversions, verdicts: Verdicts) -> None:
        """Rows whose own event_id another row of the page has for the same event: the platform would count them as one."""
        table = conversions.table
        if "event_id" not in table.column_names:
            return
        send = verdicts.sendable()
        pairs = (
            pc.binary_join_element_wise(table["event_id"], table["event_name"], SEPARATOR)
            .combine_chunks()
            .take(pa.array(send))
        )
        codes = pc.fill_null(pairs.dictionary_encode().indices, -1).to_numpy(zero_copy_only=False)
        repeated = np.ones(len(codes), bool)
        repeated[np.unique(codes, return_index=True)[1]] = False
        for row in send[repeated & (codes >= 0)].tolist():
            verdicts.rejected[row] = Rejection("duplicate_event_id", "event_id")

    def _plain_id_columns(self, identifier: str) -> set[str]:
        spec = self.platform.identifiers[identifier]
        return (
            spec.columns
            if "own_id" in parse(spec.value).functions
            and "sha256_hex" not in parse(spec.value).functions
            else set()
        )

    def _event_ids(
        self,
        conversions: Conversions,
        keys: pa.Array,
        names: pa.Array,
        versions: pa.Array | None,
        rejected: dict[int, Rejection],
    ) -> pa.Array:
        """The row's own event_id, or one made by the platform's recipe."""
        recipe = self.platform.event_id
        if recipe.recipe == "key_and_event_name":
            parts = [
                pa.scalar("v1"),
                keys,
                pc.fill_null(names, ""),
                *([versions] if versions is not None else []),
            ]
            text = pc.binary_join_element_wise(*parts, SEPARATOR)
        else:
            users = (
                conversions.table[recipe.user_id].combine_chunks()
                if recipe.user_id in conversions.table.column_names
                else pa.nulls(len(keys), pa.string())
            )
            for row in np.flatnonzero(~present(users)).tolist():
                rejected.setdefault(row, Rejection("missing_user_id", recipe.user_id))
            times = FUNCTIONS["iso_seconds"](
                conversions.table["event_time"].combine_chunks(),
                Context(conversions.table, conversions.digits),
                None,
            )
            text = pc.binary_join_element_wise(users, times, "")
        made = sha256_hex_of_each(text)
        if "event_id" not in conversions.table.column_names:
            return made
        return pc.coalesce(conversions.table["event_id"].combine_chunks(), made)

    def _groups(
        self, rows: RowSource, send: np.ndarray
    ) -> tuple[np.ndarray, list[dict[str, str | None]]]:
        if not self._request and len(set(self._block.values())) < 2:
            return np.zeros(len(send), np.int32), [{}]
        columns = [
            text_array(rows.text(expression)).take(pa.array(send))
            for expression in self._request.values()
        ]
        if self._block:
            columns.append(
                map_distinct(
                    text_array(rows.text(parse("event_name"))).take(pa.array(send)), self._block.get
                )
            )
        seen: dict[tuple[str | None, ...], int] = {}
        groups = [
            seen.setdefault(values, len(seen))
            for values in zip(*(column.to_pylist() for column in columns), strict=True)
        ]
        return np.array(groups, np.int32), [
            dict(zip(self._request, values, strict=False)) for values in seen
        ]


def _account(destination: Destination) -> dict[str, Any]:
    defaults = {
        name: field.default
        for name, field in destination.platform.account.items()
        if field.default is not None
    }
    return {**defaults, **destination.model.account}


def _insert(template: Any, path: list[str], value: Any) -> None:
    for key in path[:-1]:
        template = template.setdefault(key, {})
    template[path[-1]] = value


def _fill(template: Any, constants: Mapping[str, Mapping[str, Any]]) -> Any:
    """A request template with its references filled in; what has no value is left out."""
    if isinstance(template, dict):
        filled = {key: _fill(value, constants) for key, value in template.items()}
        return {key: value for key, value in filled.items() if value not in (None, {})}
    if isinstance(template, list):
        return [_fill(value, constants) for value in template]
    if not isinstance(template, str) or template in (_EVENTS, _EVENT):
        return template
    if template.startswith("="):
        return template[1:]
    space, _, name = template.partition(".")
    return constants[space].get(name)
