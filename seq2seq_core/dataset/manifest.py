"""`dataset.json` in, a frozen Manifest out, and back: the one file that says what a dataset folder holds."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from typing import Any, Literal

import pydantic
import pydantic_core

from seq2seq_core import storage
from seq2seq_core.dataset.ledger import Ledger
from seq2seq_core.dataset.schema import ALIGNMENT, FORMAT_VERSION, Split
from seq2seq_core.dataset.sides import Sides, sides_of
from seq2seq_core.errors import DatasetError, unreadable_record
from seq2seq_core.modalities.base import SIDES, Described, Side
from seq2seq_core.modalities.table import USUAL

MANIFEST_NAME = "dataset.json"
REPORT_NAME = "report.html"
"""A page about the dataset for people; it is no part of it: written after the manifest, or not at all."""
KNOWN_FOLDER = "known"
"""Digests by which later generations find rows, inputs and near-duplicates of earlier ones."""
LOOKS_FOLDER = "looks"
"""How inputs looked when they were read; a dataset is whole without it."""

KnownKind = Literal["rows", "bands", "kept", "gone"]
"""What is known of earlier generations: ids of rows; hashes of what they are near to; what stays in whose place; ids of
rows that were taken out again."""


class _Entry(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)


class InputEntry(_Entry):
    """A raw input file as it was read; `fingerprint` is xxh3-128 of its bytes."""

    url: str
    bytes: int
    fingerprint: str


class SourceEntry(_Entry):
    """What a run read as one: a file, or one of each side; what earlier versions say beyond that is passed over.

    Attributes:
        corpus: The name of its corpus.
        role: The split it is for, or `benchmark`.
        origin: What its rows have in the column `origin`.
        key: Names its content and how it is read, whatever it is called.
        files: Its files.
    """

    model_config = pydantic.ConfigDict(extra="ignore")

    corpus: str
    role: str
    origin: str
    key: str
    files: tuple[InputEntry, ...]


class TokenizerEntry(_Entry):
    """A SentencePiece model of the dataset; `path` is relative to the dataset folder, `digest` its xxh3-128."""

    path: str
    digest: str
    vocabulary_size: int


class ShardEntry(_Entry):
    """A Parquet file; `path` is relative to the dataset folder, `digest` xxh3-128 of its bytes.

    `aligned_words` counts the pairs of words that are aligned, over all rows.
    """

    path: str
    rows: pydantic.NonNegativeInt
    source_tokens: pydantic.NonNegativeInt
    target_tokens: pydantic.NonNegativeInt
    bytes: int
    digest: str
    generation: int = 0
    aligned_words: pydantic.NonNegativeInt = 0

    @pydantic.model_serializer(mode="wrap")
    def _without_nothing(self, dump: pydantic.SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in dump(self).items() if name != "aligned_words" or value}

    def positions(self, column: str) -> int:
        """The positions of all rows in one of the columns that have some."""
        of_columns = {"source": self.source_tokens, "target": self.target_tokens, ALIGNMENT.name: self.aligned_words}
        return of_columns[column]


class SplitEntry(_Entry):
    """The shards of one split in order, and histograms of lengths in tokens.

    `source_lengths[i]` counts the rows whose source has i tokens (the last bin: that many or more).
    """

    shards: tuple[ShardEntry, ...]
    source_lengths: tuple[int, ...]
    target_lengths: tuple[int, ...]

    @property
    def rows(self) -> int:
        return sum(shard.rows for shard in self.shards)


class RejectedEntry(_Entry):
    """A Parquet file of rejected rows."""

    path: str
    rows: int
    bytes: int
    digest: str
    generation: int = 0


class CorpusEntry(_Entry):
    """A corpus of the training split; `origins` are the values of the rows' `origin` column that belong to it.

    Those of generations that are folded into one stand in files: see `Dataset.folded_inputs`.
    `weight` says how often an epoch passes over its rows; `tag` is the control piece before each of its sources.
    """

    name: str
    weight: float
    source_language: str | None
    target_language: str | None
    tag: str | None
    origins: tuple[str, ...]


class RunEntry(_Entry):
    """Sorted entries of fixed width in some files, each of an equal range of keys (see `preparation.known.runs`).

    Attributes:
        path: What the names of its files begin with, relative to the dataset folder.
        parts: The number of files.
        ranges: Into how many equal ranges the keys of each are cut.
        rows: Entries of all files.
        bytes: Their size together.
        digest: xxh3-128 of the digests of all files.
    """

    path: str
    parts: pydantic.PositiveInt
    ranges: pydantic.PositiveInt
    rows: pydantic.NonNegativeInt
    bytes: int
    digest: str

    @property
    def paths(self) -> tuple[str, ...]:
        return tuple(run_part(self.path, index, self.parts) for index in range(self.parts))


def run_part(path: str, index: int, parts: int) -> str:
    """A file of a run."""
    return f"{path}-{index:05d}-of-{parts:05d}.run"


class FoldedInputs(_Entry):
    """What was read by generations that are folded into one.

    Attributes:
        path: A file with a line of JSON, a `SourceEntry`, for each source.
        sources: Their number.
        bytes: Its size.
        digest: xxh3-128 of it.
        names: What the sources are known by: keys and origins.
    """

    path: str
    sources: int
    bytes: int
    digest: str
    names: RunEntry

    @property
    def paths(self) -> tuple[str, ...]:
        return (self.path, *self.names.paths)


class GenerationEntry(_Entry):
    """What one run added to a dataset, or several that are folded into one entry.

    How its inputs looked when they were read stands beside it, in a file of its own (`looks_path`): it differs from
    run to run, and no result does. What earlier versions say of that here is passed over.

    Attributes:
        index: Its number; of several, that of the last.
        first: The first of several.
        fingerprint: Names its inputs, the recipe and all generations before it.
        ledger: Where every row went.
        inputs: What it read; nothing where that stands in a file.
        folded: What several have read together.
        replaced: What earlier generations have read whose rows it has taken out, by their `origin`.
        digest: Names the data of the dataset with all generations up to this one; "" where that follows from shards.
    """

    model_config = pydantic.ConfigDict(extra="ignore")

    index: int
    first: int | None = None
    fingerprint: str
    ledger: Ledger
    inputs: tuple[SourceEntry, ...]
    folded: FoldedInputs | None = None
    replaced: tuple[str, ...] = ()
    digest: str = ""

    @pydantic.model_serializer(mode="wrap")
    def _without_nothing(self, dump: pydantic.SerializerFunctionWrapHandler) -> dict[str, Any]:
        unsaid = ("first", "folded", "replaced", "digest")
        return {name: value for name, value in dump(self).items() if name not in unsaid or value not in (None, (), "")}

    @property
    def span(self) -> tuple[int, int]:
        """The first and the last generation it stands for."""
        return self.index if self.first is None else self.first, self.index

    @property
    def looks_path(self) -> str:
        """Where it may stand how its inputs looked, below the dataset folder."""
        return looks_path(self.span, self.fingerprint)

    @property
    def sources(self) -> int:
        return len(self.inputs) + (self.folded.sources if self.folded else 0)


class Manifest(_Entry):
    """All of a dataset folder.

    Attributes:
        fingerprint: Names the corpora and the configuration it was made from: that of the newest generation.
        recipe_fingerprint: Names what all generations have in common: the configuration, held-out sets and
            tokenizers, but not the corpora.
        modalities: What each side is, by the table of modalities, with all its settings and what they came to; its
            tokenizer belongs to a side of text.
        generations: What each run added, or several together. Shards, rejects and inputs above stand in their order;
            the ledger is the sum. Inputs of generations that are folded into one stand in files of their own.
        dealt: Into how many training shards the first generation was dealt: a part of the recipe's name.
        known: By what later generations find out what stands here already.
        rewritten: Of a record alone: shards that stand in the place of training shards of earlier generations, by the
            paths of those. They have fewer rows.
    """

    format_version: int = FORMAT_VERSION
    task: Literal["text"] = "text"
    fingerprint: str
    recipe_fingerprint: str = ""
    modalities: dict[Side, Described] = dict.fromkeys(SIDES, USUAL)
    source_tokenizer: TokenizerEntry | None
    target_tokenizer: TokenizerEntry | None
    splits: dict[Split, SplitEntry]
    rejected: tuple[RejectedEntry, ...]
    ledger: Ledger
    corpora: tuple[CorpusEntry, ...] = ()
    inputs: tuple[InputEntry, ...]
    generations: tuple[GenerationEntry, ...] = ()
    dealt: int = 0
    known: dict[KnownKind, tuple[RunEntry, ...]] = {}
    rewritten: dict[str, ShardEntry] = {}
    configuration: dict[str, Any]
    software: dict[str, str]

    @pydantic.model_serializer(mode="wrap")
    def _without_nothing(self, dump: pydantic.SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in dump(self).items() if name != "rewritten" or value}

    @property
    def tokenizers(self) -> dict[Side, TokenizerEntry]:
        """The tokenizers of the sides that have one."""
        entries: dict[Side, TokenizerEntry | None] = {"source": self.source_tokenizer, "target": self.target_tokenizer}
        return {side: entry for side, entry in entries.items() if entry is not None}

    @property
    def has_scores(self) -> bool:
        """Whether training shards have the score of each row."""
        return bool(self.configuration.get("keep_scores"))

    @property
    def has_alignments(self) -> bool:
        """Whether training shards say which words of a row mean the same."""
        return bool(self.configuration.get("keep_alignments"))

    @property
    def is_joint(self) -> bool:
        """Whether source and target share one tokenizer."""
        digests = [entry.digest for entry in self.tokenizers.values()]
        return len(digests) == len(SIDES) and len(set(digests)) == 1

    @functools.cached_property
    def sides(self) -> Sides:
        """What both sides are; a DatasetError where this version knows no such modality."""
        vocabularies = {side: entry.vocabulary_size for side, entry in self.tokenizers.items()}
        return sides_of(self.modalities, vocabularies)

    def files(self) -> Iterator[str]:
        """All files that it names, relative to the dataset folder; those of looks need not be there."""
        yield from (entry.path for entry in self.tokenizers.values())
        yield from (shard.path for entry in self.splits.values() for shard in entry.shards)
        yield from (shard.path for shard in self.rewritten.values())
        yield from (entry.path for entry in self.rejected)
        yield from (path for runs in self.known.values() for run in runs for path in run.paths)
        yield from (path for entry in self.generations if entry.folded for path in entry.folded.paths)
        yield from (entry.looks_path for entry in self.generations)

    @property
    def spans(self) -> list[tuple[int, int]]:
        """The first and the last generation that each entry stands for."""
        return [entry.span for entry in self.generations]

    @property
    def newest(self) -> int:
        """The number of the newest generation; -1 where nothing is said of generations."""
        return self.generations[-1].index if self.generations else -1

    @property
    def digest(self) -> str:
        """Names the data itself: tokenizers, and the rows of all generations in order.

        It follows from the shards as they were added, whatever paths or software made them, and stays what it is when
        generations are folded into one: their rows stand where they stood.
        """
        if self.generations and self.generations[-1].digest:
            return self.generations[-1].digest
        parts = [entry.digest for entry in self.tokenizers.values()]
        parts += [f"{split}:{s.digest}" for split, entry in sorted(self.splits.items()) for s in entry.shards]
        return storage.digest_bytes("\n".join(parts).encode())


def load_manifest(root: str) -> Manifest:
    """Read the manifest of a dataset folder.

    Raises:
        DatasetError: There is none (preparation did not finish), or it is not one of ours.
    """
    url = storage.join(root, MANIFEST_NAME)
    if not storage.exists(url):
        raise DatasetError(
            "no finished dataset stands here",
            where=storage.redact(root),
            expected=f"a file {MANIFEST_NAME}",
            advice="Run `seq2seq prepare` with this folder as its output, or check the path.",
        )
    return read_manifest(url)


def read_manifest(url: str) -> Manifest:
    """Read a file with a manifest; a DatasetError when it is not one of ours."""
    try:
        values = json.loads(storage.read_text(url))
        version = values.get("format_version") if isinstance(values, dict) else None
        if version is None:
            found = "no format_version" if isinstance(values, dict) else type(values).__name__
            raise unreadable_record(DatasetError, "the manifest", storage.redact(url), found)
        if version != FORMAT_VERSION:
            raise DatasetError(
                "another format version", where=storage.redact(url), found=version, expected=FORMAT_VERSION
            )
        return Manifest.model_validate(values)
    except (json.JSONDecodeError, pydantic.ValidationError) as error:
        found = str(error).splitlines()[0]
        raise unreadable_record(DatasetError, "the manifest", storage.redact(url), found) from None


def publish_manifest(root: str, manifest: Manifest) -> None:
    """Make the dataset visible: the last step of a preparation."""
    storage.publish_text(storage.join(root, MANIFEST_NAME), manifest_text(manifest))


def manifest_text(manifest: Manifest) -> str:
    """What stands in the file of a manifest."""
    ordered = json.loads(json.dumps(manifest.model_dump(mode="json"), sort_keys=True))
    return pydantic_core.to_json(ordered, indent=1).decode() + "\n"  # many times as fast as json with an indent


def looks_path(span: tuple[int, int], fingerprint: str) -> str:
    """Where it stands how the inputs of generations looked, below the dataset folder."""
    first, last = span
    name = f"{last:05d}" if first == last else f"{first:05d}-{last:05d}"
    return storage.join(LOOKS_FOLDER, f"{name}-{fingerprint[:8]}.digests")


def generation_folder(index: int, fingerprint: str) -> str:
    """`generation-00001-5f3a9c02`: a name of its own for each content, so that two runs can never mix their files."""
    return f"generation-{index:05d}-{fingerprint[:8]}" if index else ""
