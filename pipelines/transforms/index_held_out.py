"""The head and the catalogue of staged files in, the index of what is held out of training out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import apache_beam as beam

from seq2seq_core.preparation.sieves.held_out import index_held_out
from seq2seq_core.preparation.terms.messages import Head, HeldOutIndex, Staged


class IndexHeldOut(beam.PTransform):  # type: ignore[misc]
    """PCollection[Head] of one element -> PCollection[HeldOutIndex] of one (none when there is nothing to do)."""

    def __init__(self, staged: beam.PCollection[Staged]) -> None:
        super().__init__()
        self._staged = staged

    def expand(self, head: beam.PCollection[Head]) -> beam.PCollection[HeldOutIndex]:
        staged = beam.pvalue.AsList(self._staged)
        return head | "Index n-grams" >> beam.FlatMap(_index, staged).with_output_types(HeldOutIndex)


def _index(head: Head, staged: Iterable[Staged]) -> Iterator[HeldOutIndex]:
    yield from (index_held_out(head, one) for one in staged)
