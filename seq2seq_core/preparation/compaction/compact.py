"""A dataset of many generations in; the same rows in one, or in a few, out: readers see the old or the new, whole.

A fold is committed as a generation is: by a record in the journal that is created only if absent. From then on it
stands in the place of those of its generations, and `dataset.json` is replaced in one step. One run folds at a time;
runs that add generations go on meanwhile, as nothing that they look at is touched.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from seq2seq_core import claims, storage
from seq2seq_core.claims import Claim, Place
from seq2seq_core.dataset import generations
from seq2seq_core.dataset.generations import Span
from seq2seq_core.dataset.manifest import MANIFEST_NAME, Manifest
from seq2seq_core.dataset.reader import Dataset
from seq2seq_core.errors import ClaimError, DatasetError
from seq2seq_core.preparation.compaction import folding, notes
from seq2seq_core.preparation.compaction.config import CompactionConfig
from seq2seq_core.preparation.compaction.superseded import due, remove_superseded
from seq2seq_core.preparation.known.tiers import merged_from
from seq2seq_core.preparation.publishing.leftovers import remove_leftovers
from seq2seq_core.preparation.terms import layout

logger = logging.getLogger(__name__)


def compact(root: str, grace_seconds: float) -> Manifest:
    """Fold all generations of a dataset into one, and remove what earlier folds left, when readers have had their time.

    Args:
        root: The dataset folder.
        grace_seconds: How long files stay that a fold leaves.

    Raises:
        DatasetError: No dataset stands there, or it was made by an earlier version.
        ClaimError: Another run folds it.
        ForeignFileError: A file of somebody else stands where one would go.
    """
    if not generations.journal(root) and not storage.exists(storage.join(root, MANIFEST_NAME)):
        raise _none(root)  # before a folder is made for the claim
    with alone(root):
        manifest = standing_dataset(root)
        if len(manifest.generations) > 1:
            manifest = _fold(root, manifest, manifest.spans)
        _clear(root, manifest, grace_seconds)
    return manifest


def keep_few(root: str, config: CompactionConfig) -> Manifest | None:
    """Fold the newest generations, where there are more than the configuration wants; the dataset, if it was touched.

    A look at the names of the journal tells that there is nothing to do. Another run that folds is left to it.
    """
    spans = generations.journal(root)
    is_full = config.beyond is not None and len(generations.chain(spans)) > config.beyond
    if not is_full and not due(root, spans, config.grace_seconds):
        return None
    try:
        with alone(root):
            manifest = standing_dataset(root)
            chosen = _too_many(manifest, config.beyond)
            if len(chosen) > 1:
                manifest = _fold(root, manifest, chosen)
            _clear(root, manifest, config.grace_seconds)
            return manifest
    except ClaimError as error:
        logger.debug("not compacted: %s", error)
        return None


def _clear(root: str, manifest: Manifest, grace_seconds: float) -> None:
    """Remove what folds were begun with and never finished, and what finished ones have left."""
    notes.clear(root, manifest, grace_seconds)
    remove_superseded(root, manifest, grace_seconds)


def _too_many(manifest: Manifest, beyond: int | None) -> list[Span]:
    """The newest generations, and older ones as long as those together are no more than twice as large."""
    entries = manifest.generations
    if beyond is None or len(entries) <= beyond:
        return []
    begin = merged_from([entry.ledger.read for entry in entries], max(2, beyond // 2))
    return manifest.spans[begin:]


def standing_dataset(root: str) -> Manifest:
    """The dataset as it stands, with no traces of its generations: what those left out is cleared away before."""
    manifest = generations.bring_up_to_date(root)
    if manifest is None:
        raise _none(root)
    if not (manifest.generations and manifest.dealt):
        raise _none(root, "the dataset was made by an earlier version")
    remove_leftovers(root, manifest)
    return manifest


def _none(root: str, problem: str = "no dataset stands here") -> DatasetError:
    return DatasetError(problem, where=storage.redact(root), expected="one that `seq2seq prepare` has finished")


def _fold(root: str, manifest: Manifest, spans: list[Span]) -> Manifest:
    """Write, commit and show one fold; the dataset with it."""
    records = [generations.read_record(root, span) for span in spans]
    fold = folding.fold_of(Dataset(root, manifest), records)
    notes.announce(root, fold.span, folding.files_of(fold))
    generations.commit(root, folding.write(fold))  # where that is False, a killed run did the same
    found = generations.bring_up_to_date(root)
    (first, last), count = fold.span, len(spans)
    logger.info("%s: generations %d to %d are one now; they stood in %d", storage.redact(root), first, last, count)
    return found or manifest


@contextmanager
def alone(root: str) -> Iterator[None]:
    """Fold a dataset alone.

    Raises:
        ClaimError: Another run does.
    """
    folder, holder = layout.notes(root), claims.this_process()
    claim = Claim(work="compaction", fingerprint=storage.digest_bytes(holder.run.encode()))
    with claims.alive(folder, holder):
        claims.take(root, Place(folder, layout.COMPACTION_CLAIM), claim, holder)
        yield
