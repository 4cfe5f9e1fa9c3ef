"""Records in, a file of TMX 1.4b out: a translation unit for each that has a text and a translation."""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax import saxutils

from seq2seq_core.documents.fields import Fields
from seq2seq_core.documents.outputs.base import OutputFormat, Row
from seq2seq_core.documents.structured.markup import spelled

_HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<tmx version="1.4">
<header creationtool="seq2seq" creationtoolversion="1" segtype="block" o-tmf="seq2seq" adminlang="en" \
srclang={source} datatype="plaintext"/>
<body>
"""
_TAIL = "</body>\n</tmx>\n"


class TmxUnits(OutputFormat):
    """A unit a record; one without a translation has none."""

    called = "TMX"
    suffix = ".tmx"
    names_languages = True

    def render(self, rows: Sequence[Row], fields: Fields) -> bytes:
        source, target = map(saxutils.quoteattr, fields.handling.languages)
        units = [
            f'<tu tuid="{row.record}"><tuv xml:lang={source}><seg>{spelled(row.text)}</seg></tuv>'
            f"<tuv xml:lang={target}><seg>{spelled(row.prediction.text)}</seg></tuv></tu>\n"
            for row in rows
            if row.text and row.text.strip() and row.prediction is not None and row.prediction.text
        ]
        return "".join((_HEAD.format(source=source), *units, _TAIL)).encode("utf-8")
