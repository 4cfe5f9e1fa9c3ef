"""The number of a step in, the learning rate's share of its peak out."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field, model_validator

from seq2seq_core.config import Config


class ScheduleConfig(Config):
    """How the learning rate rises and falls."""

    kind: Literal["inverse_sqrt", "cosine", "constant"] = Field(
        "inverse_sqrt", description="course after the warm-up: peak * sqrt(warmup / step), half a cosine, or flat"
    )
    warmup_steps: int = Field(
        4000, ge=0, le=1 << 40, description="steps over which the rate rises linearly to its peak"
    )
    decay_steps: int | None = Field(None, ge=1, le=1 << 40, description="step at which a cosine reaches its minimum")
    minimum_ratio: float = Field(0.0, ge=0, le=1, description="the rate never falls below this share of its peak")

    @model_validator(mode="after")
    def _cosine_has_an_end(self) -> ScheduleConfig:
        if self.kind == "cosine" and self.decay_steps is None:
            raise ValueError(
                "a cosine schedule needs decay_steps, the step at which it ends (usually limits.max_steps)"
            )
        if self.decay_steps is not None and self.decay_steps <= self.warmup_steps:
            raise ValueError(f"decay_steps ({self.decay_steps}) is not after warmup_steps ({self.warmup_steps})")
        return self


def rate_factor(config: ScheduleConfig, step: int) -> float:
    """The factor on the peak learning rate in step `step`, which counts from 1.

    The inverse square root is that of Vaswani et al. 2017, "Attention Is All You Need", section 5.3, scaled to
    reach 1 at the end of the warm-up; the cosine that of Loshchilov and Hutter 2017, "SGDR", without restarts.
    """
    if step < config.warmup_steps:
        return step / config.warmup_steps
    return max(_course(config, step), config.minimum_ratio)


def _course(config: ScheduleConfig, step: int) -> float:
    if config.kind == "constant":
        return 1.0
    if config.kind == "inverse_sqrt":
        return math.sqrt(max(config.warmup_steps, 1) / step)
    span = (config.decay_steps or step) - config.warmup_steps
    done = min((step - config.warmup_steps) / span, 1.0)
    return config.minimum_ratio + (1 - config.minimum_ratio) * 0.5 * (1 + math.cos(math.pi * done))
