"""A dataset in; how long its utterances are, who speaks, how loud and how fast, and some of them to hear, out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from seq2seq_core.dataset.manifest import ShardEntry
from seq2seq_core.dataset.reader import Dataset
from seq2seq_core.dataset.schema import SPLITS, Split
from seq2seq_core.dataset.sides import DatasetSide
from seq2seq_core.modalities.sound import Sound

_SECONDS, _SPEAKER, _LEVEL, _SILENT, _SPEED = "seconds", "speaker", "level", "silent", "speed"
_EXAMPLES, _CANDIDATES = 6, 400
_LONGEST_EXAMPLE = 10.0
_MOST_EXAMPLE_BYTES = 400_000
_RATE_ROWS = 20_000


@dataclass(frozen=True)
class Scale:
    """A histogram: `counts[i]` rows have a value from `edges[i]` to `edges[i + 1]`; the ends count all beyond, too."""

    edges: tuple[float, ...]
    counts: tuple[int, ...]


@dataclass(frozen=True)
class SplitSound:
    """A split: its utterances as they were recorded, seconds, and speakers that are known."""

    split: Split
    rows: int
    seconds: float
    speakers: int


@dataclass(frozen=True)
class Speaker:
    """One of the training speakers, with the seconds and utterances there are."""

    name: str
    seconds: float
    rows: int


@dataclass(frozen=True)
class Heard:
    """A training utterance.

    Attributes:
        origin, line: Where it comes from.
        text: What is said.
        speaker: Who speaks; None where nobody knows.
        seconds: How long it is.
        level: In dBFS.
        frames: float, frames x mels, as the dataset has them.
        audio: FLAC; None where the dataset keeps frames alone, or more bytes than a page should hold.
    """

    origin: str
    line: int
    text: str
    speaker: str | None
    seconds: float
    level: float
    frames: npt.NDArray[np.floating]
    audio: bytes | None


@dataclass(frozen=True)
class SoundFigures:
    """The sound of a side.

    Attributes:
        side: Which one.
        splits: What each split holds.
        copied_seconds: Training audio that is other forms of recorded utterances.
        speakers: Those that are heard longest in training.
        seconds, level, silent: All training utterances as they were recorded, by seconds, dBFS and share of silence.
        rate: The first of them by characters of their text a second.
        examples: Some to look at and to hear.
    """

    side: str
    splits: tuple[SplitSound, ...]
    copied_seconds: float
    speakers: tuple[Speaker, ...]
    seconds: Scale
    level: Scale
    silent: Scale
    rate: Scale
    examples: tuple[Heard, ...]


_SCALES = {_SECONDS: (0.0, 40.0, 80), _LEVEL: (-70.0, 0.0, 70), _SILENT: (0.0, 1.0, 40)}
_RATES = (0.0, 40.0, 80)
_MOST_SPEAKERS = 8


def look_at_sound(dataset: Dataset) -> tuple[SoundFigures, ...]:
    """Of each side that is sound; the same dataset gives the same.

    Raises:
        DatasetError: A file is missing or damaged.
    """
    return tuple(_look(dataset, side) for side in dataset.manifest.sides.values() if isinstance(side.modality, Sound))


def _look(dataset: Dataset, side: DatasetSide) -> SoundFigures:
    scans = {split: _Scan(side) for split in SPLITS if split in dataset.manifest.splits}
    for split, scan in scans.items():
        for shard in dataset.split(split).shards:
            scan.add(dataset.read_shard(shard, scan.columns))
    train = scans.get("train") or _Scan(side)
    return SoundFigures(
        side=side.name,
        splits=tuple(scan.summary(split) for split, scan in scans.items()),
        copied_seconds=train.copied,
        speakers=train.longest(_MOST_SPEAKERS),
        seconds=train.scale(_SECONDS),
        level=train.scale(_LEVEL),
        silent=train.scale(_SILENT),
        rate=_rates(dataset, side),
        examples=tuple(_examples(dataset, side)),
    )


class _Scan:
    """Takes what shards note of their rows."""

    def __init__(self, side: DatasetSide) -> None:
        self.copied = 0.0
        self._names = {note: side.note_name(note) for note in (*_SCALES, _SPEAKER, _SPEED)}
        self._counts = {note: np.zeros(bins, np.int64) for note, (_, _, bins) in _SCALES.items()}
        self._seconds: Counter[str] = Counter()
        self._rows: Counter[str] = Counter()
        self._all, self._total = 0, 0.0

    @property
    def columns(self) -> list[str]:
        """Those that are needed."""
        return list(self._names.values())

    def add(self, table: pa.Table) -> None:
        """The rows of a shard."""
        recorded = pc.equal(table.column(self._names[_SPEED]), 1)
        self.copied += _sum(table.filter(pc.invert(recorded)).column(self._names[_SECONDS]))
        rows = table.filter(recorded)
        self._all += rows.num_rows
        self._total += _sum(rows.column(self._names[_SECONDS]))
        for note, scale in _SCALES.items():
            self._counts[note] += _counted(rows.column(self._names[note]).to_numpy(), *scale)
        speakers = rows.column(self._names[_SPEAKER]).cast(pa.string())
        named = pa.table({"speaker": speakers, "seconds": rows.column(self._names[_SECONDS]).cast(pa.float64())})
        groups = named.filter(speakers.is_valid()).group_by("speaker", use_threads=False)
        for row in groups.aggregate([("seconds", "sum"), ("seconds", "count")]).to_pylist():
            self._seconds[row["speaker"]] += row["seconds_sum"]
            self._rows[row["speaker"]] += row["seconds_count"]

    def summary(self, split: Split) -> SplitSound:
        """What there is."""
        return SplitSound(split, self._all, self._total, len(self._rows))

    def longest(self, most: int) -> tuple[Speaker, ...]:
        """Those who speak longest; of equals the first by name."""
        names = sorted(self._seconds, key=lambda name: (-self._seconds[name], name))[:most]
        return tuple(Speaker(name, self._seconds[name], self._rows[name]) for name in names)

    def scale(self, note: str) -> Scale:
        """The histogram of a note."""
        return _scale(self._counts[note], *_SCALES[note])


def _rates(dataset: Dataset, side: DatasetSide) -> Scale:
    """Characters a second of the first training rows, which stand in the order of their hashes."""
    counts = np.zeros(_RATES[2], np.int64)
    seconds_name, speed_name = side.note_name(_SECONDS), side.note_name(_SPEED)
    tokenizer, left = dataset.tokenizer("target"), _RATE_ROWS
    for shard in _training(dataset):
        if left <= 0:
            break
        table = dataset.read_shard(shard, ["target", seconds_name, speed_name]).slice(0, left)
        left -= table.num_rows
        rows = table.filter(pc.and_(pc.equal(table.column(speed_name), 1), pc.greater(table.column(seconds_name), 0)))
        texts = tokenizer.decode([np.asarray(ids) for ids in rows.column("target").to_pylist()])
        characters = np.array([len(text) for text in texts], np.float64)
        counts += _counted(characters / rows.column(seconds_name).to_numpy(), *_RATES)
    return _scale(counts, *_RATES)


def _examples(dataset: Dataset, side: DatasetSide) -> Iterator[Heard]:
    """Training utterances of different speakers and lengths, of the first rows of a shard."""
    names = {note: side.note_name(note) for note in (_SECONDS, _SPEAKER, _LEVEL, _SPEED)}
    columns = ["origin", "line", side.name, "target", *names.values()]
    shard = next((shard for shard in _training(dataset) if shard.rows), None)
    if shard is None or not isinstance(side.modality, Sound):
        return
    table = next(iter(dataset.row_groups(shard, columns))).slice(0, _CANDIDATES)
    tokenizer = dataset.tokenizer("target")
    for row in _chosen(table, names):
        content = table.column(side.name).slice(row, 1)
        about: dict[str, Any] = {name: table.column(column)[row].as_py() for name, column in names.items()}
        (text,) = tokenizer.decode([np.asarray(table.column("target")[row].as_py(), np.int64)])
        (audio,) = side.modality.playable(content)
        yield Heard(
            origin=str(table.column("origin")[row].as_py()),
            line=table.column("line")[row].as_py(),
            text=text,
            speaker=about[_SPEAKER],
            seconds=about[_SECONDS],
            level=about[_LEVEL],
            frames=side.modality.flat(content),
            audio=audio if audio is not None and len(audio) <= _MOST_EXAMPLE_BYTES else None,
        )


def _chosen(table: pa.Table, names: dict[str, str]) -> Sequence[int]:
    """Rows of speakers not heard yet, then others, shortest first."""
    seconds = table.column(names[_SECONDS]).to_numpy()
    fit = (table.column(names[_SPEED]).to_numpy() == 1) & (seconds > 0) & (seconds <= _LONGEST_EXAMPLE)
    speakers = table.column(names[_SPEAKER]).to_pylist()
    seen: Counter[str | None] = Counter()
    order: list[tuple[int, int]] = []
    for row in np.flatnonzero(fit).tolist():
        order.append((seen[speakers[row]], row))
        seen[speakers[row]] += 1
    return sorted((row for _, row in sorted(order)[:_EXAMPLES]), key=lambda row: (seconds[row], row))


def _training(dataset: Dataset) -> Sequence[ShardEntry]:
    split = dataset.manifest.splits.get("train")
    return split.shards if split else ()


def _counted(values: npt.NDArray[np.floating], low: float, high: float, bins: int) -> npt.NDArray[np.int64]:
    places = np.floor((np.nan_to_num(values, nan=low) - low) * bins / (high - low))
    counts: npt.NDArray[np.int64] = np.bincount(np.clip(places, 0, bins - 1).astype(np.int64), minlength=bins)
    return counts


def _scale(counts: npt.NDArray[np.int64], low: float, high: float, bins: int) -> Scale:
    return Scale(tuple(np.linspace(low, high, bins + 1).tolist()), tuple(counts.tolist()))


def _sum(column: pa.ChunkedArray) -> float:
    return float(pc.sum(column.cast(pa.float64())).as_py() or 0.0)
