"""A dataset that has grown in; its columns and the rows that are to enter a run, made ready, out.

It is made ready beside training. What cannot be read just now is tried again: until then the run goes on with what it
has. A dataset that is not the one it was, with more rows, ends the run.
"""

from __future__ import annotations

import logging
import threading
from concurrent.futures import Future
from dataclasses import dataclass

from seq2seq_core import storage
from seq2seq_core.data.columns import Columns
from seq2seq_core.data.loader import Loader
from seq2seq_core.data.stream import Part
from seq2seq_core.dataset.manifest import Manifest
from seq2seq_core.dataset.reader import Dataset
from seq2seq_core.errors import DatasetError, StorageError, TrainingError
from seq2seq_core.training.following.reaching import reached

_PATIENCE_SECONDS = 3.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Arrival:
    """Rows that may enter: the dataset that has them, its columns, and what was found of these rows."""

    dataset: Dataset
    columns: Columns
    part: Part


class Arrivals:
    """Makes ready what is to enter, for one process.

    Args:
        dataset: What the run has opened.
        loader: What it reads.
        retry_seconds: Pause before what failed is tried again.
    """

    def __init__(self, dataset: Dataset, loader: Loader, retry_seconds: float) -> None:
        self._dataset, self._loader, self._retry_seconds = dataset, loader, retry_seconds
        self._columns: Columns | None = None
        self._thread: threading.Thread | None = None
        self._ended = threading.Event()

    def begin(self, rows: int) -> Future[Arrival]:
        """Begin to make the first so many rows of the dataset ready, beside training."""
        arrival: Future[Arrival] = Future()
        self._thread = threading.Thread(target=self._try, args=(rows, arrival), name="arrival", daemon=True)
        self._thread.start()
        return arrival

    def ready(self, rows: int) -> Arrival:
        """Make the first so many rows of the dataset ready.

        Raises:
            DatasetError, StorageError: It cannot be read just now.
            TrainingError: It is no more what it was.
        """
        dataset, columns = self._opened(rows)
        begin = self._loader.parts[-1].rows[1]
        part = self._loader.survey(columns, rows, dataset.weights("train", begin, rows))
        return Arrival(dataset, columns, part)

    def enter(self, arrival: Arrival, step: int, epoch: int) -> None:
        """Let rows enter before the step after so many; what the loader has read ahead is void."""
        self._loader.enter(arrival.columns, arrival.part, step, epoch)
        self._dataset, self._columns = arrival.dataset, arrival.columns

    def close(self) -> None:
        """End the thread; one that is amid reading ends with the process, and the cache bears that."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join(_PATIENCE_SECONDS)

    def _try(self, rows: int, arrival: Future[Arrival]) -> None:
        while not self._ended.is_set():
            try:
                arrival.set_result(self.ready(rows))
            except (DatasetError, StorageError) as error:
                logger.warning("new rows cannot be read yet: %s", error)
                self._ended.wait(self._retry_seconds)
            except BaseException as error:  # noqa: BLE001 - handed over whole, and raised where the rows are due
                arrival.set_exception(error)
            if arrival.done():
                return

    def _opened(self, rows: int) -> tuple[Dataset, Columns]:
        """The dataset with so many rows: what is open already, where it has them, as when a run carries on."""
        if self._columns is not None and len(self._columns) >= rows:
            return self._dataset, self._columns
        dataset = reached(self._dataset.root, rows, self._ended.is_set)
        columns = Columns.open(dataset, "train")
        self._check(dataset, columns)
        return dataset, columns

    def _check(self, dataset: Dataset, columns: Columns) -> None:
        """Whether the dataset is the one that the run has opened, with more rows."""
        before, after = _frame(self._dataset.manifest), _frame(dataset.manifest)
        shards = [manifest.splits["train"].shards for manifest in (self._dataset.manifest, dataset.manifest)]
        stay = all(one.digest == other.digest for one, other in zip(*shards, strict=False))
        if before != after or not (stay or self._loader.continues(columns)):  # folded shards have the same rows
            raise TrainingError(
                "the dataset is another one than when the run began",
                where=storage.redact(dataset.root),
                found="other training rows where those of the run stood" if before == after else "other tokenizers",
                expected="the same rows, and new ones after them",
                advice="Restore it, or train on the new one in another output folder.",
            )


def _frame(manifest: Manifest) -> object:
    """What all generations of a dataset have in common."""
    return {side: entry.digest for side, entry in manifest.tokenizers.items()}, manifest.modalities
