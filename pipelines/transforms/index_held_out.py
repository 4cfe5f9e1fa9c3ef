"""The plan and the reports of all units in, the index of what is held out of training out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import apache_beam as beam

from seq2seq_core.preparation.sieves.held_out import index_held_out
from seq2seq_core.preparation.terms.messages import HeldOutIndex, Plan, UnitReport


class IndexHeldOut(beam.PTransform):  # type: ignore[misc]
    """PCollection[Plan] of one element -> PCollection[HeldOutIndex] of one (none when there is nothing to do)."""

    def __init__(self, units: beam.PCollection[UnitReport]) -> None:
        super().__init__()
        self._units = units

    def expand(self, plan: beam.PCollection[Plan]) -> beam.PCollection[HeldOutIndex]:
        units = beam.pvalue.AsList(self._units)
        return plan | "Index n-grams" >> beam.FlatMap(_index, units).with_output_types(HeldOutIndex)


def _index(plan: Plan, units: Iterable[UnitReport]) -> Iterator[HeldOutIndex]:
    if not plan.is_done:
        yield index_held_out(plan, list(units))
