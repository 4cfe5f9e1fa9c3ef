"""Subtitles of WebVTT in, the texts of their cues out; and the same cues with answers.

Notes, styles, regions and settings of cues stay as they are.
"""

from __future__ import annotations

import re

from seq2seq_core.documents.fields import Handling
from seq2seq_core.documents.structured.cues import on_lines, texts_of_cues
from seq2seq_core.documents.structured.markup import gather, spelled
from seq2seq_core.documents.structured.slots import Gatherer, Slot
from seq2seq_core.documents.structured.whole import Document, TextDocument, WholeFormat, decoded

_MARKUP = re.compile(r"<[^>\r\n]*>")


class VttFormat(WholeFormat):
    """Cues with times and lines of text, in which tags tell who speaks and when."""

    called = "WebVTT"
    suffixes = (".vtt",)

    def open(self, data: bytes, handling: Handling) -> Document:
        del handling
        gatherer = Gatherer(decoded(data))
        texts_of_cues(gatherer, _MARKUP, gather)
        return TextDocument(gatherer.raw, gatherer.slots, _spell)


def _spell(slot: Slot, answer: str) -> str:
    return slot.spelled(on_lines(slot, answer), spelled)
