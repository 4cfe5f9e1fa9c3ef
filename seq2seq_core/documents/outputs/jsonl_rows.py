"""Records in, an object of JSON a line out: number, text, translation, and the fields that are asked for."""

from __future__ import annotations

import json
from collections.abc import Sequence

from seq2seq_core.documents.fields import Fields
from seq2seq_core.documents.outputs.base import RECORD, TEXT, OutputFormat, Row


class JsonlRows(OutputFormat):
    """An object a line."""

    called = "JSONL"
    suffix = ".jsonl"
    has_fields = True

    def render(self, rows: Sequence[Row], fields: Fields) -> bytes:
        fields.refuse_collision((RECORD, TEXT), "the rows of an output")
        objects = (
            {RECORD: row.record, TEXT: row.text, **dict(zip(fields.added, fields.values(row.prediction), strict=True))}
            for row in rows
        )
        return "".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in objects).encode("utf-8")
