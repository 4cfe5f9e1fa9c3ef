"""What the modules of this room hand one another: recordings, the parts they are cut into, units and transcripts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from seq2seq_core import storage
from seq2seq_core.documents.content import RecordFailure

HEARD_FOLDER = ".speech"
"""What was heard in each unit, below the output folder: transcripts are made of it, in any format."""


@dataclass(frozen=True)
class AudioFile:
    """A file to be transcribed: where it stands, and its name below the output folder, without a suffix."""

    url: str
    name: str

    @property
    def where(self) -> str:
        """The URL as messages and manifests show it."""
        return storage.redact(self.url)


@dataclass(frozen=True)
class Recording:
    """A file that was looked at.

    Attributes:
        fingerprint: xxh3-128 of its bytes.
        samples: Of each channel; 0 where it cannot be read.
        cuts: The samples at which it is cut, where it is long.
        problem: Why it cannot be read.
    """

    file: AudioFile
    bytes: int
    fingerprint: str
    rate: int = 0
    channels: int = 0
    samples: int = 0
    cuts: tuple[int, ...] = ()
    problem: str | None = None

    @property
    def seconds(self) -> float:
        return self.samples / self.rate if self.rate else 0.0


@dataclass(frozen=True)
class Part:
    """Samples [begin, begin + samples) of a recording, which are all of it where it is not cut."""

    recording: Recording
    begin: int
    samples: int

    @property
    def seconds(self) -> float:
        return self.samples / self.recording.rate

    @property
    def is_whole(self) -> bool:
        return not self.recording.cuts

    @property
    def where(self) -> str:
        """File and range, as messages show them."""
        begin = self.begin / self.recording.rate
        return f"{self.recording.file.where}, {begin:.2f} s to {begin + self.seconds:.2f} s"


@dataclass(frozen=True)
class SpeechUnit:
    """Parts that one worker reads, recognises and commits as a whole; see `commit.Committable`.

    Attributes:
        fingerprint: Names the content of its recordings, the ranges, the model, and all options that shape the result.
    """

    parts: tuple[Part, ...]
    fingerprint: str

    @property
    def path(self) -> str:
        return f"{HEARD_FOLDER}/{self.fingerprint}.jsonl"

    @property
    def first_record(self) -> int:
        return 0

    @property
    def records(self) -> int:
        return len(self.parts)

    @property
    def seconds(self) -> float:
        return sum(part.seconds for part in self.parts)

    def ledger_row(self, failure: RecordFailure) -> dict[str, Any]:
        """See `commit.Committable`."""
        return {"input": self.parts[failure.record].where, "reason": failure.reason}


@dataclass(frozen=True)
class Place:
    """Where what was heard in a part is kept: a unit's output, and the line in it."""

    path: str
    line: int


@dataclass(frozen=True)
class Transcript:
    """A file that is written of one recording or several; see `commit.Committable`.

    Attributes:
        format: A name in `transcripts.table`.
        recordings: What it is of.
        places: Where the parts of each recording are.
        fingerprint: Names all that its bytes follow from.
    """

    path: str
    format: str
    recordings: tuple[Recording, ...]
    places: tuple[tuple[Place, ...], ...]
    fingerprint: str

    @property
    def first_record(self) -> int:
        return 0

    @property
    def records(self) -> int:
        return len(self.recordings)

    def ledger_row(self, failure: RecordFailure) -> dict[str, Any]:
        """Input, its place in the transcript (from 0), reason, and what was found."""
        row = {"input": self.recordings[failure.record].file.where, "record": failure.record}
        return {**row, "reason": failure.reason, **({"found": failure.excerpt} if failure.excerpt else {})}
