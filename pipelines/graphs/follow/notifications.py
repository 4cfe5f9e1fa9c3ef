"""Messages of a store about its objects in, notes of what has landed out: a zone that need not be listed.

Google Cloud Storage publishes a message to Pub/Sub for each object that is finished. Those of a window are noted
together. A message that comes twice, or late, is noted again: the ledger knows what was handled.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam
from apache_beam.io.gcp.pubsub import PubsubMessage, ReadFromPubSub
from apache_beam.transforms.trigger import AccumulationMode, AfterCount, AfterWatermark

from seq2seq_core import storage
from seq2seq_core.landing.notes import Told, write_note

WINDOW_SECONDS = 2
_FINISHED = "OBJECT_FINALIZE"
_LATE_SECONDS = 7 * 86_400  # so long Pub/Sub keeps what nobody has taken


class Subscribed(beam.PTransform):  # type: ignore[misc]
    """The root of a graph -> PCollection[str], names of notes: those of a subscription's messages."""

    def __init__(self, subscription: str, output: str) -> None:
        super().__init__()
        self._subscription, self._output = subscription, output

    def expand(self, root: beam.pvalue.PBegin) -> beam.PCollection[str]:
        read = ReadFromPubSub(subscription=self._subscription, with_attributes=True)
        return root | "Read" >> read | "Note" >> Noted(self._output)


class Noted(beam.PTransform):  # type: ignore[misc]
    """PCollection[PubsubMessage] -> PCollection[str], names of notes."""

    def __init__(self, output: str) -> None:
        super().__init__()
        self._output = output

    def expand(self, messages: beam.PCollection[PubsubMessage]) -> beam.PCollection[str]:
        window = beam.WindowInto(
            beam.window.FixedWindows(WINDOW_SECONDS),
            trigger=AfterWatermark(late=AfterCount(1)),
            accumulation_mode=AccumulationMode.DISCARDING,
            allowed_lateness=_LATE_SECONDS,
        )
        return (
            messages
            | "Parse" >> beam.FlatMap(told_by)
            | "Window" >> window
            | "Key" >> beam.Map(_keyed).with_output_types(tuple[int, str])
            | "Gather" >> beam.GroupByKey()
            | "Write" >> beam.FlatMap(_write, self._output).with_output_types(str)
        )


def told_by(message: PubsubMessage) -> Iterator[Told]:
    """The object that a message tells of; none for one that is deleted, or a message of something else."""
    about = message.attributes or {}
    if about.get("eventType") != _FINISHED or not about.get("bucketId") or not about.get("objectId"):
        return
    url = f"gs://{about['bucketId']}/{about['objectId']}"
    content = _content(message.data)
    size = int(content["size"]) if "size" in content else storage.size(url)
    generation = about.get("objectGeneration", "")
    yield Told(url=url, bytes=size, version=f"{size}/{generation}", at=_moment(generation))


def _keyed(told: Told) -> tuple[int, str]:
    return 0, told.model_dump_json()


def _write(keyed: tuple[int, Iterable[str]], output: str) -> Iterator[str]:
    name = write_note(output, map(Told.model_validate_json, keyed[1]))
    if name is not None:
        yield name


def _content(data: bytes | None) -> dict[str, Any]:
    """What the message says of the object, where it is of the kind JSON_API_V1; others say nothing."""
    try:
        found = json.loads(data or b"null")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _moment(generation: str) -> float:
    """When an object was finished: generations of Google Cloud Storage are microseconds of the epoch."""
    return int(generation) / 1e6 if generation.isdecimal() else 0.0
