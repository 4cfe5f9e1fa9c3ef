"""A folder in, a speech corpus out: English sentences in many voices, with noise, and what they mean in German.

The sentences are those of the text corpus (`pipelines.demo.corpus`) that are written as they are spoken, without digits
and signs. Validation and test have sentences that no training voice says, in voices that say nothing in training.

    train.jsonl, valid.jsonl, test.jsonl   a line an utterance: audio_filepath, text, translation, duration, speaker
    audio/train-000000.flac ...            16,000 samples a second
    long-5.flac, long-5.json               5 minutes of the test in one recording, and the truth about it
    spoken.json                            what was made, last
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any, Final, NamedTuple

import numpy as np

from pipelines.demo.corpus import draw, sentences
from pipelines.demo.phrase import Phrase
from pipelines.demo.speech import voices
from pipelines.demo.speech.long import Piece, Turn, publish_told, tell
from pipelines.demo.speech.recording import Recording, joined, noisy
from pipelines.demo.speech.voices import Voice, speak
from pipelines.demo.speech.writing import as_lines, publish_own
from pipelines.local.workers import HERE, Workers
from seq2seq_core import storage
from seq2seq_core.audio.signal import from_pcm16, resample
from seq2seq_core.audio.terms import Samples
from seq2seq_core.dataset.schema import SPLITS, Split

RATE: Final = 16_000
SUMMARY_NAME: Final = "spoken.json"
WORK: Final = (__name__,)
"""What processes import that make utterances."""

ACCENTS: Final = ("en-us", "en-gb-x-rp", "en-gb-scotland", "en-029")
VARIANTS: Final[Mapping[Split, tuple[str, ...]]] = {
    "train": ("f1", "f3", "f4", "f5", "m1", "m2", "m3", "m5", "m7"),
    "valid": ("m6",),
    "test": ("f2", "m4"),
}
"""Who speaks, each in all accents: those of validation and of test are not heard in training."""

_WRITTEN_AS_SPOKEN = re.compile(r"[A-Za-z ,.;?'-]+")
_WORDS_A_MINUTE = (130, 210)
_PITCH = (35, 65)
_DECIBELS = (10.0, 30.0)
_DECIBELS_OF_LONG = 20.0
_MARGIN_SECONDS = (0.1, 0.35)
_AT_A_TIME = 32


class Utterance(NamedTuple):
    """One that is to be made; `seed` decides about its pauses and its noise."""

    name: str
    text: str
    translation: str
    voice: Voice
    decibels: float
    seed: int


class Summary(NamedTuple):
    """What `generate` wrote: utterances and hours of each split."""

    folder: str
    seed: int
    utterances: dict[str, int]
    hours: dict[str, float]


def generate(
    folder: str, counts: Mapping[Split, int], minutes: int = 0, seed: int = 1, workers: Workers = HERE
) -> Summary:
    """Write the corpus; the same arguments give the same bytes, whoever works.

    Args:
        folder: Where it goes.
        counts: Utterances of each split.
        minutes: How long a recording of the whole test is to be; 0: none is made.
        seed: What all chance comes from.
        workers: Who makes the utterances.

    Raises:
        ConfigError: The templates do not hold that many sentences.
        StorageError: A file of another stands where one of these would go.
    """
    plans = planned(counts, seed)
    hours: dict[str, float] = {}
    for split, utterances in plans.items():
        pieces = [utterances[first : first + _AT_A_TIME] for first in range(0, len(utterances), _AT_A_TIME)]
        made = workers.map(make, ((folder, piece) for piece in pieces))
        seconds = list(itertools.chain.from_iterable(made))
        entries = (_entry(one, duration) for one, duration in zip(utterances, seconds, strict=True))
        publish_own(storage.join(folder, f"{split}.jsonl"), as_lines(entries))
        hours[split] = sum(seconds) / 3600
    if minutes:
        told = tell(turns_of(plans["test"]), 60.0 * minutes, RATE, seed, _DECIBELS_OF_LONG)
        publish_told(folder, f"long-{minutes}", told)
    summary = Summary(folder, seed, {split: len(utterances) for split, utterances in plans.items()}, hours)
    storage.publish_text(storage.join(folder, SUMMARY_NAME), json.dumps(summary._asdict(), indent=1) + "\n")
    return summary


def planned(counts: Mapping[Split, int], seed: int) -> dict[Split, list[Utterance]]:
    """What is said by whom, in each split."""
    random = Random(seed)  # noqa: S311 (no secret depends on it)
    written = (one for one in sentences(random) if _WRITTEN_AS_SPOKEN.fullmatch(one.pair.source))
    held_out = sum(count for split, count in counts.items() if split != "train")
    train, rest = draw(written, counts.get("train", 0), held_out)
    piles = {"train": iter(train), "valid": iter(rest)}
    piles["test"] = piles["valid"]
    return {
        split: [_cast(split, number, pair, random) for number, pair in enumerate(itertools.islice(piles[split], count))]
        for split in SPLITS
        if (count := counts.get(split, 0))
    }


def turns_of(utterances: Sequence[Utterance]) -> Callable[[np.random.Generator], Turn]:
    """What says one utterance after the other, from the start again at the end."""
    endless = itertools.cycle(utterances)

    def turn(_: np.random.Generator) -> Turn:
        one = next(endless)
        return [Piece(one.text, one.voice.name, said(one))]

    return turn


def make(folder: str, utterances: Sequence[Utterance]) -> list[float]:
    """Write the recordings of some utterances; how many seconds each has."""
    seconds = []
    for one in utterances:
        recording = record(one)
        publish_own(storage.join(folder, _path(one)), recording.flac())
        seconds.append(round(recording.seconds, 3))
    return seconds


def record(utterance: Utterance) -> Recording:
    """Somebody says it, with noise behind all of it."""
    random = np.random.default_rng(utterance.seed)
    margins = random.uniform(*_MARGIN_SECONDS, 2).tolist()
    return noisy(joined([said(utterance)], margins, RATE), utterance.decibels, random)


def said(utterance: Utterance) -> Samples:
    """The utterance alone."""
    return resample(from_pcm16(speak(utterance.text, utterance.voice)), voices.RATE, RATE)


def _cast(split: Split, number: int, pair: Phrase, random: Random) -> Utterance:
    name = f"{random.choice(ACCENTS)}+{random.choice(VARIANTS[split])}"
    voice = Voice(name, random.randint(*_WORDS_A_MINUTE), random.randint(*_PITCH))
    decibels = round(random.uniform(*_DECIBELS), 1)
    return Utterance(f"{split}-{number:06}", pair.source, pair.target, voice, decibels, random.getrandbits(63))


def _path(utterance: Utterance) -> str:
    return f"audio/{utterance.name}.flac"


def _entry(utterance: Utterance, seconds: float) -> dict[str, Any]:
    """A line of a manifest; the path is that from the manifest's folder."""
    return {
        "audio_filepath": _path(utterance),
        "text": utterance.text,
        "translation": utterance.translation,
        "duration": seconds,
        "speaker": utterance.voice.name,
    }
