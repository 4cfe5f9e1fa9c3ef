"""A plan in, which rows are searched for near-duplicates; lists of those in, a shard's rows without them, out."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from seq2seq_core.preparation.shuffle.gather import gather
from seq2seq_core.preparation.shuffle.hashing import hexadecimal
from seq2seq_core.preparation.sieves.caps import within_caps
from seq2seq_core.preparation.sieves.near.bands import Texts, texts_of
from seq2seq_core.preparation.sieves.near.search import kept_instead
from seq2seq_core.preparation.terms import layout
from seq2seq_core.preparation.terms.messages import Drops, Head, NearPlan, Partition, RowsBefore, Staged
from seq2seq_core.preparation.terms.recipe import NearDuplicatesConfig
from seq2seq_core.records import Sifted, reject

NEAR_DUPLICATE = "near_duplicate"


def near_plan(head: Head) -> NearPlan:
    """The search for near-duplicates as the recipe asks for it."""
    shards = head.dealt["train"]
    return NearPlan(
        config=head.recipe.near_duplicates or NearDuplicatesConfig(),
        output=head.output,
        work=layout.near_work(head),
        shards=shards,
        buckets=shards,
        generation=head.generation,
        known=head.known,
    )


def rows_to_compare(
    head: Head, partition: Partition, staged: Staged, before: RowsBefore | None = None
) -> Iterator[Texts]:
    """The rows of a training shard that may stay: without duplicates, and within the caps of their corpora."""
    rows, _ = gather(head, partition, staged)
    capped = within_caps(head, partition, rows, before)
    yield from texts_of(rows if capped is None else capped.kept)


def without_near(head: Head, partition: Partition, rows: pa.Table, drops: Drops | None) -> Sifted[pa.Table] | None:
    """The rows of a training shard that are no near-duplicates, and those that are; None where none were looked for."""
    config = head.recipe.near_duplicates
    if config is None or drops is None or partition.split != "train":
        return None
    kept = kept_instead(rows.column("id").combine_chunks(), drops, partition.index)
    found = pc.is_valid(kept)
    values = pc.binary_join_element_wise("row", hexadecimal(kept.filter(found)), "stays", " ")
    return reject(rows, found, NEAR_DUPLICATE, values, f"less alike than {config.threshold:.2f}")
