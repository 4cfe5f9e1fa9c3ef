"""A dataset folder in; a report that every file holds what the manifest says, or the first difference, out."""

from __future__ import annotations

import itertools
import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from seq2seq_core import storage
from seq2seq_core.dataset import generations
from seq2seq_core.dataset.ledger import Ledger
from seq2seq_core.dataset.manifest import (
    MANIFEST_NAME,
    REPORT_NAME,
    FoldedInputs,
    GenerationEntry,
    Manifest,
    RunEntry,
    ShardEntry,
    SplitEntry,
    TokenizerEntry,
)
from seq2seq_core.dataset.reader import Dataset, FileEntry
from seq2seq_core.dataset.schema import ALIGNMENT, SPLITS, Split, shard_schema
from seq2seq_core.dataset.sides import DatasetSide
from seq2seq_core.dataset.writer import length_histogram, merge_histograms
from seq2seq_core.errors import DatasetError
from seq2seq_core.kinds import FOLLOW_FOLDER
from seq2seq_core.modalities.base import SIDES, Side

REPAIR = "Copy the folder again from where it is whole, or make it anew by the command that wrote it, in a new folder."
"""What to do about a file that is not what its manifest says."""

_NOTES_SHOWN = 5

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Verification:
    """What was read and found right.

    Attributes:
        files: Files the manifest names, itself included.
        bytes: Their size together, without the manifest.
        rows: Kept rows of all splits.
        source_tokens: Tokens of all splits, without BOS and EOS; `target_tokens` likewise.
        rejected: Rejected rows on disk.
        unlisted: Files below the folder that the manifest does not name, relative to it, sorted; a report is none.
    """

    files: int
    bytes: int
    rows: int
    source_tokens: int
    target_tokens: int
    rejected: int
    unlisted: tuple[str, ...]

    def summary(self) -> str:
        """A few lines for the terminal."""
        kept = f"{self.rows:,} rows of {self.source_tokens:,} source and {self.target_tokens:,} target tokens"
        lines = [f"verified: {self.files:,} files, {self.bytes:,} bytes; {kept}; {self.rejected:,} rejected rows"]
        if self.unlisted:
            shown = ", ".join(self.unlisted[:_NOTES_SHOWN])
            more = len(self.unlisted) - _NOTES_SHOWN
            lines.append(f"note: not named by the manifest: {shown}" + (f" and {more:,} more" if more > 0 else ""))
        return "\n".join(lines)


def verify(root: str) -> Verification:
    """Recompute sizes, digests, rows, tokens, histograms and the ledger of a dataset folder from its files.

    Raises:
        DatasetError: The first difference, with the file, what differs, what was found and what the manifest says.
    """
    dataset = Dataset.open(root)
    manifest = dataset.manifest
    tokenizers = {entry.path: entry for entry in manifest.tokenizers.values()}
    sizes = [_check_file(dataset, tokenizer) for tokenizer in tokenizers.values()]
    _check_tokenizers(dataset)
    for name, split in manifest.splits.items():
        _check_split(dataset, name, split)
    _check_rejected(dataset)
    _check_ledgers(dataset)
    committed, waiting = _check_journal(dataset)
    known = [run for runs in manifest.known.values() for run in runs]
    folded = [entry.folded for entry in manifest.generations if entry.folded is not None]
    sizes += [*(_check_run(dataset, run) for run in known), *(_check_folded(dataset, entry) for entry in folded)]
    shards = [shard for split in manifest.splits.values() for shard in split.shards]
    listed: list[FileEntry] = [*tokenizers.values(), *shards, *manifest.rejected]
    sizes += [*(shard.bytes for shard in shards), *(entry.bytes for entry in manifest.rejected)]
    others = [*committed, *(path for run in known for path in run.paths)]
    others += [path for entry in folded for path in entry.paths]
    waiting += [entry.looks_path for entry in manifest.generations]
    return Verification(
        files=len(listed) + len(others) + 1,
        bytes=sum(sizes),
        rows=sum(shard.rows for shard in shards),
        source_tokens=sum(shard.source_tokens for shard in shards),
        target_tokens=sum(shard.target_tokens for shard in shards),
        rejected=sum(entry.rows for entry in manifest.rejected),
        unlisted=_unlisted(root, {MANIFEST_NAME, REPORT_NAME, *others, *waiting, *(entry.path for entry in listed)}),
    )


def _check_file(dataset: Dataset, entry: FileEntry) -> int:
    """Compare a file with its entry; its size in bytes."""
    url = storage.join(dataset.root, entry.path)
    _log.debug("verifying %s", storage.redact(url))
    if not storage.exists(url):
        raise DatasetError(
            "a file is missing", where=storage.redact(url), expected="the file, as the manifest says", advice=REPAIR
        )
    state, size = xxhash.xxh3_128(), storage.size(url)
    if not isinstance(entry, TokenizerEntry):
        _expect(url, "bytes", size, entry.bytes)
    for block in dataset.blocks(entry):
        state.update(block)
    _expect(url, "digest", state.hexdigest(), entry.digest)
    return size


def _check_tokenizers(dataset: Dataset) -> None:
    for side, entry in dataset.manifest.tokenizers.items():
        url = storage.join(dataset.root, entry.path)
        _expect(url, "vocabulary size", dataset.tokenizer(side).vocabulary_size, entry.vocabulary_size)


def _check_split(dataset: Dataset, name: Split, split: SplitEntry) -> None:
    histograms: dict[Side, tuple[int, ...]] = dict.fromkeys(SIDES, ())
    for shard in split.shards:
        _check_file(dataset, shard)
        lengths = _shard_lengths(dataset, name, shard)
        for side, of_side in dataset.manifest.sides.items():
            counted = length_histogram(lengths[side], of_side.histogram_bins)
            histograms[side] = merge_histograms([histograms[side], counted])
    url = storage.join(dataset.root, MANIFEST_NAME)
    for side, listed in zip(SIDES, (split.source_lengths, split.target_lengths), strict=True):
        for bin_, (found, expected) in enumerate(itertools.zip_longest(histograms[side], listed, fillvalue=0)):
            _expect(url, f"{side}_lengths[{bin_}] of split {name}", found, expected)


def _shard_lengths(dataset: Dataset, split: Split, shard: ShardEntry) -> dict[Side, npt.NDArray[np.int64]]:
    """Check the columns of a shard, row group by row group; lengths by side."""
    url = storage.join(dataset.root, shard.path)
    sides = dataset.manifest.sides
    is_training = split == "train"
    schema = shard_schema(
        sides,
        with_text=not is_training,
        with_score=is_training and dataset.manifest.has_scores,
        with_alignment=is_training and dataset.manifest.has_alignments,
    )
    aligned = 0
    lengths: dict[Side, list[npt.NDArray[np.int64]]] = {side: [np.zeros(0, np.int64)] for side in SIDES}
    for table in dataset.row_groups(shard):
        _check_schema(url, table.schema, schema)
        for side in sides.values():
            doubt = side.modality.doubt(table.column(side.name), side.vocabulary)
            if doubt is not None:
                _expect(url, f"{doubt.problem} of {side.name}", doubt.found, doubt.expected)
            lengths[side.name].append(_lengths(url, side, table))
        if ALIGNMENT.name in table.column_names:
            aligned += pc.sum(pc.list_value_length(table.column(ALIGNMENT.name))).as_py() or 0
    _expect(url, "pairs of aligned words", aligned / 2, shard.aligned_words)
    joined = {name: np.concatenate(lengths[name]) for name in SIDES}
    for name, tokens in zip(SIDES, (shard.source_tokens, shard.target_tokens), strict=True):
        _expect(url, f"{name} tokens", int(joined[name].sum()), tokens)
    return joined


def _check_schema(url: str, found: pa.Schema, expected: pa.Schema) -> None:
    """Names and types agree; names of list items, which Parquet does not keep, may differ."""
    _expect(url, "columns", found.names, expected.names)
    for field in expected:
        kind = found.field(field.name).type
        is_list = pa.types.is_list(field.type) or pa.types.is_large_list(field.type)
        same = kind.value_type == field.type.value_type if is_list else kind == field.type
        if not same:
            _expect(url, f"type of column {field.name}", str(kind), str(field.type))


def _lengths(url: str, side: DatasetSide, table: pa.Table) -> npt.NDArray[np.int64]:
    held = side.modality.lengths(table.column(side.name))
    said = table.column(side.length_name).to_numpy()
    wrong = np.flatnonzero(held != said)
    if wrong.size:
        row = int(wrong[0])
        line = table.column("line")[row].as_py()
        origin = table.column("origin")[row].as_py()
        _expect(url, f"{side.length_name} of the row from {origin}:{line}", int(said[row]), int(held[row]))
    return held


def _check_rejected(dataset: Dataset) -> None:
    """Every rejected row is on disk, rule by rule, and generation by generation where there are any."""
    manifest, total = dataset.manifest, Counter[str]()
    counts = {entry.index: Counter[str]() for entry in manifest.generations}
    for entry in manifest.rejected:
        _check_file(dataset, entry)
        for table in dataset.row_groups(entry, ["rule"]):
            counted = pc.value_counts(table.column("rule"))
            rules, numbers = counted.field("values").to_pylist(), counted.field("counts").to_pylist()
            found = dict(zip(rules, numbers, strict=True))
            total.update(found)
            counts.get(entry.generation, Counter[str]()).update(found)
    _expect_rejected(dataset, "", total, manifest.ledger)
    for generation in manifest.generations:
        _expect_rejected(dataset, _of(generation), counts[generation.index], generation.ledger)


def _expect_rejected(dataset: Dataset, of: str, counts: Counter[str], ledger: Ledger) -> None:
    url = storage.join(dataset.root, MANIFEST_NAME)
    for rule in sorted({*counts, *ledger.rejected}):
        _expect(url, f"rows rejected by {rule}{of}", counts[rule], ledger.rejected.get(rule, 0))


def _check_ledgers(dataset: Dataset) -> None:
    """Kept rows stand in the shards, each ledger adds up, and those of the generations add up to that of the whole."""
    manifest = dataset.manifest
    shards = {name: manifest.splits[name].shards if name in manifest.splits else () for name in SPLITS}
    _expect_kept(dataset, "", {name: sum(s.rows for s in shards[name]) for name in SPLITS}, manifest.ledger)
    replaced = [entry.index for entry in manifest.generations if entry.replaced]
    for entry in manifest.generations:
        if replaced and entry.index <= replaced[-1]:  # rows of it were taken out since, or it did that itself
            continue
        rows = {name: sum(s.rows for s in shards[name] if s.generation == entry.index) for name in SPLITS}
        _expect_kept(dataset, _of(entry), rows, entry.ledger)
    if manifest.generations:
        for what in ("read", "duplicates"):
            found = sum(getattr(entry.ledger, what) for entry in manifest.generations)
            url = storage.join(dataset.root, MANIFEST_NAME)
            _expect(url, f"number of rows of all generations together: {what}", found, getattr(manifest.ledger, what))


def _expect_kept(dataset: Dataset, of: str, rows: dict[Split, int], ledger: Ledger) -> None:
    url = storage.join(dataset.root, MANIFEST_NAME)
    for name in SPLITS:
        _expect(url, f"rows kept in split {name}{of}", rows[name], ledger.rows(name))
    _expect(url, f"rows read that were neither kept, duplicates nor rejected{of}", ledger.balance, 0)


def _check_journal(dataset: Dataset) -> tuple[list[str], list[str]]:
    """The records that the manifest follows from, where they are, say the same; their paths.

    Others are those of generations that are folded by now: they stand a while longer with their files, for readers
    that have opened the dataset before.
    """
    whole, spans = dataset.manifest, generations.journal(dataset.root)
    standing = [span for span in whole.spans if span in spans]
    records = {span: generations.read_record(dataset.root, span) for span in standing}
    instead = {path: shard for record in records.values() for path, shard in record.rewritten.items()}
    for span, entry in zip(whole.spans, whole.generations, strict=True):
        if span in standing:
            _check_record(dataset, records[span], entry, instead)
    waiting = [path for record in records.values() for path in record.files()]
    for span in (span for span in spans if span not in standing):
        record = generations.read_record(dataset.root, span)
        waiting += [generations.record_path(span), *record.files()]
    return [generations.record_path(span) for span in standing], waiting


def _check_record(
    dataset: Dataset, record: Manifest, entry: GenerationEntry, instead: Mapping[str, ShardEntry]
) -> None:
    url, (first, last) = storage.join(dataset.root, generations.record_path(entry.span)), entry.span
    _expect(url, "fingerprint", record.fingerprint, entry.fingerprint)
    for name, split in dataset.manifest.splits.items():
        expected = tuple(shard for shard in split.shards if first <= shard.generation <= last)
        shards = record.splits[name].shards if name in record.splits else ()
        _expect(url, f"shards of split {name}", tuple(_newest(shard, instead) for shard in shards), expected)


def _newest(shard: ShardEntry, instead: Mapping[str, ShardEntry]) -> ShardEntry:
    """What stands in the place of a shard now, after rows were taken out of it, once or several times."""
    while shard.path in instead:
        shard = instead[shard.path]
    return shard


def _check_run(dataset: Dataset, run: RunEntry) -> int:
    """Compare the files of a run with its entry; their size in bytes."""
    sizes, digests = 0, ""
    for path in run.paths:
        url = storage.join(dataset.root, path)
        if not storage.exists(url):
            raise DatasetError("a file is missing", where=storage.redact(url), expected="as listed", advice=REPAIR)
        sizes, digests = sizes + storage.size(url), digests + storage.digest_file(url)
    url = storage.join(dataset.root, run.path)
    _expect(url, "bytes", sizes, run.bytes)
    _expect(url, "digest", storage.digest_bytes(digests.encode()), run.digest)
    return sizes


def _check_folded(dataset: Dataset, folded: FoldedInputs) -> int:
    """Compare the list of inputs of folded generations with its entry; the size of that and of their names."""
    url = storage.join(dataset.root, folded.path)
    data = storage.read_bytes(url)
    _expect(url, "digest", storage.digest_bytes(data), folded.digest)
    _expect(url, "sources", data.count(b"\n"), folded.sources)
    return len(data) + _check_run(dataset, folded.names)


def _of(entry: GenerationEntry) -> str:
    return f" in generation {entry.index}"


def _unlisted(root: str, listed: Iterable[str]) -> tuple[str, ...]:
    below = {path for path in storage.files_below(root) if not path.startswith(f"{FOLLOW_FOLDER}/")}
    return tuple(sorted(below - set(listed)))


def _expect(url: str, what: str, found: object, expected: object) -> None:
    if found != expected:
        raise DatasetError(f"wrong {what}", where=storage.redact(url), found=found, expected=expected, advice=REPAIR)
