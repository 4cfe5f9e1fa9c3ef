"""Work begun for every element of a bundle, and its results: the same with workers that end later and without."""

from __future__ import annotations

from concurrent.futures import Future

import apache_beam as beam
import pytest
from apache_beam.metrics import Metrics, MetricsFilter
from apache_beam.testing.util import assert_that, equal_to

from pipelines.running import beam_options, local_workers
from pipelines.transforms.beside import BesideDoFn


class PowerDoFn(BesideDoFn):
    def begin(self, number: int, exponent: int, *, offset: int = 0) -> Future[int]:
        return local_workers.begin(f"{number}", lambda: number**exponent + offset)

    def count(self, power: int) -> None:
        Metrics.counter("test", "sum").inc(power)


class LateDoFn(BesideDoFn):
    """Nothing ends before all has begun."""

    def start_bundle(self) -> None:
        super().start_bundle()
        self._late: list[tuple[Future[int], int]] = []

    def begin(self, number: int) -> Future[int]:
        begun: Future[int] = Future()
        self._late.append((begun, number * number))
        return begun

    def finish_bundle(self):  # type: ignore[no-untyped-def]
        for begun, value in self._late:
            begun.set_result(value)
        return super().finish_bundle()


@pytest.mark.parametrize("options", [[], ["--direct_runner_bundle_repeat=1"]])
def test_side_inputs_and_counters_are_those_of_any_dofn(options: list[str]) -> None:
    with beam.Pipeline(options=beam_options.parse(options)) as root:
        exponent = beam.pvalue.AsSingleton(root | "Exponent" >> beam.Create([3]))
        offset = beam.pvalue.AsSingleton(root | "Offset" >> beam.Create([1]))
        power = beam.ParDo(PowerDoFn(), exponent, offset=offset).with_output_types(int)
        assert_that(root | beam.Create([1, 2, 3]) | power, equal_to([2, 9, 28]))
    (counter,) = root.result.metrics().query(MetricsFilter().with_namespace("test"))["counters"]
    assert counter.committed == 39


def test_what_ends_later_comes_at_the_end_of_the_bundle() -> None:
    with beam.Pipeline(options=beam_options.parse([])) as root:
        squares = root | beam.Create([1, 2, 3]) | beam.ParDo(LateDoFn()).with_output_types(int)
        summed = squares | beam.CombineGlobally(sum)
        assert_that(squares, equal_to([1, 4, 9]))
        assert_that(summed, equal_to([14]), label="Sum")
