"""One shard of the plan in; its rows gathered, encoded and published, and a report out."""

from __future__ import annotations

import functools
import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from seq2seq_core import storage
from seq2seq_core.dataset.manifest import TokenizerEntry
from seq2seq_core.dataset.schema import ALIGNMENT, SCORE, shard_schema
from seq2seq_core.dataset.sides import DatasetSide, Sides
from seq2seq_core.dataset.writer import length_histogram, write_shard
from seq2seq_core.errors import DatasetError
from seq2seq_core.modalities.base import Side
from seq2seq_core.preparation.building.batches import batches_of
from seq2seq_core.preparation.building.control_pieces import with_tags
from seq2seq_core.preparation.building.copies import with_copies
from seq2seq_core.preparation.known.rows import add_rows
from seq2seq_core.preparation.planning.reservation import check_claim
from seq2seq_core.preparation.shuffle.gather import gather
from seq2seq_core.preparation.sieves.caps import within_caps
from seq2seq_core.preparation.sieves.held_out import without_held_out
from seq2seq_core.preparation.sieves.near.rows import without_near
from seq2seq_core.preparation.sieves.rejected import publish_rejects
from seq2seq_core.preparation.sieves.tokens import within_token_limits
from seq2seq_core.preparation.terms import layout
from seq2seq_core.preparation.terms.markers import publish_marker, read_marker
from seq2seq_core.preparation.terms.messages import (
    Drops,
    Head,
    HeldOutIndex,
    Partition,
    RowsBefore,
    ShardReport,
    Staged,
    TokenizersReport,
)
from seq2seq_core.tokenizer.model import Tokenizer

_AS_THEY_ARE = ("id", "origin", "line", SCORE, ALIGNMENT.name)

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Decisions:
    """What every shard is built by.

    Attributes:
        tokenizers: Of the dataset.
        held_out: What training rows must not share.
        before: How many rows stand before those of each training shard; None when no corpus has a cap.
        near: The near-duplicates; None when they are not looked for.
    """

    tokenizers: TokenizersReport
    held_out: HeldOutIndex
    before: RowsBefore | None = None
    near: Drops | None = None


def build_shard(head: Head, partition: Partition, staged: Staged, decisions: Decisions) -> ShardReport:
    """Build a shard, unless its marker says that this has been done."""
    marker = layout.shard_marker(head, partition)
    report = read_marker(ShardReport, marker)
    if report is None:
        check_claim(head)
        report = _build(head, partition, staged, decisions)
        publish_marker(marker, report)
        logger.info(
            "shard %s: %d rows, %d duplicates left out", report.entry.path, report.entry.rows, report.duplicates
        )
    return report


def _build(head: Head, partition: Partition, staged: Staged, decisions: Decisions) -> ShardReport:
    rows, duplicates = gather(head, partition, staged)
    rows, rejected = _sifted(head, partition, rows, decisions)
    tokenizers = decisions.tokenizers
    table = encode_rows(rows, head, tokenizers, with_text=partition.split != "train")
    if partition.slot is not None:
        rows, table, beyond = within_token_limits(rows, table, head.corpora)
        rejected += beyond
    if tokenizers.source is not None:
        source_model = _load(head.output, tokenizers.source)
        table = with_tags(table, rows.column("corpus").to_numpy(), head.corpora, source_model)
    known = add_rows(head, partition, table.column("id").combine_chunks())
    sides = head.sides(tokenizers)
    table, copies = with_copies(rows, table, sides) if partition.split == "train" else (table, {})
    entry = write_shard(head.output, layout.shard(head, partition), table, sides, generation=head.generation)
    return ShardReport(
        partition=partition,
        entry=entry,
        duplicates=duplicates,
        copies=copies,
        sums=_sums(head, partition, table),
        rejected=dict(sorted(Counter(rule for part in rejected for rule in part.column("rule").to_pylist()).items())),
        rejected_file=publish_rejects(head, partition, rejected),
        source_lengths=_histogram(table, sides["source"]),
        target_lengths=_histogram(table, sides["target"]),
        known=known,
    )


def _sifted(head: Head, partition: Partition, rows: pa.Table, decisions: Decisions) -> tuple[pa.Table, list[pa.Table]]:
    """The rows that stay, and those that what is known of the whole corpus rejects."""
    sieves = (
        functools.partial(within_caps, head, partition, counted=decisions.before),
        functools.partial(without_near, head, partition, drops=decisions.near),
        functools.partial(without_held_out, head, partition, index=decisions.held_out),
    )
    rejected: list[pa.Table] = []
    for apply in sieves:
        found = apply(rows)
        if found is not None:
            rows = found.kept
            rejected.append(found.rejected)
    return rows, rejected


def encode_rows(rows: pa.Table, head: Head, tokenizers: TokenizersReport, *, with_text: bool) -> pa.Table:
    """Gathered rows as the columns of a shard (`dataset.schema.shard_schema`); those with text keep neither scores nor
    alignments.
    """
    models = {side: _load(head.output, entry) for side, entry in tokenizers.of_sides.items()}
    sides = head.sides(tokenizers)
    schema = shard_schema(
        sides,
        with_text=with_text,
        with_score=head.recipe.keep_scores and not with_text,
        with_alignment=head.recipe.keep_alignments and not with_text,
    )
    batches = [_encode_batch(batch, sides, models, schema) for batch in batches_of(rows)]
    return pa.Table.from_batches(batches, schema)


def _histogram(table: pa.Table, side: DatasetSide) -> tuple[int, ...]:
    return length_histogram(table.column(side.length_name).to_numpy(), side.histogram_bins)


def _sums(head: Head, partition: Partition, table: pa.Table) -> tuple[float, ...]:
    """What is added up of a shard; later generations go by what the first has come to."""
    is_asked_for = partition.split == "train" and not head.generation
    return head.recipe.source_modality.sums(table.column("source")) if is_asked_for else ()


def _encode_batch(
    rows: pa.RecordBatch, sides: Sides, models: Mapping[Side, Tokenizer], schema: pa.Schema
) -> pa.RecordBatch:
    columns = {name: rows.column(name) for name in _AS_THEY_ARE if name in schema.names}
    for name, side in sides.items():
        content = side.modality.content(rows.column(name), models.get(name))
        lengths = side.modality.lengths(pa.chunked_array([content]))
        columns |= {side.content.name: content, side.length_name: pa.array(lengths.astype(np.int32))}
        if side.text_name in schema.names:
            columns[side.text_name] = rows.column(name).cast(pa.string())
        columns |= {side.note_name(note): held for note, held in side.modality.noted(rows.column(name)).items()}
    return pa.record_batch([columns[name] for name in schema.names], schema=schema)


def _load(output: str, entry: TokenizerEntry) -> Tokenizer:
    return _load_once(storage.join(output, entry.path), entry.digest)


@functools.lru_cache(maxsize=4)
def _load_once(url: str, digest: str) -> Tokenizer:
    """A model, kept for the next shard."""
    tokenizer = Tokenizer.load(url)
    if tokenizer.digest != digest:
        raise DatasetError(
            "the tokenizer has changed", where=storage.redact(url), found=tokenizer.digest, expected=digest
        )
    return tokenizer
