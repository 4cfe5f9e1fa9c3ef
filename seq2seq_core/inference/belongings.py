"""The units of a run in; a note of every file it writes to the output folder, so that nothing else is ever touched.

The note (`.units/files.json`) is written before the first output. What no note, marker or manifest of ours names is
somebody else's, whatever it is called: where it stands in the way of an output, the run ends before any work.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

import pydantic

from seq2seq_core import storage
from seq2seq_core.errors import DatasetError, foreign_file
from seq2seq_core.inference.commit import Committable
from seq2seq_core.inference.folder import (
    MARKER_FOLDER,
    NOTE_PATH,
    OUTPUT_NAME,
    failures_path,
    flags_path,
    kept_path,
    marker_path,
)
from seq2seq_core.inference.manifest import AnyOutput, load_any

_MARKER = re.compile(rf"{re.escape(MARKER_FOLDER)}/(.*-\d{{5,}}-of-\d{{5,}}.*)\.json")
_NUMBERED = re.compile(r"(.*)-\d{5,}-of-\d{5,}(.*)")
_TEMPORARY = re.compile(r"(.*/)?\.(.+)\.[0-9a-f]{32}\.tmp")
_PATHS = pydantic.TypeAdapter(list[str])


def take_places(root: str, units: Sequence[Committable]) -> None:
    """Note the outputs of a run, if none of their places is somebody else's.

    Raises:
        ForeignFileError: One is; the first is named.
    """
    present = set(storage.files_below(root))
    ours = _recorded(root, present)
    wanted = {path for unit in units for path in (unit.path, failures_path(unit.path), flags_path(unit.path))}
    strangers = sorted((wanted - _all_files(ours)) & present)
    if OUTPUT_NAME in present and _manifest(root) is None:
        strangers.append(OUTPUT_NAME)
    if strangers:
        raise foreign_file(storage.redact(storage.join(root, strangers[0])), "an output", len(strangers))
    _note(root, ours | {unit.path for unit in units})


def sweep(root: str, is_of_these: Callable[[str], bool], kept: Collection[str]) -> None:
    """Remove what earlier or killed runs on the same inputs left: other numbers of units, temporary files.

    Files that belong to none of these inputs, or are not ours, are not touched.

    Args:
        root: The output folder.
        is_of_these: Whether an output of ours, by its path, belongs to the inputs of this run.
        kept: The outputs of this run.
    """
    present = set(storage.files_below(root))
    ours = _recorded(root, present)
    of_these = {path for path in ours if is_of_these(path)}
    stale, files = of_these - set(kept), set(_all_files(of_these))
    half = {path for path in present if _is_half(path, files)}
    for path in sorted((_all_files(stale) & present) | half):
        storage.remove(storage.join(root, path))
    _note(root, ours - stale)


def _recorded(root: str, present: Iterable[str]) -> set[str]:
    """The outputs that the note, markers and the manifest name."""
    data = storage.read_if_there(storage.join(root, NOTE_PATH))
    try:
        noted = set(_PATHS.validate_json(data)) if data is not None else set()
    except pydantic.ValidationError:
        noted = set()
    marked = {found[1] for path in present if (found := _MARKER.fullmatch(path))}
    manifest = _manifest(root)
    return noted | marked | {unit.path for unit in (manifest.units if manifest else ())}


def _manifest(root: str) -> AnyOutput | None:
    try:
        return load_any(root)
    except DatasetError:
        return None


def _note(root: str, outputs: set[str]) -> None:
    storage.publish_text(storage.join(root, NOTE_PATH), json.dumps(sorted(outputs), indent=0))


def _all_files(outputs: Iterable[str]) -> set[str]:
    """Outputs with their markers, their ledgers of failures and what is kept of them."""
    return {path for output in outputs for path in _files_of(output)}


def _files_of(output: str) -> Iterator[str]:
    yield output
    yield marker_path(output)
    yield failures_path(output)
    yield kept_path(output)
    yield flags_path(output)


def stem_of(output: str) -> tuple[str, str] | None:
    """Name and suffix of the input that a numbered output is of."""
    found = _NUMBERED.fullmatch(output)
    return (found[1], found[2]) if found else None


def _is_half(path: str, files: set[str]) -> bool:
    """Whether a file is the beginning of one of ours that was never published."""
    found = _TEMPORARY.fullmatch(path)
    return found is not None and f"{found[1] or ''}{found[2]}" in files
