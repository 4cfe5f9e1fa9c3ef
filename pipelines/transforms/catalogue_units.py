"""The plan and the reports of all units in, the catalogue of their staged files out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import apache_beam as beam

from seq2seq_core.preparation.shuffle.catalogue import catalogue
from seq2seq_core.preparation.terms.messages import Plan, Staged, UnitReport


class CatalogueUnits(beam.PTransform):  # type: ignore[misc]
    """PCollection[Plan] of one element -> PCollection[Staged] of one (none when there is nothing to do)."""

    def __init__(self, units: beam.PCollection[UnitReport]) -> None:
        super().__init__()
        self._units = units

    def expand(self, plan: beam.PCollection[Plan]) -> beam.PCollection[Staged]:
        return plan | "Catalogue" >> beam.FlatMap(_catalogue, beam.pvalue.AsList(self._units)).with_output_types(Staged)


def _catalogue(plan: Plan, reports: Iterable[UnitReport]) -> Iterator[Staged]:
    if not plan.head.is_done:
        yield catalogue(plan, list(reports))
