"""A folder and the fingerprint of a run in; the folder is the run's alone, or one error says whose it is, out.

A claim (`claim.json`) is created only if absent and says which fingerprint owns a folder. Every run at work there has
a note beside it (`claim.RUN.json`) with its host, its process and when it was last seen alive. A run that finds the
claim of an equal one joins it, as both make the same. The claim of another is respected while one of its runs lives,
and taken over when all of them are dead: of this machine that is known at once, of another one after
`SILENT_SECONDS` without a sign of life. So nobody has to clear up by hand, and an interrupted run takes nothing from
the one that it had joined. With its signs of life a run says how far it is: whoever looks at the folder sees it.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import logging
import os
import re
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import psutil
import pydantic

from seq2seq_core import storage
from seq2seq_core.errors import ClaimError, Seq2SeqError
from seq2seq_core.kinds import CLAIM_FOLDER, CLAIM_NAME, Work
from seq2seq_core.progress import Progress

SILENT_SECONDS = 300
_BEAT_SECONDS = 30
_ATTEMPTS = 100
_LOOKS, _LOOK_SECONDS = 4, 0.05
_SAME_START_SECONDS = 60  # clocks are set now and then
_A_CLAIM = re.compile(r"claim(-\d+)?(\..+)?\.json")

_log = logging.getLogger(__name__)


class _Entry(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)


class Holder(_Entry):
    """A run at work.

    Attributes:
        run: A name that no other run has.
        host: Its machine, as people call it.
        machine: The same, so that no other machine or container is taken for it.
        process: Its number there.
        started: When that process began, in seconds: numbers of processes are used again.
        since: When the run began.
        seen: When it was last known to be alive.
    """

    run: str
    host: str
    machine: str
    process: int
    started: float
    since: dt.datetime
    seen: dt.datetime

    @property
    def is_alive(self) -> bool:
        """Whether its process still runs; of another machine, whether it has shown itself lately."""
        if self.machine != _machine():
            return (_now() - self.seen).total_seconds() < SILENT_SECONDS
        began = _began(self.process)
        return began is not None and abs(began - self.started) < _SAME_START_SECONDS

    def __str__(self) -> str:
        return f"process {self.process} on {self.host} since {self.since.isoformat(timespec='seconds')}"


class Claim(_Entry):
    """What owns a folder; `about` is for those who made it."""

    work: Work
    fingerprint: str
    about: dict[str, Any] = {}


class Note(_Entry):
    """What a run says of itself: the fingerprint that it works for, and how far it is, as far as it tells."""

    fingerprint: str
    holder: Holder
    progress: Progress | None = None


class Pulse:
    """What a run has to say with its next sign of life."""

    def __init__(self) -> None:
        self.progress: Progress | None = None
        self._waking, self._has_ended = threading.Event(), False

    def tell(self, progress: Progress) -> None:
        """Say how far the run is; at once where another phase has begun."""
        before, self.progress = self.progress, progress
        if before is None or before.phase != progress.phase:
            self._waking.set()

    def end(self) -> None:
        """No more signs of life."""
        self._has_ended = True
        self._waking.set()

    def waits(self, seconds: float) -> bool:
        """Wait for the next sign; False where there is none."""
        self._waking.wait(seconds)
        self._waking.clear()
        return not self._has_ended


class Place:
    """Where a claim stands: its file, and beside it the notes of the runs that work under it."""

    def __init__(self, folder: str, name: str = CLAIM_NAME) -> None:
        self.url = storage.join(folder, name)
        self._folder = folder
        self._stem = name.removesuffix(".json")

    def read(self) -> Claim | None:
        """The claim, None where there is none; a ClaimError when it cannot be read."""
        data = storage.read_if_there(self.url)
        return None if data is None else _parse(Claim, data, self.url)

    def create(self, claim: Claim) -> bool:
        """Make the claim, if there is none."""
        return storage.create_exclusively(self.url, claim.model_dump_json().encode())

    def note(self, holder: Holder, fingerprint: str) -> None:
        """Say that a run is at work for a fingerprint, now."""
        _publish_note(self._note_url(holder.run), Note(fingerprint=fingerprint, holder=holder))

    def holders(self, fingerprint: str) -> list[Holder]:
        """All runs that have said so of a fingerprint, dead ones too."""
        return [note.holder for note in self.notes() if note.fingerprint == fingerprint]

    def notes(self) -> list[Note]:
        """What all runs have said, dead ones too."""
        return [note for note in self._notes().values() if note is not None]

    def leave(self, run: str) -> None:
        """Take the note of a run away, its claim where no other living run works under it, and what dead ones left."""
        url = self._note_url(run)
        note, claim = _read_note(url), self.read()
        storage.remove(url)
        if note is None or claim is None or note.fingerprint != claim.fingerprint:
            return
        others = self._notes()
        living = {other: note for other, note in others.items() if note is not None and note.holder.is_alive}
        if not any(note.fingerprint == claim.fingerprint for note in living.values()):
            storage.remove(self.url)
        for other in others.keys() - living.keys():
            storage.remove(other)

    def take_over(self, found: Claim) -> None:
        """Take the claim of dead runs away with their notes, if it still is the one that was found."""
        dead = self.holders(found.fingerprint)
        if self.read() == found:
            storage.remove(self.url)
            for holder in dead:
                storage.remove(self._note_url(holder.run))
        _log.info("the %s of %s is dead; this run takes over", found.work, shown(dead))

    def _notes(self) -> dict[str, Note | None]:
        """What stands in each note, by its URL; None where a loss of power has left nothing that can be read."""
        names = (name for name in storage.list_folder(self._folder) if name.startswith(f"{self._stem}."))
        urls = [storage.join(self._folder, name) for name in names if name != f"{self._stem}.json"]
        return {url: _read_note(url) for url in urls}

    def _note_url(self, run: str) -> str:
        return storage.join(self._folder, f"{self._stem}.{run}.json")


class Held:
    """A folder that is a run's; `tell` says how far the run is, with its signs of life."""

    def __init__(self, folder: str, place: Place, claim: Claim, pulse: Pulse) -> None:
        self._folder, self._place, self._claim = folder, place, claim
        self.tell = pulse.tell

    def check(self) -> None:
        """Make sure, before something is published, that the folder still is this run's.

        Raises:
            ClaimError: Another run has taken over.
        """
        found = self._place.read()
        if found is None:  # somebody has cleared up by hand
            self._place.create(self._claim)
            found = self._place.read()
        if found is not None and found.fingerprint != self._claim.fingerprint:
            raise refusal(self._folder, self._claim, found, self._place.holders(found.fingerprint))


def this_process() -> Holder:
    """The note of a run that begins now in this process."""
    host, process, now = socket.gethostname(), os.getpid(), _now()
    run = f"{host}-{process}-{uuid.uuid4().hex[:8]}"
    started = _began(process) or 0.0
    return Holder(run=run, host=host, machine=_machine(), process=process, started=started, since=now, seen=now)


@contextlib.contextmanager
def held(folder: str, fingerprint: str, work: Work) -> Iterator[Held]:
    """Own a folder while the block runs.

    Args:
        folder: URL of the folder.
        fingerprint: Names all that decides what the run makes: runs with the same one make the same.
        work: What is done there.

    Raises:
        ClaimError: Another run is at work there.
    """
    home = storage.join(folder, CLAIM_FOLDER)
    place, claim, holder = Place(home), Claim(work=work, fingerprint=fingerprint), this_process()
    with alive(home, holder) as pulse:
        take(folder, place, claim, holder)
        yield Held(folder, place, claim, pulse)


def standing(folder: str) -> dict[str, list[Note]]:
    """The runs that work, or have died, under each claim of a folder, by the work that they do.

    Args:
        folder: Where the claims stand.

    Raises:
        ClaimError: A claim cannot be read.
    """
    stems = {name.partition(".")[0] for name in storage.list_folder(folder) if _A_CLAIM.fullmatch(name)}
    found: dict[str, list[Note]] = {}
    for place in (Place(folder, f"{stem}.json") for stem in sorted(stems)):
        claim = place.read()
        found.setdefault(claim.work if claim else "", []).extend(place.notes())
    return found


def take(folder: str, place: Place, claim: Claim, holder: Holder) -> None:
    """Make a claim, join an equal one, or take over that of dead runs.

    Raises:
        ClaimError: Another run is at work.
    """
    place.note(holder, claim.fingerprint)
    for _ in range(_ATTEMPTS):
        if place.create(claim):
            return
        found = place.read()
        if found is None:  # the other run has just ended
            continue
        if (found.work, found.fingerprint) == (claim.work, claim.fingerprint):
            return
        if any(other.is_alive for other in place.holders(found.fingerprint)):
            raise refusal(folder, claim, found, place.holders(found.fingerprint))
        place.take_over(found)
    raise ClaimError("the claim of the folder changes again and again", where=storage.redact(place.url))


@contextlib.contextmanager
def alive(folder: str, holder: Holder) -> Iterator[Pulse]:
    """Keep all notes of a run in a folder fresh while the block runs, and take them away after it."""
    pulse = Pulse()
    beats = threading.Thread(target=_beat, args=(folder, holder, pulse), name="claim", daemon=True)
    beats.start()
    try:
        yield pulse
    finally:
        pulse.end()
        beats.join()
        leave(folder, holder.run)


def leave(folder: str, run: str) -> None:
    """Take all notes of a run away, and the claims that no other run has joined."""
    for name in _notes_of(folder, run):
        Place(folder, f"{name.removesuffix(f'.{run}.json')}.json").leave(run)
    storage.remove_empty_folder(folder)


def refusal(folder: str, own: Claim, found: Claim, holders: list[Holder]) -> ClaimError:
    """What to say to a run that finds a folder another run's."""
    return ClaimError(
        f"another {found.work} is under way here",
        where=storage.redact(folder),
        found=f"fingerprint {found.fingerprint} of {shown([h for h in holders if h.is_alive] or holders)}",
        expected=f"fingerprint {own.fingerprint}",
        advice="Choose another output folder, or run again when it has ended.",
    )


def shown(holders: list[Holder]) -> str:
    """The runs, as messages name them."""
    return ", ".join(map(str, holders)) or "a run that is gone"


def _beat(folder: str, holder: Holder, pulse: Pulse) -> None:
    while pulse.waits(_BEAT_SECONDS):
        try:
            for name in _notes_of(folder, holder.run):
                url = storage.join(folder, name)
                note = _read_note(url)
                if note is not None:
                    _publish_note(url, note.model_copy(update={"progress": pulse.progress}))
        except Seq2SeqError as error:  # the next one may get through, and what the run itself writes will tell
            _log.debug("no sign of life: %s", error)


def _notes_of(folder: str, run: str) -> list[str]:
    return [name for name in storage.list_folder(folder) if name.endswith(f".{run}.json")]


def _publish_note(url: str, note: Note) -> None:
    holder = note.holder.model_copy(update={"seen": _now()})
    with storage.publish(url, durable=False) as out:
        out.write(note.model_copy(update={"holder": holder}).model_dump_json().encode())


def _read_note(url: str) -> Note | None:
    """A note; None where none stands, or a loss of power has left half of it: then its run is gone, too."""
    for attempt in range(_LOOKS):
        time.sleep(_LOOK_SECONDS if attempt else 0)  # not every store replaces a file in one step
        data = storage.read_if_there(url)
        if data is None:
            return None
        with contextlib.suppress(pydantic.ValidationError):
            return Note.model_validate_json(data)
    return None


E = TypeVar("E", bound=_Entry)


def _parse(kind: type[E], data: bytes, url: str) -> E:
    try:
        return kind.model_validate_json(data)
    except pydantic.ValidationError:
        advice = "Remove it when no run is at work there."
        raise ClaimError("the claim of a run is damaged", where=storage.redact(url), advice=advice) from None


def _began(process: int) -> float | None:
    """When a process of this machine began; None when it has ended."""
    try:
        found = psutil.Process(process)
        return None if found.status() == psutil.STATUS_ZOMBIE else float(found.create_time())
    except psutil.Error:
        return None


@functools.cache
def _machine() -> str:
    """This machine since it was started, and the container in which processes see one another."""
    boot, space = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid")
    started = boot.read_text().strip() if boot.exists() else f"{psutil.boot_time():.0f}"
    return "/".join([socket.gethostname(), started, space.readlink().name if space.is_symlink() else ""])


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
