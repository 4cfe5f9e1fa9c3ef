"""A landing zone that fills, a dataset that is read all the while, and a command that is killed: tests of faults.

Everything here is told what may go wrong by what it checks: a reader finds every generation readable whenever it looks,
and in the end each row that landed is in the dataset once.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from seq2seq_core import storage
from seq2seq_core.dataset.manifest import MANIFEST_NAME, load_manifest
from seq2seq_core.errors import Seq2SeqError
from seq2seq_core.landing.ledger import Ledger
from tests.landing import rows_of
from tests.processes import CLI, Process

SETTINGS = (
    "--tokenizer.vocabulary_size=300 --tokenizer.type=bpe --shards=2 --interval_seconds=1 --generation_files=100 "
    "--landing.whole=renamed --landing.look_seconds=0.2"
)


class Feeder(threading.Thread):
    """Lands so many tables at random moments of so many seconds; on local disks they are renamed, as they have to be.

    Attributes:
        landed: When each stood there, by its number, in seconds of the epoch.
    """

    def __init__(self, zone: str, files: int, seconds: float, rows: int = 60) -> None:
        super().__init__(daemon=True)
        self._zone, self._rows = zone, rows
        draw = random.Random(files)
        self._moments = sorted(draw.uniform(0, seconds) for _ in range(files))
        self.landed: dict[int, float] = {}

    def run(self) -> None:
        """See Thread."""
        began = time.time()
        for number, moment in enumerate(self._moments):
            time.sleep(max(0.0, began + moment - time.time()))
            text = "".join(f"{source}\t{target}\n" for source, target in rows_of(number, self._rows))
            storage.publish_text(storage.join(self._zone, f"{number:06d}.tsv"), text)
            self.landed[number] = time.time()


class Reader(threading.Thread):
    """Looks at a dataset again and again: whatever it says is there has to be there, whole.

    Attributes:
        looks: How often it looked at a dataset.
        problems: What was wrong.
    """

    def __init__(self, output: str, pause: float = 0.5) -> None:
        super().__init__(daemon=True)
        self._output, self._pause = output, pause
        self._ended = threading.Event()
        self.looks, self.problems = 0, list[str]()
        self._newest = 0

    def run(self) -> None:
        """See Thread."""
        while not self._ended.wait(self._pause):
            if storage.exists(storage.join(self._output, MANIFEST_NAME)):
                try:
                    self._look()
                except Seq2SeqError as error:
                    self.problems.append(str(error))

    def end(self) -> None:
        """The last look is over when this returns."""
        self._ended.set()
        self.join()

    def _look(self) -> None:
        manifest = load_manifest(self._output)
        newest = manifest.generations[-1].index
        if newest < self._newest:
            self.problems.append(f"generation {self._newest}, and then {newest}")
        self._newest = newest
        if manifest.ledger.balance:
            self.problems.append(f"generation {newest}: {manifest.ledger.balance} rows not accounted for")
        for split in manifest.splits.values():
            for shard in split.shards:
                found = storage.size(storage.join(self._output, shard.path))
                if found != shard.bytes:
                    self.problems.append(f"{shard.path}: {found} bytes, not {shard.bytes}")
        self.looks += 1


def words(zone: str, output: str, engine: Sequence[str] = ()) -> list[str]:
    """The words of a command that follows a zone."""
    follow = ["prepare", "--follow", "--path", f"{zone}/*.tsv", "--output", output, *SETTINGS.split()]
    return [*follow, *(["--", *engine] if engine else [])]


def await_all(output: str, files: int, seconds: float) -> None:
    """Wait until the ledger has taken so many files down."""
    until = time.monotonic() + seconds
    while len(Ledger(output).refresh().files) < files:
        assert time.monotonic() < until, f"{len(Ledger(output).refresh().files)} of {files} files after {seconds} s"
        time.sleep(0.5)


def killed_again_and_again(
    start: Callable[[], Process], kill: Callable[[Process], Process], moments: Sequence[float]
) -> Process:
    """A process that runs at the end; before, something was killed at each of these moments, in seconds from now."""
    began, process = time.monotonic(), start()
    for moment in sorted(moments):
        time.sleep(max(0.0, began + moment - time.monotonic()))
        process = kill(process)
    return process


def command(arguments: Sequence[str], log: Path, environment: Mapping[str, str] | None = None) -> Process:
    """The command line, started."""
    root = str(Path(__file__).parents[1])
    return Process([*CLI, *arguments], log, {**(environment or {}), "PYTHONPATH": root})


def amount(name: str, usual: int) -> int:
    """So many kills, files or seconds: as the environment says (SEQ2SEQ_FOLLOW_KILLS and so on)."""
    return int(os.environ.get(f"SEQ2SEQ_FOLLOW_{name.upper()}", usual))
