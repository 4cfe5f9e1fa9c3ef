"""A text file in, all of it as one text; and the file with the answer in its place, within the same white space."""

from __future__ import annotations

from seq2seq_core.documents.fields import Handling
from seq2seq_core.documents.structured.slots import Slot
from seq2seq_core.documents.structured.whole import Document, TextDocument, WholeFormat, decoded
from seq2seq_core.text.marks import MARKS, SOFT_BREAK

_BYTE_ORDER_MARK = "\ufeff"


class OneTextFormat(WholeFormat):
    """A file that is one text, such as one to be summed up; its name does not tell, so it is asked for.

    What would be taken for a mark is a space in what the model reads.
    """

    called = "a file that is one text"
    suffixes = ()

    def open(self, data: bytes, handling: Handling) -> Document:
        del handling
        raw = decoded(data)
        text = raw.removeprefix(_BYTE_ORDER_MARK).strip()
        start = raw.find(text)
        shown = MARKS.sub(" ", text).replace(SOFT_BREAK, " ").strip()
        has_letters = any(map(str.isalpha, shown))
        return TextDocument(raw, [Slot(start, start + len(text), shown)] if has_letters else [], _spell)


def _spell(slot: Slot, answer: str) -> str:
    return slot.spelled(answer, str)
