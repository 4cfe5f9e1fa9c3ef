"""Files that land and what answers one in, each answered in a folder of its own as soon as it is done, out.

Work is done a unit at a time. After each, the zones may be looked at again, and a file of an earlier zone goes before
what is under way. So a short document does not wait for a long one.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from seq2seq_core import storage
from seq2seq_core.errors import DatasetError, ForeignFileError, InputError, ModelError, Seq2SeqError, StorageError
from seq2seq_core.inference.commit import OnError
from seq2seq_core.inference.manifest import AnyOutput, load_any
from seq2seq_core.landing.config import LandingConfig
from seq2seq_core.landing.ledger import Ledger
from seq2seq_core.landing.lookout import Lookout, record_of
from seq2seq_core.landing.terms import FileRecord, Landed

Begin = Callable[[Landed, str], Iterator[AnyOutput | None]]
"""Begins to answer a file in a folder: None after a unit, the manifest at the end."""

_MOST_OF_THE_TIME = 5
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Place:
    """Where answers go, and what is done about a file that has none.

    Attributes:
        output: The folder of all of them.
        on_error: A file that cannot be read: take it down and go on, or end.
    """

    output: str
    on_error: OnError


class _Task(NamedTuple):
    """A file that was begun."""

    landed: Landed
    units: Iterator[AnyOutput | None]


class Desk:
    """Answers the files that a lookout sees, the first zone first, and in a zone in the order in which they landed."""

    def __init__(self, place: Place, landing: LandingConfig, ledger: Ledger, lookout: Lookout, begin: Begin) -> None:
        """`ledger` is where it is taken down what has become of files."""
        self._place, self._landing, self._ledger, self._lookout = place, landing, ledger, lookout
        self._begin = begin
        self._whole: dict[str, Landed] = {}
        self._tasks: dict[str, _Task] = {}
        self._troubled: dict[str, float] = {}
        self._next_look = 0.0

    def step(self, now: float) -> bool | None:
        """Do a unit of the file whose turn it is; see `local.following.follow` for what is returned.

        Raises:
            Seq2SeqError: The model or the store fails for longer than there is patience, or a file does where that is
                to end the run.
        """
        if now >= self._next_look:
            self._look(now)
        if not self._whole:
            return None if self._lookout.waiting else False
        landed = min(self._whole.values(), key=lambda one: (one.zone, one.landed, one.key))
        try:
            output = next(self._task(landed).units)
        except (InputError, ForeignFileError, StorageError, ModelError) as error:
            self._put_aside(landed, error, now)
        else:
            if output is not None:
                self._take_down(landed, output)
        return True

    def _look(self, now: float) -> None:
        began = time.monotonic()
        self._whole = {landed.key: landed for landed in self._lookout.look(now)}
        for key, task in list(self._tasks.items()):
            if key not in self._whole or self._whole[key].version != task.landed.version:
                del self._tasks[key]
        self._ledger.fold(now)
        took = time.monotonic() - began
        self._next_look = now + max(self._landing.look_seconds, _MOST_OF_THE_TIME * took)

    def _task(self, landed: Landed) -> _Task:
        if landed.key not in self._tasks:
            root = storage.join(self._place.output, landed.below)
            self._refuse_taken(landed, root)
            self._tasks[landed.key] = _Task(landed, self._begin(landed, root))
        return self._tasks[landed.key]

    def _refuse_taken(self, landed: Landed, root: str) -> None:
        """Raise an InputError where the answer of another file stands, or is being made."""
        others = [task.landed.urls[0] for task in self._tasks.values() if task.landed.below == landed.below]
        with contextlib.suppress(DatasetError):
            others += [entry.url for entry in load_any(root).inputs]
        for other in others:
            if storage.identity(other) != storage.identity(storage.redact(landed.urls[0])):
                raise InputError(
                    "the answer of another file stands where that of this one would go",
                    where=storage.redact(root),
                    found=storage.redact(other),
                    advice="Name the folder above both as one zone: folders are mirrored in the output.",
                )

    def _take_down(self, landed: Landed, output: AnyOutput) -> None:
        now = time.time()
        record = record_of(landed, now, digest=output.inputs[0].fingerprint)
        self._close(landed, record.model_copy(update={"model": output.model.digest}))
        if output.failed:
            _log.warning("%s: %d of %d records have no answer", _name(landed), output.failed, output.records_in)
        _log.info("%s: answered %.1f s after it landed", _name(landed), now - landed.landed)

    def _put_aside(self, landed: Landed, error: Seq2SeqError, now: float) -> None:
        """Take down that a file cannot be answered; it is tried again where it changed, or where it may pass."""
        self._tasks.pop(landed.key, None)
        if not self._lookout.unchanged([landed], now):
            del self._whole[landed.key]
            return
        if isinstance(error, StorageError | ModelError):
            since = self._troubled.setdefault(landed.key, now)
            if now - since < self._landing.patience_seconds:
                _log.warning("%s: tried again later: %s", _name(landed), error)
                self._whole = {}
                self._next_look = now + self._landing.look_seconds
                return
        if isinstance(error, ModelError) or self._place.on_error == "fail":
            raise error
        _log.warning("%s: no answer: %s", _name(landed), error)
        self._close(landed, record_of(landed, now, reason=str(error)))

    def _close(self, landed: Landed, record: FileRecord) -> None:
        self._ledger.add([record])
        self._whole.pop(landed.key, None)
        self._tasks.pop(landed.key, None)
        self._troubled.pop(landed.key, None)


def _name(landed: Landed) -> str:
    return storage.redact(landed.urls[0])
