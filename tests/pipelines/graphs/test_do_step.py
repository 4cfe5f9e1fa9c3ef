"""The transform by itself: what is done, by whom, and what it is given, whoever the workers are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.metrics import MetricsFilter
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.testing import test_pipeline
from apache_beam.testing.util import assert_that, equal_to

from pipelines.graphs import failures, message_coder, options
from pipelines.graphs.do_step import DoStep
from pipelines.local.pool import started
from pipelines.local.workers import HERE, Workers
from seq2seq_core.errors import InputError
from seq2seq_core.preparation.steps import Step
from seq2seq_core.preparation.terms.corpus import Message
from seq2seq_core.preparation.terms.messages import Bucket, SlotCounts
from tests.step_work import REFUSAL, SQUARES, SUMS, nothing, number, plan_of

REPLAYED = "--direct_runner_bundle_repeat=1"


@dataclass(frozen=True)
class Elsewhere:
    """Workers who leave a trace: a hundred more."""

    def map(self, function: Callable[..., Any], calls: Iterable[tuple[Any, ...]]) -> Iterator[Any]:
        return (Bucket(index=function(*arguments).index + 100) for arguments in calls)


@pytest.fixture(params=["here", "the engine's", "processes"])
def workers(request: pytest.FixtureRequest) -> Iterator[Workers | None]:
    if request.param == "processes":
        with started(2, ["tests.step_work"]) as processes:
            yield processes
    else:
        yield {"here": HERE, "the engine's": None}[request.param]


def reports(root: beam.Pipeline, steps: Sequence[Step], workers: Workers | None) -> dict[str, Any]:
    message_coder.register()
    done = {"plan": root | beam.Create([plan_of(3)], reshuffle=False).with_output_types(Message)}
    for step in steps:
        done[step.name] = done["plan"] | step.name >> DoStep(step, done, workers)
    return done


def buckets(*indexes: int) -> list[Bucket]:
    return [Bucket(index=index) for index in indexes]


@pytest.mark.parametrize("arguments", [[], [REPLAYED]])
def test_every_element_is_done_and_later_steps_get_what_earlier_ones_found(
    workers: Workers | None, arguments: list[str]
) -> None:
    with test_pipeline.TestPipeline(runner="FnApiRunner", options=PipelineOptions(arguments)) as root:
        done = reports(root, (SQUARES, SUMS), workers)
        assert_that(done["squares"], equal_to(buckets(0, 1, 4)), label="Squares")
        sums = [SlotCounts(slot=slot, counts=(3, 0, 1, 4, 0)) for slot in range(3)]
        assert_that(done["sums"], equal_to(sums), label="Sums")
    counters = root.result.metrics().query(MetricsFilter().with_namespace("prepare"))["counters"]
    assert {counter.key.metric.name: counter.committed for counter in counters} == {"seen": 3, "sum": 5}


def test_a_step_with_nothing_to_do_gives_nothing_to_others(workers: Workers | None) -> None:
    with test_pipeline.TestPipeline(runner="FnApiRunner") as root:
        done = reports(root, (replace(SQUARES, each=nothing), SUMS), workers)
        assert_that(done["squares"], equal_to([]), label="Squares")
        assert_that(done["sums"], equal_to([SlotCounts(slot=slot, counts=(3, 0)) for slot in range(3)]), label="Sums")


def test_what_is_not_spread_is_done_in_place() -> None:
    once = replace(SQUARES, each=number, is_spread=False)
    with test_pipeline.TestPipeline(runner="FnApiRunner") as root:
        assert_that(reports(root, (SQUARES,), Elsewhere())["squares"], equal_to(buckets(100, 101, 104)))
    with test_pipeline.TestPipeline(runner="FnApiRunner") as root:
        assert_that(reports(root, (once,), Elsewhere())["squares"], equal_to(buckets(9)))


def test_an_error_of_the_work_comes_out(workers: Workers | None) -> None:
    root = beam.Pipeline(options=options.parse([]))
    reports(root, (REFUSAL,), workers)
    with pytest.raises(InputError) as error:
        failures.run(root)
    assert str(error.value) == "corpus.en, line 7: the row is unreadable; found 3"
