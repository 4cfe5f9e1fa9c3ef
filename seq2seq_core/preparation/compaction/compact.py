"""A dataset of many generations in; the same rows in one, or in a few, out: readers see the old or the new, whole.

A fold is committed as a generation is: by a record in the journal that is created only if absent. From then on it
stands in the place of those of its generations, and `dataset.json` is replaced in one step. One run folds at a time;
runs that add generations go on meanwhile, as nothing that they look at is touched.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import pydantic

from seq2seq_core import claims, storage
from seq2seq_core.claims import Claim, Place
from seq2seq_core.dataset import generations
from seq2seq_core.dataset.generations import Span
from seq2seq_core.dataset.manifest import Manifest
from seq2seq_core.dataset.reader import Dataset
from seq2seq_core.errors import ClaimError, DatasetError, foreign_file
from seq2seq_core.preparation.compaction import folding
from seq2seq_core.preparation.compaction.config import CompactionConfig
from seq2seq_core.preparation.compaction.superseded import due, remove_superseded
from seq2seq_core.preparation.known.tiers import merged_from
from seq2seq_core.preparation.planning.traces import present
from seq2seq_core.preparation.publishing.leftovers import remove_leftovers
from seq2seq_core.preparation.terms import layout
from seq2seq_core.preparation.terms.corpus import Message

logger = logging.getLogger(__name__)


class _Note(Message):
    """The files that a fold may leave."""

    files: tuple[str, ...]


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
    with _alone(root):
        manifest = _standing(root)
        if len(manifest.generations) > 1:
            manifest = _fold(root, manifest, manifest.spans)
        remove_superseded(root, manifest, grace_seconds)
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
        with _alone(root):
            manifest = _standing(root)
            chosen = _too_many(manifest, config.beyond)
            if len(chosen) > 1:
                manifest = _fold(root, manifest, chosen)
            remove_superseded(root, manifest, config.grace_seconds)
            return manifest
    except ClaimError as error:
        logger.debug("not compacted: %s", error)
        return None


def _too_many(manifest: Manifest, beyond: int | None) -> list[Span]:
    """The newest generations, and older ones as long as those together are no more than twice as large."""
    entries = manifest.generations
    if beyond is None or len(entries) <= beyond:
        return []
    begin = merged_from([entry.ledger.read for entry in entries], max(2, beyond // 2))
    return manifest.spans[begin:]


def _standing(root: str) -> Manifest:
    """The dataset as it stands, with no traces of its generations: what those left out is cleared away before."""
    manifest = generations.bring_up_to_date(root)
    if manifest is None or not (manifest.generations and manifest.dealt):
        problem = "no dataset stands here" if manifest is None else "the dataset was made by an earlier version"
        raise DatasetError(problem, where=storage.redact(root), expected="one that `seq2seq prepare` has finished")
    remove_leftovers(root, manifest)
    return manifest


def _fold(root: str, manifest: Manifest, spans: list[Span]) -> Manifest:
    """Write, commit and show one fold; the dataset with it."""
    records = [generations.read_record(root, span) for span in spans]
    fold = folding.fold_of(Dataset(root, manifest), records)
    url = _announce(root, fold, manifest)
    generations.commit(root, folding.write(fold))  # where that is False, a killed run did the same
    found = generations.bring_up_to_date(root)
    storage.remove(url)
    (first, last), count = fold.span, len(spans)
    logger.info("%s: generations %d to %d are one now; they stood in %d", storage.redact(root), first, last, count)
    return found or manifest


def _announce(root: str, fold: folding.Fold, manifest: Manifest) -> str:
    """Write down what a fold may leave, when nobody else's file stands there; and clear away what killed ones left."""
    own, noted = set(folding.files_of(fold)), set[str]()
    for name in storage.list_folder(layout.notes(root)):
        if layout.FOLD.parse(name):
            noted |= _files_of_note(layout.note(root, name))
    taken = sorted(path for path in present(root, own) if path in own - noted)
    if taken:
        raise foreign_file(storage.redact(storage.join(root, taken[0])), "the dataset", len(taken))
    first, last = fold.span
    note = layout.FOLD.of(first=first, last=last)
    storage.publish_text(layout.note(root, note), _Note(files=tuple(sorted(own))).model_dump_json())
    needed = own | set(manifest.files()) | _files_of_journal(root) if noted - own else set()
    for path in sorted(noted - own - needed):
        storage.remove(storage.join(root, path))
    for name in storage.list_folder(layout.notes(root)):
        if name != note and layout.FOLD.parse(name):
            storage.remove(layout.note(root, name))
    return layout.note(root, note)


def _files_of_note(url: str) -> set[str]:
    try:
        return set(_Note.model_validate_json(storage.read_bytes(url)).files)
    except pydantic.ValidationError:
        return set()


def _files_of_journal(root: str) -> set[str]:
    records = (generations.read_record(root, span) for span in generations.journal(root))
    return {path for record in records for path in record.files()}


@contextmanager
def _alone(root: str) -> Iterator[None]:
    """Fold a dataset alone.

    Raises:
        ClaimError: Another run does.
    """
    notes, holder = layout.notes(root), claims.this_process()
    claim = Claim(work="compaction", fingerprint=storage.digest_bytes(holder.run.encode()))
    with claims.alive(notes, holder):
        claims.take(root, Place(notes, layout.COMPACTION_CLAIM), claim, holder)
        yield
