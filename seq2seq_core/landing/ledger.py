"""Batches of landed files in, a ledger on storage that survives any end of the process; what it knows, out.

`ledger/00000007.jsonl` is one step of it, created only if absent: what became of a batch, or what has gone.
`ledger/00000007.base.jsonl` is all that is known as of that step, made now and then, which the steps up to it are
removed for. So the ledger has a bounded number of files, and is as large as what stands in the zones: of what has gone
from there it tells for some days.

`open.json` is the batch at work. It is written before the work begins and removed after the ledger has the batch: who
starts again after a SIGKILL does the same batch again. `lag.json` tells what waits, `ended` that the source of an
unbounded job is at its end, `work.json` what is done with what lands.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pydantic

from seq2seq_core import kinds, storage
from seq2seq_core.errors import DatasetError
from seq2seq_core.kinds import FOLLOW_FOLDER, FOLLOW_NAME, Work
from seq2seq_core.landing.planner import BYTES_A_ROW
from seq2seq_core.landing.terms import Batch, BatchRecord, FileRecord, Lag

GONE_SECONDS = 30 * 86_400.0

_STEPS, _OPEN, _LAG, _END = "ledger", "open.json", "lag.json", "ended"
_STEP = re.compile(r"(\d{8,})(\.base)?\.jsonl")
_MOST_STEPS = 128
_FEWEST_LINES = 4096


class _Sums(pydantic.BaseModel):
    """The first line of a base: what is known of all batches together."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    last_batch: int = 0
    last_opened: float = 0.0
    files: int = 0
    bytes: int = 0
    rows: int = 0


class Ledger:
    """What is known of the files of some landing zones; see `refresh` for what others write meanwhile."""

    def __init__(self, folder: str) -> None:
        """`folder` is where the output goes; the ledger is below it."""
        self.output = folder
        self.folder = storage.join(folder, FOLLOW_FOLDER)
        self.files: dict[str, FileRecord] = {}
        self.gone: dict[str, FileRecord] = {}
        self.sums = _Sums()
        self._step = self._base = self._lines = 0

    @property
    def versions(self) -> dict[str, str]:
        """The version that was handled of each file that stands in the zones, by its key."""
        return {key: record.version for key, record in self.files.items()}

    @property
    def bytes_a_row(self) -> float:
        """How large rows were up to now."""
        return self.sums.bytes / self.sums.rows if self.sums.rows else BYTES_A_ROW

    def announce(self, work: Work) -> None:
        """Say what is done with what lands: whoever comes when that has ended knows the folder by it."""
        if kinds.follows(self.output) != work:
            storage.publish_text(storage.join(self.folder, FOLLOW_NAME), json.dumps({"work": work}))

    def refresh(self) -> Ledger:
        """Read what has been written since.

        Raises:
            DatasetError: A file of the ledger is damaged.
        """
        steps = self._listed()
        base = max((number for number, is_base in steps if is_base), default=0)
        if base > self._step:
            self.files, self.gone, self._lines = {}, {}, 0
            self._read(base, is_base=True)
            self._base = self._step = base
        for number in sorted(number for number, is_base in steps if not is_base and number > self._step):
            self._read(number, is_base=False)
            self._step = number
        return self

    def add(self, records: Iterable[FileRecord | BatchRecord]) -> None:
        """Write a step, behind those that others may have written meanwhile."""
        lines = "".join(_line(record) for record in records).encode()
        if not lines:
            return
        while True:
            self.refresh()
            number = self._step + 1
            if storage.create_exclusively(self._url(number), lines):
                self.refresh()
                if self._base < number:  # else the steps up to there were put together, and it is not among them
                    return

    def open(self, batch: Batch) -> None:
        """Say which batch is at work from now on."""
        storage.publish_text(storage.join(self.folder, _OPEN), batch.model_dump_json())

    def opened(self) -> Batch | None:
        """The batch at work, or that a killed run has left; None where there is none."""
        data = storage.read_if_there(storage.join(self.folder, _OPEN))
        if data is None:
            return None
        try:
            batch = Batch.model_validate_json(data)
        except pydantic.ValidationError as error:
            raise _damaged(storage.join(self.folder, _OPEN), error) from None
        if batch.number <= self.refresh().sums.last_batch:  # it was killed between the two
            storage.remove(storage.join(self.folder, _OPEN))
            return None
        return batch

    def close(self, done: BatchRecord, files: Sequence[FileRecord]) -> None:
        """Take a batch down; one that is there already, as it was handled twice, changes nothing."""
        if done.batch > self.refresh().sums.last_batch:
            self.add([*files, done])
        batch = self.opened()
        if batch is not None and batch.number == done.batch:
            storage.remove(storage.join(self.folder, _OPEN))

    def fold(self, now: float) -> None:
        """Put the steps together, where they have become many; for one process at a time."""
        steps = [number for number, is_base in self._listed() if not is_base and number <= self._step]
        is_long = self._lines > max(_FEWEST_LINES, len(self.files) + len(self.gone))
        if self._step == self._base or not (len(steps) > _MOST_STEPS or is_long):
            return
        self.gone = {key: record for key, record in self.gone.items() if now - record.at < GONE_SECONDS}
        records = [*self.files.values(), *self.gone.values()]
        text = self.sums.model_dump_json() + "\n" + "".join(map(_line, records))
        storage.publish_text(self._url(self._step, is_base=True), text)
        self._base, self._lines = self._step, 0
        for number, is_base in self._listed():
            if number < self._base or (number == self._base and not is_base):
                storage.remove(self._url(number, is_base=is_base))

    def _read(self, number: int, *, is_base: bool) -> None:
        url = self._url(number, is_base=is_base)
        lines = storage.read_bytes(url).splitlines()
        try:
            if is_base:
                self.sums = _Sums.model_validate_json(lines.pop(0))
            for line in lines:
                self._learn(_parse(line))
        except (pydantic.ValidationError, IndexError) as error:
            raise _damaged(url, error) from None
        self._lines += 0 if is_base else len(lines)

    def _learn(self, record: FileRecord | BatchRecord) -> None:
        if isinstance(record, BatchRecord):
            if record.batch <= self.sums.last_batch:  # it was handled twice
                return
            changes: dict[str, Any] = {"last_batch": record.batch, "last_opened": record.opened}
            changes |= {name: getattr(self.sums, name) + getattr(record, name) for name in ("files", "bytes", "rows")}
            self.sums = self.sums.model_copy(update=changes)
        elif record.state == "gone":
            self.files.pop(record.key, None)
            self.gone[record.key] = record
        else:
            self.gone.pop(record.key, None)
            self.files[record.key] = record

    def _listed(self) -> list[tuple[int, bool]]:
        names = storage.list_folder(storage.join(self.folder, _STEPS))
        return [(int(found[1]), found[2] is not None) for name in names if (found := _STEP.fullmatch(name))]

    def _url(self, number: int, *, is_base: bool = False) -> str:
        return storage.join(self.folder, _STEPS, f"{number:08d}{'.base' if is_base else ''}.jsonl")


def publish_lag(folder: str, lag: Lag) -> None:
    """Tell what waits below an output."""
    with storage.publish(storage.join(folder, FOLLOW_FOLDER, _LAG), durable=False) as out:
        out.write(lag.model_dump_json().encode())


def read_lag(folder: str) -> Lag | None:
    """What waits below an output, as it was told last; None where nobody follows into it."""
    data = storage.read_if_there(storage.join(folder, FOLLOW_FOLDER, _LAG))
    try:
        return None if data is None else Lag.model_validate_json(data)
    except pydantic.ValidationError:  # a loss of power has left half of it
        return None


def tell_end(folder: str) -> None:
    """Tell that the source of a job has ended, as nothing has been left to do for long."""
    storage.publish_text(storage.join(folder, FOLLOW_FOLDER, _END), "")


def has_ended(folder: str) -> bool:
    """Whether the source of the job said so that makes an output."""
    return storage.exists(storage.join(folder, FOLLOW_FOLDER, _END))


def forget_end(folder: str) -> None:
    """Nothing of the kind was said of the next job."""
    storage.remove(storage.join(folder, FOLLOW_FOLDER, _END))


def history(folder: str) -> Iterator[FileRecord]:
    """All that the ledger of an output tells of files, in the order of their names."""
    ledger = Ledger(folder).refresh()
    yield from sorted([*ledger.files.values(), *ledger.gone.values()], key=lambda record: record.key)


def _line(record: FileRecord | BatchRecord) -> str:
    return record.model_dump_json(exclude_defaults=True) + "\n"


def _parse(line: bytes) -> FileRecord | BatchRecord:
    return _ANY.validate_json(line)


_ANY: pydantic.TypeAdapter[FileRecord | BatchRecord] = pydantic.TypeAdapter(FileRecord | BatchRecord)


def _damaged(url: str, error: Exception) -> DatasetError:
    return DatasetError(
        "the ledger of a landing zone is damaged",
        where=storage.redact(url),
        found=str(error).splitlines()[0],
        advice="Restore it, or remove its folder: files are then looked at again, and what was read is not read twice.",
    )
