"""Numbers in; the sound of them, a tone a digit, as files in memory and as a Parquet file of utterances, out."""

from __future__ import annotations

import io
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

soundfile = pytest.importorskip("soundfile", reason="pip install 'seq2seq[speech]'")

WORDS = ("null", "eins", "zwei", "drei", "vier", "fünf", "sechs", "sieben")
_SECONDS = 0.25
_VALUE = pa.struct([("bytes", pa.binary()), ("path", pa.string()), ("speaker", pa.string())])


class Spoken(NamedTuple):
    """An utterance as a reader gives it: the bytes of a file, what is said, who speaks, what it is called."""

    data: bytes | None
    text: str | None
    speaker: str | None = None
    path: str | None = None


def tones(numbers: Sequence[int], pitch: float = 1.0, rate: int = 8000, seed: int = 0) -> npt.NDArray[np.float32]:
    """A quarter of a second for each number, from 0 to 7, of a tone of its own; noise at 40 dB below."""
    at = np.arange(int(_SECONDS * rate)) / rate
    parts = [0.3 * np.sin(2 * np.pi * pitch * (300 + 250 * number) * at) * np.hanning(len(at)) for number in numbers]
    noise = np.random.default_rng(seed).normal(scale=0.002, size=len(at) * len(parts))
    return (np.concatenate([np.zeros(0), *parts]) + noise).astype(np.float32)


def sound_file(samples: npt.NDArray[Any], rate: int = 8000, kind: str = "WAV", subtype: str | None = None) -> bytes:
    """A file of these samples (n, or n x channels)."""
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=kind, subtype=subtype)
    return file.getvalue()


def said(numbers: Sequence[int], speaker: int = 0, **settings: Any) -> Spoken:
    """An utterance of these numbers by one of some speakers, each with a voice of its own."""
    samples = tones(numbers, pitch=1 + 0.02 * speaker, seed=hash(tuple(numbers)) % 1000)
    text = " ".join(WORDS[number] for number in numbers)
    return Spoken(sound_file(samples, **settings), text, f"speaker {speaker}", f"{speaker}-{text}.wav")


def some(count: int, speakers: int, seed: int = 0, most: int = 4) -> list[Spoken]:
    """So many different utterances, by all speakers in turn."""
    draw = random.Random(seed)
    rows = {tuple(draw.choices(range(8), k=draw.randint(2, most))): None for _ in range(10 * count)}
    return [said(numbers, number % speakers) for number, numbers in enumerate([*rows][:count])]


def write_spoken(path: Path, rows: Sequence[Spoken]) -> None:
    """A Parquet file with the columns `audio` and `text`."""
    audio = [{"bytes": row.data, "path": row.path, "speaker": row.speaker} for row in rows]
    table = pa.table({"audio": pa.array(audio, _VALUE), "text": pa.array([row.text for row in rows])})
    pq.write_table(table, path, row_group_size=64)
