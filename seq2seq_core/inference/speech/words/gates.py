"""What a model says of a chunk in, what is believed of it out: silence and noise give no text, nothing runs on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import Field

from seq2seq_core.config import Config
from seq2seq_core.decoding.loops import FEWEST_REPETITIONS, find_loops
from seq2seq_core.engines.recognition import SILENCE, Recognized, Word

_LONGEST_REPEATED = 8


class GateConfig(Config):
    """What is taken for speech."""

    max_loss: float | None = Field(
        2.0,
        ge=0,
        le=1000,
        description="mean loss of a token, in nats, above which a text is invented; null believes all",
    )
    no_speech: float = Field(
        0.6, ge=0, le=1, description="of models that tell how probable it is that nobody speaks: from where on"
    )
    no_speech_loss: float = Field(
        1.0, ge=0, le=1000, description="up to which loss a text is believed all the same, where that is reached"
    )


class Believed(NamedTuple):
    """What a chunk says.

    Attributes:
        recognized: Without what is not believed.
        cut: Whether the length limit ended it.
        looping: Whether it says the same over and over; where the length limit ended that, it is said once.
    """

    recognized: Recognized
    cut: bool = False
    looping: bool = False


def believed(found: Recognized, gate: GateConfig) -> Believed:
    """What is left of what a model says."""
    if not found.text.strip() or _is_invented(found, gate):
        return Believed(SILENCE)
    looping = _repeats([word.text for word in found.words])
    if looping and not found.finished:
        words = without_repetitions(found.words)
        found = found._replace(words=words, text=" ".join(word.text for word in words))
    return Believed(found, not found.finished, looping)


def _is_invented(found: Recognized, gate: GateConfig) -> bool:
    if found.score is None:
        return (found.no_speech or 0) > gate.no_speech
    if gate.max_loss is not None and -found.score > gate.max_loss:
        return True
    return (found.no_speech or 0) > gate.no_speech and -found.score > gate.no_speech_loss


def _repeats(texts: Sequence[str]) -> bool:
    if max(Counter(texts).values(), default=0) < FEWEST_REPETITIONS:
        return False
    return bool(find_loops([_ids(texts)], [np.zeros(0, np.int32)])[0])


def without_repetitions(words: Sequence[Word]) -> tuple[Word, ...]:
    """Words of which what is said several times in a row, up to 8 words, is said once."""
    ids = _ids([word.text for word in words])
    kept = np.arange(len(words))
    for length in range(1, _LONGEST_REPEATED + 1):
        kept = kept[_first_times(ids[kept], length)]
    return tuple(words[place] for place in kept.tolist())


def _first_times(ids: npt.NDArray[np.int32], length: int) -> npt.NDArray[np.bool_]:
    """Which of the ids do not end a copy of the `length` ids just before (all ids of the copy are left out)."""
    first = np.ones(len(ids), np.bool_)
    same = np.concatenate([np.zeros(length, np.bool_), ids[length:] == ids[:-length]]) if len(ids) > length else ~first
    run = 0
    for place, is_same in enumerate(same.tolist()):
        run = run + 1 if is_same else 0
        if run and run % length == 0:
            first[place - length + 1 : place + 1] = False
    return first


def _ids(texts: Sequence[str]) -> npt.NDArray[np.int32]:
    known: dict[str, int] = {}
    return np.array([known.setdefault(text, len(known)) for text in texts], np.int32)
