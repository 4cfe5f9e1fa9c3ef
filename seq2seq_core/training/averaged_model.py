"""The folder of a run in; a model folder with the mean of some of its checkpoints' weights out, without training."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from seq2seq_core import storage
from seq2seq_core.claims import held
from seq2seq_core.config import Config, Location, load
from seq2seq_core.errors import ConfigError
from seq2seq_core.models.card import CONFIG_NAME
from seq2seq_core.models.folder import load_model, save_model
from seq2seq_core.training.checkpoints.averaging import averaged, best_steps
from seq2seq_core.training.checkpoints.checkpoint import MODEL_FILE, Checkpoints
from seq2seq_core.training.checkpoints.run_state import RunState
from seq2seq_core.training.config import TrainConfig
from seq2seq_core.training.exporter import named
from seq2seq_core.training.ownership import CONFIG_NAME as RUN_CONFIG_NAME
from seq2seq_core.training.ownership import MODELS


class AverageRunConfig(Config):
    """Which checkpoints of which run are averaged, and where the model goes."""

    run: Location = Field(description="run folder; it may be at work")
    output: Location = Field(description="folder of the averaged model, a path or URL")
    count: int = Field(5, ge=1, le=1 << 20, description="checkpoints that are averaged")
    of: Literal["last", "best"] = Field("last", description="the latest, or those of the best validations")
    steps: tuple[Annotated[int, Field(ge=0, le=1 << 40)], ...] = Field(
        (), description="the steps of the checkpoints, in the place of count and of"
    )


def average_run(config: AverageRunConfig) -> tuple[int, ...]:
    """Publish the mean of some checkpoints as a model; the steps that it is made of.

    Raises:
        ConfigError: The folder is no run's, has no model yet or lacks such checkpoints; or the output is the run's own.
        CheckpointError: A checkpoint is damaged.
        ModelError: Files that are none of ours stand in the output's way.
        ClaimError: Another model is being put there.
    """
    if config.output.rstrip("/") in {storage.join(config.run, name) for name in MODELS}:
        raise ConfigError(
            "the output is a model that the run keeps itself",
            where="output",
            found=storage.redact(config.output),
            advice="Name another folder; `seq2seq accept` puts a model in the place of another.",
        )
    made = load_model(storage.join(config.run, _newest_model(config.run)))
    root = storage.join(config.run, "checkpoints")
    with contextlib.closing(Checkpoints(root, {})) as found:
        there = found.present()
        marker = found.marker(there[-1]) if there else None
    if marker is None:
        raise ConfigError("the run has no checkpoints", where="run", found=storage.redact(config.run))
    steps = _chosen(config, there, marker.progress)
    with contextlib.closing(Checkpoints(root, marker.identity)) as checkpoints:
        weights = averaged(checkpoints.tensors(step, MODEL_FILE) for step in steps)
        drawn = checkpoints.marker(steps[-1]).progress.drawn
    made.model.load_state_dict(weights)
    averaged_steps = steps if len(steps) > 1 else ()
    told = {"step": steps[-1], "averaged_steps": averaged_steps, "metrics": {}}
    lineage = made.lineage.model_copy(update={**told, "drawn": named(drawn, made.lineage.configuration["dataset"])})
    source, target = made.tokenizers.get("source"), made.tokenizers["target"]
    with held(config.output, storage.digest_bytes(repr(steps).encode()), "acceptance"):
        save_model(
            config.output, made.model, made.architecture, source, target, lineage, made.source_text, made.modality
        )
    return steps


def _newest_model(run: str) -> str:
    """The model of a run whose tokenizers and settings are taken along; those of all its models are the same."""
    for name in reversed(MODELS):
        if storage.exists(storage.join(run, name, CONFIG_NAME)):
            return name
    raise ConfigError(
        "the folder holds no run with a model",
        where="run",
        found=storage.redact(run),
        expected="best/ or last/, of which the first validation makes one",
    )


def _chosen(config: AverageRunConfig, there: Sequence[int], state: RunState) -> tuple[int, ...]:
    """The steps to average, ascending."""
    steps: Sequence[int] = config.steps
    if not steps and config.of == "best":
        judge = load(TrainConfig, storage.join(config.run, RUN_CONFIG_NAME)).validation.judge
        scores = {validation.step: validation.score(judge) for validation in state.validations}
        steps = best_steps(there, scores, config.count)
    elif not steps:
        steps = there[-config.count :]
    missing = sorted(set(steps) - set(there))
    few = not config.steps and len(steps) < config.count
    if missing or few:
        raise ConfigError(
            "the run does not have these checkpoints" if missing else "the run does not have so many checkpoints",
            where="steps" if missing else "count",
            found=", ".join(map(str, missing)) if missing else config.count,
            expected=f"some of {', '.join(map(str, there))}" if missing else f"at most {len(steps)}",
            advice="Raise checkpoints.keep_last or checkpoints.keep_best of the run to keep more.",
        )
    return tuple(sorted(set(steps)))
