"""What workers tell each other: small frozen descriptions of files, units, shards and what became of them, as JSON."""

from __future__ import annotations

from typing import Any, Literal

import pydantic

from seq2seq_core.preparation.recipe import Recipe
from seq2seq_core.shards.manifest import Ledger, RejectedEntry, ShardEntry, TokenizerEntry
from seq2seq_core.shards.schema import Split
from seq2seq_core.text.filters import FiltersConfig
from seq2seq_core.text.normalize import NormalizeConfig
from seq2seq_core.text.reading.corpus import Part, TextSource
from seq2seq_core.text.reading.index import FileIndex

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


class Input(Message):
    """One source (a file, or one of each side): its position in corpus order, its corpus, role and short name.

    Inputs of the role `train` are the corpora; those of other roles are given as files.
    """

    index: int
    corpus: int
    role: Role
    origin: str
    source: TextSource


class Job(Message):
    """All that is known before any file is read.

    Attributes:
        output: The dataset folder.
        shares: Share of the corpora that goes to validation or test, by hash of the source side.
        configuration: The resolved configuration, for the manifest.
        tokenizer_digests: Of given tokenizers, source and target; empty when they are trained.
    """

    output: str
    recipe: Recipe
    corpora: tuple[Corpus, ...]
    shares: dict[Split, float]
    inputs: tuple[Input, ...]
    configuration: dict[str, Any]
    tokenizer_digests: tuple[str, ...]


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


class Plan(Message):
    """What is to be done, as every worker sees it.

    Attributes:
        fingerprint: Names corpus and configuration.
        work: Folder of unfinished work.
        units: In corpus order.
        partitions: All shards of the dataset.
        is_done: The dataset is finished already: there is nothing to do.
    """

    job: Job
    fingerprint: str
    work: str
    files: tuple[FileIndex, ...]
    units: tuple[Unit, ...]
    partitions: tuple[Partition, ...]
    is_done: bool

    @property
    def slots(self) -> tuple[Partition, ...]:
        """The partitions that corpus rows are dealt to, by slot."""
        return tuple(partition for partition in self.partitions if partition.slot is not None)


class Accounted(Message):
    """Rows set aside: how many by rule, and the file they stand in (None when there are none)."""

    rejected: dict[str, int]
    rejected_file: RejectedEntry | None


class UnitReport(Accounted):
    """What became of a unit's rows: `read = staged + sum(rejected)`, before deduplication."""

    index: int
    path: str
    read: int
    staged: int


class TokenizersReport(Message):
    """The tokenizers of the dataset."""

    source: TokenizerEntry
    target: TokenizerEntry


class HeldOutIndex(Message):
    """The file with the n-grams of all that is held out of training; None where there is nothing to compare with."""

    path: str | None


class SlotCounts(Message):
    """Rows of each corpus in one training shard, duplicates aside."""

    slot: int
    counts: tuple[int, ...]


class Decisions(Message):
    """What has to be known of the whole corpus before a shard of it can be built.

    Attributes:
        tokenizers: Of the dataset.
        held_out: What training rows must not share.
        counts: Of every training shard; empty when no corpus has a cap.
    """

    tokenizers: TokenizersReport
    held_out: HeldOutIndex
    counts: tuple[SlotCounts, ...] = ()


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
