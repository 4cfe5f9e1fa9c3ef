from __future__ import annotations

from typing import Any

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.runner import PipelineResult, PipelineState

from pipelines.graphs import description, options


@pytest.fixture(autouse=True)
def dataflow_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether or not its packages are installed."""
    monkeypatch.setattr(options, "_check_runner", lambda name: None)


@pytest.mark.parametrize(
    ("given", "is_asked_for"),
    [
        ([], False),
        (["--dry_run=True"], False),
        (["--runner=FlinkRunner", "--dry_run=True"], False),
        (["--runner=DataflowRunner"], False),
        (["--runner=DataflowRunner", "--dry_run=True"], True),
        (["--runner=dataflow", "--template_location=gs://b/t"], True),
    ],
)
def test_dataflow_alone_describes_jobs(given: list[str], is_asked_for: bool) -> None:
    assert description.is_asked_for(given) is is_asked_for


def test_a_job_is_built_and_handed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []

    def run(self: beam.Pipeline) -> PipelineResult:
        seen.append(self.options)
        return PipelineResult(PipelineState.DONE)

    monkeypatch.setattr(beam.Pipeline, "run", run)
    result = description.describe(lambda root, job: seen.append((root, job)), "the job", ["--runner=FnApiRunner"])
    (root, job), given = seen
    assert isinstance(root, beam.Pipeline)
    assert (job, result.state) == ("the job", PipelineState.DONE)
    assert isinstance(given, PipelineOptions)
