"""Samples at 16 kHz in, the probability of speech in frames of 32 ms out, by the model that silero-vad brings.

The model is a file in the package's wheel (Silero Team 2024, Silero VAD). The package itself is not imported, since it
imports torch.
"""

from __future__ import annotations

import functools
import importlib.util
import os
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from seq2seq_core.audio.energy import decibels, whole_frames
from seq2seq_core.audio.terms import Samples

RATE = 16_000
FRAME = 512
_CONTEXT = 64
_AT_ONCE = 512  # frames
_LOUDEST = 8  # frames, a quarter of a second: a single click is no speech
_LEVEL, _MOST_GAIN = -16.0, 30.0  # dBFS of the loudest frames, and decibels
_RAMP = RATE // 4  # samples in which the gain goes from that of one piece to that of the next
_STATE = (1, 1, 128)
_FILE = ("data", "silero_vad_16k_sequence.onnx")


def probabilities(blocks: Iterable[Samples]) -> npt.NDArray[np.float32]:
    """Of each frame, the last filled up with zeros; blocks come one after the other, and may be of any size.

    The model overhears quiet speech, most of all at the start of a recording. So what is quiet is made louder first, by
    what is loudest within a quarter of a minute.

    Raises:
        ModuleNotFoundError: onnxruntime or silero-vad is not installed.
    """
    session = _session()
    hidden = cell = np.zeros(_STATE, np.float32)
    context = np.zeros(_CONTEXT, np.float32)
    found = []
    for piece in _raised(_pieces(blocks)):
        rows = np.empty((len(piece) // FRAME, _CONTEXT + FRAME), np.float32)
        rows[:, _CONTEXT:] = piece.reshape(-1, FRAME)
        rows[0, :_CONTEXT] = context
        rows[1:, :_CONTEXT] = rows[:-1, -_CONTEXT:]
        context = rows[-1, -_CONTEXT:].copy()
        inputs = {"input": rows, "h": hidden, "c": cell}
        scores, hidden, cell = session.run(["speech_probs", "hn", "cn"], inputs)
        found.append(np.asarray(scores, np.float32).reshape(-1))
    return np.concatenate(found) if found else np.zeros(0, np.float32)


def installed() -> bool:
    """Whether everything that is needed is."""
    return all(importlib.util.find_spec(module) is not None for module in ("onnxruntime", "silero_vad"))


def _pieces(blocks: Iterable[Samples]) -> Iterator[Samples]:
    """Whole frames, always as many at a time, wherever blocks end; the last may be fewer."""
    size = FRAME * _AT_ONCE
    for block in whole_frames(blocks, size):
        for begin in range(0, len(block), size):
            piece = block[begin : begin + size]
            yield np.pad(piece, (0, -len(piece) % FRAME))


def _raised(pieces: Iterable[Samples]) -> Iterator[Samples]:
    """The same, louder where even the loudest is quiet."""
    before: float | None = None
    for piece in pieces:
        gain = _gain(piece)
        gains = np.full(len(piece), gain, np.float32)
        ramp = min(_RAMP, len(piece))
        gains[:ramp] = np.linspace(gain if before is None else before, gain, ramp)
        yield piece * gains
        before = gain


def _gain(piece: Samples) -> float:
    powers = np.square(piece.reshape(-1, FRAME), dtype=np.float64).mean(axis=1)
    loudest = float(np.sort(powers)[-_LOUDEST:].mean())
    return float(10 ** (np.clip(_LEVEL - decibels(loudest), 0, _MOST_GAIN) / 20))


@functools.cache
def _session() -> Any:
    import onnxruntime

    package = importlib.util.find_spec("silero_vad")
    if package is None or not package.submodule_search_locations:
        raise ModuleNotFoundError("No module named 'silero_vad'", name="silero_vad")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    path = os.path.join(package.submodule_search_locations[0], *_FILE)
    return onnxruntime.InferenceSession(path, sess_options=options, providers=["CPUExecutionProvider"])
