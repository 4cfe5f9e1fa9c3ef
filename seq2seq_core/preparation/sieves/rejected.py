"""What the sieves rejected of a shard in, its published file out."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from seq2seq_core.dataset.manifest import RejectedEntry
from seq2seq_core.dataset.schema import REJECTED_SCHEMA, shard_name
from seq2seq_core.dataset.writer import write_rejected
from seq2seq_core.preparation.terms.messages import Partition, Plan


def publish_rejects(plan: Plan, partition: Partition, rejected: Sequence[pa.Table]) -> RejectedEntry | None:
    """Publish what the rules set aside of a shard; None when that is nothing."""
    table = pa.concat_tables([REJECTED_SCHEMA.empty_table(), *rejected])
    if not table.num_rows:
        return None
    path = plan.place("rejected", "shards", name=shard_name(partition.index, partition.count))
    return write_rejected(plan.job.output, path, table, generation=plan.generation)
