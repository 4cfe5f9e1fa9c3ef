"""Named tensors and the state of a run in, checkpoint folders out, and back.

    checkpoints/step-00001000/model.safetensors, optimizer.safetensors
                              checkpoint.json        published last: the state (`progress`), identity, digests

A folder without its marker is no checkpoint. Nothing is pickled. Where every rank holds everything rank 0 alone writes;
where weights are spread over ranks each writes its own, in the place of the two files (`checkpoints.parts`). Every rank
reads either, so several machines need a folder they share.

The marker names the run by its identity, and so does every file of tensors in its header: what is of another run, or
of nobody who says so, is neither read nor replaced nor removed.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import pydantic
import torch
from pydantic import Field, model_validator
from torch import Tensor

from seq2seq_core import storage
from seq2seq_core.config import Config
from seq2seq_core.errors import CheckpointError
from seq2seq_core.training.checkpoints.averaging import best_steps
from seq2seq_core.training.checkpoints.identity import check_same_run, identity_digest
from seq2seq_core.training.checkpoints.parts import (
    INDEX_NAME,
    PART,
    Spread,
    empty,
    gathered,
    load_parts,
    owner_of_index,
    read_index,
    save_parts,
    staged,
)
from seq2seq_core.training.checkpoints.run_state import RunState, Score, to_json
from seq2seq_core.training.checkpoints.tensors import ADVICE, FileEntry, owner_of, publish_tensors, read_tensors
from seq2seq_core.training.processes.sharding import Sharding, spread

FORMAT_VERSION = 1
MARKER_NAME = "checkpoint.json"
MODEL_FILE, OPTIMIZER_FILE = "model.safetensors", "optimizer.safetensors"
_FOLDER = re.compile(r"step-(\d{8,})")
_WHOLE, _SINGLE = (MODEL_FILE, OPTIMIZER_FILE), (MODEL_FILE, OPTIMIZER_FILE, INDEX_NAME, MARKER_NAME)
_BEING_WRITTEN = re.compile(rf"\.({'|'.join(map(re.escape, _SINGLE))}|{PART.pattern})\.[0-9a-f]{{32}}\.tmp")

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


class Marker(pydantic.BaseModel):
    """`checkpoint.json`: `identity` names what the run's course depends on, as plain dotted keys and values."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    format_version: int = FORMAT_VERSION
    progress: RunState
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
    """The checkpoints of one run. Writing goes on in a thread of its own, one checkpoint at a time.

    Args:
        root: URL of their folder.
        identity: What the run's course depends on.
        check: Raises where the folder is the run's no more; called before anything is put there or taken away.
        sharding: How the run's weights are spread over its processes; None: each has all.
    """

    def __init__(
        self,
        root: str,
        identity: Mapping[str, Any],
        check: Callable[[], None] = lambda: None,
        sharding: Sharding | None = None,
    ) -> None:
        self._root, self._identity, self._check, self._sharding = root, dict(identity), check, sharding
        self._run = identity_digest(identity)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="checkpoint")
        self._writing: Future[None] | None = None

    def present(self) -> list[int]:
        """Steps of the complete checkpoints, ascending, whichever run they are of."""
        return [step for step in self._folders() if storage.exists(self._marker_url(step))]

    def steps(self) -> list[int]:
        """Steps of this run's complete checkpoints, ascending."""
        return [step for step in self.present() if self._is_ours(step)]

    def save(self, files: Mapping[str, Mapping[str, Tensor]], state: RunState, retention: Retention) -> None:
        """Copy the tensors, then write them while training goes on, and prune the older ones after that.

        The main process alone calls this; where weights are spread, all do. Raises whatever the writing before this one
        ran into.
        """
        self.wait()
        if self._sharding is not None:
            tensors = {f"{_kind(file)}{name}": one for file in files for name, one in files[file].items()}
            parts = staged(tensors, self._sharding.host)
            self._writing = self._thread.submit(self._write_parts, self._sharding, parts, state, retention)
            return
        copies = {name: _copies(tensors) for name, tensors in files.items()}
        self._writing = self._thread.submit(self._write, copies, state, retention)

    def record(self, state: RunState, retention: Retention) -> None:
        """Let the marker of the checkpoint of this step say more, once that is complete, and prune anew.

        Raises whatever the writing before this one ran into.
        """
        self.wait()
        self._writing = self._thread.submit(self._rewrite, state, retention)

    @property
    def has_failed(self) -> bool:
        """Whether `wait` would raise at once."""
        return self._writing is not None and self._writing.done() and self._writing.exception() is not None

    def wait(self) -> None:
        """Return when the last checkpoint is complete on storage; raises what its writing ran into."""
        writing, self._writing = self._writing, None
        if writing is not None:
            writing.result()

    def close(self) -> None:
        """Wait, then end the thread."""
        try:
            self.wait()
        finally:
            self._thread.shutdown()

    def marker(self, step: int) -> Marker:
        """What the marker of a checkpoint says; a CheckpointError when it cannot be understood."""
        url = self._marker_url(step)
        data = storage.read_if_there(url)
        if data is None:
            raise CheckpointError("the checkpoint is gone", where=storage.redact(self._folder(step)))
        try:
            marker = Marker.model_validate(json.loads(data))
            if marker.progress.step != step:
                raise ValueError(f"the marker of step {marker.progress.step}")
        except (ValueError, RecursionError) as error:
            raise CheckpointError(
                "the checkpoint's marker is damaged or of another version",
                where=storage.redact(url),
                found=str(error).splitlines()[0],
                advice=ADVICE,
            ) from None
        return marker

    def tensors(
        self, step: int, file_name: str, like: Mapping[str, Tensor] | None = None
    ) -> Iterator[tuple[str, Tensor]]:
        """The tensors of one file of a checkpoint, on the CPU, one after the other.

        Args:
            step: Of the checkpoint.
            file_name: One of those of a checkpoint that the main process wrote alone, however this one was written.
            like: Weights by name. Where they are spread, what belongs to them comes as this process's parts, as
                theirs are; all processes call this then.

        Raises:
            CheckpointError: It is another run's, or a file is missing, or its bytes changed.
        """
        marker, url = self.marker(step), storage.join(self._folder(step), file_name)
        check_same_run(marker.identity, self._identity, storage.redact(url))
        if INDEX_NAME in marker.files and file_name in _WHOLE:
            yield from self._of_parts(marker, _kind(file_name), like or {})
            return
        if file_name not in marker.files:
            raise CheckpointError(
                "the checkpoint has no such file",
                where=storage.redact(url),
                found=", ".join(marker.files) or "none",
                advice=ADVICE,
            )
        for name, tensor in read_tensors(url, marker.files[file_name]):
            yield name, spread(tensor, _weight_of(name, like or {}))

    def sweep(self) -> None:
        """Remove what a killed process of this run left without a marker.

        Raises:
            CheckpointError: What another one, or somebody else, has put there would be in the way.
        """
        present = set(self.present())
        for step in self._folders():
            if step not in present:
                self._sweep_unfinished(step)
            elif self._is_ours(step):
                self._remove_others(step, self.marker(step).files)
            else:
                logger.warning("%s is left as it is: it is not of this run", storage.redact(self._folder(step)))

    def _folders(self) -> list[int]:
        """Steps of which there is a folder, ascending."""
        names = storage.list_folder(self._root)
        steps = sorted(int(match.group(1)) for match in map(_FOLDER.fullmatch, names) if match)
        return [step for step in steps if _name(step) in names]

    def _folder(self, step: int) -> str:
        return storage.join(self._root, _name(step))

    def _marker_url(self, step: int) -> str:
        return storage.join(self._folder(step), MARKER_NAME)

    def _is_ours(self, step: int) -> bool:
        try:
            return self.marker(step).identity == self._identity
        except CheckpointError:
            return False

    def _contents(self, step: int) -> list[str]:
        """Names of what this software has, or may have, put into the folder of a checkpoint."""
        names = storage.list_folder(self._folder(step))
        return [name for name in names if _holds_tensors(name) or name == INDEX_NAME or _BEING_WRITTEN.fullmatch(name)]

    def _sweep_unfinished(self, step: int) -> None:
        self._check_unfinished(step)
        if self._contents(step):
            logger.info("removing the unfinished checkpoint %s", storage.name_of(self._folder(step)))
        self._remove(step)

    def _check_unfinished(self, step: int) -> None:
        """Refuse a folder without marker where a file of tensors does not say that it is of this run."""
        for name in self._contents(step):
            url = storage.join(self._folder(step), name)
            owner = owner_of_index(url) if name == INDEX_NAME else owner_of(url) if _holds_tensors(name) else self._run
            if owner != self._run:
                raise CheckpointError(
                    "an unfinished checkpoint of another run stands where this run's would go",
                    where=storage.redact(url),
                    found=f"a file of {f'run {owner}' if owner else 'unknown origin'}",
                    expected=f"none, or one of run {self._run}",
                    advice="Remove its folder if nobody needs it, or choose another output folder.",
                )

    def _write(self, files: Mapping[str, Mapping[str, Tensor]], state: RunState, retention: Retention) -> None:
        folder = self._folder(state.step)
        self._make_room(state.step, list(files))
        entries = {name: publish_tensors(storage.join(folder, name), t, self._run) for name, t in files.items()}
        self._publish(Marker(progress=state, identity=self._identity, files=entries))
        self._prune(retention)

    def _write_parts(
        self, sharding: Sharding, tensors: Mapping[str, Tensor], state: RunState, retention: Retention
    ) -> None:
        """All processes do this; the first one of them makes a checkpoint of it, when all have written."""
        entries = save_parts(
            self._folder(state.step), tensors, self._run, sharding.group, partial(self._make_room, state.step)
        )
        if entries:
            self._publish(Marker(progress=state, identity=self._identity, files=entries))
            self._prune(retention)

    def _make_room(self, step: int, names: Sequence[str]) -> None:
        """Let nothing of an earlier try stand where these files will, or beside them."""
        self._check()
        if storage.exists(self._marker_url(step)):
            check_same_run(self.marker(step).identity, self._identity, storage.redact(self._folder(step)))
            storage.remove(self._marker_url(step))
        else:
            self._check_unfinished(step)
        self._remove_others(step, names)

    def _of_parts(self, marker: Marker, kind: str, like: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
        folder = self._folder(marker.progress.step)
        index = read_index(folder, marker.files[INDEX_NAME])
        found = {name: one for name, one in index.tensors.items() if name.startswith(kind)}
        if self._sharding is None or not like:
            yield from ((name.removeprefix(kind), gathered(folder, one)) for name, one in found.items())
            return
        targets = {name: _room(one, _weight_of(name, like)) for name, one in found.items()}
        load_parts(folder, index, targets, self._sharding.group)
        yield from ((name.removeprefix(kind), tensor) for name, tensor in targets.items())

    def _rewrite(self, state: RunState, retention: Retention) -> None:
        self._check()
        if not storage.exists(self._marker_url(state.step)):
            logger.warning("%s was removed meanwhile", storage.redact(self._folder(state.step)))
            return
        marker = self.marker(state.step)
        check_same_run(marker.identity, self._identity, storage.redact(self._folder(state.step)))
        self._publish(marker.model_copy(update={"progress": state}))
        self._prune(retention)

    def _publish(self, marker: Marker) -> None:
        storage.publish_text(self._marker_url(marker.progress.step), to_json(marker.model_dump(), indent=1) + "\n")

    def _prune(self, retention: Retention) -> None:
        steps = self.steps()
        for step in set(steps) - retention.kept(steps):
            self._remove(step)

    def _remove(self, step: int) -> None:
        """The marker goes first: what is left of a folder when a kill comes between is no checkpoint.

        Files that are none of a checkpoint stay, and their folder with them.
        """
        self._remove_files(step, [MARKER_NAME, *self._contents(step)])
        storage.remove_empty_folder(self._folder(step))

    def _remove_others(self, step: int, names: Container[str]) -> None:
        """Remove what may stay behind of an earlier try, these files aside."""
        self._remove_files(step, [name for name in self._contents(step) if name not in names])

    def _remove_files(self, step: int, names: Iterable[str]) -> None:
        for name in names:
            storage.remove(storage.join(self._folder(step), name))


def _name(step: int) -> str:
    return f"step-{step:08d}"


def _kind(file_name: str) -> str:
    """How the names of the tensors of a file begin where those of all files stand side by side."""
    return f"{file_name.removesuffix('.safetensors')}/"


def _holds_tensors(name: str) -> bool:
    return name in _WHOLE or PART.fullmatch(name) is not None


def _weight_of(name: str, like: Mapping[str, Tensor]) -> Tensor | None:
    """The weight that a tensor belongs to: its own name, or the last part of the optimizer's."""
    return like.get(name.rpartition("/")[2])


def _room(one: Spread, like: Tensor | None) -> Tensor:
    """Room for a tensor: for this process's part, where the weight that it belongs to is spread and has its shape."""
    return torch.empty_like(like) if like is not None and tuple(like.shape) == one.shape else empty(one)


def _copies(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in tensors.items()}
