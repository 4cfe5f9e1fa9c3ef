"""A job in, its plan out: every input is indexed on its own, then all of them are cut into units and shards."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Future

import apache_beam as beam

from pipelines.running import local_workers
from pipelines.transforms.beside import BesideDoFn
from seq2seq_core.preparation.planning.planner import index_input, index_name, make_plan, plan_name
from seq2seq_core.preparation.terms.messages import IndexedInput, Input, Job, Plan


class PlanUnits(beam.PTransform):  # type: ignore[misc]
    """Pipeline -> PCollection[Plan] of one element."""

    def __init__(self, job: Job) -> None:
        super().__init__()
        self._job = job

    def expand(self, root: beam.Pipeline) -> beam.PCollection[Plan]:
        job = root | "Job" >> beam.Create([self._job]).with_output_types(Job)
        # Create spreads more than one element over the workers itself.
        indexed = (
            root
            | "Inputs" >> beam.Create(self._job.inputs).with_output_types(Input)
            | "Index" >> beam.ParDo(_IndexDoFn(), beam.pvalue.AsSingleton(job)).with_output_types(IndexedInput)
        )
        return job | "Plan" >> beam.Map(_plan, beam.pvalue.AsList(indexed)).with_output_types(Plan)


class _IndexDoFn(BesideDoFn):
    def begin(self, input_: Input, job: Job) -> Future[IndexedInput]:
        return local_workers.begin(index_name(job, input_.index), index_input, job.recipe, input_)


def _plan(job: Job, indexed: Iterable[IndexedInput]) -> Plan:
    return local_workers.result(local_workers.begin(plan_name(job), make_plan, job, list(indexed)))
