"""Cutting records into batches, and batches into parts: every record once, within limits."""

from __future__ import annotations

import datetime as dt
from itertools import pairwise

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.arrow.records import Records
from connector.delivery.batch import BatchLimits, cut, halves, sample_positions
from connector.model import Batch, Mark, Page, PageResult, Rejection, RowState


def body(batch: Batch, overhead: int) -> int:
    """Bytes of the request that carries a batch."""
    return overhead + sum(map(len, batch.records)) + len(batch) - 1


@st.composite
def pages(draw: st.DrawFn) -> tuple[list[bytes], list[int], list[int], list[int], BatchLimits]:
    groups = draw(st.integers(1, 4))
    sizes = draw(st.lists(st.integers(1, 40), max_size=60))
    rows = sorted(draw(st.sets(st.integers(0, 500), min_size=len(sizes), max_size=len(sizes))))
    records = [b"%d" % row + b"x" * size for row, size in zip(rows, sizes, strict=True)]
    chosen = [draw(st.integers(0, groups - 1)) for _ in records]
    overheads = [draw(st.integers(0, 20)) for _ in range(groups)]
    return (
        records,
        rows,
        chosen,
        overheads,
        BatchLimits(draw(st.integers(1, 10)), draw(st.integers(10, 120))),
    )


@given(pages())
@settings(max_examples=300, deadline=None)
def test_every_record_is_in_one_batch_in_order_or_is_too_large(
    page: tuple[list[bytes], list[int], list[int], list[int], BatchLimits],
) -> None:
    records, rows, groups, overheads, limits = page
    batches, too_large = cut(Records.of(records), rows, groups, overheads, limits)
    of_row = dict(zip(rows, zip(records, groups, strict=True), strict=True))
    assert sorted([row for batch in batches for row in batch.rows] + too_large) == rows
    for batch in batches:
        assert 1 <= len(batch) <= limits.max_events
        assert body(batch, overheads[batch.group]) <= limits.max_bytes
        assert [(record, batch.group) for record in batch.records] == [
            of_row[row] for row in batch.rows
        ]
        assert batch.rows == sorted(batch.rows)
    for row in too_large:
        record, group = of_row[row]
        assert len(record) + overheads[group] > limits.max_bytes
    assert [batch.rows[0] for batch in batches] == sorted(batch.rows[0] for batch in batches)


@given(pages())
@settings(max_examples=100, deadline=None)
def test_batches_of_one_group_are_as_full_as_the_limits_allow(
    page: tuple[list[bytes], list[int], list[int], list[int], BatchLimits],
) -> None:
    records, rows, groups, overheads, limits = page
    batches, _ = cut(Records.of(records), rows, groups, overheads, limits)
    for group in set(groups):
        for one, following in pairwise([batch for batch in batches if batch.group == group]):
            assert (
                len(one) == limits.max_events
                or body(one, overheads[group]) + 1 + len(following.records[0]) > limits.max_bytes
            )


def test_a_record_that_fits_exactly_is_not_too_large() -> None:
    batches, too_large = cut(Records.of([b"x" * 90]), [0], [0], [10], BatchLimits(10, 100))
    assert (len(batches), too_large) == (1, [])


def test_a_record_one_byte_over_the_limit_is_too_large_and_the_rest_is_sent() -> None:
    batches, too_large = cut(
        Records.of([b"x" * 10, b"x" * 91, b"x" * 10]),
        [4, 5, 6],
        [0, 0, 0],
        [10],
        BatchLimits(10, 100),
    )
    assert (too_large, [batch.rows for batch in batches]) == ([5], [[4, 6]])


RECORDS = st.lists(st.binary(min_size=1, max_size=30), min_size=2, max_size=50)


@given(RECORDS, st.booleans())
@settings(max_examples=200, deadline=None)
def test_halves_are_two_parts_of_the_whole(records: list[bytes], by_bytes: bool) -> None:
    batch = Batch(Records.of(records), list(range(100, 100 + len(records))), group=3)
    first, second = halves(batch, by_bytes=by_bytes)
    assert [*first.records, *second.records] == records
    assert first.rows + second.rows == batch.rows
    assert (first.group, second.group) == (3, 3)
    assert len(first) >= 1
    assert len(second) >= 1
    if not by_bytes:
        assert abs(len(first) - len(second)) <= 1
    else:
        sizes = [sum(map(len, half.records)) for half in (first, second)]
        assert abs(sizes[0] - sizes[1]) <= 2 * max(map(len, records))


@given(st.integers(1, 3000), st.integers(1, 20))
@settings(max_examples=200, deadline=None)
def test_a_spread_is_a_small_sample_over_the_whole_batch(size: int, number: int) -> None:
    positions = list(sample_positions(Batch(Records.of([b"{}"] * size), list(range(size))), number))
    assert positions == sorted(set(positions))
    assert all(0 <= position < size for position in positions)
    assert min(size, number) <= len(positions) < 2 * number + 1
    gaps = [after - before for before, after in pairwise([-1, *positions, size])]
    assert max(gaps) <= 2 * -(-size // number)


# Pages: rows that are recorded together.


def page(rows: int, sent: list[list[int]], number: int = 0) -> Page:
    """A page of so many rows; those that no batch sends were rejected by ourselves."""
    own = {
        row: (RowState.REJECTED, Rejection("bad_value", "value"))
        for row in range(rows)
        if not any(row in batch for batch in sent)
    }
    batches = [
        Batch(Records.of(b'{"row":%d}' % row for row in batch), list(batch)) for batch in sent
    ]
    hashes = [b"%08d%08d" % (number, row) for row in range(rows)]
    cursors = [f"{number}.{row}" for row in range(rows)]
    upto = Mark(cursors[-1], (str(rows),))
    return Page(
        0,
        number,
        "range",
        None,
        upto,
        hashes,
        cursors,
        (pa.array(cursors),),
        own,
        batches,
        dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
        2,
    )


def test_a_page_without_some_rows_keeps_what_belongs_to_the_others() -> None:
    whole = page(6, [[0, 1], [3, 5]])
    part = whole.only([2, 3, 5])
    assert part.cursors == ["0.2", "0.3", "0.5"]
    assert [part.key(row) for row in range(3)] == [("0.2",), ("0.3",), ("0.5",)]
    assert part.hashes == [whole.hashes[2], whole.hashes[3], whole.hashes[5]]
    assert [(batch.rows, batch.records) for batch in part.batches] == [
        ([1, 2], whole.batches[1].records)
    ]
    assert set(part.own) == {0}
    assert part.upto == whole.upto


def test_two_pages_become_one_with_the_batches_of_both() -> None:
    first, second = page(3, [[0, 2]]), page(2, [[0, 1]], number=1)
    both = first.joined(second)
    assert (len(both), both.upto, both.number) == (5, second.upto, 0)
    assert [batch.rows for batch in both.batches] == [[0, 2], [3, 4]]
    assert (both.hashes, both.cursors) == (
        first.hashes + second.hashes,
        first.cursors + second.cursors,
    )
    assert [both.key(row) for row in range(5)] == [(cursor,) for cursor in both.cursors]
    assert set(both.own) == {1}


def test_a_page_is_complete_when_every_row_has_a_state() -> None:
    result = PageResult.of(page(3, [[0, 2]]))
    assert (result.states.tolist(), result.complete) == ([0, RowState.REJECTED, 0], False)
    result.states[[0, 2]] = RowState.DELIVERED
    assert result.complete


def test_a_digest_depends_on_every_byte_and_on_nothing_else() -> None:
    same, cut_otherwise, other = (
        page(4, [[0, 1], [2, 3]]),
        page(4, [[0], [1, 2, 3]], number=7),
        page(4, [[0, 1], [3, 2]]),
    )
    assert same.digest() == cut_otherwise.digest()
    assert same.digest() != other.digest()
