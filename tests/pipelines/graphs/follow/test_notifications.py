"""What a store tells of its objects: noted once whatever comes twice or late, and taken as what is listed is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.io.gcp.pubsub import PubsubMessage
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions
from apache_beam.runners.direct import direct_runner
from apache_beam.testing import test_pipeline, test_stream
from apache_beam.transforms.window import TimestampedValue

from pipelines.commands.follow import prepare as command
from pipelines.graphs.follow.notifications import Noted, told_by
from seq2seq_core import config as configuration
from seq2seq_core import storage
from seq2seq_core.errors import ConfigError, DatasetError
from seq2seq_core.landing.config import LandingConfig
from seq2seq_core.landing.ledger import Ledger
from seq2seq_core.landing.lookout import Lookout, record_of
from seq2seq_core.landing.notes import NotedZone, Told, write_note
from tests.landing import following

SUBSCRIPTION = "projects/my-project/subscriptions/landed"


def message(name: str, generation: int = 1_000_000, event: str = "OBJECT_FINALIZE", **more: Any) -> PubsubMessage:
    content = {"size": "7"} | more
    about = {"bucketId": "bucket", "objectId": name, "objectGeneration": str(generation), "eventType": event}
    return PubsubMessage(json.dumps(content).encode(), about)


def told(name: str, version: str = "1", at: float = 1.0) -> Told:
    return Told(url=f"gs://bucket/{name}", bytes=7, version=version, at=at)


def noted(output: Path) -> list[str]:
    folder = storage.join(str(output), ".follow", "landed")
    lines = [
        line for name in storage.list_folder(folder) for line in storage.read_bytes(f"{folder}/{name}").splitlines()
    ]
    return sorted(json.loads(line)["url"].removeprefix("gs://bucket/") for line in lines)


def test_messages_of_finished_objects_tell_of_them() -> None:
    assert list(told_by(message("in/a.tsv", 5_000_000))) == [
        Told(url="gs://bucket/in/a.tsv", bytes=7, version="7/5000000", at=5.0)
    ]
    for event in ("OBJECT_DELETE", "OBJECT_METADATA_UPDATE"):
        assert list(told_by(message("in/a.tsv", event=event))) == []
    assert list(told_by(PubsubMessage(b"hello", {}))) == []


def test_a_message_that_tells_no_size_is_asked_for_it() -> None:
    storage.publish_text("memory://sizes/in/a.tsv", "12345")
    found = PubsubMessage(b"", {"bucketId": "b", "objectId": "o", "eventType": "OBJECT_FINALIZE"})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(storage, "size", lambda url: 5)
        assert [one.bytes for one in told_by(found)] == [5]


def test_windows_are_noted_and_nothing_that_is_late_or_twice_is_lost(tmp_path: Path) -> None:
    options = PipelineOptions([])
    options.view_as(StandardOptions).streaming = True
    stream = (
        test_stream.TestStream()
        .advance_watermark_to(0)
        .add_elements([TimestampedValue(message("in/a.tsv"), 0.1), TimestampedValue(message("in/b.tsv"), 1.0)])
        .add_elements([TimestampedValue(message("in/a.tsv"), 1.5)])
        .advance_watermark_to(10)
        .add_elements([TimestampedValue(message("in/late.tsv"), 0.5), TimestampedValue(message("in/c.tsv"), 11)])
        .advance_watermark_to_infinity()
    )
    runner = direct_runner.BundleBasedDirectRunner()  # FnApiRunner runs no such stream
    with test_pipeline.TestPipeline(runner=runner, options=options) as pipeline:
        names = pipeline | stream | Noted(str(tmp_path))
        names | beam.Map(lambda name: name)
    assert noted(tmp_path) == ["in/a.tsv", "in/b.tsv", "in/c.tsv", "in/late.tsv"]


def test_a_note_is_named_by_what_it_says(tmp_path: Path) -> None:
    files = [told("in/a.tsv"), told("in/b.tsv")]
    assert write_note(str(tmp_path), files) == write_note(str(tmp_path), [*files[::-1], files[0]])
    assert write_note(str(tmp_path), []) is None
    assert noted(tmp_path) == ["in/a.tsv", "in/b.tsv"]


class Place:
    """Zones of what is told, and their ledger."""

    def __init__(self, output: Path, *zones: tuple[tuple[str, ...], ...]) -> None:
        self.output, self.ledger = output, Ledger(str(output))
        made = [NotedZone(sides, ("*.tmp",), None, notes=str(output)) for sides in zones]
        self.lookout = Lookout(made, LandingConfig(), self.ledger)

    def take(self) -> list[str]:
        whole = self.lookout.look(0.0)
        self.ledger.add([record_of(landed, 0.0) for landed in whole])
        return [landed.below for landed in whole]


def test_what_is_told_of_is_taken_and_the_notes_go(tmp_path: Path) -> None:
    place = Place(tmp_path, (("gs://bucket/in/*.tsv",),), (("gs://bucket/more",),))
    names = ("in/a.tsv", "in/deep/b.tsv", "in/c.tmp", "other/d.tsv", "more/deep/e.tsv")
    write_note(str(tmp_path), map(told, names))
    assert place.take() == ["a.tsv", "deep/e.tsv"]
    assert place.take() == []
    assert noted(tmp_path) == []
    assert {record.state for record in place.ledger.refresh().files.values()} == {"taken"}  # nothing has gone
    write_note(str(tmp_path), [told("in/a.tsv", "2", 2.0)])
    write_note(str(tmp_path), [told("in/a.tsv", "1", 1.0)])
    assert place.take() == ["a.tsv"]
    assert place.ledger.refresh().versions["gs://bucket/in/a.tsv"] == "2"
    assert place.take() == []
    assert noted(tmp_path) == []


def test_half_a_pair_waits_for_the_other(tmp_path: Path) -> None:
    place = Place(tmp_path, (("gs://bucket/*.en",), ("gs://bucket/*.de",)))
    write_note(str(tmp_path), [told("a.en"), told("b.en"), told("b.de")])
    assert place.take() == ["b.en"]
    assert place.take() == []
    write_note(str(tmp_path), [told("a.de", at=9.0)])
    assert place.take() == ["a.en"]
    assert place.take() == []
    assert noted(tmp_path) == []


def test_damage_is_told(tmp_path: Path) -> None:
    storage.publish_text(storage.join(str(tmp_path), ".follow", "landed", "x.jsonl"), "{}\n")
    with pytest.raises(DatasetError, match="a note is damaged"):
        Place(tmp_path, (("gs://bucket/*.tsv",),)).take()


def test_the_local_loop_has_no_notifications(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="notifications need an engine that streams"):
        command.run(following(tmp_path / "in", tmp_path / "out", notifications=SUBSCRIPTION))
    values = following(tmp_path / "in", tmp_path / "out").model_dump(mode="json")
    with pytest.raises(ConfigError, match="notifications"):
        configuration.build(command.FollowPrepareConfig, values | {"notifications": "landed"})
