"""What this project's trainer does in a step, its loader included: `turns` says how it is asked."""

from __future__ import annotations

import os
from typing import Any

from seq2seq_core import config as configuration
from seq2seq_core.data.batch import idle_batch
from seq2seq_core.training.config import TrainConfig
from seq2seq_core.training.opening import open_run
from seq2seq_core.training.optimization.optimizer import build_optimizer
from seq2seq_core.training.optimization.step import Stepper
from seq2seq_core.training.processes.allocation import keep_freed_memory
from seq2seq_core.training.processes.distributed import joined
from tests.benchmarks.training import turns

_OF_MEMORY = ("cross_attention.memory",)


def main() -> None:
    """Open a run as `seq2seq train` does, and take turns."""
    keep_freed_memory()
    asked = turns.arguments()
    if asked.world > 1:
        places = {"RANK": asked.rank, "WORLD_SIZE": asked.world, "LOCAL_RANK": asked.rank}
        values = {**places, "LOCAL_WORLD_SIZE": asked.world, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": asked.port}
        os.environ.update({name: str(value) for name, value in values.items()})
    config = configuration.build(TrainConfig, asked.shape["train"] | {"dataset": asked.dataset, "output": "unused"})
    with joined("cpu") as world:
        opened = open_run(config, world)
        model = opened.materials.model
        stepper = Stepper(
            model,
            build_optimizer(config.optimizer, model),
            world,
            idle_batch(opened.materials.dataset.manifest.sides["source"]),
            objective=config.objective,
            clip_norm=config.optimizer.clip_norm,
            precision=config.precision,
            seed=config.seed,
        )
        steps = opened.loader.steps(0)

        def step(position: int) -> float:
            batch = next(steps)
            return stepper.run(position + 1, batch.micro_batches, batch.target_tokens, []).loss / batch.target_tokens

        turns.take_turns(step, waited=opened.loader.waited, products=products(model))
        steps.close()


def products(model: Any) -> list[int]:
    """Weights that a source token, and those that a target token is multiplied by."""
    found = [0, 0]
    for name, weight in model.named_parameters():
        if weight.dim() < 2 or name.startswith("embeddings.source"):
            continue
        is_source = name.startswith("encoder") or any(part in name for part in _OF_MEMORY)
        found[0 if is_source else 1] += weight.numel()
    return found


if __name__ == "__main__":
    main()
