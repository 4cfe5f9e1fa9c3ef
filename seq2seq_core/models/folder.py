"""A trained model in, a folder that inference can use alone out, and back.

    config.json             architecture, vocabulary sizes, how source text was made; name, size and digest of each file
    model.safetensors       the weights, float32, a tied table once
    tokenizer/joint.model   or tokenizer/source.model and tokenizer/target.model
    lineage.json            where the model comes from

`config.json` is published last and alone says which files count. A file that the published one names is never
overwritten with other content: the new content goes to a name with a part of its digest (`model-0f3a….safetensors`),
and what is no longer named is removed after the new `config.json` stands. So a writer killed at any moment leaves the
old model or the new one, whole. A reader that was overtaken finds a file gone or changed, and begins anew with the new
`config.json`. A folder has one writer at a time.
"""

from __future__ import annotations

import json
import logging
import posixpath
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import pydantic
import safetensors
import safetensors.torch
import torch
from torch import Tensor

from seq2seq_core import storage
from seq2seq_core.errors import ConfigError, ModelError, StorageError
from seq2seq_core.models.interface import Seq2Seq
from seq2seq_core.models.registry import ArchitectureConfig, build_model
from seq2seq_core.text.source_text import SourceText
from seq2seq_core.tokenizer.model import Tokenizer

FORMAT_VERSION = 1
CONFIG_NAME = "config.json"

_WEIGHTS_NAME = "model.safetensors"
_LINEAGE_NAME = "lineage.json"
_JOINT_NAME, _SOURCE_NAME, _TARGET_NAME = (f"tokenizer/{side}.model" for side in ("joint", "source", "target"))
_DIGITS_IN_NAME = 16
_OURS = re.compile(rf"(model|lineage|tokenizer/(joint|source|target))(-[0-9a-f]{{{_DIGITS_IN_NAME}}})?\.\w+")
_NAMED_DIFFERENCES = 3

_UNKNOWN_TEXT = SourceText()
_log = logging.getLogger(__name__)


class _Entry(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


class Lineage(_Entry):
    """Where a model comes from.

    Attributes:
        run: Name of the training run.
        step: Optimizer steps taken.
        averaged_steps: Steps of the checkpoints whose weights were averaged; empty when none were.
        dataset_digest: `Manifest.digest` of the dataset.
        dataset: URL of the dataset, without credentials.
        metrics: Validation results by name.
        configuration: The resolved training configuration.
        software: Versions by package name.
    """

    run: str
    step: int
    averaged_steps: tuple[int, ...] = ()
    dataset_digest: str
    dataset: str
    metrics: dict[str, float] = {}
    configuration: dict[str, Any] = {}
    software: dict[str, str] = {}


class FileEntry(_Entry):
    """A file of the folder; `path` is relative to it, `digest` xxh3-128 of its bytes."""

    path: str
    bytes: int
    digest: str


class ModelCard(_Entry):
    """What `config.json` says."""

    format_version: int = FORMAT_VERSION
    task: Literal["text"] = "text"
    architecture: ArchitectureConfig
    source_vocabulary: int
    target_vocabulary: int
    source_text: SourceText = SourceText()
    weights: FileEntry
    source_tokenizer: FileEntry
    target_tokenizer: FileEntry
    lineage: FileEntry

    @property
    def files(self) -> dict[str, FileEntry]:
        """The files that belong to the model, by path."""
        entries = (self.weights, self.source_tokenizer, self.target_tokenizer, self.lineage)
        return {entry.path: entry for entry in entries}


@dataclass(frozen=True)
class LoadedModel:
    """A model ready for inference; `digest` is the xxh3-128 of its `config.json` and so names all its files."""

    model: Seq2Seq
    architecture: ArchitectureConfig
    source_tokenizer: Tokenizer
    target_tokenizer: Tokenizer
    source_text: SourceText
    lineage: Lineage
    digest: str


def save_model(
    root: str,
    model: Seq2Seq,
    architecture: ArchitectureConfig,
    source_tokenizer: Tokenizer,
    target_tokenizer: Tokenizer,
    lineage: Lineage,
    source_text: SourceText = _UNKNOWN_TEXT,
) -> str:
    """Publish a model in the folder `root`, replacing an older one; the digest of its `config.json`.

    Raises:
        ModelError: The weights are not those of this architecture and these vocabularies.
    """
    tensors = _weights(model)
    vocabularies = source_tokenizer.vocabulary_size, target_tokenizer.vocabulary_size
    _check_weights(tensors, _empty(architecture, *vocabularies), "the model to be saved")
    taken = _published_files(root)
    joint = source_tokenizer.digest == target_tokenizer.digest
    card = ModelCard(
        architecture=architecture,
        source_vocabulary=vocabularies[0],
        target_vocabulary=vocabularies[1],
        source_text=source_text,
        weights=_publish(root, _WEIGHTS_NAME, safetensors.torch.save(tensors), taken),
        source_tokenizer=_publish(root, _JOINT_NAME if joint else _SOURCE_NAME, source_tokenizer.data, taken),
        target_tokenizer=_publish(root, _JOINT_NAME if joint else _TARGET_NAME, target_tokenizer.data, taken),
        lineage=_publish(root, _LINEAGE_NAME, _json(lineage), taken),
    )
    data = _json(card)
    storage.publish_bytes(storage.join(root, CONFIG_NAME), data)
    _sweep(root, card)
    return storage.digest_bytes(data)


def load_model(root: str, device: str = "cpu") -> LoadedModel:
    """Read the model in the folder `root` onto a device, in evaluation mode.

    Raises:
        ModelError: The folder is missing or unfinished, a file is missing or damaged, the weights do not fit.
        ConfigError: There is no such device.
    """
    target = _device(device)
    data, card, files = _read(root, lambda card: card.files.values())
    source_tokenizer = Tokenizer(files[card.source_tokenizer.path], _where(root, card.source_tokenizer.path))
    target_tokenizer = Tokenizer(files[card.target_tokenizer.path], _where(root, card.target_tokenizer.path))
    _check_vocabulary(root, card.source_tokenizer, source_tokenizer, card.source_vocabulary)
    _check_vocabulary(root, card.target_tokenizer, target_tokenizer, card.target_vocabulary)
    where = _where(root, card.weights.path)
    try:
        tensors = safetensors.torch.load(files[card.weights.path])
    except safetensors.SafetensorError as error:
        raise ModelError("the weights are damaged", where=where, found=error) from None
    model = _empty(card.architecture, card.source_vocabulary, card.target_vocabulary)
    _check_weights(tensors, model, where)
    model.load_state_dict(tensors, assign=True)
    lineage = _parse(Lineage, files[card.lineage.path], _where(root, card.lineage.path))
    return LoadedModel(
        model=model.to(target).eval(),
        architecture=card.architecture,
        source_tokenizer=source_tokenizer,
        target_tokenizer=target_tokenizer,
        source_text=card.source_text,
        lineage=lineage,
        digest=storage.digest_bytes(data),
    )


def read_card(root: str) -> tuple[ModelCard, Lineage]:
    """What a model folder says of itself, without its weights; see `load_model` for the errors."""
    _, card, files = _read(root, lambda card: [card.lineage])
    return card, _parse(Lineage, files[card.lineage.path], _where(root, card.lineage.path))


def verify_model(root: str) -> ModelCard:
    """Compare every file of a model folder with its digest; see `load_model` for the errors."""
    return _read(root, lambda card: card.files.values())[1]


def _weights(model: Seq2Seq) -> dict[str, Tensor]:
    """All weights by name, on the host, contiguous, floating-point ones in float32."""
    return {
        name: (tensor.detach().float() if tensor.is_floating_point() else tensor.detach()).cpu().contiguous()
        for name, tensor in model.state_dict().items()
    }


def _empty(architecture: ArchitectureConfig, source_vocabulary: int, target_vocabulary: int) -> Seq2Seq:
    """A model without memory behind its weights: names and shapes alone."""
    with torch.device("meta"):
        return build_model(architecture, source_vocabulary, target_vocabulary)


def _check_weights(tensors: Mapping[str, Tensor], model: Seq2Seq, where: str) -> None:
    """Compare names, shapes and types with those of `model`; a ModelError names the first differences."""
    found = {name: _describe(tensor) for name, tensor in tensors.items()}
    expected = {name: _describe(tensor) for name, tensor in model.state_dict().items()}
    different = [name for name in sorted(found | expected) if found.get(name) != expected.get(name)]
    if different:
        named = different[:_NAMED_DIFFERENCES]
        raise ModelError(
            f"{len(different)} weights do not fit the architecture",
            where=where,
            found=", ".join(f"{name} {found.get(name, 'missing')}" for name in named),
            expected=", ".join(f"{name} {expected.get(name, 'missing')}" for name in named),
        )


def _describe(tensor: Tensor) -> str:
    return f"{'x'.join(map(str, tensor.shape))} {str(tensor.dtype).removeprefix('torch.')}"


def _check_vocabulary(root: str, entry: FileEntry, tokenizer: Tokenizer, expected: int) -> None:
    if tokenizer.vocabulary_size != expected:
        raise ModelError(
            "the tokenizer is not the one of the model",
            where=_where(root, entry.path),
            found=f"{tokenizer.vocabulary_size} pieces",
            expected=expected,
        )


def _published_files(root: str) -> dict[str, FileEntry]:
    """The files the published `config.json` names; none when there is no readable one."""
    if not storage.exists(storage.join(root, CONFIG_NAME)):
        return {}
    try:
        return _read_config(root)[1].files
    except ModelError as error:
        _log.warning("%s It is replaced.", error)
        return {}


def _publish(root: str, name: str, data: bytes, taken: Mapping[str, FileEntry]) -> FileEntry:
    """Write a file under its plain name or, where a published model has other content there, with its digest."""
    digest = storage.digest_bytes(data)
    if name in taken and taken[name].digest != digest:
        stem, suffix = posixpath.splitext(name)
        name = f"{stem}-{digest[:_DIGITS_IN_NAME]}{suffix}"
    storage.publish_bytes(storage.join(root, name), data)
    return FileEntry(path=name, bytes=len(data), digest=digest)


def _sweep(root: str, card: ModelCard) -> None:
    """Remove files of earlier models, also those a killed writer left; other files of the folder stay."""
    paths = storage.list_folder(root)
    paths += [f"tokenizer/{name}" for name in storage.list_folder(storage.join(root, "tokenizer"))]
    for path in paths:
        if _OURS.fullmatch(path) and path not in card.files:
            storage.remove(storage.join(root, path))


def _read(root: str, select: Callable[[ModelCard], Iterable[FileEntry]]) -> tuple[bytes, ModelCard, dict[str, bytes]]:
    """`config.json` as bytes and parsed, and the selected files by path, all of one model."""
    data, card = _read_config(root)
    while True:
        try:
            return data, card, {entry.path: _read_file(root, entry) for entry in select(card)}
        except ModelError:
            before = data
            data, card = _read_config(root)
            if data == before:
                raise
            _log.info("%s was replaced while it was being read", storage.redact(root))


def _read_config(root: str) -> tuple[bytes, ModelCard]:
    url = storage.join(root, CONFIG_NAME)
    if not storage.exists(url):
        unfinished = storage.is_folder(root)
        raise ModelError(
            "the model is not finished" if unfinished else "no model stands here",
            where=storage.redact(root),
            found=f"no {CONFIG_NAME}",
            advice="Wait for the run that writes it, or name another folder." if unfinished else "Check the path.",
        )
    data = storage.read_bytes(url)
    return data, _parse(ModelCard, data, storage.redact(url))


def _read_file(root: str, entry: FileEntry) -> bytes:
    where = _where(root, entry.path)
    try:
        data = storage.read_bytes(storage.join(root, entry.path))
    except StorageError as error:
        raise ModelError("a file of the model cannot be read", where=where, found=error.problem) from None
    digest = storage.digest_bytes(data)
    if digest != entry.digest:
        raise ModelError(
            "a file of the model is damaged",
            where=where,
            found=f"{len(data)} bytes, xxh3-128 {digest}",
            expected=f"{entry.bytes} bytes, {entry.digest}",
            advice="Copy the model again, or export it again from its run.",
        )
    return data


E = TypeVar("E", bound=_Entry)


def _parse(kind: type[E], data: bytes, where: str) -> E:
    try:
        values = json.loads(data)
        if kind is ModelCard and isinstance(values, dict) and values.get("format_version") != FORMAT_VERSION:
            raise ModelError(
                "another format version",
                where=where,
                found=values.get("format_version"),
                expected=FORMAT_VERSION,
                advice="Use the version of this software that wrote the model, or export it again.",
            )
        return kind.model_validate(values)
    except (ValueError, pydantic.ValidationError) as error:
        raise ModelError("the file is damaged", where=where, found=" ".join(str(error).split("\n")[:3])) from None


def _json(entry: _Entry) -> bytes:
    text = json.dumps(entry.model_dump(mode="json"), indent=1, ensure_ascii=False, sort_keys=True)
    return (text + "\n").encode()


def _where(root: str, path: str) -> str:
    return storage.redact(storage.join(root, path))


def _device(name: str) -> torch.device:
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ConfigError(
            "no such device", found=repr(name), expected="cpu, cuda or cuda:N", advice=str(error).split("\n")[0]
        ) from None
    return device
