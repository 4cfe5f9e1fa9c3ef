"""Patterns of weights' names in; the weights of a model that they mean, frozen or with a rate of their own, out."""

from __future__ import annotations

import difflib
import fnmatch
from collections.abc import Iterable, Sequence

from pydantic import Field
from torch import nn

from seq2seq_core.config import Config
from seq2seq_core.errors import ConfigError

_NAMED = 3


class RateConfig(Config):
    """A rate of some weights."""

    weights: str = Field(min_length=1, description="pattern of their names, such as encoder.* or embeddings.*")
    factor: float = Field(ge=0, le=1e6, description="times the learning rate")


def matching(names: Iterable[str], patterns: Sequence[str], where: str) -> set[str]:
    """The names that one of the patterns means: `*` stands for anything, `?` for a letter, `[01]` for one of some.

    Raises:
        ConfigError: A pattern means nothing; `where` is its key.
    """
    there, found = list(names), set[str]()
    for pattern in patterns:
        means = fnmatch.filter(there, pattern)
        if not means:
            near = difflib.get_close_matches(pattern, there, _NAMED, 0.0)
            raise ConfigError(
                "no weight of the model is called so", where=where, found=pattern, expected=f"such as {', '.join(near)}"
            )
        found |= set(means)
    return found


def freeze(model: nn.Module, patterns: Sequence[str]) -> None:
    """Let the weights that the patterns mean stay as they are.

    Raises:
        ConfigError: A pattern means nothing, or nothing is left to train.
    """
    weights = dict(model.named_parameters())
    for name in matching(weights, patterns, "freeze"):
        weights[name].requires_grad_(False)
    if not any(weight.requires_grad for weight in weights.values()):
        raise ConfigError("all weights are frozen", where="freeze", found=", ".join(patterns))


def factors(model: nn.Module, rates: Sequence[RateConfig]) -> dict[nn.Parameter, float]:
    """The factor of the learning rate of each weight; of several patterns that mean one the last holds.

    Raises:
        ConfigError: A pattern means nothing.
    """
    weights = dict(model.named_parameters())
    found = dict.fromkeys(weights.values(), 1.0)
    for rate in rates:
        found |= {weights[name]: rate.factor for name in matching(weights, [rate.weights], "optimizer.rates")}
    return found
