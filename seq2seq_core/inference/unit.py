"""The plan of an input in, its units of work out: each with a fingerprint, and with names for what it leaves behind."""

from __future__ import annotations

import json
from dataclasses import dataclass

from seq2seq_core import storage
from seq2seq_core.dataset.schema import shard_name
from seq2seq_core.documents.inputs import FAILURE_FOLDER, MARKER_FOLDER, InputFile
from seq2seq_core.documents.plan import InputPlan, RecordRange

UNIT_VERSION = 2
"""Part of every fingerprint: to be raised when the same input and options would give other bytes."""


@dataclass(frozen=True)
class Unit:
    """A contiguous range of records that one worker reads, translates and commits as a whole.

    Attributes:
        index: Its place among the `count` units of its input.
        fingerprint: Names the content of the input, the range, the model and all options that shape the output.
    """

    file: InputFile
    part: RecordRange
    index: int
    count: int
    fingerprint: str

    @property
    def path(self) -> str:
        """Its output, relative to the output folder."""
        return shard_name(self.index, self.count, self.file.name, self.file.suffix)

    @property
    def marker_path(self) -> str:
        """The file whose presence, with the same fingerprint, says that the unit is finished."""
        return f"{MARKER_FOLDER}/{self.path}.json"

    @property
    def failures_path(self) -> str:
        """Its part of the failure ledger; there is none when no record failed."""
        return f"{FAILURE_FOLDER}/{self.path}.jsonl"

    @property
    def where(self) -> str:
        """Input and range, as messages show them."""
        return f"{self.file.where}, records {self.part.first:,} to {self.part.first + self.part.records - 1:,}"


def cut_units(plan: InputPlan, job: str) -> list[Unit]:
    """The units of an input, in order; `job` is the digest of the model and the options."""
    count = len(plan.ranges)
    return [
        Unit(plan.file, part, index, count, _fingerprint(plan, part, job)) for index, part in enumerate(plan.ranges)
    ]


def _fingerprint(plan: InputPlan, part: RecordRange, job: str) -> str:
    parts = [UNIT_VERSION, job, plan.fingerprint, plan.file.format, part.first, part.records, part.digest]
    return storage.digest_bytes(json.dumps(parts).encode())
