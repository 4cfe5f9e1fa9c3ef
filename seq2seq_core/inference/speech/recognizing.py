"""A unit of speech in, what is said in each of its parts out: read, cut, heard together, sieved, joined."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pydantic

from seq2seq_core.audio.energy import frame_levels
from seq2seq_core.audio.terms import AudioError, Samples
from seq2seq_core.audio.voice import speech_spans
from seq2seq_core.engines.recognition import Recognized, Recognizer, Word
from seq2seq_core.inference.isolation import isolated
from seq2seq_core.inference.speech.chunks import Chunk, cut_span, heard_together
from seq2seq_core.inference.speech.config import TranscriberConfig
from seq2seq_core.inference.speech.examining import told
from seq2seq_core.inference.speech.reading import read_part
from seq2seq_core.inference.speech.terms import Part, SpeechUnit
from seq2seq_core.inference.speech.words.gates import Believed, believed
from seq2seq_core.inference.speech.words.joining import Heard, join
from seq2seq_core.inference.speech.words.onsets import Voiced, voiced, with_the_voice
from seq2seq_core.inference.transcripts.terms import Segment

_DIGITS = 3
"""Times are told in thousandths of a second, and scores of a logarithm."""


class PartSpeech(pydantic.BaseModel):
    """What is said in a part of a recording; times in seconds of the recording.

    Attributes:
        speech: So many seconds are speech.
        problem: Why the part, or some of it, could not be transcribed.
    """

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    segments: tuple[Segment, ...] = ()
    speech: float = 0.0
    problem: str | None = None


class _Cut(NamedTuple):
    """A part that was read, and its chunks in which somebody speaks; those of one list follow without a pause."""

    samples: Samples
    chunks: list[list[Chunk]]
    speech: float
    voiced: Voiced
    problem: str | None = None


def recognize(unit: SpeechUnit, recognizer: Recognizer, config: TranscriberConfig) -> list[PartSpeech]:
    """What is said in each part; a part that cannot be read, and a chunk that the model fails on, fail alone.

    Raises:
        InputError: A file has changed since it was looked at.
        Seq2SeqError: The engine fails even on an empty chunk.
    """
    cuts = [_read_and_cut(part, recognizer, config) for part in unit.parts]
    chunks = [cut.samples[chunk.begin : chunk.end] for cut in cuts for together in cut.chunks for chunk in together]
    outcomes = iter(
        isolated(
            lambda some: recognizer.recognize(some, config.search), chunks, np.zeros(0, np.float32), "chunks of speech"
        )
    )
    return [
        _part_speech(part, cut, outcomes, recognizer.rate, config) for part, cut in zip(unit.parts, cuts, strict=True)
    ]


def _read_and_cut(part: Part, recognizer: Recognizer, config: TranscriberConfig) -> _Cut:
    rate = recognizer.rate
    try:
        x = read_part(part, rate, config.channel)
    except AudioError as error:
        nothing = np.zeros(0, np.float32)
        return _Cut(nothing, [], 0.0, voiced(nothing, config.voice.margin_db, 0.0), told(error))
    spans = speech_spans(x, rate, config.voice)
    levels, longest = frame_levels(x, rate), config.chunks.longest or recognizer.longest
    chunks = [
        chunk
        for span in heard_together(spans.tolist(), rate, longest, config.chunks.pause)
        for chunk in cut_span(levels, rate, span, longest, config.chunks)
    ]
    heard = voiced(levels, config.voice.margin_db, part.begin / part.recording.rate)
    return _Cut(x, list(_together(chunks)), float((spans[:, 1] - spans[:, 0]).sum()) / rate, heard)


def _together(chunks: Sequence[Chunk]) -> Iterator[list[Chunk]]:
    """The chunks between two pauses."""
    held: list[Chunk] = []
    for chunk in chunks:
        if held and not chunk.shares:
            yield held
            held = []
        held.append(chunk)
    if held:
        yield held


def _part_speech(
    part: Part, cut: _Cut, outcomes: Iterator[Recognized | str], rate: int, config: TranscriberConfig
) -> PartSpeech:
    """What is said in a part; takes as many outcomes as it has chunks."""
    begin = part.begin / part.recording.rate
    segments: list[Segment] = []
    problem = cut.problem
    for together in cut.chunks:
        found: list[tuple[Chunk, Believed]] = []
        for chunk in together:
            outcome = next(outcomes)
            if isinstance(outcome, str):
                where = f"{begin + chunk.begin / rate:.2f} s to {begin + chunk.end / rate:.2f} s"
                problem = problem or f"engine: {where}: {outcome}"
            else:
                found.append((chunk, believed(outcome, config.gate)))
        segments += _segment(found, begin, rate, cut.voiced)
    return PartSpeech(segments=tuple(segments), speech=round(cut.speech, _DIGITS), problem=problem)


def _segment(found: list[tuple[Chunk, Believed]], begin: float, rate: int, voice: Voiced) -> Iterator[Segment]:
    """What is said between two pauses; nothing where nothing is."""
    spoken = [(chunk, one) for chunk, one in found if one.recognized.text.strip()]
    if not spoken:
        return
    heard = [_heard(chunk, one.recognized, begin, rate) for chunk, one in spoken]
    words = with_the_voice(join(heard), voice, heard[0].begin, heard[-1].end)
    first, last = spoken[0][0], spoken[-1][0]
    scores = [(one.recognized.score, len(one.recognized.words)) for _, one in spoken]
    yield Segment(
        begin=words[0].begin if words else round(begin + first.begin / rate, _DIGITS),
        end=words[-1].end if words else round(begin + last.end / rate, _DIGITS),
        text=_text([one.recognized for _, one in spoken], words),
        words=tuple(words),
        score=_mean(scores),
        cut=any(one.cut for _, one in spoken),
        looping=any(one.looping for _, one in spoken),
    )


def _heard(chunk: Chunk, found: Recognized, begin: float, rate: int) -> Heard:
    """The words of a chunk, by the time of the recording."""
    start = begin + chunk.begin / rate
    words = tuple(_moved(word, start) for word in found.words)
    return Heard(start, begin + chunk.end / rate, words)


def _moved(word: Word, start: float) -> Word:
    score = None if word.score is None else round(word.score, _DIGITS)
    begin, end = round(start + word.begin, _DIGITS), round(start + word.end, _DIGITS)
    return Word(word.text, begin, end, score)


def _text(found: list[Recognized], words: Sequence[Word]) -> str:
    """The text of one chunk as it is; that of several from their words, with spaces between where they have them."""
    if len(found) == 1:
        return found[0].text.strip()
    has_spaces = any(" " in one.text.strip() for one in found)
    return (" " if has_spaces else "").join(word.text for word in words)


def _mean(scores: list[tuple[float | None, int]]) -> float | None:
    """The mean of scores by the words they are of; None where one is not known."""
    known = [(score, max(1, words)) for score, words in scores if score is not None]
    if len(known) < len(scores):
        return None
    return round(sum(score * words for score, words in known) / sum(words for _, words in known), _DIGITS)
