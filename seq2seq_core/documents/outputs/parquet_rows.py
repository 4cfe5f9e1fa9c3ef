"""Records in, a Parquet file out: columns of number, text, translation, and of the fields that are asked for."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from seq2seq_core.documents.faithful import write_rows
from seq2seq_core.documents.fields import Fields
from seq2seq_core.documents.outputs.base import RECORD, TEXT, OutputFormat, Row


class ParquetRows(OutputFormat):
    """A row a record."""

    called = "Parquet"
    suffix = ".parquet"
    has_fields = True
    may_be_packed = False

    def render(self, rows: Sequence[Row], fields: Fields) -> bytes:
        where = "the rows of an output"
        fields.refuse_collision((RECORD, TEXT), where)
        values = [fields.values(row.prediction) for row in rows]
        columns = [
            pa.array([row.record for row in rows], pa.int64()),
            pa.array([row.text for row in rows], pa.string()),
            *(pa.array([row[place] for row in values], kind) for place, kind in enumerate(fields.types)),
        ]
        return write_rows(pa.table(columns, names=[RECORD, TEXT, *fields.added]), where)
