"""What the sieves rejected of a shard in, its published file out."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from seq2seq_core.dataset.manifest import RejectedEntry
from seq2seq_core.dataset.schema import REJECTED_SCHEMA
from seq2seq_core.dataset.writer import write_rejected
from seq2seq_core.preparation.terms import layout
from seq2seq_core.preparation.terms.messages import Head, Partition


def publish_rejects(head: Head, partition: Partition, rejected: Sequence[pa.Table]) -> RejectedEntry | None:
    """Publish what the rules set aside of a shard; None when that is nothing."""
    table = pa.concat_tables([REJECTED_SCHEMA.empty_table(), *rejected])
    if not table.num_rows:
        return None
    return write_rejected(head.output, layout.shard_rejects(head, partition), table, generation=head.generation)
