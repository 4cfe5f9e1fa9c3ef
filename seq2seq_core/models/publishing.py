"""The files of a model in; a folder in which one model stands, the old one or the new one, whole, out. No torch.

    config.json             published last; it alone says which files count
    .publishing.json        while a model is replaced: what is about to be written, and what is about to go

A file that the published `config.json` names is never overwritten with other content: the new content goes to a name
with a part of its digest (`model-0f3a….safetensors`); content that stands there already keeps its name. So a writer
killed at any moment leaves the old model or the new one, whole. What it leaves besides is named, with its digest, by
`.publishing.json`, and the next writer removes it. Nothing else is ever removed or replaced: what a user or another
program keeps in the folder stays, and where it stands in the way the folder is refused. A folder has one writer at a
time.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, NamedTuple

import pydantic
from pydantic import Field

from seq2seq_core import storage
from seq2seq_core.errors import ModelError
from seq2seq_core.modalities.base import SIDES, Side
from seq2seq_core.models.card import (
    CONFIG_NAME,
    FORMAT_VERSION,
    FileEntry,
    ModelCard,
    as_json,
    parse_lineage,
    read_config,
    read_files,
)

WEIGHTS_NAME, LINEAGE_NAME = "model.safetensors", "lineage.json"
TOKENIZER_FOLDER = "tokenizer"

_NOTE_NAME = ".publishing.json"
_DIGITS_IN_NAME = 16
_WITH_DIGEST = re.compile(rf"-[0-9a-f]{{{_DIGITS_IN_NAME}}}(?=\.\w+$)")


class Content(NamedTuple):
    """A file to be published: its usual name, and its bytes."""

    name: str
    data: bytes


class _Note(pydantic.BaseModel):
    """What `.publishing.json` says."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    format_version: Annotated[int, Field(ge=FORMAT_VERSION, le=FORMAT_VERSION)] = FORMAT_VERSION
    files: tuple[FileEntry, ...]


def tokenizer_names(sides: Iterable[Side] = SIDES, *, is_joint: bool) -> dict[Side, str]:
    """The usual names of the tokenizers of the sides that have one."""
    return {side: f"{TOKENIZER_FOLDER}/{'joint' if is_joint else side}.model" for side in sides}


def check_room(root: str, sides: Iterable[Side] = SIDES, *, is_joint: bool) -> ModelCard | None:
    """The model that stands in a folder, None without any; whether another could replace it is told before any work.

    Args:
        root: The folder.
        sides: Those that have a tokenizer.
        is_joint: Whether it is one for both.

    Raises:
        ModelError: A file of another program or user stands where one of the model would go.
    """
    return _check_room(root, (WEIGHTS_NAME, LINEAGE_NAME, *tokenizer_names(sides, is_joint=is_joint).values()))


def publish_model(root: str, facts: Mapping[str, Any], contents: Mapping[str, Content]) -> ModelCard:
    """Publish a model, replacing an older one; where the same model stands already, nothing is written.

    Args:
        root: The folder.
        facts: What the card says besides its files.
        contents: The files by their names in the card.

    Raises:
        ModelError: See `check_room`.
    """
    before = _check_room(root, [content.name for content in contents.values()])
    _clear_up(root, before)
    entries = {field: _entry(content, before) for field, content in contents.items()}
    card = ModelCard(**facts, **entries)
    missing = {entries[field].path: content.data for field, content in contents.items()}
    missing = {path: data for path, data in missing.items() if not _stands(root, card.files[path])}
    if card == before and not missing:
        return card
    old = before.files if before else {}
    for path in missing:
        if path not in old and storage.exists(storage.join(root, path)):
            raise _in_the_way(storage.join(root, path), "a file that no model of this project names")
    _write_note(root, {**old, **card.files}.values())
    for path, data in missing.items():
        storage.publish_bytes(storage.join(root, path), data)
    storage.publish_bytes(storage.join(root, CONFIG_NAME), as_json(card))
    for path in old:
        if path not in card.files:
            storage.remove(storage.join(root, path))
    storage.remove(storage.join(root, _NOTE_NAME))
    return card


def copy_model(source: str, root: str) -> ModelCard:
    """Publish the model of another folder, replacing an older one; see `publish_model`.

    Raises:
        ModelError: There is no whole model in the other folder, or see `check_room`.
    """
    card, files = read_files(source, lambda card: card.files.values())
    parse_lineage(source, card, files)
    entries = {"weights": card.weights, "lineage": card.lineage}
    entries |= {f"{side}_tokenizer": entry for side, entry in card.tokenizers.items()}
    facts = {name: getattr(card, name) for name in ModelCard.model_fields if name not in entries}
    contents = {field: Content(_WITH_DIGEST.sub("", entry.path), files[entry.path]) for field, entry in entries.items()}
    return publish_model(root, facts, contents)


def _check_room(root: str, names: Iterable[str]) -> ModelCard | None:
    folders = [root, storage.join(root, TOKENIZER_FOLDER)]
    for folder in folders:
        if storage.exists(folder) and not storage.is_folder(folder):
            raise _in_the_way(folder, "a file where a folder is needed")
    standing = set(storage.list_folder(root))
    standing |= {f"{TOKENIZER_FOLDER}/{name}" for name in storage.list_folder(folders[1])}
    noted = _noted(root)
    published = _published(root) if CONFIG_NAME in standing else None
    for name in sorted((standing & set(names)) - set(published.files if published else ())):
        if not any(entry.path == name and _stands(root, entry) for entry in noted):
            raise _in_the_way(storage.join(root, name), "a file that no model of this project names")
    return published


def _published(root: str) -> ModelCard:
    try:
        return read_config(root)
    except ModelError as error:
        raise ModelError(
            "something stands where a file of the model would go, and is none of ours, or damaged",
            where=storage.redact(storage.join(root, CONFIG_NAME)),
            found=f"{error.problem} ({error.found})",
            advice="Move it and the files it belongs to away, or choose another output folder.",
        ) from None


def _in_the_way(url: str, found: str) -> ModelError:
    return ModelError(
        "something stands where a file of the model would go",
        where=storage.redact(url),
        found=found,
        expected="nothing, or a model of this project",
        advice="Move it away, or choose another output folder.",
    )


def _entry(content: Content, before: ModelCard | None) -> FileEntry:
    """The name that content gets: the one it has already, its usual one, or, where that is taken, one of its own."""
    digest, taken = storage.digest_bytes(content.data), before.files if before else {}
    for entry in taken.values():
        if entry.digest == digest and _WITH_DIGEST.sub("", entry.path) == content.name:
            return FileEntry(path=entry.path, bytes=len(content.data), digest=digest)
    name = content.name
    if name in taken:
        stem, suffix = posixpath.splitext(name)
        name = f"{stem}-{digest[:_DIGITS_IN_NAME]}{suffix}"
    return FileEntry(path=name, bytes=len(content.data), digest=digest)


def _stands(root: str, entry: FileEntry) -> bool:
    """Whether a file is there with the content its entry says."""
    url = storage.join(root, entry.path)
    return storage.exists(url) and storage.size(url) == entry.bytes and storage.digest_file(url) == entry.digest


def _write_note(root: str, files: Iterable[FileEntry]) -> None:
    storage.publish_text(storage.join(root, _NOTE_NAME), _Note(files=tuple(files)).model_dump_json(indent=1) + "\n")


def _noted(root: str) -> tuple[FileEntry, ...]:
    """What a killed writer was about to write or to remove."""
    url = storage.join(root, _NOTE_NAME)
    data = storage.read_if_there(url)
    if data is None:
        return ()
    try:
        return _Note.model_validate_json(data, strict=True).files
    except pydantic.ValidationError:
        raise _in_the_way(url, "a file that is none of ours, or damaged") from None


def _clear_up(root: str, published: ModelCard | None) -> None:
    """Remove what a killed writer left: files of no published model that are what its note says, and temporary ones."""
    noted = _noted(root)
    if not noted:
        return
    kept = published.files if published else {}
    for entry in noted:
        if entry.path not in kept and _stands(root, entry):
            storage.remove(storage.join(root, entry.path))
    for path in (CONFIG_NAME, _NOTE_NAME, *(entry.path for entry in noted)):
        _remove_temporaries(root, path)
    storage.remove(storage.join(root, _NOTE_NAME))


def _remove_temporaries(root: str, path: str) -> None:
    """Those that `storage.publish` wrote for a file and was killed over."""
    folder, name = posixpath.split(path)
    pattern = re.compile(rf"\.{re.escape(name)}\.[0-9a-f]{{32}}\.tmp")
    for found in storage.list_folder(storage.join(root, folder) if folder else root):
        if pattern.fullmatch(found):
            storage.remove(storage.join(root, *([folder] if folder else []), found))
