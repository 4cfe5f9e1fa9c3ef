"""A dataset whose generations were folded in; what no reader needs any more is gone, and nothing else.

Records that others stand in the place of say what their generations had added. They and those files stay until readers
that had opened the dataset before have had time to end. A record goes last, so a killed run is carried on by the next.
"""

from __future__ import annotations

import posixpath
import time

from seq2seq_core import looks, storage
from seq2seq_core.dataset import generations
from seq2seq_core.dataset.generations import Span
from seq2seq_core.dataset.manifest import Manifest


def due(root: str, spans: list[Span], grace_seconds: float) -> list[Span]:
    """The records in whose place another one has stood for so many seconds."""
    standing = generations.chain(spans)
    ages: dict[Span, float] = {}
    found: list[Span] = []
    for span in (span for span in spans if span not in standing):
        over = next((other for other in standing if other[0] <= span[0] and span[1] <= other[1]), None)
        if over is not None:
            if over not in ages:
                ages[over] = looks.age_of(storage.join(root, generations.record_path(over)), time.time())
            found += [span] if ages[over] >= grace_seconds else []
    return found


def remove_superseded(root: str, manifest: Manifest, grace_seconds: float) -> None:
    """Remove what generations left that were folded so many seconds ago or earlier."""
    kept = set(manifest.files())
    for span in due(root, generations.journal(root), grace_seconds):
        _remove(root, span, kept)


def _remove(root: str, span: Span, kept: set[str]) -> None:
    """The files of a record that the dataset does not name any more, folders left empty, and the record."""
    files = set(generations.read_record(root, span).files()) - kept
    for path in sorted(files):
        storage.remove(storage.join(root, path))
    for folder in sorted({posixpath.dirname(path) for path in files}):
        storage.remove_empty_folder(storage.join(root, folder))
    storage.remove(storage.join(root, generations.record_path(span)))
