"""Corpora of speech made of tones, and what is read of them as the preparation reads them."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from seq2seq_core import config as configuration
from seq2seq_core.audio.terms import AUDIO_VALUE
from seq2seq_core.corpora.config import CorpusConfig
from seq2seq_core.corpora.cutting import cut, index_source
from seq2seq_core.corpora.reading import read_part
from seq2seq_core.corpora.terms.source import Part, Source

soundfile = pytest.importorskip("soundfile", reason="pip install 'seq2seq[speech]'")

LIMIT = 10_000
RATE = 8000


def samples(seconds: float, pitch: float = 200.0, *, rate: int = RATE, channels: int = 1) -> Any:
    """A tone of whole numbers of 16 bits, another in each channel (int16, n x channels)."""
    time = np.arange(round(seconds * rate))[:, None] / rate
    pitches = pitch * np.arange(1, channels + 1)
    return np.rint(9000 * np.sin(2 * np.pi * pitches * time)).astype(np.int16)


def encoded(signal: Any, *, rate: int = RATE, kind: str = "WAV", subtype: str | None = None) -> bytes:
    out = io.BytesIO()
    soundfile.write(out, signal, rate, format=kind, subtype=subtype)
    return out.getvalue()


def tone(seconds: float, pitch: float = 200.0, kind: str = "WAV") -> bytes:
    """A file of a tone."""
    return encoded(samples(seconds, pitch), kind=kind)


def decoded(data: bytes) -> tuple[Any, int]:
    """Samples (int16, n x channels) and rate of a file."""
    found: tuple[Any, int] = soundfile.read(io.BytesIO(data), dtype="int16", always_2d=True)
    return found


def write_files(folder: Path, **files: bytes | str) -> None:
    """Files by their paths below a folder."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)


def write_manifest(path: Path, rows: Iterable[dict[str, Any]]) -> str:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return str(path)


class Found(NamedTuple):
    """Rows as (line, path, speaker, text), the audio of each, and rejects as (line, rule, value)."""

    rows: list[tuple[int, str | None, str | None, str]]
    audio: list[bytes]
    rejects: list[tuple[int, str, str]]


def source_of(**values: Any) -> Source:
    (found,) = sources_of(**values)
    return found


def sources_of(**values: Any) -> list[Source]:
    return configuration.build(CorpusConfig, values).sources(None, ("source",))


def parts_of(source: Source, seconds: float = 1800.0, rows: int = 250_000) -> list[Part]:
    return cut(source, index_source(source, rows, LIMIT, seconds))


def read_parts(parts: Iterable[Part]) -> Found:
    found = Found([], [], [])
    for part in parts:
        for sifted in read_part(part, LIMIT):
            kept = sifted.kept
            assert kept.source.type == AUDIO_VALUE
            kept.source.validate(full=True)
            assert kept.source.null_count == kept.target.null_count == kept.source.field("bytes").null_count == 0
            for line, value, text in zip(
                kept.lines.to_pylist(), kept.source.to_pylist(), kept.target.to_pylist(), strict=True
            ):
                found.rows.append((line, value["path"], value["speaker"], text))
                found.audio.append(value["bytes"])
            found.rejects.extend((row["line"], row["rule"], row["value"]) for row in sifted.rejected.to_pylist())
    return found


def read(seconds: float = 1800.0, rows: int = 250_000, **values: Any) -> Found:
    """All rows of a corpus, in parts of so many seconds."""
    found = Found([], [], [])
    for source in sources_of(**values):
        for whole, more in zip(found, read_parts(parts_of(source, seconds, rows)), strict=True):
            whole.extend(more)  # type: ignore[arg-type]
    return found
