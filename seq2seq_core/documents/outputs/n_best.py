"""Records in, their best outputs out as Moses lists them: `number ||| output ||| features ||| score`, a line each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from seq2seq_core.documents.fields import Fields
from seq2seq_core.documents.outputs.base import OutputFormat, Row

_BAR = " ||| "
_FEATURE = "Model0="


class NBest(OutputFormat):
    """As many lines a record as it has outputs, best first; one without an output has a line with no text."""

    called = "n-best"
    suffix = ".nbest"
    keeps_n_best = True

    def render(self, rows: Sequence[Row], fields: Fields) -> bytes:
        del fields
        return "".join(line + "\n" for row in rows for line in _lines(row)).encode("utf-8")


def _lines(row: Row) -> Iterator[str]:
    found = row.prediction
    outputs = found.n_best if found else ()
    for text, score in outputs or ((found.text if found else "", 0.0),):
        one_line = " ".join(text.replace("|||", "| | |").splitlines())
        yield _BAR.join((str(row.record), one_line, f"{_FEATURE} {score:.6g}", f"{score:.6g}"))
