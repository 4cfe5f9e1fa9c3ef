"""A plan in, which rows are searched for near-duplicates; lists of those in, a shard's rows without them, out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from seq2seq_core import storage
from seq2seq_core.preparation.band_files import Texts, texts_of
from seq2seq_core.preparation.caps import within_caps
from seq2seq_core.preparation.gather import gather
from seq2seq_core.preparation.messages import Partition, Plan, SlotCounts, UnitReport
from seq2seq_core.preparation.near_duplicates import kept_instead
from seq2seq_core.preparation.near_messages import DropReport, NearPlan
from seq2seq_core.preparation.sieve import Sieved, sieve

NEAR_DUPLICATE = "near_duplicate"
FOLDER = "near"


def near_plans(plan: Plan) -> list[NearPlan]:
    """The search for near-duplicates, when it is asked for and there is anything to do."""
    config, shards = plan.job.recipe.near_duplicates, len(_training(plan))
    if config is None or plan.is_done:
        return []
    folder = storage.join(plan.job.output, FOLDER)
    return [NearPlan(config=config, folder=folder, work=storage.join(plan.work, FOLDER), shards=shards, buckets=shards)]


def rows_to_compare(
    shard: int, plan: Plan, units: Iterable[UnitReport], counts: Iterable[SlotCounts]
) -> Iterator[Texts]:
    """The rows of a training shard that may stay: without duplicates, and within the caps of their corpora."""
    partition = _training(plan)[shard]
    rows, _ = gather(plan, partition, list(units))
    capped = within_caps(plan, partition, rows, list(counts))
    yield from texts_of(rows if capped is None else capped.kept)


def without_near(plan: Plan, partition: Partition, rows: pa.Table, drops: Sequence[DropReport]) -> Sieved | None:
    """The rows of a training shard that are no near-duplicates, and those that are; None where none were looked for."""
    config = plan.job.recipe.near_duplicates
    if config is None or partition.split != "train":
        return None
    (report,) = (drop for drop in drops if drop.index == partition.index)
    kept = kept_instead(rows.column("id").combine_chunks(), report)
    found = pc.is_valid(kept)
    values = pa.array([f"row {row.hex()} stays" for row in kept.filter(found).to_pylist()], pa.string())
    return sieve(rows, found, NEAR_DUPLICATE, values, f"less alike than {config.threshold:.2f}")


def _training(plan: Plan) -> list[Partition]:
    return [partition for partition in plan.slots if partition.split == "train"]
