"""A dataset folder and its manifest in; what killed and failed runs left there is gone, and nothing else.

Only what a record of this program names is removed: the notes of generations (`traces`), claims, and the temporary
files of either. Runs that add the next generation may be at work meanwhile: only generations that stand are looked at.
"""

from __future__ import annotations

import posixpath

from seq2seq_core import storage
from seq2seq_core.dataset import generations
from seq2seq_core.dataset.manifest import MANIFEST_NAME, REPORT_NAME, Manifest
from seq2seq_core.preparation.planning.traces import Traces, all_traces, present
from seq2seq_core.preparation.terms import layout


def remove_leftovers(output: str, manifest: Manifest) -> None:
    """Remove finished and abandoned work, and files of abandoned generations."""
    last, kept = manifest.newest, set(manifest.files())
    for traces in list(all_traces(output)):
        if traces.generation <= last:
            _remove_files(output, traces, kept)
            storage.remove(layout.note(output, traces.work))
    _remove_work(layout.notes(output), manifest)
    _remove_notes(layout.notes(output), last)
    for folder, names in (("", {MANIFEST_NAME, REPORT_NAME}), (generations.FOLDER, _commits(last))):
        _remove_temporaries(storage.join(output, folder) if folder else output, names)


def _remove_files(output: str, traces: Traces, kept: set[str]) -> None:
    """The files a generation noted and the manifest does not name, unfinished ones of all, and folders left empty."""
    for path in present(output, traces.files):
        folder, name = posixpath.split(path)
        temporary = storage.published_name(name)
        noted = posixpath.join(folder, temporary) if temporary else path
        if noted in traces.files and (temporary or path not in kept):
            storage.remove(storage.join(output, path))
    for folder in sorted({posixpath.dirname(path) for path in traces.files}, reverse=True):
        if not any(path.startswith(f"{folder}/") for path in kept):
            storage.remove_empty_folder(storage.join(output, folder))


def _works_of(manifest: Manifest) -> set[str]:
    """Names of the work folders of generations that were added."""
    return {layout.work_name(entry.index, entry.fingerprint) for entry in manifest.generations}


def _remove_work(work: str, manifest: Manifest) -> None:
    """Remove what a run still put there whose generation another run had added meanwhile."""
    for name in _works_of(manifest) & set(storage.list_folder(work)):
        storage.remove(storage.join(work, name))


def _remove_notes(work: str, last: int) -> None:
    """Remove claims and notes of generations that stand; the run that wrote a rest has yet to read it."""
    for name in storage.list_folder(work):
        noted = storage.published_name(name) or name
        found = [int(values["generation"]) for note in layout.NOTES if (values := note.parse(noted))]
        if found and found[0] <= (last - 1 if layout.REST.parse(noted) else last):
            storage.remove(storage.join(work, name))
    storage.remove_empty_folder(work)


def _commits(last: int) -> set[str]:
    return {storage.name_of(generations.generation_path(index)) for index in range(last + 1)}


def _remove_temporaries(folder: str, names: set[str]) -> None:
    for name in storage.list_folder(folder):
        if storage.published_name(name) in names:
            storage.remove(storage.join(folder, name))
