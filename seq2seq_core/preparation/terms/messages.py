"""What workers tell each other: small frozen descriptions of files, units, shards and what became of them, as JSON."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from seq2seq_core.claims import Holder, this_process
from seq2seq_core.corpora.terms.index import FileIndex
from seq2seq_core.corpora.terms.source import Part, Source
from seq2seq_core.dataset.ledger import Ledger
from seq2seq_core.dataset.manifest import (
    RejectedEntry,
    ShardEntry,
    SourceEntry,
    TokenizerEntry,
)
from seq2seq_core.dataset.schema import Split
from seq2seq_core.dataset.sides import Sides as DatasetSides
from seq2seq_core.dataset.sides import sides_of
from seq2seq_core.modalities.base import Side
from seq2seq_core.preparation.terms.corpus import Corpus, Message, Role
from seq2seq_core.preparation.terms.known import Known, KnownPart
from seq2seq_core.preparation.terms.recipe import NearDuplicatesConfig, Recipe


class Input(Message):
    """One source (a file, or one of each side): its position in corpus order, its corpus, role and short name.

    Inputs of the role `train` are the corpora; those of other roles are given as files. `look` names how the files
    looked before they were read (see `planning.looks`); "" where that tells nothing.
    """

    index: int
    corpus: int
    role: Role
    origin: str
    source: Source
    look: str = ""


class Terms(Message):
    """What is asked for, whatever files it is made of.

    Attributes:
        output: The dataset folder.
        corpora: Those of the training split, and the held-out sets that are given as files.
        shares: Share of the corpora that goes to validation or test, by hash of the source side.
        tokenizer_digests: Of given tokenizers, source and target; empty when they are trained.
    """

    output: str
    recipe: Recipe
    corpora: tuple[Corpus, ...]
    shares: dict[Split, float]
    tokenizer_digests: tuple[str, ...]

    @property
    def has_held_out_files(self) -> bool:
        """Whether validation, test or benchmark sets are given as files."""
        return any(corpus.role != "train" for corpus in self.corpora)

    @property
    def protects(self) -> bool:
        """Whether training rows are compared with the n-grams of what is held out."""
        return self.recipe.protection.ngram_words is not None and bool(self.shares or self.has_held_out_files)

    @property
    def has_caps(self) -> bool:
        """Whether a corpus may keep only so many rows."""
        return any(corpus.max_rows is not None for corpus in self.corpora)


class Job(Terms):
    """All that is known before any file is read.

    Attributes:
        inputs: What is to be read: all but what the dataset holds and looks as it did then.
        passed: How many inputs that leaves out.
        ways: How all inputs are read, those left out as well, and corpora of which there may be no file this time:
            numbers of corpora, and keys (see `planning.looks`).
        configuration: The resolved configuration, for the manifest.
        holder: Who does it, for others that meet its traces.
    """

    inputs: tuple[Input, ...]
    passed: int = 0
    ways: tuple[tuple[int, str], ...] = ()
    configuration: dict[str, Any]
    holder: Holder = Field(default_factory=this_process)

    @property
    def run(self) -> str:
        """A name that no other run has."""
        return self.holder.run


class IndexedInput(Message):
    """An input whose files have been read once."""

    index: int
    files: tuple[FileIndex, ...]


class Unit(Message):
    """Neighbouring parts of an input that one worker reads at a time; `index` follows corpus order.

    Of one that is read again the ledger has its rows already: those that come in now were duplicates.
    """

    index: int
    corpus: int
    role: Role
    origin: str
    parts: tuple[Part, ...]
    is_again: bool = False


class Partition(Message):
    """Shard `index` of the `count` shards of a split.

    `slot` is its place among the partitions that corpus rows are dealt to; None when the split is given as files.
    """

    split: Split
    index: int
    count: int
    slot: int | None


class TokenizersReport(Message):
    """The tokenizers of the dataset; a side without text has none."""

    source: TokenizerEntry | None
    target: TokenizerEntry | None

    @property
    def of_sides(self) -> dict[Side, TokenizerEntry]:
        """Those of the sides that have one."""
        entries: dict[Side, TokenizerEntry | None] = {"source": self.source, "target": self.target}
        return {side: entry for side, entry in entries.items() if entry is not None}


class Head(Terms):
    """What every worker is told of a generation of a dataset. It does not grow with files, units or shards.

    Attributes:
        generation: Its number, from 0.
        fingerprint: Names corpora and configuration, as of this generation.
        work: Folder of unfinished work.
        units: Their number.
        dealt: The splits that rows of the corpora are dealt to, in the order of their slots: number of shards of each.
        given: The splits that are given as files; each has one shard.
        known: What is known of the generations before it, and what it adds to that.
        tokenizers: Those of the dataset, from the second generation on.
        is_done: Nothing is new: there is nothing to do.
    """

    generation: int
    fingerprint: str
    work: str
    units: int
    dealt: dict[Split, int]
    given: tuple[Split, ...] = ()
    known: Known = Known()
    tokenizers: TokenizersReport | None = None
    is_done: bool = False

    @property
    def slots(self) -> int:
        """Into how many parts the rows of the corpora are dealt."""
        return sum(self.dealt.values())

    @property
    def partitions(self) -> tuple[Partition, ...]:
        """All shards the generation adds: those that rows are dealt to, by slot, then those of given splits."""
        dealt = [(split, index, count) for split, count in self.dealt.items() for index in range(count)]
        slots = [Partition(split=split, index=i, count=n, slot=slot) for slot, (split, i, n) in enumerate(dealt)]
        return (*slots, *(Partition(split=split, index=0, count=1, slot=None) for split in self.given))

    @property
    def training(self) -> tuple[Partition, ...]:
        """The shards of the training split, in order."""
        return tuple(partition for partition in self.partitions if partition.split == "train")

    def sides(self, tokenizers: TokenizersReport) -> DatasetSides:
        """What both sides of the dataset are."""
        sizes = {side: entry.vocabulary_size for side, entry in tokenizers.of_sides.items()}
        return sides_of(self.recipe.sides, sizes)

    def slots_of(self, role: Role) -> int:
        """How many slots the staged files of units of a role have."""
        return self.slots if role == "train" else 1


class Plan(Message):
    """One generation of a dataset: what every worker is told, and what planning and the end alone have to know.

    Attributes:
        recipe_fingerprint: Names what it has in common with all other generations.
        configuration: The resolved configuration.
        sources: What it adds, with the content of each.
        units: In corpus order. From the second generation on, those of validation and test files have the role
            `benchmark`: they are kept out of training, and stand in the dataset already.
        looks: How inputs look that stand in the dataset when the generation does.
    """

    head: Head
    recipe_fingerprint: str
    configuration: dict[str, Any]
    sources: tuple[SourceEntry, ...]
    units: tuple[Unit, ...]
    looks: tuple[str, ...] = ()


class Accounted(Message):
    """Rows set aside: how many by rule, and the file they stand in (None when there are none)."""

    rejected: dict[str, int]
    rejected_file: RejectedEntry | None


class UnitReport(Accounted):
    """What became of a unit's rows: `read = staged + sum(rejected)`, before deduplication.

    Attributes:
        index: Which unit.
        positions: Where in its staged file the positions of its batches stand.
        bytes: The size of that.
        read: How many rows were read.
        staged: How many of them stand in the file.
        rejected_seconds: How long those are together that a rule rejected, by rule, where that is measured.
    """

    index: int
    positions: int
    bytes: int
    read: int
    staged: int
    rejected_seconds: dict[str, float] = {}


class HeldOutSources(Message):
    """The file with digests of the sources of held-out sets given as files; None where there are none."""

    path: str | None


NO_SOURCES = HeldOutSources(path=None)


class Batches(Message):
    """A file from which each reads the batch that it needs (`shuffle.batch_file`).

    Attributes:
        path: The file.
        positions: Where in it the positions of its batches stand.
    """

    path: str
    positions: int


class Staged(Batches):
    """The catalogue of all staged files: where the rows of each slot stand.

    Attributes:
        read: How many rows all units have read.
        rejected: How many of them were set aside, by rule.
    """

    read: int
    rejected: dict[str, int]


class HeldOutIndex(Message):
    """The file with the n-grams of all that is held out of training; None where there is nothing to compare with."""

    path: str | None


NO_INDEX = HeldOutIndex(path=None)


class SlotCounts(Message):
    """Rows of each corpus in one training shard, duplicates aside."""

    slot: int
    counts: tuple[int, ...]


class RowsBefore(Batches):
    """How many rows of each corpus stand before each training shard."""


class ShardReport(Accounted):
    """A finished shard: its entry, the rows left out, the length histograms of both sides and `Modality.sums`.

    `staged = entry.rows - sum(copies) + duplicates + sum(rejected)`, over all shards and the units they were dealt
    from.
    """

    partition: Partition
    entry: ShardEntry
    duplicates: int
    copies: dict[str, int] = {}
    sums: tuple[float, ...] = ()
    source_lengths: tuple[int, ...]
    target_lengths: tuple[int, ...]
    known: KnownPart | None = None


class Outcome(Message):
    """The end of a preparation."""

    fingerprint: str
    ledger: Ledger


class NearPlan(Message):
    """All that every step of the search for near-duplicates has to know.

    Attributes:
        config: What counts as near.
        output: The dataset folder.
        work: Folder of unfinished work.
        shards: Number of shards whose rows are compared.
        buckets: Number of ranges of hashes that are searched apart; with as many as shards, the work on a bucket grows
            as that on a shard does.
        generation: The rank of this run's rows: those of earlier generations come first, and are never dropped.
        known: What is known of those, and what this one adds.
    """

    config: NearDuplicatesConfig
    output: str
    work: str
    shards: int
    buckets: int
    generation: int = 0
    known: Known = Known()


class Bucket(Message):
    """A range of hashes that is searched by itself."""

    index: int


class BandsReport(Message):
    """A shard's finished band file: where in it each bucket begins, and where the last one ends."""

    index: int
    rows: int
    positions: tuple[int, ...]


class Buckets(Batches):
    """Where in the band files of this generation the entries of each bucket stand."""


class EdgesReport(Message):
    """The finished file with the edges of a bucket."""

    index: int
    edges: int
    known: KnownPart | None = None


class Drops(Batches):
    """The near-duplicates of every training shard.

    Attributes:
        rows: How many there are.
        known: The file that says so to later generations.
    """

    rows: int
    known: KnownPart | None = None
