"""The state of a run, a batch and what the step with it gave in; the state after that step out."""

from __future__ import annotations

import logging
from dataclasses import replace

import torch

from seq2seq_core.data.loader import GlobalStep
from seq2seq_core.errors import TrainingError
from seq2seq_core.training.checkpoints.run_state import RunState
from seq2seq_core.training.config import TrainConfig
from seq2seq_core.training.optimization.step import StepResult
from seq2seq_core.training.processes.distributed import World

logger = logging.getLogger(__name__)


def counted(batch: GlobalStep, config: TrainConfig, world: World) -> GlobalStep:
    """The batch with the target tokens of all ranks, where each knows its own alone; every rank calls this."""
    if "target" not in config.noise.sampled:
        return batch
    own = sum(one.target_tokens for one in batch.micro_batches)
    tokens = world.sum(torch.tensor(own, dtype=torch.float64)).item()
    return replace(batch, target_tokens=int(tokens))


def advanced(state: RunState, batch: GlobalStep, result: StepResult, most_skipped: int) -> RunState:
    """The state after a step.

    Raises:
        TrainingError: More steps in a row than `most_skipped` had no update.
    """
    tokens = batch.target_tokens
    drawn = tuple(map(sum, zip(state.drawn or (0,) * len(batch.drawn), batch.drawn, strict=True)))
    place = {"step": state.step + 1, "position": batch.position + 1, "epoch": batch.epoch, "drawn": drawn}
    now = {**place, "failed_validations": (), "ended": None}
    if result.updated:
        window = state.window.plus(result.loss, result.nll, result.gradient_norm, tokens, result.auxiliary)
        return state.model_copy(update={**now, "window": window, "skipped_in_a_row": 0})
    in_a_row = state.skipped_in_a_row + 1
    found = f"loss {result.loss / tokens:.4g} a token, gradient norm {result.gradient_norm:.4g}"
    logger.warning("step %d is skipped, its values are not finite: %s", now["step"], found)
    if in_a_row > most_skipped:
        raise TrainingError(
            f"{in_a_row} steps in a row gave non-finite losses or gradients",
            where=f"step {now['step']}",
            found=found,
            expected=f"at most {most_skipped} in a row",
            advice="Lower optimizer.learning_rate, lengthen schedule.warmup_steps, or set precision to float32.",
        )
    skips = {"skipped": state.skipped + 1, "skipped_in_a_row": in_a_row}
    return state.model_copy(update={**now, **skips})
