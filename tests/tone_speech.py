"""Recordings of tones for tests, with the words that the tone recogniser hears in them, and when."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import soundfile

from seq2seq_core.engines.recognition import Word
from seq2seq_core.engines.tones import LOWEST_HZ, STEP_HZ, TONES

Signal = npt.NDArray[np.float64]


class Talk(NamedTuple):
    """Samples of one channel, and what is said in them."""

    samples: Signal
    words: tuple[Word, ...]
    rate: int

    @property
    def texts(self) -> list[str]:
        return [word.text for word in self.words]


def tone(number: int, seconds: float, rate: int = 16_000) -> Signal:
    """The tone that is the word of a number."""
    times = np.arange(round(seconds * rate)) / rate
    wave: Signal = 0.3 * np.sin(2 * np.pi * (LOWEST_HZ + STEP_HZ * number) * times)
    return wave


def talk(seconds: float, seed: int = 0, rate: int = 16_000, *, pauses: bool = True) -> Talk:
    """Words of 0.2 to 0.3 seconds over faint noise; now and then a pause, or none but the shortest."""
    draw = np.random.default_rng(seed)
    parts: list[Signal] = []
    words: list[Word] = []
    at = 0
    while at < (seconds - 0.4) * rate:
        said = tone(number := int(draw.integers(TONES)), draw.uniform(0.2, 0.3), rate)
        gap = 0.6 if pauses and draw.random() < 0.3 else 0.06
        words.append(Word(f"tone{number}", at / rate, (at + len(said)) / rate))
        parts += [said, np.zeros(round(gap * rate))]
        at += len(said) + len(parts[-1])
    x = np.concatenate([*parts, np.zeros(round(seconds * rate))])[: round(seconds * rate)]
    return Talk(x + draw.normal(size=len(x)) * 0.001, tuple(words), rate)


def write(path: Path, said: Talk, **options: Any) -> Path:
    """A file of it, in the format its name tells."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, said.samples, said.rate, **options)
    return path


def tree_of(files: dict[str, bytes]) -> dict[str, bytes]:
    """The files of an output folder, its manifest without what the machine's speed makes of it."""
    manifest = json.loads(files["output.json"])
    manifest["measured"] = manifest["measured"] is not None
    return files | {"output.json": json.dumps(manifest).encode()}
