"""A dataset folder and a number of rows in; the dataset, opened when it has so many, out.

Another machine may see a generation later than the process that found it.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from seq2seq_core import storage
from seq2seq_core.dataset.reader import Dataset
from seq2seq_core.errors import DatasetError

SHOW_SECONDS = 30
_LOOK_SECONDS = 0.5


def reached(root: str, rows: int, is_over: Callable[[], bool] = lambda: False) -> Dataset:
    """The dataset with at least so many training rows; it is looked at again while it has fewer.

    Args:
        root: URL of its folder.
        rows: How many rows there are, as another process has seen.
        is_over: Whether nobody waits for it any more.

    Raises:
        DatasetError: There is no dataset, or it has fewer rows all the time.
    """
    until = time.monotonic() + SHOW_SECONDS
    while True:
        dataset = Dataset.open(root)
        found = dataset.split("train").rows
        if found >= rows:
            return dataset
        if time.monotonic() > until or is_over():
            raise DatasetError(
                "the dataset has fewer rows than it had",
                where=storage.redact(root),
                found=f"{found} training rows",
                expected=f"{rows} or more",
                advice="Restore it: a run goes on with all that it has learned from.",
            )
        time.sleep(_LOOK_SECONDS)
