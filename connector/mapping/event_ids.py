"""The event_id of each row, by which the platform recognises an event that is sent again."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from connector.arrow.composite_key import SEPARATOR
from connector.arrow.masks import mask, present
from connector.identifiers.digest import sha256_hex_of_each
from connector.mapping.conversions import Conversions
from connector.mapping.validate import Verdicts
from connector.model import Rejection
from connector.platforms.functions import FUNCTIONS, Context
from connector.platforms.row_rules import EventIdRecipe

MAX_EVENT_ID = 256
"""Characters of an event_id of the shop's own. A longer one would be cut or refused."""

_VERSION = "v1"
"""Of the recipe: part of every id that is made."""


def event_ids(
    conversions: Conversions,
    recipe: EventIdRecipe,
    keys: pa.Array,
    names: pa.Array,
    versions: pa.Array | None,
    rejected: dict[int, Rejection],
) -> pa.Array:
    """The row's own event_id, or one made by the platform's recipe, shape (n,).

    Args:
        conversions: The rows.
        recipe: How ids are made.
        keys: Key text of each row, shape (n,).
        names: Event names of the source, shape (n,).
        versions: Text that becomes part of the id, where a changed row is a new event.
        rejected: Row -> why; rows that the recipe has no user id for are added.
    """
    made = sha256_hex_of_each(
        _key_and_name(keys, names, versions)
        if recipe.recipe == "key_and_event_name"
        else _user_and_time(conversions, recipe.user_id, rejected)
    )
    own = conversions.column("event_id")
    return made if own is None else pc.coalesce(own, made)


def _key_and_name(keys: pa.Array, names: pa.Array, versions: pa.Array | None) -> pa.Array:
    parts = [pa.scalar(_VERSION), keys, pc.fill_null(names, "")]
    if versions is not None:
        parts.append(versions)
    return pc.binary_join_element_wise(*parts, SEPARATOR)


def _user_and_time(
    conversions: Conversions, user_id: str, rejected: dict[int, Rejection]
) -> pa.Array:
    rows = conversions.table.num_rows
    column = conversions.column(user_id)
    users = pa.nulls(rows, pa.string()) if column is None else column
    for row in np.flatnonzero(~present(users)).tolist():
        rejected.setdefault(row, Rejection("missing_user_id", user_id))
    times = FUNCTIONS["iso_seconds"](
        conversions.column("event_time"), Context(conversions.table, conversions.digits), None
    )
    return pc.binary_join_element_wise(users, times, "")


def reject_unusable_ids(conversions: Conversions) -> None:
    """Reject rows whose own event_id is too long or no text."""
    own = conversions.column("event_id")
    if own is None:
        return
    too_long = mask(pc.greater(pc.utf8_length(own), MAX_EVENT_ID))
    unusable = conversions.bad.get("event_id", np.zeros(len(own), bool))
    conversions.reject(too_long | unusable, "bad_event_id", "event_id")


def reject_repeated_ids(conversions: Conversions, verdicts: Verdicts) -> None:
    """Reject rows that share their own event_id and event name with an earlier row of the page."""
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
