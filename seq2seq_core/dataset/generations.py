"""A manifest with one generation more in, committed for all or refused; the newest committed one out.

`generations/00001.json` is the whole manifest as of that generation. It is created only if absent, and that is the
commit: of several runs exactly one adds generation 1, on local disks and object stores alike. `dataset.json`, which
is all that readers look at, is a copy of the newest of these files. Whoever finds it behind brings it up to date.
"""

from __future__ import annotations

import re

from seq2seq_core import storage
from seq2seq_core.dataset.manifest import (
    MANIFEST_NAME,
    Manifest,
    load_manifest,
    manifest_text,
    publish_manifest,
    read_manifest,
)
from seq2seq_core.errors import DatasetError

FOLDER = "generations"
_NAME = re.compile(r"(\d{5})\.json")


def generation_path(index: int) -> str:
    """Where the manifest as of a generation stands below the dataset folder."""
    return storage.join(FOLDER, f"{index:05d}.json")


def commit(root: str, manifest: Manifest) -> bool:
    """Add the last generation of a manifest to the dataset; False when there is one of that number already."""
    url = storage.join(root, generation_path(manifest.generations[-1].index))
    return storage.create_exclusively(url, manifest_text(manifest).encode())


def bring_up_to_date(root: str) -> Manifest | None:
    """The manifest as of the newest committed generation, None without any; readers see it from now on.

    Raises:
        DatasetError: A manifest is damaged.
    """
    shown = load_manifest(root) if storage.exists(storage.join(root, MANIFEST_NAME)) else None
    last = _last(root)
    if last is None or (shown is not None and len(shown.generations) > last):
        return shown
    return publish_newest(root, as_of(root, last))


def as_of(root: str, index: int) -> Manifest:
    """The manifest as of a generation.

    Raises:
        DatasetError: The generation was never committed, or its manifest is damaged.
    """
    url = storage.join(root, generation_path(index))
    if not storage.exists(url):  # somebody copied the dataset without the folder of its generations
        shown = load_manifest(root)
        if len(shown.generations) == index + 1:
            return shown
        raise DatasetError("no such generation", where=storage.redact(url), expected="the manifest as of it")
    return read_manifest(url)


def publish_newest(root: str, manifest: Manifest) -> Manifest:
    """Show readers a committed manifest, or a newer one where there is one; the one they see in the end.

    Of publishers at the same time the last may be the one with the oldest manifest, but it looks again and mends it.
    """
    while True:
        publish_manifest(root, manifest)
        last = _last(root)
        if last is None or last < len(manifest.generations):
            return manifest
        manifest = as_of(root, last)


def _last(root: str) -> int | None:
    found = [match for name in storage.list_folder(storage.join(root, FOLDER)) if (match := _NAME.fullmatch(name))]
    return max((int(match[1]) for match in found), default=None)
