"""A folder of memories in; in each of them few runs stand out, and how many answers there are."""

from __future__ import annotations

import logging
import uuid

from seq2seq_core import storage
from seq2seq_core.claims import held
from seq2seq_core.errors import ClaimError
from seq2seq_core.inference.memory.store import compact, needs_compaction, records_in, stores_in

_log = logging.getLogger(__name__)


def settle(root: str) -> None:
    """Merge the runs that many processes have left; whoever is at it elsewhere does it for all.

    Raises:
        StorageError: The store does not answer.
        DatasetError: A file is damaged.
    """
    for url in stores_in(root):
        if needs_compaction(url):
            try:
                with held(url, uuid.uuid4().hex, "compaction"):
                    compact(url)
            except ClaimError as error:
                _log.debug("the memory is left as it is: %s", error)


def count(root: str) -> int:
    """How many answers are kept, of all models and files."""
    return sum(run.rows for url in stores_in(root) for run in records_in(url))


def told(root: str, before: int) -> str:
    """What a run has added to a folder, for its log."""
    after = count(root)
    return f"{storage.redact(root)}: {after:,} answers are kept, {after - before:,} of them new"
