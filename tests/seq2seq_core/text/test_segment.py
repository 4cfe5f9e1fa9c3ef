from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_core.text.segment import SegmentConfig, Segmented, segment


def words(texts: Sequence[str]) -> list[int]:
    """A measure that counts white-space separated words."""
    return [len(text.split()) for text in texts]


def characters(texts: Sequence[str]) -> list[int]:
    return [len(text) for text in texts]


def cut(text: str, count: object = characters, **options: object) -> Segmented:
    (found,) = segment([text], SegmentConfig.model_validate(options), count)  # type: ignore[arg-type]
    return found


TEXTS = st.text(
    st.sampled_from("abcé中。.!? \t\r\n\n\u00a0\u0085\u2028\u3000\x0b\x0c\x1c\U0001f600\u0301\"'")
    | st.characters(codec="utf-8"),
    max_size=60,
)
CONFIGS = st.builds(
    SegmentConfig,
    mode=st.sampled_from(["line", "document"]),
    max_segment_pieces=st.integers(1, 30),
    language=st.sampled_from([None, "en", "de", "zh", "ja", "und"]),
)


@given(st.lists(TEXTS, max_size=4), CONFIGS, st.sampled_from([words, characters]))
def test_the_identity_gives_every_text_back(texts: list[str], config: SegmentConfig, count: object) -> None:
    found = segment(texts, config, count)  # type: ignore[arg-type]
    assert [record.join(record.segments) for record in found] == texts


@given(TEXTS, CONFIGS)
def test_segments_are_trimmed_stay_in_their_line_and_keep_the_limit(text: str, config: SegmentConfig) -> None:
    (found,) = segment([text], config, characters)
    for piece in found.segments:
        assert piece
        assert piece == piece.strip()
        assert "\n" not in piece
        assert len(piece) <= config.max_segment_pieces
    assert all(gap.isspace() or not gap for gap in found.gaps)
    assert len(found.gaps) == len(found.segments) + 1


@given(st.lists(TEXTS, max_size=4), CONFIGS)
def test_a_text_is_cut_the_same_alone_and_among_others(texts: list[str], config: SegmentConfig) -> None:
    assert segment(texts, config, characters) == [segment([text], config, characters)[0] for text in texts]


def test_only_line_feeds_end_lines_and_blank_lines_stay() -> None:
    found = cut("one\r\n\n  two\u2028still two\t\n\x0cthree\n")
    assert found.segments == ("one", "two\u2028still two", "three")
    assert found.join(["1", "2", "3"]) == "1\r\n\n  2\t\n\x0c3\n"


def test_a_line_is_one_segment_and_a_document_has_one_a_sentence() -> None:
    text = "Mr. Smith left. He was late!\nNobody knew why."
    assert cut(text).segments == ("Mr. Smith left. He was late!", "Nobody knew why.")
    assert cut(text, mode="document").segments == ("Mr. Smith left.", "He was late!", "Nobody knew why.")


def test_sentences_of_a_long_line_are_packed_together_up_to_the_limit() -> None:
    text = "The cat sat. The dog ran. The bird sang. The fish swam."
    halves = ("The cat sat. The dog ran.", "The bird sang. The fish swam.")
    assert cut(text, words, max_segment_pieces=7).segments == halves
    assert cut(text, words, max_segment_pieces=11).segments == (text[:40], text[41:])
    assert cut(text, words, max_segment_pieces=12).segments == (text,)


def test_words_of_a_long_sentence_are_packed_together_up_to_the_limit() -> None:
    assert cut("a b  c d e", words, max_segment_pieces=2).segments == ("a b", "c d", "e")
    assert cut("a b  c d e", words, max_segment_pieces=2).gaps == ("", "  ", " ", "")


def test_a_long_word_is_halved_until_it_fits() -> None:
    assert cut("abcdefgh ij", max_segment_pieces=3).segments == ("ab", "cd", "ef", "gh", "ij")
    assert cut("中文没有空格", max_segment_pieces=3).segments == ("中文没", "有空格")


def test_one_character_over_the_limit_stays_whole() -> None:
    found = cut("a\U0001f600b", lambda texts: [len(text.encode()) for text in texts], max_segment_pieces=2)
    assert found.segments == ("a", "\U0001f600", "b")


def test_a_blank_text_has_no_segments() -> None:
    assert cut("") == Segmented((), ("",))
    assert cut(" \n\t\n") == Segmented((), (" \n\t\n",))


def test_a_million_blank_lines_take_no_time() -> None:
    text = "\n" * 1_000_000 + "x"
    assert cut(text).join(["y"]) == "\n" * 1_000_000 + "y"


def test_each_distinct_text_is_counted_once() -> None:
    seen: list[str] = []

    def count(texts: Sequence[str]) -> list[int]:
        seen.extend(texts)
        return words(texts)

    segment(["a b c d\na b c d", "a b c d", "e"], SegmentConfig(max_segment_pieces=3), count)
    assert len(seen) == len(set(seen))


def test_sentences_may_not_be_joined_with_words_between() -> None:
    with pytest.raises(ValueError, match="zip"):
        Segmented(("a", "b"), ("", " ", "")).join(["only one"])


def test_cutting_imports_no_torch() -> None:
    code = "import sys, seq2seq_core.text.segment; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
