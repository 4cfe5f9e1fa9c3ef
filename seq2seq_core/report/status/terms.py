"""What the folder of a job tells in, what is said of the job out: at work, finished, stopped or dead, and how far.

running    a run at work shows itself
finished   the result is whole, and nobody is at work
stopped    runs have ended in order before the work was done: interrupted, or by an error
dead       a run has ended without a word: killed, out of memory, or its machine is gone
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from seq2seq_core import storage
from seq2seq_core.claims import Note
from seq2seq_core.kinds import Kind
from seq2seq_core.progress import Progress

State = Literal["running", "finished", "stopped", "dead"]
Fact = str | int | float

CARRIES_ON = "Run the same command again: it carries on from what is finished."
GOES_ON = "Nothing to do."


@dataclass(frozen=True)
class Job:
    """What a folder tells, from its storage alone.

    Attributes:
        work: What is done there.
        notes: What the runs have said that stand beside its claims.
        is_finished: Whether what is asked for is whole, and no work is begun.
        progress: Tells how far it is by what stands finished; None where that is not known. It may have to read much.
        failed: How many records, recordings or steps have failed.
        facts: What else there is to say, by name.
        done: What to do when it is finished.
        ended: What to do when it has ended before that.
    """

    work: str
    notes: tuple[Note, ...]
    is_finished: bool
    progress: Callable[[], Progress | None]
    done: str
    failed: int = 0
    facts: Mapping[str, Fact] = field(default_factory=dict)
    ended: str = CARRIES_ON


class Look(Protocol):
    """How a kind of folder is looked at."""

    def __call__(self, path: str, notes: Mapping[str, Sequence[Note]]) -> Job:
        """What the folder tells.

        Args:
            path: The folder.
            notes: Of all runs there, by their work; "" where none is claimed.

        Raises:
            Seq2SeqError: A manifest, or what else tells of the job, is damaged.
        """


@dataclass(frozen=True)
class Run:
    """A run at work, or one that has died.

    Attributes:
        seen_seconds: How long ago it has shown itself.
    """

    host: str
    process: int
    since: dt.datetime
    seen_seconds: float
    is_alive: bool


@dataclass(frozen=True)
class Status:
    """What is said of a job; `advice` is what to do next."""

    path: str
    kind: Kind
    work: str
    state: State
    progress: Progress | None
    failed: int
    facts: Mapping[str, Fact]
    runs: tuple[Run, ...]
    advice: str


def status_of(path: str, kind: Kind, job: Job, now: dt.datetime) -> Status:
    """What is said of a job at a time."""
    runs = tuple(_run(note, now) for note in job.notes)
    state = _state(job, runs)
    progress = (_told(job.notes) if state == "running" else None) or job.progress()
    advice = {"running": GOES_ON, "finished": job.done}.get(state, job.ended)
    failed = max(job.failed, progress.failed if progress else 0)
    return Status(storage.redact(path), kind, job.work, state, progress, failed, job.facts, runs, advice)


def every(notes: Mapping[str, Sequence[Note]]) -> tuple[Note, ...]:
    """The note that tells most of every process: it may hold several claims."""
    most: dict[tuple[str, int], Note] = {}
    for note in sorted((note for some in notes.values() for note in some), key=_tells):
        most[note.holder.machine, note.holder.process] = note
    return tuple(sorted(most.values(), key=lambda note: note.holder.since))


def _tells(note: Note) -> tuple[bool, dt.datetime]:
    return note.progress is not None, note.holder.seen


def only_work(notes: Mapping[str, Sequence[Note]], usual: str) -> str:
    """What the runs there do, by their claims; the usual work where nothing is claimed."""
    return next((work for work in sorted(notes) if work), usual)


def _state(job: Job, runs: Sequence[Run]) -> State:
    if any(run.is_alive for run in runs):
        return "running"
    if runs:
        return "dead"
    return "finished" if job.is_finished else "stopped"


def _told(notes: Sequence[Note]) -> Progress | None:
    """What the living run has said that has shown itself last."""
    told = [note for note in notes if note.progress is not None and note.holder.is_alive]
    return max(told, key=lambda note: note.holder.seen).progress if told else None


def _run(note: Note, now: dt.datetime) -> Run:
    holder = note.holder
    seconds = max(0.0, (now - holder.seen).total_seconds())
    return Run(holder.host, holder.process, holder.since, seconds, holder.is_alive)
