"""The unbounded job: its steps have the names that they have, and on an engine that streams it makes the same rows."""

from __future__ import annotations

from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from pipelines.commands import prepare as batch_command
from pipelines.commands.follow import prepare as command
from pipelines.graphs.follow import prepare as graph
from seq2seq_core.landing.ledger import Ledger
from tests import river
from tests.engines import engine_options
from tests.landing import batch, following, ids, land, rows_of

NAMES = """
begin close
zones/Once zones/Look
index_inputs/Needed index_inputs/List index_inputs/Spread index_inputs/Do
plan/Needed plan/List plan/Do
stage_training/Needed stage_training/List stage_training/Spread stage_training/Do
merge_known/Needed merge_known/List merge_known/Spread merge_known/Do
catalogue/Needed catalogue/List catalogue/Do
make_tokenizers/Needed make_tokenizers/List make_tokenizers/Do
build_shards/Needed build_shards/List build_shards/Spread build_shards/Do
publish/Needed publish/List publish/Do
published/Flatten published/Gather
"""

_JAVA = {"JDK_JAVA_OPTIONS": "--add-opens=java.base/java.util=ALL-UNNAMED"}


def test_a_running_job_can_be_updated_as_its_steps_keep_their_names(tmp_path: Path) -> None:
    config = following(tmp_path / "in", tmp_path / "out")
    pipeline = beam.Pipeline(options=PipelineOptions())
    graph.build(pipeline, command.followed(config))
    found = {label for label in pipeline.applied_labels if label.count("/") <= 1}
    steps = set(NAMES.split())
    assert {label for label in found if "/" in label} | {"begin", "close"} == steps
    assert {label for label in found if "/" not in label} == {name.split("/")[0] for name in steps}


@pytest.mark.follow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("engine", ["Prism", "Flink, embedded"])
def test_engines_that_stream_make_the_rows_of_one_batch_run(
    engine: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    options = engine_options(engine, request)
    if "Flink" in engine:
        options = [*options, "--checkpointing_interval=2000", "--max_bundle_time_mills=50"]
    zone, output = tmp_path / "in", str(tmp_path / "out")
    words = river.words(str(zone), output)
    process = river.command([*words, "--idle_seconds=30", "--", *options], tmp_path / "log", _JAVA)
    try:
        for first in (0, 3):
            for number in range(first, first + 3):
                land(zone, f"{number}", rows_of(number))
            process.await_(lambda: len(Ledger(output).refresh().files) == first + 3, "what has landed", 300)  # noqa: B023
        assert process.wait(180) == 0, "it ends by itself"
    finally:
        process.stop()
    batch_command.run(batch(zone, tmp_path / "whole"))
    assert ids(output) == ids(tmp_path / "whole")
    assert Ledger(output).refresh().sums.last_batch >= 2
