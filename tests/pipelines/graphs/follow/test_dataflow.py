"""The unbounded job as Dataflow would be asked to run it, described without asking it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest

from pipelines.commands.follow import prepare as command
from pipelines.graphs import options
from pipelines.graphs.follow import prepare as graph
from tests.landing import following

SUBSCRIPTION = "projects/my-project/subscriptions/landed"
GIVEN = (
    "--runner=DataflowRunner --dry_run=True --no_auth --project=my-project --region=europe-west4 "
    "--temp_location=gs://my-bucket/temp --staging_location=gs://my-bucket/staging --job_name=river "
    "--sdk_container_image=europe-west4-docker.pkg.dev/my-project/seq2seq/beam:0.1.0 --sdk_location=container"
)


@pytest.mark.parametrize("subscription", [None, SUBSCRIPTION])
def test_dataflow_is_asked_for_a_streaming_job(subscription: str | None, tmp_path: Path) -> None:
    pytest.importorskip("google.cloud.storage", reason="needs apache-beam[gcp]")
    from apache_beam.runners.dataflow.internal import apiclient

    pipeline = beam.Pipeline(options=options.parse(GIVEN.split()))
    config = following(tmp_path / "in", tmp_path / "out", notifications=subscription)
    graph.build(pipeline, command.followed(config))
    proto = pipeline.to_runner_api()
    found = pipeline.run().job

    class Client(apiclient.DataflowApplicationClient):  # type: ignore[misc]
        """Sends nothing to the stores of Google."""

        def stage_file_with_retry(self, *_: Any, **__: Any) -> None:
            pass

    Client(found.options, found.root_staging_location).create_job_description(found)
    job: dict[str, Any] = json.loads(found.json())
    assert job["type"] == "JOB_TYPE_STREAMING"
    images = {found["containerImage"] for found in job["environment"]["workerPools"][0]["sdkHarnessContainerImages"]}
    assert images == {"europe-west4-docker.pkg.dev/my-project/seq2seq/beam:0.1.0"}
    transforms = proto.components.transforms.values()
    reads = [transform for transform in transforms if transform.spec.urn == "beam:transform:pubsub_read:v1"]
    assert len(reads) == (subscription is not None)
    assert all(SUBSCRIPTION.encode() in read.spec.payload for read in reads)
    unbounded = {name for name, found in proto.components.pcollections.items() if found.is_bounded == 1}
    assert unbounded
