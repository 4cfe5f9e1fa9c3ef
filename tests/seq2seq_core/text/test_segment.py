# ruff: noqa: RUF001 - the letters are those of the languages

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence

import pytest
from hypothesis import example, given
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
    mode=st.sampled_from(["line", "document", "whole"]),
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
        assert "\n" not in piece or config.mode == "whole"
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


def test_a_long_line_without_spaces_is_cut_at_clauses() -> None:
    assert cut("今天下雨，我们回家；明天再来。", max_segment_pieces=6).segments == (
        "今天下雨，",
        "我们回家；",
        "明天再来。",
    )


def test_a_cut_in_a_sentence_without_spaces_follows_the_target() -> None:
    found = cut("今天是星期一我们都在家", max_segment_pieces=6)
    assert found.segments == ("今天是星期", "一我们都在家")
    assert found.inside == frozenset()
    assert found.join(["It is Monday", "we are at home"], spaced=True) == "It is Monday we are at home"
    assert found.join(["今日は", "月曜"]) == "今日は月曜"
    assert found.join(found.segments, spaced=True) == "今天是星期一我们都在家"


def test_a_cut_inside_a_word_stays_closed() -> None:
    found = cut("see aHR0cHM6Ly9leGFtcGxl now", max_segment_pieces=8)
    assert found.segments == ("see", "aHR0c", "HM6Ly", "9leGF", "tcGxl", "now")
    assert found.inside == frozenset({2, 3, 4})
    assert found.join(["siehe", "aH", "M6", "9l", "cG", "jetzt"], spaced=True) == "siehe aHM69lcG jetzt"
    assert found.join(["siehe", "aH", "", "", "cG", "jetzt"], spaced=True) == "siehe aHcG jetzt"


def test_a_cut_between_sentences_is_open_beside_one_inside_a_word() -> None:
    found = cut("It is.So it is aHR0cHM6Ly9l.", max_segment_pieces=10, mode="document")
    assert found.segments == ("It is.", "So it is", "aHR0cH", "M6Ly9l.")
    assert found.join(["Ja.", "So ist", "aH", "6L"], spaced=True) == "Ja. So ist aH6L"


def test_an_output_that_is_empty_leaves_one_gap() -> None:
    found = cut("一。二。三。\n四。", mode="document", language="zh")
    assert found.join(["One.", "", "Three.", "Four."], spaced=True) == "One. Three.\nFour."
    assert found.join(["", "", "Three.", ""], spaced=True) == "Three.\n"
    assert found.join(["", "", "", ""]) == "\n"


def test_gaps_between_outputs_fit_them_and_line_ends_stay() -> None:
    found = cut("  One.  Two.\tThree.\r\n\n Four.Five. ", mode="document")
    assert found.segments == ("One.", "Two.", "Three.", "Four.", "Five.")
    assert found.join(["Un.", "Deux.", "Trois.", "Quatre.", "Cinq."]) == "  Un.  Deux.\tTrois.\r\n\n Quatre. Cinq. "
    assert found.join(["一。", "二。", "三。", "四。", "五。"]) == "  一。二。\t三。\r\n\n 四。五。 "
    assert found.join(["1", "2", "3", "4", "5"], spaced=False) == "  12\t3\r\n\n 45 "


@example(["0\n0"], SegmentConfig(mode="whole", max_segment_pieces=3), None)
@given(st.lists(TEXTS, max_size=3), CONFIGS, st.sampled_from([None, True, False]))
def test_outputs_are_never_lost_and_lines_stay(texts: list[str], config: SegmentConfig, spaced: bool | None) -> None:
    for text, found in zip(texts, segment(texts, config, characters), strict=True):
        outputs = [f"<{number}>" for number, _ in enumerate(found.segments)]
        joined = found.join(outputs, spaced)
        assert re.findall("<[0-9]+>", joined) == outputs
        translated = "".join(found.segments).count("\n")  # none but in mode whole, as is shown above
        assert joined.count("\n") == text.count("\n") - translated
        assert found.join(found.segments, spaced) == text
        assert found.join(outputs, spaced, outputs) == "".join(
            map("".join, zip(found.gaps, [*outputs, ""], strict=True))
        )


def test_a_list_keeps_its_numbers_and_long_ones_are_still_cut() -> None:
    assert cut("1. The cat sat. 2. The dog ran.", mode="document").segments == ("1. The cat sat.", "2. The dog ran.")
    assert cut("1. The cat sat.", words, mode="document", max_segment_pieces=2).segments == ("1. The", "cat sat.")


@pytest.mark.parametrize("word", ["english", "../x", "", "en\n"])
def test_a_language_is_a_code_of_iso_639(word: str) -> None:
    with pytest.raises(ValueError, match="no language of ISO 639"):
        SegmentConfig(language=word)


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


def test_a_whole_text_is_cut_into_as_few_parts_as_it_takes_of_about_the_same_length() -> None:
    sentences = [f"One two three {number}." for number in range(6)]
    text = "\n".join(" ".join(sentences[first : first + 2]) for first in (0, 2, 4))
    assert cut(text, words, mode="whole", max_segment_pieces=24).segments == (text,)
    found = cut(text, words, mode="whole", max_segment_pieces=20)
    assert [words([part])[0] for part in found.segments] == [12, 12]
    assert not found.is_cut
    assert found.join(found.segments) == text
    assert found.beginning.segments == found.segments[:1]
    assert found.beginning.is_cut
    assert found.beginning.join(["x"]) == "x"


def test_parts_are_those_of_whole_texts() -> None:
    with pytest.raises(ValueError, match="parts is combine, but mode is auto"):
        SegmentConfig(parts="combine")
    assert "parts" not in SegmentConfig().identity()
    assert SegmentConfig(mode="whole").identity()["parts"] == "join"
