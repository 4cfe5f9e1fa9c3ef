"""Reports are gathered batch by batch: a step begins when all that it needs is there, in whatever order it comes."""

from __future__ import annotations

import random
from collections.abc import Sequence

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions
from apache_beam.runners.direct import direct_runner
from apache_beam.testing import test_pipeline, test_stream
from apache_beam.testing.util import assert_that, equal_to
from apache_beam.transforms.window import TimestampedValue

from pipelines.graphs import message_coder
from pipelines.graphs.follow.do_step import DoStepOfBatch, Gathered, Keyed, Report, as_report, as_text
from seq2seq_core.preparation.terms.messages import Bucket, SlotCounts
from tests.step_work import SQUARES, SUMS, plan_of

PLANNED, NONE_STAGED = Report("plan", 0, 1, "the plan"), Report("stage", 0, 0, "")


def staged(count: int) -> list[Report]:
    return [Report("stage", index, count, f"unit {index}") for index in range(count)]


def expect(reports: Sequence[tuple[int, Report]], found: dict[int, list[Report]]) -> None:
    """What comes of reports, one after the other; behind each the watermark says that nothing more comes."""
    stream = test_stream.TestStream().advance_watermark_to(0)
    for second, (batch, report) in enumerate(reports):
        stream = stream.add_elements([TimestampedValue((batch, report.line), 0)]).advance_watermark_to(second + 1)
    options = PipelineOptions([])
    options.view_as(StandardOptions).streaming = True
    runner = direct_runner.BundleBasedDirectRunner()  # FnApiRunner runs no such stream
    with test_pipeline.TestPipeline(runner=runner, options=options) as pipeline:
        keyed = pipeline | stream.advance_watermark_to_infinity() | beam.Map(_itself).with_output_types(Keyed)
        gathered = (keyed,) | Gathered(("plan", "stage"))
        lines = {batch: [report.line for report in whole] for batch, whole in found.items()}
        assert_that(gathered, equal_to(list(lines.items())))


@pytest.mark.parametrize("seed", range(3))
def test_all_reports_of_a_batch_are_gathered_in_whatever_order_they_come(seed: int) -> None:
    reports = [(batch, report) for batch, count in ((7, 10), (8, 1)) for report in (PLANNED, *staged(count))]
    random.Random(seed).shuffle(reports)
    expect(reports, {7: [PLANNED, *staged(10)], 8: [PLANNED, *staged(1)]})


def test_nothing_is_done_with_one_report_of_ten() -> None:
    expect([(1, PLANNED), (1, staged(10)[3]), (2, NONE_STAGED)], {})


def test_that_there_are_none_is_known_by_a_report_too_and_others_are_left_out() -> None:
    expect([(3, NONE_STAGED), (3, Report("job", 0, 1, "")), (3, PLANNED)], {3: [PLANNED]})


def test_a_step_is_done_for_each_element_of_each_batch() -> None:
    message_coder.register()
    counts = {1: 0, 2: 3}
    plans = [(batch, Report("plan", 0, 1, as_text(plan_of(count))).line) for batch, count in counts.items()]
    squares = [(2, Report("squares", index, 3, as_text(Bucket(index=index**2)))) for index in range(3)]
    sums = [
        (2, Report("sums", index, 3, as_text(SlotCounts(slot=index, counts=(3, 0, 1, 4, 0))))) for index in range(3)
    ]
    with test_pipeline.TestPipeline() as pipeline:
        planned = pipeline | beam.Create(plans).with_output_types(Keyed)
        squared = (planned,) | "squares" >> DoStepOfBatch(SQUARES, ["plan"])
        added = (planned, squared) | "sums" >> DoStepOfBatch(SUMS, ["plan", "squares"])
        for name, found, expected in (("squares", squared, squares), ("sums", added, sums)):
            none = (1, Report(name, 0, 0, ""))
            assert_that(found | f"Read {name}" >> beam.Map(_read), equal_to([none, *expected]), label=f"check {name}")


def _itself(keyed: Keyed) -> Keyed:
    return keyed


def _read(keyed: Keyed) -> tuple[int, Report]:
    return keyed[0], as_report(keyed[1])
