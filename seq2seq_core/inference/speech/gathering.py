"""Recordings in; the units that recognise them, and the transcripts that are made of what was heard, out.

A long recording is a unit a part. Short ones are gathered in order of their names until a unit has about as many
seconds. Where a unit ends depends on the content of the recording it ends with, so one that is added changes the units
around it, and no others.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from seq2seq_core import storage
from seq2seq_core.dataset.schema import shard_name
from seq2seq_core.inference.speech.terms import Part, Place, Recording, SpeechUnit, Transcript
from seq2seq_core.inference.transcripts.table import FORMATS

UNIT_VERSION = 2
"""Part of every fingerprint: to be raised when the same input and options would give other bytes."""

TOGETHER_NAME = "transcripts"
"""What files of many recordings are called."""

_MOST_PARTS, _MOST_SHARE = 2000, 1.5
_MOST_SECONDS_TOGETHER = 20 * 3600.0
_ENDS_ONE_IN = 16


@dataclass(frozen=True)
class Gathered:
    """All of the work: units by their paths, and transcripts, in order."""

    units: Mapping[str, SpeechUnit]
    transcripts: tuple[Transcript, ...]


def gather(recordings: Sequence[Recording], formats: Sequence[str], provenance: str, unit_seconds: int) -> Gathered:
    """What there is to do.

    Args:
        recordings: In any order.
        formats: Of the transcripts.
        provenance: The digest of the model and of all options that shape what is heard.
        unit_seconds: About so long is a unit.
    """
    in_order = sorted(recordings, key=lambda recording: (recording.file.name, recording.file.url))
    units = [SpeechUnit(parts, _fingerprint(parts, provenance)) for parts in _units(in_order, unit_seconds)]
    places: dict[str, tuple[Place, ...]] = {recording.file.url: () for recording in in_order}
    for unit in units:
        for line, part in enumerate(unit.parts):
            places[part.recording.file.url] += (Place(unit.path, line),)
    transcripts = tuple(
        _transcript(name, some, places, number, count)
        for name in formats
        for number, some, count in _shared(in_order, FORMATS[name].together)
    )
    return Gathered({unit.path: unit for unit in units}, transcripts)


def _units(recordings: Sequence[Recording], unit_seconds: int) -> Iterator[tuple[Part, ...]]:
    """The parts of each unit; those of long recordings stand before the short ones around them."""
    held: list[Part] = []
    seconds = 0.0
    for recording in recordings:
        if recording.problem is not None:
            continue
        parts = _parts(recording)
        if len(parts) > 1:
            yield from ((part,) for part in parts)
            continue
        if held and seconds + recording.seconds > _MOST_SHARE * unit_seconds:
            yield tuple(held)
            held, seconds = [], 0.0
        held += parts
        seconds += recording.seconds
        if _is_full(recording, seconds / unit_seconds, len(held)):
            yield tuple(held)
            held, seconds = [], 0.0
    if held:
        yield tuple(held)


def _parts(recording: Recording) -> list[Part]:
    borders = [0, *recording.cuts, recording.samples]
    return [Part(recording, begin, end - begin) for begin, end in pairwise(borders)]


def _is_full(last: Recording, share: float, parts: int) -> bool:
    """Whether a unit ends behind a recording; from half a unit on, one in so many ends it by its content."""
    ends_here = int(last.fingerprint[:8], 16) % _ENDS_ONE_IN == 0
    return share >= 1 or parts >= _MOST_PARTS or (share >= 1 / 2 and ends_here)


def _fingerprint(parts: Sequence[Part], provenance: str) -> str:
    content = [[part.recording.fingerprint, part.begin, part.samples] for part in parts]
    return storage.digest_bytes(json.dumps([UNIT_VERSION, provenance, content]).encode())


def _shared(recordings: Sequence[Recording], together: int) -> Iterator[tuple[int, tuple[Recording, ...], int]]:
    """The recordings of each file, its number, and the number of files."""
    files: list[list[Recording]] = []
    left = 0.0
    for recording in recordings:
        if not files or len(files[-1]) == together or recording.seconds > left:
            files.append([])
            left = _MOST_SECONDS_TOGETHER
        files[-1].append(recording)
        left -= recording.seconds
    for number, some in enumerate(files):
        yield number, tuple(some), len(files)


def _transcript(
    name: str, recordings: tuple[Recording, ...], places: Mapping[str, tuple[Place, ...]], number: int, count: int
) -> Transcript:
    form = FORMATS[name]
    is_alone = form.together == 1
    stem = recordings[0].file.name
    path = f"{stem}{form.suffix}" if is_alone else shard_name(number, count, TOGETHER_NAME, form.suffix)
    found = tuple(places[recording.file.url] for recording in recordings)
    content = [
        [one.file.where, one.file.name, one.fingerprint, one.problem, [[place.path, place.line] for place in where]]
        for one, where in zip(recordings, found, strict=True)
    ]
    fingerprint = storage.digest_bytes(json.dumps([UNIT_VERSION, name, content]).encode())
    return Transcript(path, name, recordings, found, fingerprint)
