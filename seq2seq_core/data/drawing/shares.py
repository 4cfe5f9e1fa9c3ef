"""How datasets are mixed, and how many rows each has, in; how many rows of each an epoch draws out."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field, model_validator

from seq2seq_core.config import Config


class MixtureConfig(Config):
    """How much an epoch has of each of several datasets; by default all of them, once."""

    weights: tuple[Annotated[float, Field(gt=0, le=1e9)], ...] = Field(
        (), description="share of each dataset in what is drawn, as parts of their sum; default: by the temperature"
    )
    temperature: float = Field(
        1.0,
        gt=0,
        le=1e6,
        description="share of a dataset: rows^(1 / temperature); 1: as many as it has, 5: small ones come oftener "
        "(Arivazhagan et al. 2019), very high: all alike",
    )

    @model_validator(mode="after")
    def _one_way(self) -> MixtureConfig:
        if self.weights and self.temperature != 1:
            raise ValueError(
                f"weights ({', '.join(f'{weight:g}' for weight in self.weights)}) and temperature "
                f"({self.temperature:g}) both say what the shares are: leave one out"
            )
        return self

    def draws(self, rows: Sequence[float]) -> tuple[int, ...]:
        """How many rows of each dataset an epoch has: of all together as many as there are, and one of each at least.

        Args:
            rows: How many rows each has, by the weights of its corpora; they are more than 0.
        """
        total, most = round(math.fsum(rows)), max(rows)
        parts = self.weights or [(count / most) ** (1 / self.temperature) for count in rows]
        exact = [total * part / math.fsum(parts) for part in parts]
        whole = [max(1, math.floor(share)) for share in exact]
        by_rest = sorted(range(len(rows)), key=lambda i: (whole[i] - exact[i], i))
        for i in by_rest[: max(0, total - sum(whole))]:
            whole[i] += 1
        return tuple(whole)


@dataclass(frozen=True)
class Mixed:
    """Datasets whose rows follow one another in a split.

    Attributes:
        names: What they are called in errors.
        rows: How many rows each has.
        config: How much of each an epoch has.
    """

    names: tuple[str, ...]
    rows: tuple[int, ...]
    config: MixtureConfig

    @property
    def ends(self) -> tuple[int, ...]:
        """The number of the row behind the last of each."""
        return tuple(itertools.accumulate(self.rows))
