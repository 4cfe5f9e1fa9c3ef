"""Words at the times a model tells, and where a voice is heard, in; words that begin and end with the voice out.

A model says a word when it is sure of it: labels of CTC are spikes, which may stand tenths of a second behind the
beginning of a word; and one that hears whole utterances may say the first words before anybody speaks, and the last
ones when all is over. Where a word follows a pause, or stands before one, the sound itself tells better.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from seq2seq_core.audio.energy import FRAMES_A_SECOND, Levels, above_noise
from seq2seq_core.audio.voice import held
from seq2seq_core.engines.recognition import Word

_SMEARED_SECONDS = 0.02  # levels are means of five frames: loud ones are heard in two before and behind them
_CLOSURE_SECONDS = 0.1  # within a word it is silent so long, as before a plosive
_FARTHEST_SECONDS = 0.6
_LETTER_SECONDS = 0.1
_BEHIND_SECONDS = 0.3  # a word may be said so long after its voice has ended
_DIGITS = 3


class Voiced(NamedTuple):
    """Stretches in which a voice is heard, sorted and disjoint: float64 seconds, shape (k,) each."""

    begins: npt.NDArray[np.float64]
    ends: npt.NDArray[np.float64]


def voiced(levels: Levels, margin_db: float, begin: float) -> Voiced:
    """Where a recording stands above its noise.

    Args:
        levels: Of a part of it, by frames of 10 ms.
        margin_db: See `VoiceConfig`.
        begin: Where the part begins, in seconds of the recording.
    """
    active = held(above_noise(levels, margin_db))
    edges = np.flatnonzero(np.diff(np.concatenate([[False], active, [False]]).astype(np.int8))) / FRAMES_A_SECOND
    begins, ends = edges[::2], edges[1::2]
    begins, ends = begins + _SMEARED_SECONDS, np.maximum(ends - _SMEARED_SECONDS, begins + _SMEARED_SECONDS)
    apart = begins[1:] - ends[:-1] > _CLOSURE_SECONDS
    return Voiced(begin + begins[np.r_[True, apart][: len(begins)]], begin + ends[np.r_[apart, True][: len(ends)]])


def with_the_voice(words: Sequence[Word], heard: Voiced, begin: float, end: float) -> list[Word]:
    """The words between two pauses, in order.

    Words that stand before all voices share the time from the first voice to the next word, and those behind all of
    them the time from the word before to the last voice, by the lengths of their texts. Then the words beside a pause
    begin and end with the voice; none reaches into another.

    Args:
        words: With times in seconds of the recording, which never go back.
        heard: Where a voice is heard in the recording.
        begin: The words were heard from here on.
        end: And up to here.
    """
    inside = (heard.begins < end) & (heard.ends > begin)
    if not words or not inside.any():
        return list(words)
    first, last = max(begin, float(heard.begins[inside][0])), min(end, float(heard.ends[inside][-1]))
    words = _not_before(words, first) if first - begin <= _FARTHEST_SECONDS else words
    if end - last <= _FARTHEST_SECONDS:
        words = _backwards(_not_before(_backwards(words), -last))
    return list(_grown(words, heard, begin, end))


def _not_before(words: Sequence[Word], first: float) -> list[Word]:
    """The words, those that begin before `first` moved behind it."""
    count = sum(word.begin < first for word in words)
    early, others = words[:count], list(words[count:])
    if not early:
        return others
    until = early[-1].end
    if until <= first:
        until = min(
            [first + _LETTER_SECONDS * sum(len(word.text) for word in early), *(word.begin for word in others[:1])]
        )
    return [*_shared(early, first, until), *others] if until > first else list(words)


def _backwards(words: Sequence[Word]) -> list[Word]:
    """The words as they are in time that runs the other way."""
    return [word._replace(begin=-word.end, end=-word.begin) for word in reversed(words)]


def _shared(words: Sequence[Word], begin: float, end: float) -> Iterator[Word]:
    """The words one after the other in a stretch of time, by the lengths of their texts."""
    lengths = np.cumsum([0, *(max(1, len(word.text)) for word in words)])
    times = begin + (end - begin) * lengths / lengths[-1]
    for word, first, last in zip(words, times[:-1].tolist(), times[1:].tolist(), strict=True):
        yield word._replace(begin=round(first, _DIGITS), end=round(last, _DIGITS))


def _grown(words: Sequence[Word], heard: Voiced, begin: float, end: float) -> Iterator[Word]:
    reach = begin
    for place, word in enumerate(words):
        latest = words[place + 1].begin if place + 1 < len(words) else end
        first = _begin(word.begin, heard, reach, latest)
        reach = max(first, word.end, _end(max(first, word.end), heard, latest))
        yield word._replace(begin=round(first, _DIGITS), end=round(reach, _DIGITS))


def _begin(time: float, heard: Voiced, earliest: float, latest: float) -> float:
    """Where the voice begins that is heard at a time, or was just before, or will be: the nearest of these that no
    other word has; the time itself where there is none.
    """
    place = int(np.searchsorted(heard.begins, time, "right"))
    candidates = []
    if place and time - heard.ends[place - 1] <= _BEHIND_SECONDS and heard.begins[place - 1] >= earliest:
        candidates.append(float(heard.begins[place - 1]))
    if place < len(heard.begins) and heard.begins[place] < latest:
        candidates.append(float(heard.begins[place]))
    nearest = min(candidates, key=lambda begin: abs(time - begin), default=time)
    return nearest if abs(time - nearest) <= _FARTHEST_SECONDS else time


def _end(time: float, heard: Voiced, latest: float) -> float:
    """Where the voice ends that is heard at a time; the time itself where that is not known."""
    place = int(np.searchsorted(heard.begins, time, "right")) - 1
    if place < 0:
        return time
    end = float(heard.ends[place])
    return end if time <= end <= min(latest, time + _FARTHEST_SECONDS) else time
