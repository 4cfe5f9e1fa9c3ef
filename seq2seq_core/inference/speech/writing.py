"""What was heard in the parts of recordings in, their committed transcripts out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from seq2seq_core import storage
from seq2seq_core.documents.content import RecordFailure
from seq2seq_core.errors import InputError
from seq2seq_core.inference.commit import OnError, UnitEntry, commit, find_finished
from seq2seq_core.inference.folder import marker_path
from seq2seq_core.inference.manifest import TranscribedInput
from seq2seq_core.inference.speech.reading import check_unchanged, is_held_whole
from seq2seq_core.inference.speech.recognizing import PartSpeech
from seq2seq_core.inference.speech.terms import Place, Recording, Transcript
from seq2seq_core.inference.transcripts.table import FORMATS
from seq2seq_core.inference.transcripts.terms import Segment, Spoken


@dataclass(frozen=True)
class Written:
    """Transcripts that are committed, and what they tell of their recordings."""

    entries: tuple[UnitEntry, ...]
    inputs: tuple[TranscribedInput, ...]


def side_by_side(transcripts: Sequence[Transcript]) -> list[tuple[Transcript, ...]]:
    """Transcripts that are written together, as they are made of the same units, which are then read once."""
    return [tuple(some) for _, some in groupby(sorted(transcripts, key=_units_of), _units_of)]


def write(root: str, transcripts: Sequence[Transcript], on_error: OnError) -> Written:
    """Write transcripts that are not there yet, and make them count.

    Raises:
        InputError: A recording has changed since it was looked at; or it failed, and `on_error` says that this ends the
            run.
    """
    heard = _Heard(root)
    entries, inputs = [], []
    for transcript in transcripts:
        parts = [[heard.at(place) for place in places] for places in transcript.places]
        for recording, places in zip(transcript.recordings, transcript.places, strict=True):
            _check(root, recording, places)
        failures = list(_failures(transcript, parts))
        if failures and on_error == "fail":
            raise _refusal(transcript, failures[0])
        entry = find_finished(root, transcript) or _commit(root, transcript, parts, failures)
        entries.append(entry)
        inputs += [
            _told(recording, found, transcript.path)
            for recording, found in zip(transcript.recordings, parts, strict=True)
        ]
    return Written(tuple(entries), tuple(inputs))


class _Heard:
    """What was heard, by places; the units that are read stay in memory."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._units: dict[str, list[bytes]] = {}

    def at(self, place: Place) -> PartSpeech:
        if place.path not in self._units:
            self._units[place.path] = storage.read_bytes(storage.join(self._root, place.path)).splitlines()
        return PartSpeech.model_validate_json(self._units[place.path][place.line])


def _units_of(transcript: Transcript) -> tuple[str, ...]:
    return tuple(sorted({place.path for places in transcript.places for place in places}))


def _check(root: str, recording: Recording, places: Sequence[Place]) -> None:
    """A file that was read in parts is compared as a whole; what was heard of another one is heard again."""
    if recording.problem is not None or is_held_whole(recording):
        return
    try:
        check_unchanged(recording)
    except InputError:
        for place in places:
            storage.remove(storage.join(root, marker_path(place.path)))
        raise


def _failures(transcript: Transcript, parts: Sequence[Sequence[PartSpeech]]) -> Iterator[RecordFailure]:
    for record, (recording, found) in enumerate(zip(transcript.recordings, parts, strict=True)):
        problem = _problem(recording, found)
        if problem is not None:
            yield RecordFailure(record, problem, "")


def _problem(recording: Recording, parts: Sequence[PartSpeech]) -> str | None:
    """Why a recording, or some of it, was not transcribed; the first of several reasons."""
    return recording.problem or next((part.problem for part in parts if part.problem is not None), None)


def _refusal(transcript: Transcript, failure: RecordFailure) -> InputError:
    return InputError(
        f"a recording cannot be transcribed: {failure.reason}",
        where=transcript.recordings[failure.record].file.where,
        advice="Repair it, or keep its place and go on (--on_error keep).",
    )


def _commit(
    root: str, transcript: Transcript, parts: Sequence[Sequence[PartSpeech]], failures: list[RecordFailure]
) -> UnitEntry:
    spoken = [_spoken(one, found) for one, found in zip(transcript.recordings, parts, strict=True)]
    data = FORMATS[transcript.format].render(spoken)
    segments = [segment for one in spoken for segment in one.segments]
    cut, looping = sum(segment.cut for segment in segments), sum(segment.looping for segment in segments)
    return commit(root, transcript, data, failures, cut=cut, looping=looping)


def _spoken(recording: Recording, parts: Sequence[PartSpeech]) -> Spoken:
    segments = tuple(_segments(parts))
    problem = _problem(recording, parts)
    return Spoken(recording.file.where, recording.file.name, recording.seconds, segments, problem)


def _segments(parts: Sequence[PartSpeech]) -> Iterator[Segment]:
    return (segment for part in parts for segment in part.segments)


def _told(recording: Recording, parts: Sequence[PartSpeech], path: str) -> TranscribedInput:
    segments = list(_segments(parts))
    return TranscribedInput(
        url=recording.file.where,
        bytes=recording.bytes,
        fingerprint=recording.fingerprint,
        rate=recording.rate,
        channels=recording.channels,
        seconds=round(recording.seconds, 3),
        speech=round(sum(part.speech for part in parts), 3),
        words=sum(len(segment.words) for segment in segments),
        failed=_problem(recording, parts) is not None,
        cut=sum(segment.cut for segment in segments),
        looping=sum(segment.looping for segment in segments),
        outputs=(path,),
    )
