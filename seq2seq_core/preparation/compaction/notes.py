"""The files that a fold is about to write in, a note of them out, by which what killed ones left is cleared away.

Nobody else's file is ever replaced or removed: it would stand where no note and no record of ours names it.
"""

from __future__ import annotations

import posixpath
import time
from collections.abc import Iterable

import pydantic

from seq2seq_core import looks, storage
from seq2seq_core.dataset import generations
from seq2seq_core.dataset.generations import Span
from seq2seq_core.dataset.manifest import Manifest
from seq2seq_core.errors import foreign_file
from seq2seq_core.preparation.planning.traces import present
from seq2seq_core.preparation.terms import layout
from seq2seq_core.preparation.terms.corpus import Message


class _Note(Message):
    """The files that a fold may leave."""

    files: tuple[str, ...]


def announce(root: str, span: Span, files: Iterable[str]) -> None:
    """Note what a fold may leave, before it leaves anything.

    Raises:
        ForeignFileError: A file of somebody else stands where one would go.
    """
    own = set(files)
    ours = {path for files in _notes(root).values() for path in files}
    taken = sorted(path for path in present(root, own) if path in own - ours)
    if taken:
        raise foreign_file(storage.redact(storage.join(root, taken[0])), "the dataset", len(taken))
    url = layout.note(root, layout.FOLD.of(first=span[0], last=span[1]))
    storage.publish_text(url, _Note(files=tuple(sorted(own))).model_dump_json())


def clear(root: str, manifest: Manifest, grace_seconds: float) -> None:
    """Remove all notes, and the files they name that neither the dataset nor a record of its journal does.

    Files that a killed run was writing go with them, and those of claims when they are so many seconds old.
    """
    notes = _notes(root)
    if notes:
        records = (generations.read_record(root, span) for span in generations.journal(root))
        needed = {*manifest.files(), *(path for record in records for path in record.files())}
        for url, files in notes.items():
            for path in sorted(files - needed):
                storage.remove(storage.join(root, path))
            _remove_unfinished(root, files)
            storage.remove(url)
    _remove_unfinished_notes(layout.notes(root), grace_seconds)


def _remove_unfinished(root: str, files: set[str]) -> None:
    """Remove what was to become one of some files, or the record of a fold: nobody else folds now."""
    for folder in {posixpath.dirname(path) for path in files} | {generations.FOLDER}:
        for name in storage.list_folder(storage.join(root, folder)):
            meant = storage.published_name(name)
            if meant and (f"{folder}/{meant}" in files or (folder == generations.FOLDER and _is_of_fold(meant))):
                storage.remove(storage.join(root, folder, name))


def _is_of_fold(name: str) -> bool:
    span = generations.span_of(name)
    return span is not None and span[0] != span[1]


def _remove_unfinished_notes(folder: str, grace_seconds: float) -> None:
    """Remove what was to become a note of ours; others may be writing that of their claim just now."""
    for name in storage.list_folder(folder):
        meant = storage.published_name(name)
        if meant and any(note.parse(meant) for note in layout.COMPACTION_NOTES):
            url = storage.join(folder, name)
            look = looks.looks_of([url]).get(url)  # none, when it has been given its name meanwhile
            if look is not None and look.written is not None and look.written <= time.time() - grace_seconds:
                storage.remove(url)


def _notes(root: str) -> dict[str, set[str]]:
    """The notes of folds, and the files that each names."""
    urls = [layout.note(root, name) for name in storage.list_folder(layout.notes(root)) if layout.FOLD.parse(name)]
    return {url: _files(storage.read_if_there(url) or b"") for url in urls}


def _files(data: bytes) -> set[str]:
    try:
        return set(_Note.model_validate_json(data).files)
    except pydantic.ValidationError:  # then it is no note of ours, and names nothing
        return set()
