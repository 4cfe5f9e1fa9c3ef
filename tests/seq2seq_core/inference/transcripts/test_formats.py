"""Every format: what it writes of segments, of a recording without speech, and of one that failed."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_core.engines.recognition import Word
from seq2seq_core.inference.transcripts.cues import CUE_SECONDS, LINE_CHARACTERS, LINES, clock, cues_of
from seq2seq_core.inference.transcripts.table import FORMATS
from seq2seq_core.inference.transcripts.terms import Segment, Spoken

WORDS = (Word("Hello", 0.5, 0.9, -0.1), Word("<you>", 1.0, 1.25))
SEGMENTS = (
    Segment(0.5, 1.25, "Hello <you>", WORDS, -0.12),
    Segment(3661.0, 3662.5, "Again", (Word("Again", 3661.0, 3662.5),), None, cut=True, looping=True),
)
TALK = Spoken("in/my talk.flac", "my talk", 3700.0, SEGMENTS)
SILENT = Spoken("in/b.flac", "b", 2.0, ())
FAILED = Spoken("in/c.flac", "c", 0.0, (), failure="empty: the audio has no samples")


def rendered(name: str, *recordings: Spoken) -> str:
    data = FORMATS[name].render(recordings or (TALK,))
    assert not data or data.endswith(b"\n")
    return data.decode()


def test_subrip() -> None:
    assert rendered("srt") == (
        "1\n00:00:00,500 --> 00:00:01,250\nHello <you>\n\n2\n01:01:01,000 --> 01:01:02,500\nAgain\n"
    )


def test_web_subtitles() -> None:
    assert rendered("vtt") == (
        "WEBVTT\n\n00:00:00.500 --> 00:00:01.250\nHello &lt;you&gt;\n\n01:01:01.000 --> 01:01:02.500\nAgain\n"
    )


def test_text_alone() -> None:
    assert rendered("txt") == "Hello <you>\nAgain\n"


def test_words_with_times() -> None:
    assert rendered("ctm") == (
        "my_talk 1 0.500 0.400 Hello 0.9048\nmy_talk 1 1.000 0.250 <you>\nmy_talk 1 3661.000 1.500 Again\n"
    )


def test_segments_with_times() -> None:
    assert rendered("tsv") == "start\tend\ttext\n500\t1250\tHello <you>\n3661000\t3662500\tAgain\n"


def test_an_object() -> None:
    found = json.loads(rendered("json"))
    assert (found["audio"], found["duration"], found["text"]) == ("in/my talk.flac", 3700.0, "Hello <you> Again")
    first, second = found["segments"]
    assert first["words"][0] == {"text": "Hello", "begin": 0.5, "end": 0.9, "score": -0.1}
    assert "cut" not in first
    assert (second["cut"], second["looping"], second["score"]) == (True, True, None)


def test_a_manifest_has_a_line_for_every_recording() -> None:
    rows = [json.loads(line) for line in rendered("jsonl", TALK, SILENT, FAILED).splitlines()]
    assert [row["audio_filepath"] for row in rows] == ["in/my talk.flac", "in/b.flac", "in/c.flac"]
    assert [row["text"] for row in rows] == ["Hello <you> Again", "", ""]
    assert [row.get("error") for row in rows] == [None, None, "empty: the audio has no samples"]


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("recording", [SILENT, FAILED], ids=["silent", "failed"])
def test_a_recording_without_text_has_its_place(name: str, recording: Spoken) -> None:
    text = rendered(name, recording)
    assert text in ("", "WEBVTT\n", "start\tend\ttext\n") or json.loads(text)["segments"] == []


@pytest.mark.parametrize("name", FORMATS)
def test_a_text_of_several_lines_breaks_no_format(name: str) -> None:
    odd = Spoken("a", "a", 9.0, (Segment(0, 1, "a\n\n2\tb", (Word("a\n\n2\tb", 0, 1),)),))
    found = rendered(name, odd)
    if "{" not in found:
        assert (
            len(found.splitlines())
            == len(rendered(name, odd._replace(segments=(Segment(0, 1, "ab", ()),))).splitlines())
            or name == "ctm"
        )


@given(st.lists(st.tuples(st.text("abc.?", min_size=1, max_size=60), st.floats(0, 3), st.floats(0, 3)), max_size=40))
def test_cues_hold_every_word_once_and_can_be_read(speech: list[tuple[str, float, float]]) -> None:
    words, at = [], 0.0
    for text, seconds, pause in speech:
        words.append(Word(text, at, at + seconds))
        at += seconds + pause
    text = " ".join(word.text for word in words)
    segments = (Segment(0, at, text, tuple(words)),) if words else ()
    cues = list(cues_of([Spoken("a", "a", at, segments)]))
    said = "".join("".join(cue.lines) for cue in cues)
    assert re.sub(r"\s", "", said) == re.sub(r"\s", "", text)
    for cue in cues:
        assert all(len(line) <= LINE_CHARACTERS for line in cue.lines)
        if sum(word.begin >= cue.begin and word.end <= cue.end for word in words) > 1:
            assert cue.end - cue.begin <= CUE_SECONDS or cue.end - cue.begin == pytest.approx(CUE_SECONDS)
            assert len(cue.lines) <= LINES + 1


def test_a_sentence_begins_a_cue_where_the_one_before_is_half_full() -> None:
    texts = ["This", "is", "a", "sentence", "of", "some", "forty", "characters", "here.", "And", "more."]
    words = tuple(Word(text, place / 2, place / 2 + 0.4) for place, text in enumerate(texts))
    (first, second) = cues_of([Spoken("a", "a", 9, (Segment(0, 9, " ".join(texts), words),))])
    assert (first.lines[-1].endswith("here."), second.lines) == (True, ("And more.",))


def test_languages_without_spaces_get_none() -> None:
    words = tuple(Word(text, place, place + 1) for place, text in enumerate("你好世界"))
    (cue,) = cues_of([Spoken("a", "a", 4, (Segment(0, 4, "你好世界", words),))])
    assert cue.lines == ("你好世界",)


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0, "00:00:00,000"), (59.9996, "00:01:00,000"), (36_000.5, "10:00:00,500")]
)
def test_clocks(seconds: float, shown: str) -> None:
    assert clock(seconds, ",") == shown
