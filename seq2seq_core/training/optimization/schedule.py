"""The number of a step in, the learning rate's share of its peak out."""

from __future__ import annotations

import itertools
import math
from typing import ClassVar, Literal

from pydantic import Field, model_validator

from seq2seq_core.config import Grown


class ScheduleConfig(Grown):
    """How the learning rate rises and falls."""

    younger: ClassVar[frozenset[str]] = frozenset({"stable_steps", "decay_shape", "plateau_patience", "plateau_factor"})

    kind: Literal["inverse_sqrt", "cosine", "constant", "warmup_stable_decay", "plateau"] = Field(
        "inverse_sqrt",
        description="course after the warm-up: peak * sqrt(warmup / step), half a cosine, flat, flat and then down, or "
        "flat and lower wherever validations stop getting better",
    )
    warmup_steps: int = Field(
        4000, ge=0, le=1 << 40, description="steps over which the rate rises linearly to its peak"
    )
    stable_steps: int | None = Field(
        None, ge=1, le=1 << 40, description="step up to which the rate stays at its peak (warmup_stable_decay)"
    )
    decay_steps: int | None = Field(
        None, ge=1, le=1 << 40, description="step at which a cosine, or warmup_stable_decay, reaches its minimum"
    )
    decay_shape: Literal["linear", "one_minus_sqrt"] = Field(
        "one_minus_sqrt", description="way down of warmup_stable_decay, over the share x of it: 1 - x or 1 - sqrt(x)"
    )
    plateau_patience: int = Field(
        3, ge=1, le=1 << 40, description="validations in a row without a new best that lower the rate (plateau)"
    )
    plateau_factor: float = Field(0.5, gt=0, lt=1, description="what the rate is multiplied by then")
    minimum_ratio: float = Field(0.0, ge=0, le=1, description="the rate never falls below this share of its peak")

    @model_validator(mode="after")
    def _what_decays_has_an_end(self) -> ScheduleConfig:
        if self.kind in ("cosine", "warmup_stable_decay") and self.decay_steps is None:
            raise ValueError(
                f"a {self.kind} schedule needs decay_steps, the step at which it ends (usually limits.max_steps)"
            )
        if self.kind == "warmup_stable_decay" and self.stable_steps is None:
            raise ValueError("a warmup_stable_decay schedule needs stable_steps, the step after which the rate falls")
        named = ("warmup_steps", "stable_steps", "decay_steps")
        steps = [(name, value) for name in named if (value := getattr(self, name)) is not None]
        for (before, first), (after, second) in itertools.pairwise(steps):
            if second < first or (second == first and after == "decay_steps"):
                raise ValueError(f"{after} ({second}) is not after {before} ({first})")
        return self


def rate_factor(config: ScheduleConfig, step: int, plateaus: int = 0) -> float:
    """The factor on the peak learning rate in step `step`, which counts from 1, after so many plateaus.

    The inverse square root is that of Vaswani et al. 2017, "Attention Is All You Need", section 5.3, scaled to reach 1
    at the end of the warm-up; the cosine that of Loshchilov and Hutter 2017, "SGDR", without restarts;
    warmup_stable_decay is that of Hu et al. 2024, "MiniCPM", its way down that of Hägele et al. 2024, "Scaling Laws and
    Compute-Optimal Training Beyond Fixed Training Durations".
    """
    if step < config.warmup_steps:
        return step / config.warmup_steps
    return max(_course(config, step, plateaus), config.minimum_ratio)


def _course(config: ScheduleConfig, step: int, plateaus: int) -> float:
    match config.kind:
        case "constant":
            return 1.0
        case "plateau":
            return config.plateau_factor**plateaus
        case "inverse_sqrt":
            return math.sqrt(max(config.warmup_steps, 1) / step)
        case "cosine":
            done = _done(step, config.warmup_steps, config.decay_steps)
            return config.minimum_ratio + (1 - config.minimum_ratio) * 0.5 * (1 + math.cos(math.pi * done))
        case "warmup_stable_decay":
            done = _done(step, config.stable_steps or 0, config.decay_steps)
            left = 1 - (done if config.decay_shape == "linear" else math.sqrt(done))
            return config.minimum_ratio + (1 - config.minimum_ratio) * left


def _done(step: int, first: int, last: int | None) -> float:
    """The share of the way down that lies behind."""
    return min(max(step - first, 0) / ((last or step) - first), 1.0)
