"""What workers tell each other: small frozen descriptions of files, units, shards and what became of them, as JSON."""

from __future__ import annotations

from typing import Any, Literal

import pydantic
from pydantic import Field

from seq2seq_core import storage
from seq2seq_core.claims import Holder, this_process
from seq2seq_core.corpora.terms.index import FileIndex
from seq2seq_core.corpora.terms.source import Part, Source
from seq2seq_core.dataset.manifest import (
    Ledger,
    RejectedEntry,
    ShardEntry,
    SourceEntry,
    TokenizerEntry,
    generation_folder,
)
from seq2seq_core.dataset.schema import Split
from seq2seq_core.dataset.sides import Sides as DatasetSides
from seq2seq_core.dataset.sides import sides_of
from seq2seq_core.modalities.base import SIDES, Side
from seq2seq_core.modalities.table import USUAL
from seq2seq_core.preparation.terms.recipe import NearDuplicatesConfig, Recipe
from seq2seq_core.text.normalize import NormalizeConfig
from seq2seq_core.text.rules.base import Sides
from seq2seq_core.text.rules.catalogue import FiltersConfig

Role = Split | Literal["benchmark"]
"""What rows are for: a split, or (benchmark) nothing but to be kept out of training."""


class Message(pydantic.BaseModel):
    """The base of everything that crosses from worker to worker or lies in a marker file."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)


class Corpus(Message):
    """A corpus, or the files of a held-out set, with what the run's configuration and its own come to together.

    Attributes:
        weight: How often an epoch of training passes over it.
        max_rows: At most so many of its rows are kept; None: all.
        tag: The control piece put before every source, `>>de<<`; None: none.
        has_source: False where rows have a target side only.
    """

    name: str
    role: Role
    weight: float = 1.0
    max_rows: int | None = None
    source_language: str | None = None
    target_language: str | None = None
    tag: str | None = None
    has_source: bool = True
    normalize: NormalizeConfig
    filters: FiltersConfig

    @property
    def sides(self) -> Sides:
        """What rules are told of the two sides."""
        return Sides(self.source_language, self.target_language, self.has_source)


class Input(Message):
    """One source (a file, or one of each side): its position in corpus order, its corpus, role and short name.

    Inputs of the role `train` are the corpora; those of other roles are given as files.
    """

    index: int
    corpus: int
    role: Role
    origin: str
    source: Source


class Job(Message):
    """All that is known before any file is read.

    Attributes:
        output: The dataset folder.
        shares: Share of the corpora that goes to validation or test, by hash of the source side.
        configuration: The resolved configuration, for the manifest.
        tokenizer_digests: Of given tokenizers, source and target; empty when they are trained.
        holder: Who does it, for others that meet its traces.
    """

    output: str
    recipe: Recipe
    corpora: tuple[Corpus, ...]
    shares: dict[Split, float]
    inputs: tuple[Input, ...]
    configuration: dict[str, Any]
    tokenizer_digests: tuple[str, ...]
    holder: Holder = Field(default_factory=this_process)

    @property
    def run(self) -> str:
        """A name that no other run has."""
        return self.holder.run

    @property
    def has_held_out_files(self) -> bool:
        """Whether validation, test or benchmark sets are given as files."""
        return any(input_.role != "train" for input_ in self.inputs)

    @property
    def protects(self) -> bool:
        """Whether training rows are compared with the n-grams of what is held out."""
        return self.recipe.protection.ngram_words is not None and bool(self.shares or self.has_held_out_files)

    @property
    def has_caps(self) -> bool:
        """Whether a corpus may keep only so many rows."""
        return any(corpus.max_rows is not None for corpus in self.corpora)


class IndexedInput(Message):
    """An input whose files have been read once."""

    index: int
    files: tuple[FileIndex, ...]


class Unit(Message):
    """A part of an input that one worker reads at a time; `index` follows corpus order."""

    index: int
    corpus: int
    role: Role
    origin: str
    part: Part


class Partition(Message):
    """Shard `index` of the `count` shards of a split.

    `slot` is its place among the partitions that corpus rows are dealt to; None when the split is given as files.
    """

    split: Split
    index: int
    count: int
    slot: int | None


class TokenizersReport(Message):
    """The tokenizers of the dataset."""

    source: TokenizerEntry
    target: TokenizerEntry

    @property
    def sides(self) -> DatasetSides:
        """What both sides of the dataset are."""
        vocabularies: dict[Side, int] = {"source": self.source.vocabulary_size, "target": self.target.vocabulary_size}
        return sides_of(dict.fromkeys(SIDES, USUAL), vocabularies)


class Plan(Message):
    """What is to be done, as every worker sees it: one generation of a dataset.

    Attributes:
        job: With the inputs of this generation alone. From the second on, what is given as validation and test files
            has the role `benchmark`: it is kept out of training, and stands in the dataset already.
        generation: Its number, from 0.
        fingerprint: Names corpora and configuration, as of this generation.
        recipe_fingerprint: Names what it has in common with all other generations.
        work: Folder of unfinished work.
        sources: What it adds, with the content of each.
        files: All it reads, once; the digests of their parts stand in the units.
        units: In corpus order.
        partitions: All shards it adds.
        earlier: Folders of the generations before it, below those of the splits.
        tokenizers: Those of the dataset, from the second generation on.
        is_done: Nothing is new: there is nothing to do.
    """

    job: Job
    generation: int
    fingerprint: str
    recipe_fingerprint: str
    work: str
    sources: tuple[SourceEntry, ...]
    files: tuple[FileIndex, ...]
    units: tuple[Unit, ...]
    partitions: tuple[Partition, ...]
    earlier: tuple[str, ...] = ()
    tokenizers: TokenizersReport | None = None
    is_done: bool = False

    def place(self, *folders: str, name: str) -> str:
        """The path below the dataset folder of a file that this generation adds to a folder."""
        own = generation_folder(self.generation, self.fingerprint)
        return storage.join(*folders, *([own] if own else []), name)

    @property
    def slots(self) -> tuple[Partition, ...]:
        """The partitions that corpus rows are dealt to, by slot."""
        return tuple(partition for partition in self.partitions if partition.slot is not None)

    def staged_slots(self, role: Role) -> int:
        """How many slots the staged files of units of a role have."""
        return len(self.slots) if role == "train" else 1

    @property
    def training(self) -> tuple[Partition, ...]:
        """The shards of the training split, in order."""
        return tuple(partition for partition in self.partitions if partition.split == "train")


class Accounted(Message):
    """Rows set aside: how many by rule, and the file they stand in (None when there are none)."""

    rejected: dict[str, int]
    rejected_file: RejectedEntry | None


class UnitReport(Accounted):
    """What became of a unit's rows: `read = staged + sum(rejected)`, before deduplication.

    Attributes:
        index: Which unit.
        path: Its staged file.
        bytes: The size of that.
        read: How many rows were read.
        staged: How many of them stand in the file.
    """

    index: int
    path: str
    bytes: int
    read: int
    staged: int


class HeldOutIndex(Message):
    """The file with the n-grams of all that is held out of training; None where there is nothing to compare with."""

    path: str | None


NO_INDEX = HeldOutIndex(path=None)


class SlotCounts(Message):
    """Rows of each corpus in one training shard, duplicates aside."""

    slot: int
    counts: tuple[int, ...]


class ShardReport(Accounted):
    """A finished shard: its entry, the rows left out and the length histograms of both sides.

    `staged = entry.rows + duplicates + sum(rejected)`, over all shards and the units they were dealt from.
    """

    partition: Partition
    entry: ShardEntry
    duplicates: int
    source_lengths: tuple[int, ...]
    target_lengths: tuple[int, ...]


class Outcome(Message):
    """The end of a preparation."""

    fingerprint: str
    ledger: Ledger


class NearPlan(Message):
    """All that every step has to know.

    Attributes:
        config: What counts as near.
        folder: Where the band files of this generation go, and stay for later ones.
        work: Folder of unfinished work.
        shards: Number of shards whose rows are compared.
        buckets: Number of ranges of hashes that are searched apart. It is the same for all generations; with as many
            as shards, the work on a bucket grows as that on a shard does.
        earlier: The band files of earlier generations, the oldest first. Their rows are never dropped.
    """

    config: NearDuplicatesConfig
    folder: str
    work: str
    shards: int
    buckets: int
    earlier: tuple[tuple[str, ...], ...] = ()

    @property
    def generation(self) -> int:
        """The rank of this run's rows: those of earlier generations come first."""
        return len(self.earlier)


class BandsReport(Message):
    """A shard's finished band file."""

    index: int
    path: str
    rows: int


class EdgesReport(Message):
    """The finished file with the edges of a bucket."""

    index: int
    path: str
    edges: int


class DropReport(Message):
    """A shard's finished list of near-duplicates."""

    index: int
    path: str
    rows: int


class Decisions(Message):
    """What every shard is built by.

    Attributes:
        tokenizers: Of the dataset.
        held_out: What training rows must not share.
        counts: Of every training shard; empty when no corpus has a cap.
        near: The near-duplicates of every training shard; empty when they are not looked for.
    """

    tokenizers: TokenizersReport
    held_out: HeldOutIndex
    counts: tuple[SlotCounts, ...] = ()
    near: tuple[DropReport, ...] = ()
