"""A dataset folder and its manifest in; what killed and failed runs left there is gone, and nothing else.

Runs that add the next generation may be at work meanwhile: only traces of generations that stand are touched.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from seq2seq_core import storage
from seq2seq_core.preparation.progress import WORK_FOLDER
from seq2seq_core.shards import generations
from seq2seq_core.shards.manifest import MANIFEST_NAME, NEAR_FOLDER, REPORT_NAME, Manifest
from seq2seq_core.shards.schema import SPLITS

_TEMPORARY = r"\.[0-9a-f]{32}\.tmp"
_NAMES = r"(part-\d{5}-of-\d{5}\.parquet|(joint|source|target)\.model|dataset\.json|report\.html)"
_NEAR_TEMPORARY = re.compile(rf"\.part-\d{{5}}-of-\d{{5}}\.arrow{_TEMPORARY}")
_OURS = re.compile(rf"{_NAMES}|\.{_NAMES}{_TEMPORARY}")
_WORK = re.compile(rf"\d{{5}}-[0-9a-f]{{16}}|\.?(claim|progress)-\d{{5}}\.json({_TEMPORARY})?")
_NOTE = re.compile(rf"\.?rest-\d{{5}}-.*\.json({_TEMPORARY})?")
_COMMIT = re.compile(rf"\.\d{{5}}\.json{_TEMPORARY}")
_NUMBER = re.compile(r"\d{5}")
_GENERATION = re.compile(r"generation-(\d{5})-[0-9a-f]{8}")


def sweep(output: str, manifest: Manifest) -> None:
    """Remove finished and abandoned work, and files of our names that the manifest does not name."""
    last = len(manifest.generations) - 1
    _sweep_numbered(storage.join(output, WORK_FOLDER), _WORK, last)
    _sweep_numbered(storage.join(output, WORK_FOLDER), _NOTE, last - 1)  # the run that wrote it has yet to read it
    storage.remove_empty_folder(storage.join(output, WORK_FOLDER))
    _sweep_numbered(storage.join(output, generations.FOLDER), _COMMIT, last)
    named = {MANIFEST_NAME, REPORT_NAME, manifest.source_tokenizer.path, manifest.target_tokenizer.path}
    named |= {shard.path for entry in manifest.splits.values() for shard in entry.shards}
    named |= {entry.path for entry in manifest.rejected}
    for folder in _folders(output, last):
        for name in storage.list_folder(storage.join(output, folder) if folder else output):
            path = storage.join(folder, name) if folder else name
            if _OURS.fullmatch(name) and path not in named:
                storage.remove(storage.join(output, path))
        if _GENERATION.fullmatch(storage.name_of(folder)):
            storage.remove_empty_folder(storage.join(output, folder))
    _sweep_near(output, manifest)


def _sweep_near(output: str, manifest: Manifest) -> None:
    """Remove the band files of generations that were never added, and unfinished ones of those that were."""
    near, last = storage.join(output, NEAR_FOLDER), len(manifest.generations) - 1
    added = {generation.folder for generation in manifest.generations}
    folders = [near]
    for name in storage.list_folder(near):
        found = _GENERATION.fullmatch(name)
        if found and int(found[1]) <= last and name not in added:
            storage.remove(storage.join(near, name))
        elif name in added:
            folders.append(storage.join(near, name))
    for folder in folders:
        for name in storage.list_folder(folder):
            if _NEAR_TEMPORARY.fullmatch(name):
                storage.remove(storage.join(folder, name))


def _folders(output: str, last: int) -> Iterator[str]:
    """All folders with files of generations up to the last, inner ones first; "" is the dataset's own."""
    for folder in (*SPLITS, "rejected/shards", "rejected"):
        for name in storage.list_folder(storage.join(output, folder)):
            found = _GENERATION.fullmatch(name)
            if found and int(found[1]) <= last:
                yield storage.join(folder, name)
        yield folder
    yield from ("tokenizer", "")


def _sweep_numbered(folder: str, names: re.Pattern[str], last: int) -> None:
    """Remove the entries of such names whose number is not above the last."""
    for name in storage.list_folder(folder):
        number = _NUMBER.search(name)
        if number and names.fullmatch(name) and int(number[0]) <= last:
            storage.remove(storage.join(folder, name))
