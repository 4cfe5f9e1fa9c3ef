"""A model folder in; what it says of itself out, and the digest that names the model by its content. No torch.

    config.json             architecture, what the source is, vocabulary sizes, how source text was made; name, size
                            and digest of each file
    lineage.json            where the model comes from

A foreign folder is not believed: numbers are of their own type and range, texts no numbers, paths stay in the folder.
What the architecture's numbers mean is known to the families alone; `models.folder` compares them with the weights.
"""

from __future__ import annotations

import json
import logging
import struct
from collections.abc import Callable, Iterable
from math import prod
from typing import Annotated, Any, Literal, Self, TypeVar

import pydantic
from pydantic import AfterValidator, Field, model_serializer, model_validator

from seq2seq_core import storage
from seq2seq_core.dataset.segment import Segment
from seq2seq_core.errors import DatasetError, ModelError, StorageError
from seq2seq_core.modalities.base import Described, EncoderInput, Modality, Side
from seq2seq_core.modalities.table import USUAL, modality_of
from seq2seq_core.text.source_text import SourceText

FORMAT_VERSION = 1
CONFIG_NAME = "config.json"

_MOST_HEADER_BYTES = 100_000_000  # as the safetensors library has it
_SHOWN_KEYS = 5
_TOLD_KEYS = ("run", "step", "averaged_steps", "dataset", "dataset_digest")
_ADVICE = "Copy the model again, or export it again from its run."
_log = logging.getLogger(__name__)


def _below(path: str) -> str:
    """A path that stays below the folder."""
    try:
        storage.join("folder", path)
        path.encode()
    except (StorageError, UnicodeEncodeError) as error:
        raise ValueError(str(error)) from None
    if not path.strip() or "\0" in path:
        raise ValueError("no path of a file")
    return path


def _known(modality: Described) -> Described:
    """One that this version knows."""
    try:
        return modality_of(modality).described
    except DatasetError as error:
        raise ValueError(str(error)) from None


Count = Annotated[int, Field(ge=0, lt=1 << 63)]
_Path = Annotated[str, AfterValidator(_below)]
_Modality = Annotated[Described, AfterValidator(_known)]


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
        segments: What was learned from, and since which step, where the dataset grew meanwhile; `dataset_digest` is
            that of the first.
        drawn: Rows of each of several datasets that were learned from, by its URL.
        metrics: Validation results by name.
        configuration: The resolved training configuration.
        software: Versions by package name.
    """

    run: str
    step: Count
    averaged_steps: tuple[Count, ...] = ()
    dataset_digest: str
    dataset: str
    segments: tuple[Segment, ...] = ()
    drawn: dict[str, Count] = {}
    metrics: dict[str, float] = {}
    configuration: dict[str, Any] = {}
    software: dict[str, str] = {}

    @model_serializer(mode="wrap")
    def _without_no_segments(self, dump: pydantic.SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Of one dataset that stayed as it was no more is said than before there were any others."""
        return {name: value for name, value in dump(self).items() if name not in ("segments", "drawn") or value}

    @property
    def told(self) -> dict[str, Any]:
        """What manifests of outputs tell of it."""
        return self.model_dump(mode="json", include=set(_TOLD_KEYS))


class FileEntry(_Entry):
    """A file of the folder; `path` is relative to it, `digest` xxh3-128 of its bytes."""

    path: _Path
    bytes: Count
    digest: str


class ModelCard(_Entry):
    """What `config.json` says; `architecture` is that of a family of `models.registry`, as plain values.

    `source_modality` says what the source is (`modalities.table`), with all its settings; only a source of text has a
    tokenizer, and a vocabulary.
    """

    format_version: Annotated[int, Field(ge=FORMAT_VERSION, le=FORMAT_VERSION)] = FORMAT_VERSION
    task: Literal["text"] = "text"
    architecture: dict[str, Any]
    source_modality: _Modality = USUAL
    source_vocabulary: Count | None = None
    target_vocabulary: Count
    source_text: SourceText = SourceText()
    weights: FileEntry
    source_tokenizer: FileEntry | None = None
    target_tokenizer: FileEntry
    lineage: FileEntry

    @model_validator(mode="after")
    def _text_has_a_tokenizer(self) -> Self:
        for name in ("source_vocabulary", "source_tokenizer"):
            if (getattr(self, name) is not None) != self.modality.has_text:
                expected = "there is none" if self.modality.has_text else "only a source of text has one"
                raise ValueError(f"{name}: {expected}, and the source is {self.modality.kind}")
        return self

    @model_serializer(mode="wrap")
    def _without_what_is_usual(self, dump: pydantic.SerializerFunctionWrapHandler) -> dict[str, Any]:
        """What is written of a model of text, and its digest, does not change with what other models are."""
        usual = {"source_modality": USUAL, "source_vocabulary": None, "source_tokenizer": None}
        return {name: value for name, value in dump(self).items() if name not in usual or value != usual[name]}

    @property
    def modality(self) -> Modality:
        """What the source is."""
        return modality_of(self.source_modality)

    @property
    def encoder_input(self) -> EncoderInput:
        """What the encoder is given at each position."""
        return self.modality.encoder_input(self.source_vocabulary)

    @property
    def tokenizers(self) -> dict[Side, FileEntry]:
        """The tokenizers of the sides that have one."""
        source: dict[Side, FileEntry] = {} if self.source_tokenizer is None else {"source": self.source_tokenizer}
        return {**source, "target": self.target_tokenizer}

    @property
    def files(self) -> dict[str, FileEntry]:
        """The files that belong to the model, by path."""
        entries = (self.weights, *self.tokenizers.values(), self.lineage)
        return {entry.path: entry for entry in entries}

    @property
    def digest(self) -> str:
        """Names the model by all that its outputs follow from: what its files hold and how they are put to use.

        What the files are called does not count, nor does the lineage: who trained the same weights, when and under
        which versions makes no other output, so nothing has to be translated again for it.
        """
        entries = {"weights": self.weights, **{f"{side}_tokenizer": entry for side, entry in self.tokenizers.items()}}
        values = self.model_dump(mode="json", exclude={"lineage", *entries})
        values |= {name: entry.digest for name, entry in entries.items()}
        return storage.digest_bytes(json.dumps(values, sort_keys=True).encode())


def read_card(root: str) -> tuple[ModelCard, Lineage]:
    """What a model folder says of itself, without its weights.

    Raises:
        ModelError: The folder is missing, unfinished or none of ours, or one of these files is damaged.
    """
    card, files = read_files(root, lambda card: [card.lineage])
    return card, parse_lineage(root, card, files)


def check_reads_text(root: str, card: ModelCard) -> None:
    """Make sure that a model can be given texts; else a ModelError."""
    if not card.modality.has_text:
        raise ModelError(
            "the source of this model is no text, and only texts are translated",
            where=storage.redact(root),
            found=f"source_modality {card.modality.kind}",
            advice="Name a model that was trained on text; one of speech is for `seq2seq transcribe`.",
        )


def verify_model(root: str) -> ModelCard:
    """Compare every file of a model folder with its size and digest; see `read_card` for the errors."""
    card, files = read_files(root, lambda card: card.files.values())
    parse_lineage(root, card, files)
    return card


def read_files(root: str, select: Callable[[ModelCard], Iterable[FileEntry]]) -> tuple[ModelCard, dict[str, bytes]]:
    """The card and the selected files by path, all of one model, though another be published meanwhile."""
    card = read_config(root)
    while True:
        try:
            return card, {entry.path: _read_file(root, entry) for entry in select(card)}
        except ModelError:
            before = card
            card = read_config(root)
            if card == before:
                raise
            _log.info("%s was replaced while it was being read", storage.redact(root))


def is_own(root: str) -> bool:
    """Whether a folder seems to hold a model of this project, whole or damaged."""
    data = storage.read_if_there(storage.join(root, CONFIG_NAME))
    try:
        return data is not None and "format_version" in _AnyCard.model_validate_json(data).model_fields_set
    except pydantic.ValidationError:
        return False


def read_config(root: str) -> ModelCard:
    """`config.json` alone; see `read_card` for the errors."""
    url = storage.join(root, CONFIG_NAME)
    data, where = storage.read_if_there(url), storage.redact(url)
    if data is None:
        problem, advice = _why_no_model(root)
        raise ModelError(problem, where=storage.redact(root), found=f"no {CONFIG_NAME}", advice=advice)
    _check_version(data, where)
    return _parse(ModelCard, data, where)


def parse_lineage(root: str, card: ModelCard, files: dict[str, bytes]) -> Lineage:
    """The lineage among files that were read; a ModelError when it cannot be understood."""
    return _parse(Lineage, files[card.lineage.path], place(root, card.lineage))


def place(root: str, entry: FileEntry) -> str:
    """A file of the folder, as messages show it."""
    return storage.redact(storage.join(root, entry.path))


def as_json(entry: Lineage | ModelCard) -> bytes:
    """What stands in the file."""
    text = json.dumps(entry.model_dump(mode="json"), indent=1, ensure_ascii=False, sort_keys=True)
    return (text + "\n").encode()


def count_parameters(url: str) -> int:
    """The numbers in a safetensors file, by its header: a little-endian length of 8 bytes, then JSON.

    Raises:
        ModelError: The header cannot be understood.
    """
    with storage.open_input(url) as file:
        try:
            (length,) = struct.unpack("<Q", file.read(8))
            data = file.read(min(length, _MOST_HEADER_BYTES, storage.size(url)))
            header: dict[str, Any] = _HEADER.validate_json(data)
            shapes = [
                _SHAPE.validate_python(entry, strict=True) for name, entry in header.items() if name != "__metadata__"
            ]
        except (struct.error, pydantic.ValidationError) as error:
            found = " ".join(str(error).split("\n")[:3])
            raise ModelError("the weights are damaged", where=storage.redact(url), found=found) from None
    return sum(prod(entry.shape) for entry in shapes)


class _Tensor(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="ignore", frozen=True)

    shape: Annotated[list[Count], Field(max_length=64)]


_HEADER, _SHAPE = pydantic.TypeAdapter(dict[str, Any]), pydantic.TypeAdapter(_Tensor)


def _why_no_model(root: str) -> tuple[str, str]:
    best = storage.join(root, "best")
    if storage.exists(storage.join(best, CONFIG_NAME)):
        return "this is a run folder; its models stand below it", f"Name {storage.redact(best)}."
    if storage.is_folder(root):
        return (
            "no finished model stands here",
            "Wait for the run that writes it, or name another folder, like RUN/best.",
        )
    return "no model stands here", "Check the path: it is a folder like RUN/best."


def _read_file(root: str, entry: FileEntry) -> bytes:
    where = place(root, entry)
    try:
        data = storage.read_bytes(storage.join(root, entry.path))
    except StorageError as error:
        raise ModelError(
            "a file of the model cannot be read",
            where=where,
            found=error.problem,
            expected=f"{entry.bytes} bytes, xxh3-128 {entry.digest}",
            advice=_ADVICE,
        ) from None
    digest = storage.digest_bytes(data)
    if (len(data), digest) != (entry.bytes, entry.digest):
        raise ModelError(
            "a file of the model is damaged",
            where=where,
            found=f"{len(data)} bytes, xxh3-128 {digest}",
            expected=f"{entry.bytes} bytes, xxh3-128 {entry.digest}",
            advice=_ADVICE,
        )
    return data


class _AnyCard(pydantic.BaseModel):
    """A JSON object with or without our number of the format."""

    model_config = pydantic.ConfigDict(extra="allow")

    format_version: Any = None


def _check_version(data: bytes, where: str) -> None:
    """Tell a card of another version, and a `config.json` of another program, from a damaged one."""
    found = _parse(_AnyCard, data, where)
    if "format_version" not in found.model_fields_set:
        keys = sorted(found.model_extra or {})
        raise ModelError(
            "the model is none of this project",
            where=where,
            found=f"keys {', '.join(keys[:_SHOWN_KEYS])}" if keys else "no keys",
            expected=f"format_version {FORMAT_VERSION}",
            advice="Name a folder like RUN/best.",
        )
    if found.format_version != FORMAT_VERSION:
        raise ModelError(
            "another format version",
            where=where,
            found=found.format_version,
            expected=FORMAT_VERSION,
            advice="Use the version of this software that wrote the model, or export it again.",
        )


E = TypeVar("E", bound=pydantic.BaseModel)


def _parse(kind: type[E], data: bytes, where: str) -> E:
    try:
        return kind.model_validate_json(data, strict=True)
    except pydantic.ValidationError as error:
        found = " ".join(str(error).split("\n")[:3])
        raise ModelError("the file is damaged", where=where, found=found, advice=_ADVICE) from None
