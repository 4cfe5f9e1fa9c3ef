"""A unit of speech in, its committed result out: what a worker does, here or in a process of its own."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

from seq2seq_core.engines.recognition import Recognizer
from seq2seq_core.inference.commit import UnitEntry, commit
from seq2seq_core.inference.speech.config import TranscriberConfig, load_recognizer
from seq2seq_core.inference.speech.recognizing import PartSpeech, recognize
from seq2seq_core.inference.speech.terms import SpeechUnit


@dataclass(frozen=True)
class Ear:
    """What hears: a model, which must be of this digest, and the way it is used."""

    config: TranscriberConfig
    digest: str


@dataclass(frozen=True)
class Done:
    """A unit that is committed, and the seconds that it took; none where it was finished before."""

    entry: UnitEntry
    seconds: float = 0.0
    audio_seconds: float = 0.0


@dataclass
class _Loaded:
    """The one recogniser of a process; it is loaded when it is first needed."""

    ear: Ear | None = None
    recognizer: Recognizer | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def of(self, ear: Ear) -> Recognizer:
        with self.lock:
            if self.recognizer is None or self.ear != ear:
                self.recognizer, self.ear = load_recognizer(ear.config, ear.digest), ear
            return self.recognizer


_LOADED = _Loaded()


def work(ear: Ear, root: str, unit: SpeechUnit) -> Done:
    """Recognise a unit and commit what was heard; see `recognizing.recognize` for the errors."""
    recognizer = _LOADED.of(ear)
    began = time.monotonic()
    parts = recognize(unit, recognizer, ear.config)
    entry = commit_parts(root, unit, parts)
    return Done(entry, time.monotonic() - began, unit.seconds)


def commit_parts(root: str, unit: SpeechUnit, parts: list[PartSpeech]) -> UnitEntry:
    """Publish what was heard: a line of JSON for each part. What failed stands in it, too, for the ledgers."""
    data = "".join(part.model_dump_json() + "\n" for part in parts).encode()
    segments = [segment for part in parts for segment in part.segments]
    cut, looping = sum(segment.cut for segment in segments), sum(segment.looping for segment in segments)
    return commit(root, unit, data, [], cut=cut, looping=looping)
