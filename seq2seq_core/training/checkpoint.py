"""Named tensors and a run's progress in, checkpoint folders out, and back.

    checkpoints/step-00001000/model.safetensors, optimizer.safetensors
                              checkpoint.json        the marker, published last: progress, identity, digests

A folder without its marker is no checkpoint. Nothing is pickled. Rank 0 alone writes (with data parallelism every
rank holds everything) and every rank reads, so several machines need a folder they share.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal

import pydantic
import safetensors
import safetensors.torch
from pydantic import Field, model_validator
from torch import Tensor

from seq2seq_core import storage
from seq2seq_core.config import Config
from seq2seq_core.errors import CheckpointError
from seq2seq_core.training.averaging import best_steps
from seq2seq_core.training.progress import Progress, Score

FORMAT_VERSION = 1
MARKER_NAME = "checkpoint.json"
MODEL_FILE, OPTIMIZER_FILE = "model.safetensors", "optimizer.safetensors"
_FOLDER = re.compile(r"step-(\d{8,})")

logger = logging.getLogger(__name__)


class AverageConfig(Config):
    """Which checkpoints are averaged into a candidate for the final model."""

    count: int = Field(5, ge=1, le=1 << 20, description="checkpoints averaged at the end; 1: no averaging")
    of: Literal["best", "last"] = Field("best", description="those of the best validations, or the latest")


class CheckpointConfig(Config):
    """When the state is saved and what is kept. A checkpoint is also taken at each validation and at the end."""

    every_steps: int = Field(1000, ge=1, le=1 << 40, description="steps between checkpoints")
    keep_last: int = Field(5, ge=1, le=1 << 20, description="latest checkpoints kept")
    keep_best: int = Field(5, ge=1, le=1 << 20, description="checkpoints of the best validations kept")
    average: AverageConfig = Field(AverageConfig(), description="averaging at the end")

    @model_validator(mode="after")
    def _averaged_ones_are_kept(self) -> CheckpointConfig:
        kept = self.keep_best if self.average.of == "best" else self.keep_last
        if self.average.count > kept:
            raise ValueError(
                f"average.count ({self.average.count}) is more than keep_{self.average.of} ({kept}) checkpoints"
            )
        return self


class FileEntry(pydantic.BaseModel):
    """A file of a checkpoint; `digest` is xxh3-128 of its bytes."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    bytes: int
    digest: str


class Marker(pydantic.BaseModel):
    """`checkpoint.json`: `identity` names what the run's course depends on, as plain dotted keys and values."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    format_version: int = FORMAT_VERSION
    progress: Progress
    identity: dict[str, Any]
    files: dict[str, FileEntry]


@dataclass(frozen=True)
class Retention:
    """Which checkpoints stay: the latest, and those with the best scores (by step, more is better)."""

    last: int
    best: int
    scores: Mapping[int, Score]

    def kept(self, steps: Sequence[int]) -> frozenset[int]:
        """Of these steps, those that stay."""
        return frozenset(sorted(steps)[-self.last :]) | frozenset(best_steps(steps, self.scores, self.best))


class Checkpoints:
    """The checkpoints of one run. Writing goes on in a thread of its own, one checkpoint at a time."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="checkpoint")
        self._writing: Future[None] | None = None

    def steps(self) -> list[int]:
        """Steps of the complete checkpoints, ascending."""
        found = (_FOLDER.fullmatch(name) for name in storage.list_folder(self._root))
        steps = sorted(int(match.group(1)) for match in found if match)
        return [step for step in steps if storage.exists(storage.join(self._folder(step), MARKER_NAME))]

    def save(
        self,
        files: Mapping[str, Mapping[str, Tensor]],
        progress: Progress,
        identity: Mapping[str, Any],
        retention: Retention,
    ) -> None:
        """Copy the tensors, then write them while training goes on, and prune the older ones after that.

        Raises whatever the writing before this one ran into.
        """
        self.wait()
        copies = {name: _copies(tensors) for name, tensors in files.items()}
        self._writing = self._thread.submit(self._write, copies, progress, dict(identity), retention)

    def wait(self) -> None:
        """Return when the last checkpoint is complete on storage; raises what its writing ran into."""
        if self._writing is not None:
            self._writing.result()
            self._writing = None

    def close(self) -> None:
        """Wait, then end the thread."""
        try:
            self.wait()
        finally:
            self._thread.shutdown()

    def marker(self, step: int) -> Marker:
        """What the marker of a checkpoint says; a CheckpointError when it cannot be understood."""
        url = storage.join(self._folder(step), MARKER_NAME)
        try:
            return Marker.model_validate(json.loads(storage.read_text(url)))
        except (json.JSONDecodeError, pydantic.ValidationError) as error:
            raise CheckpointError(
                "the checkpoint's marker is damaged or of another version",
                where=storage.redact(url),
                found=str(error).splitlines()[0],
                advice="Remove this checkpoint's folder to carry on from an earlier one.",
            ) from None

    def tensors(self, step: int, file_name: str) -> dict[str, Tensor]:
        """The tensors of one file of a checkpoint, on the CPU; a CheckpointError when its bytes changed."""
        url = storage.join(self._folder(step), file_name)
        data = storage.read_bytes(url)
        entry = self.marker(step).files[file_name]
        if (len(data), storage.digest_bytes(data)) != (entry.bytes, entry.digest):
            raise CheckpointError(
                "the file is not the one that was saved",
                where=storage.redact(url),
                found=f"{len(data)} bytes, digest {storage.digest_bytes(data)}",
                expected=f"{entry.bytes} bytes, digest {entry.digest}",
                advice="Remove this checkpoint's folder to carry on from an earlier one.",
            )
        return safetensors.torch.load(data)

    def sweep(self) -> None:
        """Remove folders a killed process left without a marker."""
        whole = {f"step-{step:08d}" for step in self.steps()}
        for name in storage.list_folder(self._root):
            if _FOLDER.fullmatch(name) and name not in whole:
                logger.info("removing the unfinished checkpoint %s", name)
                storage.remove(storage.join(self._root, name))

    def _folder(self, step: int) -> str:
        return storage.join(self._root, f"step-{step:08d}")

    def _write(
        self,
        files: Mapping[str, Mapping[str, Tensor]],
        progress: Progress,
        identity: dict[str, Any],
        retention: Retention,
    ) -> None:
        folder = self._folder(progress.step)
        entries = {}
        for name, tensors in files.items():
            data = safetensors.torch.save(dict(tensors))
            storage.publish_bytes(storage.join(folder, name), data)
            entries[name] = FileEntry(bytes=len(data), digest=storage.digest_bytes(data))
        marker = Marker(progress=progress, identity=identity, files=entries)
        text = json.dumps(marker.model_dump(), indent=1)
        storage.publish_text(storage.join(folder, MARKER_NAME), text + "\n")
        self._prune(retention)

    def _prune(self, retention: Retention) -> None:
        """The marker goes first: what is left of a folder when a kill comes between is no checkpoint."""
        steps = self.steps()
        for step in set(steps) - retention.kept(steps):
            storage.remove(storage.join(self._folder(step), MARKER_NAME))
            storage.remove(self._folder(step))


def _copies(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in tensors.items()}
