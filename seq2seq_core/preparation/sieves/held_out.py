"""Staged units in, one published index of the n-grams of everything that is held out of training, out."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence

import pyarrow as pa

from seq2seq_core import storage
from seq2seq_core.dataset.generations import as_of
from seq2seq_core.dataset.reader import Dataset
from seq2seq_core.preparation.shuffle.staged_file import read_staged
from seq2seq_core.preparation.sieves.ngrams import HELD_OUT_NGRAM, load_index, publish_index, shared
from seq2seq_core.preparation.terms.messages import NO_INDEX, HeldOutIndex, Partition, Plan, UnitReport
from seq2seq_core.records import Sifted, reject

logger = logging.getLogger(__name__)

SHARES_NO_NGRAM = "no {} words in a row"


def index_held_out(plan: Plan, units: Sequence[UnitReport]) -> HeldOutIndex:
    """Publish the index, unless it has been; nothing where nothing is held out or n-grams are not compared."""
    words = plan.job.recipe.protection.ngram_words
    if words is None or not plan.job.protects:
        return NO_INDEX
    path = storage.join(plan.work, "held_out.arrow")
    if not storage.exists(path):
        count = publish_index(path, _texts(plan, units), words)
        logger.info("%d n-grams of %d words are held out of training", count, words)
    return HeldOutIndex(path=path)


def without_held_out(plan: Plan, partition: Partition, rows: pa.Table, index: HeldOutIndex) -> Sifted[pa.Table] | None:
    """The training rows of a shard that share no n-gram with the index, and those that do; None without an index."""
    config = plan.job.recipe.protection
    if index.path is None or config.ngram_words is None or partition.split != "train":
        return None
    columns = [(side, rows.column(side).combine_chunks()) for side in config.compared]
    found = shared(columns, load_index(index.path), config.ngram_words)
    return reject(rows, found.rows, HELD_OUT_NGRAM, found.values, SHARES_NO_NGRAM.format(config.ngram_words))


def _texts(plan: Plan, units: Sequence[UnitReport]) -> Iterator[pa.Array]:
    """The compared sides of held-out sets given as files, and of the corpus rows that split shares hold out.

    From the second generation on the latter stand in the dataset.
    """
    if plan.generation:
        dataset = Dataset(plan.job.output, as_of(plan.job.output, plan.generation - 1))
        columns = [f"{side}_text" for side in plan.job.recipe.protection.compared]
        for shard in [shard for split in sorted(plan.job.shares) for shard in dataset.split(split).shards]:
            for table in dataset.row_groups(shard, columns):
                yield from (table.column(name).combine_chunks().cast(pa.large_string()) for name in columns)
    for report in sorted(units, key=lambda unit: unit.index):
        role = plan.units[report.index].role
        shared_slots = [part.slot for part in plan.slots if part.split != "train" and part.slot is not None]
        slots = shared_slots if role == "train" else [0]
        for slot in slots:
            for batch in read_staged(report.path, slot, plan.staged_slots(role)):
                yield from (batch.column(side) for side in plan.job.recipe.protection.compared)
