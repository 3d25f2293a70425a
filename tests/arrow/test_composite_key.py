"""A key of several columns as one text: as it always was, and never the text of another key."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.arrow.composite_key import joined, joined_key
from connector.commands.sync import sync
from connector.sandbox.server import Receiver
from tests.conftest import Make
from tests.support.warehouses import TestWarehouse, conversion

PARTS = st.text("a1\x1f", max_size=4) | st.text(max_size=6)
KEYS = st.integers(1, 3).flatmap(
    lambda columns: st.lists(st.tuples(*[PARTS] * columns), min_size=1, max_size=12, unique=True)
)


@settings(deadline=None)
@given(KEYS)
def test_different_keys_have_different_texts(keys: list[tuple[str, ...]]) -> None:
    texts = [joined_key(key) for key in keys]
    assert len(set(texts)) == len(keys)
    assert (
        joined([pa.array(column, pa.string()) for column in zip(*keys, strict=True)]).to_pylist()
        == texts
    )


@settings(deadline=None)
@given(
    st.lists(
        st.text(st.characters(blacklist_characters="\x1f", blacklist_categories=("Cs",))),
        min_size=1,
        max_size=4,
    )
)
def test_a_key_without_the_separator_is_its_parts_with_the_separator_between_them(
    key: list[str],
) -> None:
    assert joined_key(key) == "\x1f".join(key)


def test_rows_whose_keys_differ_only_in_where_the_separator_stands_both_arrive(
    destination: Make, warehouse: TestWarehouse, receiver: Receiver
) -> None:
    warehouse.insert(
        conversion(1, conversion_id="a\x1fb", order_id="c"),
        conversion(2, conversion_id="a", order_id="b\x1fc"),
    )
    made = destination(source__key=["conversion_id", "order_id"])
    assert sync(made).delivered == 2
    assert receiver.inbox.summary()["events"] == 2
    assert sync(made).rows_read == 0
