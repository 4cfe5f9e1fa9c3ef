"""The plan and the reports of all units in, the dataset's tokenizers out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import apache_beam as beam

from pipelines.transforms.sides import lists
from seq2seq_core.preparation.building.tokenizers import make_tokenizers
from seq2seq_core.preparation.terms.messages import Plan, SlotCounts, TokenizersReport, UnitReport


class MakeTokenizers(beam.PTransform):  # type: ignore[misc]
    """PCollection[Plan] of one element -> PCollection[TokenizersReport] of one (none when there is nothing to do)."""

    def __init__(self, units: beam.PCollection[UnitReport], counts: beam.PCollection[SlotCounts] | None) -> None:
        super().__init__()
        self._sides = lists(units=units, counts=counts)

    def expand(self, plan: beam.PCollection[Plan]) -> beam.PCollection[TokenizersReport]:
        return plan | "Train or copy" >> beam.FlatMap(_make, **self._sides).with_output_types(TokenizersReport)


def _make(plan: Plan, units: Iterable[UnitReport], counts: Iterable[SlotCounts] = ()) -> Iterator[TokenizersReport]:
    if not plan.is_done:
        yield make_tokenizers(plan, list(units), list(counts))
