"""A plan in, which rows are searched for near-duplicates; lists of those in, a shard's rows without them, out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from seq2seq_core import storage
from seq2seq_core.dataset.manifest import NEAR_FOLDER, generation_folder
from seq2seq_core.dataset.schema import shard_name
from seq2seq_core.preparation.shuffle.gather import gather
from seq2seq_core.preparation.shuffle.hashing import hexadecimal
from seq2seq_core.preparation.sieves.caps import within_caps
from seq2seq_core.preparation.sieves.near.bands import Texts, texts_of
from seq2seq_core.preparation.sieves.near.search import kept_instead
from seq2seq_core.preparation.terms.messages import DropReport, NearPlan, Partition, Plan, SlotCounts, UnitReport
from seq2seq_core.records import Sifted, reject

NEAR_DUPLICATE = "near_duplicate"


def near_plans(plan: Plan) -> list[NearPlan]:
    """The search for near-duplicates, when it is asked for and there is anything to do."""
    config, shards = plan.job.recipe.near_duplicates, len(plan.training)
    if config is None or plan.is_done:
        return []
    names = [shard_name(shard, shards, suffix=".arrow") for shard in range(shards)]
    earlier = [_folder(plan.job.output, generation) for generation in plan.earlier]
    return [
        NearPlan(
            config=config,
            folder=_folder(plan.job.output, generation_folder(plan.generation, plan.fingerprint)),
            work=storage.join(plan.work, NEAR_FOLDER),
            shards=shards,
            buckets=shards,
            earlier=tuple(tuple(storage.join(folder, name) for name in names) for folder in earlier),
        )
    ]


def rows_to_compare(
    shard: int, plan: Plan, units: Iterable[UnitReport], counts: Iterable[SlotCounts] = ()
) -> Iterator[Texts]:
    """The rows of a training shard that may stay: without duplicates, and within the caps of their corpora."""
    partition = plan.training[shard]
    rows, _ = gather(plan, partition, list(units))
    capped = within_caps(plan, partition, rows, list(counts))
    yield from texts_of(rows if capped is None else capped.kept)


def without_near(
    plan: Plan, partition: Partition, rows: pa.Table, drops: Sequence[DropReport]
) -> Sifted[pa.Table] | None:
    """The rows of a training shard that are no near-duplicates, and those that are; None where none were looked for."""
    config = plan.job.recipe.near_duplicates
    if config is None or partition.split != "train":
        return None
    (report,) = (drop for drop in drops if drop.index == partition.index)
    kept = kept_instead(rows.column("id").combine_chunks(), report)
    found = pc.is_valid(kept)
    values = pc.binary_join_element_wise("row", hexadecimal(kept.filter(found)), "stays", " ")
    return reject(rows, found, NEAR_DUPLICATE, values, f"less alike than {config.threshold:.2f}")


def _folder(output: str, generation: str) -> str:
    """The folder of a generation's band files."""
    return storage.join(output, NEAR_FOLDER, *([generation] if generation else []))
