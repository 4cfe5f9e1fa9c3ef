"""The plan and all reports in; the manifest published, and the outcome out."""

from __future__ import annotations

from collections.abc import Iterable

import apache_beam as beam

from seq2seq_core.preparation.publishing.publish import finish
from seq2seq_core.preparation.terms.messages import Outcome, Plan, ShardReport, TokenizersReport, UnitReport


class PublishDataset(beam.PTransform):  # type: ignore[misc]
    """PCollection[Plan] of one element -> PCollection[Outcome] of one."""

    def __init__(
        self,
        units: beam.PCollection[UnitReport],
        tokenizers: beam.PCollection[TokenizersReport],
        shards: beam.PCollection[ShardReport],
    ) -> None:
        super().__init__()
        self._reports = (units, tokenizers, shards)

    def expand(self, plan: beam.PCollection[Plan]) -> beam.PCollection[Outcome]:
        sides = [beam.pvalue.AsList(reports) for reports in self._reports]
        return plan | "Check and publish" >> beam.Map(_finish, *sides).with_output_types(Outcome)


def _finish(
    plan: Plan,
    units: Iterable[UnitReport],
    tokenizers: Iterable[TokenizersReport],
    shards: Iterable[ShardReport],
) -> Outcome:
    return finish(plan, list(units), list(tokenizers), list(shards))
