"""Which rows may be sent: consent, age, required fields, identity.

A bad row is set aside here, before it can spoil a batch.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from connector.arrow.masks import Mask, mask, present
from connector.config.models import Consent
from connector.mapping.age_windows import expired_rows
from connector.mapping.conversions import Conversions
from connector.mapping.reasons import reason_for
from connector.model import Rejection
from connector.platforms.columns import COLUMNS
from connector.platforms.model import Platform
from connector.platforms.row_rules import IdentityRule

Identifiers = Mapping[str, tuple[pa.Array, set[str]]]
"""Name -> values, shape (n,), and the canonical columns they are made from."""


@dataclass
class Verdicts:
    """What our own rules say of each row: at most one of these; the rest is sent.

    Attributes:
        suppressed, expired: Masks of shape (n,).
        rejected: Row -> why.
        left_out: Mask of shape (n,), as the caller decided.
    """

    suppressed: Mask
    expired: Mask
    rejected: dict[int, Rejection]
    left_out: Mask

    def leave_out(self, rows: Mask) -> None:
        """Leave out rows, whatever else is said of them; expired ones stay expired."""
        self.left_out = rows & ~self.expired
        self.suppressed = self.suppressed & ~rows
        for row in np.flatnonzero(rows).tolist():
            self.rejected.pop(row, None)

    def sendable(self) -> np.ndarray:
        """Positions of the rows to send."""
        send = ~(self.suppressed | self.expired | self.left_out)
        send[list(self.rejected)] = False
        return np.flatnonzero(send)


def judge(
    conversions: Conversions,
    platform: Platform,
    identifiers: Identifiers,
    fields: Identifiers,
    consent: Consent,
    as_of: dt.datetime,
) -> Verdicts:
    """Apply a platform's rules to conformed conversions.

    A row that is both too old and wrong counts as expired: mending it would not help.

    Args:
        conversions: The rows.
        platform: Its rules.
        identifiers: Identifiers that are sent.
        fields: The platform file's `fields`.
        consent: What the destination says about consent.
        as_of: The moment of sending.
    """
    suppressed = _without_consent(conversions, platform, consent)
    expired = expired_rows(conversions, platform, as_of) & ~suppressed
    _require(conversions, platform, fields)
    _require_identity(conversions, platform.identity, identifiers)
    decided = suppressed | expired
    rejected = {row: why for row, why in conversions.rejected.items() if not decided[row]}
    return Verdicts(suppressed, expired, rejected, np.zeros(len(decided), bool))


def _without_consent(conversions: Conversions, platform: Platform, consent: Consent) -> Mask:
    table = conversions.table
    suppressed = np.zeros(table.num_rows, bool)
    column = conversions.column("consent")
    given = pa.nulls(table.num_rows, pa.bool_()) if column is None else column
    if consent.require:
        suppressed |= ~mask(given)
    elif consent.denied == "suppress":
        suppressed |= mask(pc.invert(given))
    for name, decided in (
        ("opt_out", platform.consent.opt_out),
        ("limited_data_use", platform.consent.limited_data_use),
    ):
        if name in table.column_names and decided == "suppress":
            suppressed |= mask(table[name].combine_chunks())
    # A word that is not understood may be a refusal.
    for column, unusable in conversions.bad.items():
        if column in COLUMNS and COLUMNS[column].group == "consent":
            suppressed |= unusable
    return suppressed


def _require(conversions: Conversions, platform: Platform, fields: Identifiers) -> None:
    for name in platform.required:
        _reject_without(conversions, name, fields, None)
    for rule in platform.required_when:
        values = (
            fields[rule.column][0] if rule.column in fields else conversions.column(rule.column)
        )
        if values is not None:
            applies = (
                present(values)
                if rule.values is None
                else mask(pc.is_in(values, value_set=pa.array(rule.values)))
            )
            for name in rule.need:
                _reject_without(conversions, name, fields, applies)


def _reject_without(
    conversions: Conversions, name: str, fields: Identifiers, applies: Mask | None
) -> None:
    """Reject rows without a column or field; an unusable value there is given as the reason."""
    table = conversions.table
    values, columns = (
        fields[name]
        if name in fields
        else (table[name] if name in table.column_names else pa.nulls(table.num_rows), {name})
    )
    missing = ~present(values)
    if name not in fields and name in conversions.bad:
        missing |= conversions.bad[name]
    if applies is not None:
        missing = missing & applies
    for column in sorted(columns):
        unusable = conversions.bad.get(column)
        there = present(table[column]) if name in fields and column in table.column_names else None
        if there is not None:
            unusable = there if unusable is None else unusable | there
        if unusable is not None:
            conversions.reject(missing & unusable, reason_for(column), column)
    conversions.reject(missing, f"missing_{name}", min(columns, default=name))


def _require_identity(
    conversions: Conversions, identity: IdentityRule, identifiers: Identifiers
) -> None:
    rows = conversions.table.num_rows
    there = {name: present(values) for name, (values, _) in identifiers.items()}
    nobody = np.zeros(rows, bool)
    groups = identity.any_of or [[name] for name in there]
    sufficient = _any(
        (_all((there.get(name, nobody) for name in group), rows) for group in groups), rows
    )
    for group in identity.not_only:
        sufficient &= _any(
            (rows_with for name, rows_with in there.items() if name not in group), rows
        )
    _reject_unidentified(
        conversions,
        ~sufficient,
        {column for _, columns in identifiers.values() for column in columns},
        _any(there.values(), rows),
    )


def _reject_unidentified(
    conversions: Conversions, rows: Mask, columns: set[str], identified: Mask
) -> None:
    """Reject rows as `no_identity`, or for the one unusable value that is all they have."""
    unusable = {
        column: conversions.bad[column] for column in sorted(columns) if column in conversions.bad
    }
    if unusable:
        alone = np.sum(list(unusable.values()), axis=0) == 1
        for column, bad in unusable.items():
            conversions.reject(rows & bad & alone & ~identified, reason_for(column), column)
    conversions.reject(rows, "no_identity", None)


def _any(masks: Iterable[Mask], rows: int) -> Mask:
    result = np.zeros(rows, bool)
    for each in masks:
        result = result | each
    return result


def _all(masks: Iterable[Mask], rows: int) -> Mask:
    result = np.ones(rows, bool)
    for each in masks:
        result = result & each
    return result
