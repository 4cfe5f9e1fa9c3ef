"""Staged rows in, one published index of the n-grams of everything that is held out of training, out."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator

import pyarrow as pa

from seq2seq_core import storage
from seq2seq_core.dataset.generations import as_of
from seq2seq_core.dataset.reader import Dataset
from seq2seq_core.preparation.shuffle.gather import staged_rows
from seq2seq_core.preparation.sieves.ngrams import HELD_OUT_NGRAM, load_index, publish_index, shared
from seq2seq_core.preparation.terms import layout
from seq2seq_core.preparation.terms.corpus import GIVEN_ROLES
from seq2seq_core.preparation.terms.messages import NO_INDEX, Head, HeldOutIndex, Partition, Staged
from seq2seq_core.records import Sifted, reject

logger = logging.getLogger(__name__)

SHARES_NO_NGRAM = "no {} words in a row"


def index_held_out(head: Head, staged: Staged) -> HeldOutIndex:
    """Publish the index, unless it has been; nothing where nothing is held out or n-grams are not compared."""
    words = head.recipe.protection.ngram_words
    if words is None or not head.protects:
        return NO_INDEX
    path = layout.held_out_ngrams(head)
    if not storage.exists(path):
        count = publish_index(path, _texts(head, staged), words)
        logger.info("%d n-grams of %d words are held out of training", count, words)
    return HeldOutIndex(path=path)


def without_held_out(head: Head, partition: Partition, rows: pa.Table, index: HeldOutIndex) -> Sifted[pa.Table] | None:
    """The training rows of a shard that share no n-gram with the index, and those that do; None without an index."""
    config = head.recipe.protection
    if index.path is None or config.ngram_words is None or partition.split != "train":
        return None
    columns = [(side, rows.column(side).combine_chunks()) for side in head.recipe.protected_sides]
    found = shared(columns, load_index(index.path), config.ngram_words)
    return reject(rows, found.rows, HELD_OUT_NGRAM, found.values, SHARES_NO_NGRAM.format(config.ngram_words))


def _texts(head: Head, staged: Staged) -> Iterator[pa.Array]:
    """The compared sides of held-out sets given as files, and of the corpus rows that split shares hold out.

    From the second generation on the latter stand in the dataset.
    """
    sides = head.recipe.protected_sides
    if head.generation:
        dataset = Dataset(head.output, as_of(head.output, head.generation - 1))
        columns = [f"{side}_text" for side in sides]
        for shard in [shard for split in sorted(head.shares) for shard in dataset.split(split).shards]:
            for table in dataset.row_groups(shard, columns):
                yield from (table.column(name).combine_chunks().cast(pa.large_string()) for name in columns)
    shares = [part.slot for part in head.partitions if part.split != "train" and part.slot is not None]
    held_out = (staged_rows(head, staged, "train", slot) for slot in shares)
    given = (staged_rows(head, staged, role) for role in GIVEN_ROLES)
    for table in itertools.chain(held_out, given):
        for batch in table.to_batches():
            yield from (batch.column(side) for side in sides)
