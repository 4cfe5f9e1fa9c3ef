"""Subtitles of SubRip in, the texts of their cues out; and the same cues with answers."""

from __future__ import annotations

import re

from seq2seq_core.documents.fields import Handling
from seq2seq_core.documents.structured.cues import on_lines, texts_of_cues
from seq2seq_core.documents.structured.slots import Gatherer, Slot
from seq2seq_core.documents.structured.whole import Document, TextDocument, WholeFormat, decoded

_MARKUP = re.compile(r"</?[A-Za-z][^<>]*>|\{\\[^}]*\}")


class SrtFormat(WholeFormat):
    """Cues with a number, times and lines of text."""

    called = "SRT"
    suffixes = (".srt",)

    def open(self, data: bytes, handling: Handling) -> Document:
        del handling
        gatherer = Gatherer(decoded(data))
        texts_of_cues(gatherer, _MARKUP, Gatherer.text)
        return TextDocument(gatherer.raw, gatherer.slots, _spell)


def _spell(slot: Slot, answer: str) -> str:
    """The format has no escapes: an arrow would be taken for times."""
    return slot.spelled(on_lines(slot, answer), lambda part: part.replace("-->", "->"))
