"""How difficult each row is, and how fast a model is to meet all of them, in; which rows are there from where on, out.

What a model is up to grows with its steps, and rows beyond it are not drawn yet (Platanios et al. 2019,
"Competence-based Curriculum Learning"): at step t of `steps`, of all rows in the order of their difficulty the first

    (start^root + (1 - start^root) * t / steps)^(1 / root)

are there; with a root of 2 each new row has as long a time as the one before. Here this goes up in stages.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from seq2seq_core.config import Config


class CurriculumConfig(Config):
    """Which rows a model meets first."""

    by: Literal["none", "source_length", "score"] = Field(
        "none",
        description="what rows are put in order by; score: the score_field of a dataset prepared with keep_scores",
    )
    first: Literal["low", "high"] = Field("low", description="which of them come first: low values, or high ones")
    steps: int = Field(10_000, ge=1, le=1 << 40, description="steps after which all rows are drawn")
    start: float = Field(0.1, gt=0, le=1, description="share of the rows that is drawn at first")
    root: float = Field(
        2.0, ge=1, le=100, description="how the share grows; 1: evenly, 2: fast at first, as a square root does"
    )
    stages: int = Field(20, ge=1, le=1000, description="times that it grows, with as many steps between")

    def share(self, step: int) -> float:
        """The share of the rows that a model is up to after some steps."""
        begin: float = self.start**self.root
        reached: float = (begin + (1 - begin) * step / self.steps) ** (1 / self.root)
        return min(1.0, reached)


@dataclass(frozen=True)
class Curriculum:
    """Rows in the order in which they come into a stream.

    Attributes:
        order: The numbers of all rows (uint32).
        openings: Positions in the stream, ascending from 0, and how many rows of the order there are from each on.
    """

    order: npt.NDArray[np.uint32]
    openings: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, config: CurriculumConfig, values: npt.NDArray[Any], kept: npt.NDArray[np.bool_]) -> Curriculum:
        """That of a configuration.

        Args:
            config: How rows come.
            values: What they are put in order by, one a row.
            kept: Which are trained on; the others count in no share.
        """
        order = np.argsort(values if config.first == "low" else -values, kind="stable").astype(np.uint32)
        order = np.concatenate([order[kept[order]], order[~kept[order]]])
        count = int(kept.sum())
        found = dict[int, int]()
        for stage in range(config.stages):
            step = -(-stage * config.steps // config.stages)
            found[step] = min(count, max(1, math.ceil(count * config.share(step))))
        found[config.steps] = len(order)
        return cls(order, tuple(found.items()))
