"""Samples in, where someone speaks out: spans of samples, by a neural model or by energy alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Literal

import numpy as np
import numpy.typing as npt
import pydantic

from seq2seq_core.audio import energy, silero
from seq2seq_core.audio.signal import resampled
from seq2seq_core.audio.terms import Samples
from seq2seq_core.config import Config

Spans = npt.NDArray[np.int64]
"""Begin and end of each span in samples, shape (k, 2): sorted, disjoint, none empty."""

Active = npt.NDArray[np.bool_]
"""Whether each frame is speech."""

_LESS_PROBABLE = 0.15
_LESS_LOUD = 0.6
_LATE = 1  # frames that the model hears speech begin and end too late


class VoiceConfig(Config):
    """Where speech begins and ends."""

    method: Literal["auto", "silero", "energy"] = pydantic.Field(
        default="auto", description="auto is silero where onnxruntime and silero-vad are installed, else energy."
    )
    threshold: float = pydantic.Field(default=0.35, gt=0, lt=1, description="silero: from which probability on.")
    margin_db: float = pydantic.Field(default=9.0, gt=0, le=60, description="energy: so far above the noise.")
    min_speech: float = pydantic.Field(default=0.1, ge=0, le=60, description="Seconds; shorter speech is none.")
    min_pause: float = pydantic.Field(default=0.2, ge=0, le=60, description="Seconds; shorter pauses are speech.")
    pad: float = pydantic.Field(default=0.3, ge=0, le=60, description="Seconds added on both sides of speech.")


def speech_spans(x: Samples, rate: int, config: VoiceConfig) -> Spans:
    """Where speech stands in a recording.

    Raises:
        ModuleNotFoundError: The method needs a package that is not installed.
    """
    return spans_of_blocks([x], rate, config)


def spans_of_blocks(blocks: Iterable[Samples], rate: int, config: VoiceConfig) -> Spans:
    """The same for samples that come one block after the other, in memory that their length hardly adds to."""
    total = 0

    def counted() -> Iterator[Samples]:
        nonlocal total
        for block in blocks:
            total += len(block)
            yield block

    active, seconds = _METHODS[chosen(config)](counted(), rate, config)
    return _spans(active, seconds, rate, total, config)


def chosen(config: VoiceConfig) -> str:
    """The method that is taken on this machine."""
    if config.method != "auto":
        return config.method
    return "silero" if silero.installed() else "energy"


def _by_silero(blocks: Iterable[Samples], rate: int, config: VoiceConfig) -> tuple[Active, float]:
    scores = silero.probabilities(resampled(blocks, rate, silero.RATE))
    active = _held(scores, config.threshold, config.threshold - _LESS_PROBABLE)
    return np.concatenate([active[_LATE:], active[-1:].repeat(_LATE)]), silero.FRAME / silero.RATE


def _by_energy(blocks: Iterable[Samples], rate: int, config: VoiceConfig) -> tuple[Active, float]:
    scores = energy.above_noise(energy.levels_of(blocks, rate), config.margin_db)
    return held(scores), energy.frame_size(rate) / rate


_METHODS: dict[str, Callable[[Iterable[Samples], int, VoiceConfig], tuple[Active, float]]] = {
    "silero": _by_silero,
    "energy": _by_energy,
}


def held(above: npt.NDArray[np.float32]) -> Active:
    """The frames of speech, by how far each stands above the noise (`energy.above_noise`)."""
    return _held(above, 1, _LESS_LOUD)


def _held(scores: npt.NDArray[np.float32], begin: float, end: float) -> Active:
    """Frames from one that reaches `begin` on, until one falls below `end`."""
    turns = np.where(scores >= begin, 1, np.where(scores < end, 0, -1))
    last = np.maximum.accumulate(np.where(turns >= 0, np.arange(len(turns)), -1))
    return np.asarray((last >= 0) & (turns[np.maximum(last, 0)] == 1))


def _spans(active: Active, frame: float, rate: int, total: int, config: VoiceConfig) -> Spans:
    """Runs of active frames of so many seconds, joined over short pauses, without short ones, and padded."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], active, [False]]).astype(np.int8)))
    begins, ends = edges[::2], edges[1::2]
    begins, ends = _joined(begins, ends, config.min_pause / frame)
    long = (ends - begins) * frame >= config.min_speech
    begins, ends = begins[long], ends[long]
    begins = np.maximum(np.rint((begins * frame - config.pad) * rate), 0).astype(np.int64)
    ends = np.minimum(np.rint((ends * frame + config.pad) * rate), total).astype(np.int64)
    begins, ends = _joined(begins, ends, 1)
    return np.stack([begins, ends], axis=1) if len(begins) else np.zeros((0, 2), np.int64)


def _joined(
    begins: npt.NDArray[np.int64], ends: npt.NDArray[np.int64], shortest: float
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Spans whose pauses last so long at least; those closer together are one."""
    if not len(begins):
        return begins, ends
    apart = begins[1:] - ends[:-1] >= shortest
    return begins[np.concatenate([[True], apart])], ends[np.concatenate([apart, [True]])]
