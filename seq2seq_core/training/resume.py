"""A run folder and what a process works with in; where all of them carry on, weights and optimizer put back, out."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Literal

from seq2seq_core import storage
from seq2seq_core.errors import ConfigError
from seq2seq_core.training.agreement import check_alike, on_main, together
from seq2seq_core.training.checkpoints.checkpoint import Checkpoints, Marker
from seq2seq_core.training.checkpoints.identity import check_same_run
from seq2seq_core.training.checkpoints.run_state import RunState
from seq2seq_core.training.config import TrainConfig
from seq2seq_core.training.initializing import initialize
from seq2seq_core.training.learner import Learner
from seq2seq_core.training.opening import Opened
from seq2seq_core.training.ownership import check_free
from seq2seq_core.training.processes.distributed import World

logger = logging.getLogger(__name__)


def begin(config: TrainConfig, world: World, opened: Opened, checkpoints: Checkpoints, learner: Learner) -> RunState:
    """Put back the latest checkpoint, or begin anew where there is none; all processes call this and do the same.

    Raises:
        CheckpointError: What stands in the run folder is another run's, or damaged.
        ConfigError: The processes do not see the same run folder; see also `find_resumption` and `initialize`.
    """
    marker = together(world, lambda: find_resumption(checkpoints, opened.identity, config.resume, config.output))
    check_alike(
        world,
        {"the latest checkpoint": f"step {marker.progress.step}" if marker else "none"},
        "the processes do not see the same run folder",
        storage.redact(config.output),
        "Several machines need an output that they share: a network file system or an object store.",
    )
    on_main(world, lambda: check_free(config.output, opened.identity, is_new=marker is None))
    on_main(world, checkpoints.sweep)
    if marker is not None:
        together(world, lambda: _restore(checkpoints, learner, marker.progress))
        told = "carrying on after step %d of %s" if marker.progress.ended is None else "step %d was the last of %s"
        logger.info(told, marker.progress.step, storage.redact(config.output))
        return marker.progress
    if config.initialize_from is not None:
        source = config.initialize_from
        dataset, parts = opened.materials.dataset, config.initialize_parts
        together(world, lambda: learner.begin(lambda model: initialize(model, dataset, source, parts)))
    return RunState()


def find_resumption(
    checkpoints: Checkpoints, identity: Mapping[str, Any], mode: Literal["auto", "never"], output: str
) -> Marker | None:
    """The marker of the latest checkpoint of this very run; None where there is no checkpoint.

    Raises:
        ConfigError: There are checkpoints, but `mode` is never.
        CheckpointError: They are those of another configuration or dataset.
    """
    steps = checkpoints.present()
    if not steps:
        return None
    where = storage.redact(output)
    if mode == "never":
        raise ConfigError(
            "the output folder holds checkpoints already",
            where=where,
            found=f"checkpoints of steps {', '.join(map(str, steps))}",
            advice="Set resume to auto to carry on with them, or choose another output folder.",
        )
    marker = checkpoints.marker(steps[-1])
    check_same_run(marker.identity, identity, where)
    return marker


def _restore(checkpoints: Checkpoints, learner: Learner, state: RunState) -> None:
    like = learner.model.state_dict()
    learner.load(lambda name: checkpoints.tensors(state.step, name, like), state.step - state.skipped)
