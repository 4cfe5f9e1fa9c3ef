"""The transform finds what the plain steps find, with replayed bundles as well, and nothing where it is off."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import apache_beam as beam
import pyarrow as pa
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.testing.util import assert_that, equal_to

from pipelines.transforms import message_coder
from pipelines.transforms.near_duplicates import NearDuplicates
from seq2seq_core import storage
from seq2seq_core.preparation.shuffle.hashing import digests, to_column
from seq2seq_core.preparation.sieves.near.bands import Texts, write_bands
from seq2seq_core.preparation.sieves.near.search import find_buckets, find_edges, write_drops
from seq2seq_core.preparation.terms.messages import NearPlan
from seq2seq_core.preparation.terms.recipe import NearDuplicatesConfig

SHARDS = [["a man sleeps in the park", "a dog runs over the bridge"], ["a dog runs over the bridge!", "two men"], []]


def read(shard: int, offset: int) -> Iterator[Texts]:
    """The rows of a shard; the second argument comes from a side input."""
    column = pa.array(SHARDS[shard + offset], pa.string())
    yield Texts(to_column(digests(column)), column, column)


def plan_of(folder: Path) -> NearPlan:
    config = NearDuplicatesConfig(side="source", bands=6, rows=3)
    return NearPlan(config=config, folder=str(folder / "near"), work=str(folder / "work"), shards=3, buckets=2)


def files_of(folder: Path) -> dict[str, str]:
    paths = (path for path in folder.rglob("*") if path.suffix.startswith(".arrow"))
    return {str(path.relative_to(folder)): storage.digest_file(str(path)) for path in paths}


@pytest.mark.parametrize("repeat", [0, 1])
def test_the_graph_gives_what_the_steps_give(tmp_path: Path, repeat: int) -> None:
    plain = plan_of(tmp_path / "plain")
    bands = [write_bands(plain, shard, read(shard, 0)) for shard in range(3)]
    places = find_buckets(plain, bands)
    expected = write_drops(plain, [find_edges(plain, bucket, places) for bucket in range(2)])
    message_coder.register()
    options = PipelineOptions([f"--direct_runner_bundle_repeat={repeat}"])
    plan = plan_of(tmp_path / "graph")
    with beam.Pipeline(runner="FnApiRunner", options=options) as pipeline:
        plans = pipeline | "Plan" >> beam.Create([plan])
        offset = pipeline | "Offset" >> beam.Create([0])
        found = plans | NearDuplicates(read, offset=beam.pvalue.AsSingleton(offset))
        assert_that(found | "Rows" >> beam.Map(lambda drops: drops.rows), equal_to([1]))
    assert expected.rows == 1
    assert files_of(tmp_path / "graph") == files_of(tmp_path / "plain")


def test_no_plan_gives_nothing(tmp_path: Path) -> None:
    message_coder.register()
    with beam.Pipeline(runner="FnApiRunner") as pipeline:
        plans = pipeline | "Plan" >> beam.Create([], reshuffle=False).with_output_types(NearPlan)
        assert_that(plans | NearDuplicates(read, offset=0), equal_to([]))
    assert not list(tmp_path.iterdir())
