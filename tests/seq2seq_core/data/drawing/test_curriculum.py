from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_core.config import build
from seq2seq_core.data.drawing.curriculum import Curriculum, CurriculumConfig
from seq2seq_core.errors import ConfigError

CONFIGS = st.builds(
    CurriculumConfig,
    by=st.just("score"),
    first=st.sampled_from(["low", "high"]),
    steps=st.integers(1, 2000),
    start=st.floats(0.001, 1),
    root=st.floats(1, 5),
    stages=st.integers(1, 40),
)


@given(CONFIGS, st.lists(st.tuples(st.integers(-5, 5), st.booleans()), min_size=1, max_size=60))
def test_rows_come_by_their_values_and_none_is_forgotten(
    config: CurriculumConfig, rows: list[tuple[int, bool]]
) -> None:
    values, kept = (np.array(column) for column in zip(*rows, strict=True))
    found = Curriculum.of(config, values, kept)
    positions, counts = zip(*found.openings, strict=True)
    assert sorted(found.order.tolist()) == list(range(len(rows)))
    own = [row for row in found.order.tolist() if kept[row]]
    assert own == found.order.tolist()[: len(own)]
    sign = 1 if config.first == "low" else -1
    assert own == sorted(own, key=lambda row: (sign * values[row], row))
    assert (positions[0], positions[-1], counts[-1]) == (0, config.steps, len(rows))
    assert list(positions) == sorted(set(positions))
    assert list(counts) == sorted(counts)
    assert counts[0] >= 1 or not own


def test_the_share_grows_as_competence_does() -> None:
    config = CurriculumConfig(by="score", steps=1000, start=0.1, root=2)
    assert config.share(0) == pytest.approx(0.1)
    assert config.share(500) == pytest.approx(math.sqrt(0.5 * (1 - 0.01) + 0.01))
    assert config.share(1000) == 1.0
    assert CurriculumConfig(start=0.2, root=1, steps=4).share(1) == pytest.approx(0.4)


def test_missing_scores_come_as_the_lowest() -> None:
    values, kept = np.array([1.0, -math.inf, 3.0]), np.ones(3, np.bool_)
    found = [Curriculum.of(CurriculumConfig(by="score", first=f), values, kept).order.tolist() for f in ("low", "high")]
    assert found == [[1, 0, 2], [2, 0, 1]]


@pytest.mark.parametrize("values", [{"start": 0}, {"root": 0.5}, {"stages": 0}, {"steps": 0}, {"by": "target"}])
def test_what_is_no_curriculum(values: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        build(CurriculumConfig, values)
