"""Records that share one buffer behave as a list of them would."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from connector.arrow.records import Records

TEXTS = st.lists(st.binary(max_size=20), max_size=30)


@given(TEXTS, st.data())
def test_a_part_of_a_part_is_what_a_list_would_give(
    texts: list[bytes], data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, len(texts)))
    stop = data.draw(st.integers(start, len(texts)))
    part, expected = Records.of(texts)[start:stop], texts[start:stop]
    positions = (
        data.draw(st.lists(st.integers(0, len(expected) - 1), unique=True).map(sorted))
        if expected
        else []
    )
    for records, listed in (
        (part, expected),
        (part.take(positions), [expected[position] for position in positions]),
    ):
        assert records == listed
        assert [records[index] for index in range(len(records))] == listed
        assert records.sizes().tolist() == [len(text) for text in listed]
        assert bytes(records.buffer()) == b"".join(listed)
        assert records.joined() == b",".join(listed)


def test_records_differ_from_others() -> None:
    assert Records.of([b"1", b"2"]) != Records.of([b"1"])
    assert Records.of([b"1"]) != [b"2"]
    assert Records.of([]) == []
