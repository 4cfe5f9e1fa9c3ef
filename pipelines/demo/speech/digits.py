"""Recordings of single spoken digits in, a corpus of strings of them and long recordings out.

The recordings are those of the Free Spoken Digit Dataset (https://github.com/Jakobovski/free-spoken-digit-dataset,
CC BY-SA 4.0): a folder with `manifest.tsv` (id, audio, speaker, text), where the last number of an id is the index of
the recording among those of its digit and speaker. Indices 5 to 9 are for tests, 10 to 14 for validation, all from 15
on for training.

    train.jsonl, valid.jsonl   single digits as they are, and strings of 1 to 12 with pauses and noise
    single.jsonl               single digits of the test as they are
    strings.jsonl              strings of them
    long-10.flac, long-10.json a long recording of such strings, so many minutes of them, and the truth about it

In a long recording all speakers are equally loud, or its noise would drown the quiet ones; and a digit is without the
silence that its recording begins and ends with, which is no part of the word.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from pipelines.demo.speech.long import Piece, Turn, publish_told, tell
from pipelines.demo.speech.recording import Recording, joined, noisy
from pipelines.demo.speech.writing import as_lines, publish_own
from seq2seq_core import storage
from seq2seq_core.audio.decode import decode
from seq2seq_core.audio.energy import frame_levels, frame_size
from seq2seq_core.audio.signal import mono
from seq2seq_core.audio.terms import Samples
from seq2seq_core.dataset.schema import SPLITS, Split
from seq2seq_core.errors import InputError

RATE: Final = 8000
MANIFEST_NAME: Final = "manifest.tsv"
_MOST_DIGITS: Final = 12
_PAUSE: Final = (0.05, 0.4)
_MARGIN: Final = (0.05, 0.3)
_DECIBELS: Final = (10.0, 30.0)
_DECIBELS_OF_LONG: Final = 20.0
_LEVEL: Final = -26.0  # dBFS of every speaker in a long recording
_HEARD_DECIBELS: Final = 30.0  # below the loudest frame: what is quieter is no part of a word

Piles = Mapping[str, Sequence[Piece]]
"""Digits by speaker."""


def generate(
    folder: str,
    source: str,
    strings: Mapping[Split, int],
    minutes: Iterable[int] = (),
    seed: int = 1,
    without: Collection[str] = (),
) -> None:
    """Write the corpus; the same arguments give the same bytes.

    Args:
        folder: Where it goes.
        source: The folder of the recordings.
        strings: How many strings each split has.
        minutes: A long recording for each.
        seed: What all chance comes from.
        without: Speakers who say nothing in training and validation.

    Raises:
        InputError: The recordings are others.
        StorageError: A recording is missing, or a file of another stands where one of these would go.
    """
    digits = read_digits(source)
    draw = np.random.default_rng(seed)
    for split in SPLITS:
        heard = {name: pile for name, pile in digits[split].items() if split == "test" or name not in without}
        alone = [_single(piece) for pile in heard.values() for piece in pile]
        turn = turns_of(heard)
        turns = [turn(draw) for _ in range(strings.get(split, 0))]
        joint = [(pieces, string_of(pieces, draw)) for pieces in turns]
        if split == "test":
            _publish(folder, "single", alone)
            _publish(folder, "strings", joint)
        else:
            _publish(folder, split, alone + joint)
    for length in minutes:
        told = tell(turns_of(levelled(digits["test"])), 60.0 * length, RATE, seed + length, _DECIBELS_OF_LONG)
        publish_told(folder, f"long-{length}", told)


def read_digits(source: str) -> dict[Split, Piles]:
    """The recordings of each split by speaker, in the order of the manifest.

    Raises:
        InputError: A row is not as it should be, or a recording has another rate.
    """
    found: dict[Split, dict[str, list[Piece]]] = {split: {} for split in SPLITS}
    manifest = storage.join(source, MANIFEST_NAME)
    for number, line in enumerate(storage.read_text(manifest).splitlines()[1:], start=2):
        cells = line.split("\t")
        if len(cells) != 4 or not cells[0].rpartition("_")[2].isdigit():
            raise InputError(
                "no row of spoken digits", where=f"{manifest}:{number}", found=line, expected="id, audio, speaker, text"
            )
        name, audio, speaker, text = cells
        signal = decode(storage.read_bytes(storage.join(source, audio)))
        if signal.rate != RATE:
            raise InputError("a recording has another rate", where=audio, found=signal.rate, expected=RATE)
        pile = found[_split_of(int(name.rpartition("_")[2]))].setdefault(speaker, [])
        pile.append(Piece(text, speaker, mono(signal)))
    return {split: dict(sorted(piles.items())) for split, piles in found.items()}


def levelled(piles: Piles) -> Piles:
    """The same digits without silence around them, and every speaker equally loud."""
    return {
        name: _equally_loud([piece._replace(samples=bare(piece.samples)) for piece in pile])
        for name, pile in piles.items()
    }


def bare(samples: Samples) -> Samples:
    """From the first to the last frame that is nearly as loud as the loudest."""
    levels = frame_levels(samples, RATE)
    loud = np.flatnonzero(levels >= levels.max() - _HEARD_DECIBELS)
    size = frame_size(RATE)
    return samples[loud[0] * size : (loud[-1] + 1) * size]


def _equally_loud(pile: Sequence[Piece]) -> list[Piece]:
    power = np.mean(np.square(np.concatenate([piece.samples for piece in pile]), dtype=np.float64))
    gain = np.float32(10 ** (_LEVEL / 20) / np.sqrt(power))
    return [piece._replace(samples=piece.samples * gain) for piece in pile]


def turns_of(piles: Piles) -> Callable[[np.random.Generator], Turn]:
    """What says 1 to 12 digits of one speaker, chosen by chance."""
    names = sorted(piles)

    def turn(draw: np.random.Generator) -> Turn:
        pile = piles[names[draw.integers(len(names))]]
        return [pile[place] for place in draw.integers(len(pile), size=draw.integers(1, _MOST_DIGITS + 1))]

    return turn


def string_of(pieces: Turn, draw: np.random.Generator) -> Recording:
    """Digits with pauses between them, and noise behind all of it."""
    pauses = [draw.uniform(*_MARGIN), *draw.uniform(*_PAUSE, len(pieces) - 1).tolist(), draw.uniform(*_MARGIN)]
    whole = joined([piece.samples for piece in pieces], pauses, RATE)
    return noisy(whole, draw.uniform(*_DECIBELS), draw)


def _split_of(index: int) -> Split:
    return "test" if index < 10 else "valid" if index < 15 else "train"


def _single(piece: Piece) -> tuple[Turn, Recording]:
    return (piece,), joined([piece.samples], [0.0, 0.0], RATE)


def _publish(folder: str, name: str, recordings: Sequence[tuple[Turn, Recording]]) -> None:
    """The recordings of a manifest, and the manifest."""
    entries: list[dict[str, Any]] = []
    for number, (pieces, recording) in enumerate(recordings):
        path = f"audio/{name}-{number:06}.flac"
        publish_own(storage.join(folder, path), recording.flac())
        entries.append(
            {
                "audio_filepath": path,
                "text": " ".join(piece.text for piece in pieces),
                "duration": round(recording.seconds, 3),
                "speaker": pieces[0].speaker,
            }
        )
    publish_own(storage.join(folder, f"{name}.jsonl"), as_lines(entries))
