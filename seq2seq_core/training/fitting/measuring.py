"""`python -m seq2seq_core.training.fitting.measuring TOKENS LIMIT ...`: what steps of a size take, as a line of JSON.

It is a process of its own, so that what one size has taken is no part of what the next one takes. On a CPU it ends
itself when it has taken more than there is; on a GPU the device says so.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Sequence

import psutil
import torch

from seq2seq_core import config as configuration
from seq2seq_core.data.batch import Batch, idle_batch
from seq2seq_core.errors import Seq2SeqError
from seq2seq_core.terminal import say
from seq2seq_core.training.config import TrainConfig
from seq2seq_core.training.fitting.largest import Largest
from seq2seq_core.training.fitting.search import Measured
from seq2seq_core.training.learner import build_learner
from seq2seq_core.training.materials import gather_materials
from seq2seq_core.training.mixing import columns_of, opened
from seq2seq_core.training.optimization.memory import is_shortage
from seq2seq_core.training.optimization.step import Stepper
from seq2seq_core.training.processes.distributed import World, joined

_STEPS = 3
_FIRST_TOKENS = 1024
_LOOK_SECONDS = 0.01

Tell = Callable[[int, float | None], None]
"""Takes the bytes that were in use, and the seconds of a step; None where memory ran out."""


def measure(config: TrainConfig, tokens: int, limit: int | None, tell: Callable[[Measured], None]) -> None:
    """Make a few steps with the largest batch of some size.

    Args:
        config: The training.
        tokens: Padded tokens, over all passes of a step; 0: few, but enough for the longest row.
        limit: Bytes that there are; None: those of the GPU that are free.
        tell: Takes what was found. It may be called from another thread, and the process ends after it.

    Raises:
        Seq2SeqError: The configuration or the dataset cannot be used; see `gather_materials`.
    """
    with joined(config.device) as world:
        datasets = opened(config.datasets)
        materials = gather_materials(config, world.device, datasets)
        config, model = materials.config, materials.model
        columns = columns_of(datasets, [dataset.split("train").rows for dataset in datasets])
        largest = Largest.of(columns, config.data)
        objective = config.objective
        tokens = tokens or max(_FIRST_TOKENS, config.data.max_width * objective.passes)
        there = limit or _free_bytes(world.device)

        def found(memory: int, seconds: float | None) -> None:
            rows = largest.rows(tokens // objective.passes)
            told = {"tokens": tokens, "rows": rows, "length": largest.length, "memory": memory, "limit": there}
            tell(Measured.model_validate({**told, "seconds": seconds}))

        with _Watch(there, found, is_needed=world.device.type == "cpu") as watch:
            stepper = Stepper(
                model,
                build_learner(config, model, world).optimizer,
                world,
                idle_batch(materials.dataset.manifest.sides["source"]),
                objective=objective,
                clip_norm=config.optimizer.clip_norm,
                precision=config.precision,
                seed=config.seed,
            )
            seconds = _steps(stepper, largest.batch(tokens // objective.passes), world)
        found(watch.most if world.device.type == "cpu" else torch.cuda.max_memory_reserved(), seconds)


def _steps(stepper: Stepper, batch: Batch, world: World) -> float | None:
    """Seconds of the last of a few steps; None where memory ran out."""
    seconds = 0.0
    for step in range(1, _STEPS + 1):
        began = time.monotonic()
        try:
            stepper.run(step, [batch], batch.target_tokens, [False])
        except Seq2SeqError as error:
            if error.__cause__ is None or not is_shortage(error.__cause__):
                raise
            return None
        if world.device.type == "cuda":
            torch.cuda.synchronize()
        seconds = time.monotonic() - began
    return seconds


class _Watch:
    """Looks at the memory of this process, and tells when it is more than there is."""

    def __init__(self, limit: int, tell: Tell, *, is_needed: bool) -> None:
        self.most = 0
        self._limit, self._tell, self._is_needed = limit, tell, is_needed
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, name="memory", daemon=True)

    def __enter__(self) -> _Watch:
        if self._is_needed:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        if self._is_needed:
            self._thread.join()

    def _look(self) -> None:
        this, has_ended = psutil.Process(), False
        while not has_ended:
            has_ended = self._ended.wait(_LOOK_SECONDS)
            self.most = max(self.most, int(this.memory_info().rss))
            if self.most > self._limit:
                self._tell(self.most, None)


def _free_bytes(device: torch.device) -> int:
    free: int = torch.cuda.mem_get_info(device)[0]
    return free


def main(words: Sequence[str]) -> int:
    """Measure, and print what was found, or the error, as one line of JSON."""
    tokens, limit, config_file, *options = words

    def tell(found: Measured) -> None:
        say(found.model_dump_json())
        sys.stdout.flush()
        os._exit(0)

    try:
        overrides = configuration.parse_overrides(TrainConfig, options)
        config = configuration.load(TrainConfig, config_file or None, overrides)
        measure(config, int(tokens), int(limit) or None, tell)
    except Seq2SeqError as error:
        say(json.dumps({"error": str(error)}))
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
