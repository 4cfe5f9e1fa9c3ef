"""The head and the catalogue of staged files in, the dataset's tokenizers out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import apache_beam as beam

from pipelines.transforms.sides import lists
from seq2seq_core.preparation.building.tokenizers import make_tokenizers
from seq2seq_core.preparation.terms.messages import Head, RowsBefore, Staged, TokenizersReport


class MakeTokenizers(beam.PTransform):  # type: ignore[misc]
    """PCollection[Head] of one element -> PCollection[TokenizersReport] of one (none when there is nothing to do)."""

    def __init__(self, staged: beam.PCollection[Staged], before: beam.PCollection[RowsBefore] | None) -> None:
        super().__init__()
        self._sides = lists(staged=staged, before=before)

    def expand(self, head: beam.PCollection[Head]) -> beam.PCollection[TokenizersReport]:
        return head | "Train or copy" >> beam.FlatMap(_make, **self._sides).with_output_types(TokenizersReport)


def _make(head: Head, staged: Iterable[Staged], before: Iterable[RowsBefore] = ()) -> Iterator[TokenizersReport]:
    yield from (make_tokenizers(head, one, next(iter(before), None)) for one in staged)
