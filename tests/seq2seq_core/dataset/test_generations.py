"""The journal of a dataset: which records count, whatever was folded, in part or as a whole."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from seq2seq_core.dataset.generations import Span, chain, record_path, span_of

Folds = list[tuple[int, int]]


@given(st.integers(0, 30), st.lists(st.tuples(st.integers(0, 9), st.integers(2, 9)), max_size=6), st.data())
def test_the_records_that_reach_furthest_cover_every_generation_once(
    last: int, folds: Folds, data: st.DataObject
) -> None:
    spans: list[Span] = [(index, index) for index in range(last + 1)]
    for begin, count in folds:  # each fold takes neighbours of what stands, as a run does
        standing = chain(spans)
        chosen = standing[begin : begin + count]
        if len(chosen) > 1:
            spans.append((chosen[0][0], chosen[-1][1]))
    found = chain(spans)
    covered = [index for first, end in found for index in range(first, end + 1)]
    assert covered == list(range(last + 1))
    superseded = [span for span in spans if span not in found]
    gone = data.draw(st.lists(st.sampled_from(superseded), unique=True)) if superseded else []
    assert chain([span for span in spans if span not in gone]) == found  # what others stand in the place of may go


def test_a_hole_ends_the_chain_and_only_what_reaches_up_to_a_generation_counts() -> None:
    assert chain([(0, 0), (1, 1), (3, 3)]) == [(0, 0), (1, 1)]
    assert chain([(1, 1)]) == []
    assert chain([(0, 0), (1, 1), (0, 1), (2, 2)], last=0) == [(0, 0)]
    assert chain([(0, 0), (1, 1), (0, 1), (2, 2)]) == [(0, 1), (2, 2)]


def test_names_of_records_are_read_back() -> None:
    for span in ((0, 0), (7, 7), (0, 63), (99_999, 123_456)):
        assert span_of(record_path(span).rpartition("/")[2]) == span
    assert [span_of(name) for name in ("x.json", "1.json", ".00001.json.tmp", "00001-.json")] == [None] * 4
