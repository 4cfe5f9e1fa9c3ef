"""Rows of a shard and a verdict in; the rows that stay, and those set aside as the dataset keeps them, out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from seq2seq_core.dataset.manifest import RejectedEntry
from seq2seq_core.dataset.schema import REJECTED_SCHEMA
from seq2seq_core.dataset.writer import write_rejected
from seq2seq_core.preparation.terms import layout
from seq2seq_core.preparation.terms.messages import Head, Partition


class Sieved(NamedTuple):
    """Rows that go on (the columns they came with), and rows that do not (columns of `REJECTED_SCHEMA`)."""

    kept: pa.Table
    rejected: pa.Table


def sieve(rows: pa.Table, failed: pa.BooleanArray, rule: str, values: pa.StringArray, threshold: str) -> Sieved:
    """Split the rows of a shard by a rule.

    Args:
        rows: Columns of `gather.gather`.
        failed: Which rows the rule rejects, no nulls.
        rule: Its name.
        values: What was measured, a text for each failed row in order.
        threshold: What passes.
    """
    if not len(values):
        return Sieved(rows, REJECTED_SCHEMA.empty_table())
    gone = rows.filter(failed)
    constant = {"rule": rule, "threshold": threshold}
    columns = {name: pa.repeat(pa.scalar(text, pa.string()), gone.num_rows) for name, text in constant.items()}
    columns |= {name: gone.column(name).cast(pa.string()) for name in ("origin", "source", "target")}
    columns |= {"line": gone.column("line"), "value": values}
    rejected = pa.table([columns[name] for name in REJECTED_SCHEMA.names], schema=REJECTED_SCHEMA)
    return Sieved(rows.filter(pc.invert(failed)), rejected)


def publish_rejects(head: Head, partition: Partition, rejected: Sequence[pa.Table]) -> RejectedEntry | None:
    """Publish what the rules set aside of a shard; None when that is nothing."""
    table = pa.concat_tables([REJECTED_SCHEMA.empty_table(), *rejected])
    if not table.num_rows:
        return None
    return write_rejected(head.output, layout.shard_rejects(head, partition), table, generation=head.generation)
