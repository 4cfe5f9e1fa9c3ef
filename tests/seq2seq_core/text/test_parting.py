from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from seq2seq_core.text.marks import MARKS, mark
from seq2seq_core.text.parting import parted, without_edges
from seq2seq_core.text.segment import SegmentConfig, segment

A, B = mark(0), mark(1)
TEXTS = st.lists(st.sampled_from(["a", "word", " ", A, B, ". B", "\x0b", "\n"]), max_size=20).map("".join)


@given(TEXTS, st.integers(1, 9), st.sampled_from(["line", "document"]))
def test_nothing_is_lost_and_marks_move_into_the_gaps(text: str, limit: int, mode: str) -> None:
    config = SegmentConfig.model_validate({"mode": mode, "max_segment_pieces": limit})
    (cut,) = segment([text], config, lambda texts: [len(one) for one in texts])
    for record in (without_edges(cut), parted(cut, cut.segments), parted(without_edges(cut), cut.segments)):
        assert record.join(record.segments) == text
        assert all(record.segments)
        assert all(place < len(record.gaps) and not record.gaps[place] for place in record.inside)
    assert not any(MARKS.match(one[0]) or MARKS.match(one[-1]) for one in without_edges(cut).segments)
    assert not any(MARKS.search(one) for one in parted(cut, cut.segments).segments)


def test_sentences_end_as_if_there_were_no_markup() -> None:
    text = f"{A}First one.{B} Second\x0bone. {A}Third{B}."
    (record,) = segment([text], SegmentConfig(mode="document"), lambda texts: [1 for _ in texts])
    assert record.segments == (f"{A}First one.{B}", "Second\x0bone.", f"{A}Third{B}.")
    assert without_edges(record).segments == ("First one.", "Second\x0bone.", f"Third{B}.")


def test_what_is_not_cut_is_the_same() -> None:
    (record,) = segment(["a b"], SegmentConfig(), lambda texts: [1 for _ in texts])
    assert parted(record, {"c"}) is record
    assert without_edges(record) is record


def test_a_sentence_that_is_too_long_is_told() -> None:
    def pieces(texts: list[str]) -> list[int]:
        return [len(one.split()) for one in texts]

    config = SegmentConfig(mode="document", max_segment_pieces=3)
    short, long = segment(["One two three. Four.", "One two three four. Five."], config, pieces)
    assert (short.is_cut, long.is_cut) == (False, True)
