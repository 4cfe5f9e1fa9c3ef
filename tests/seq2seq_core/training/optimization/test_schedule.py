from __future__ import annotations

import itertools
import math
from typing import Any

import pytest

from seq2seq_core.config import build
from seq2seq_core.errors import ConfigError
from seq2seq_core.training.optimization.schedule import ScheduleConfig, rate_factor


def factors(steps: list[int], **values: Any) -> list[float]:
    config = build(ScheduleConfig, values)
    return [rate_factor(config, step) for step in steps]


def test_warm_up_is_linear_and_ends_at_the_peak() -> None:
    assert factors([1, 50, 99, 100], warmup_steps=100) == pytest.approx([0.01, 0.5, 0.99, 1.0])


def test_inverse_square_root_halves_when_the_step_is_four_times_as_far() -> None:
    assert factors([100, 400, 1600], warmup_steps=100) == pytest.approx([1.0, 0.5, 0.25])


def test_without_warm_up_the_first_step_has_the_peak_rate() -> None:
    for kind in ("inverse_sqrt", "constant"):
        assert factors([1], kind=kind, warmup_steps=0) == [1.0]


def test_cosine_goes_from_peak_to_minimum_and_stays_there() -> None:
    found = factors([10, 60, 110, 500], kind="cosine", warmup_steps=10, decay_steps=110, minimum_ratio=0.1)
    assert found == pytest.approx([1.0, 0.55, 0.1, 0.1])


def test_constant_stays_at_the_peak() -> None:
    assert factors([10, 10_000], kind="constant", warmup_steps=10) == [1.0, 1.0]


def test_the_minimum_holds_for_every_course() -> None:
    assert factors([10**9], warmup_steps=100, minimum_ratio=0.2) == [0.2]
    assert factors([1], warmup_steps=100, minimum_ratio=0.2) == [0.01]


def test_courses_never_rise_after_the_warm_up() -> None:
    for values in ({}, {"kind": "cosine", "decay_steps": 1000}, {"kind": "constant"}):
        found = factors(list(range(50, 1200, 7)), warmup_steps=50, **values)
        assert all(later <= earlier for earlier, later in itertools.pairwise(found))
        assert all(math.isfinite(factor) for factor in found)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kind": "cosine"}, "needs decay_steps"),
        ({"kind": "cosine", "warmup_steps": 50, "decay_steps": 20}, r"decay_steps \(20\) .* warmup_steps \(50\)"),
    ],
)
def test_a_cosine_without_a_usable_end_is_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build(ScheduleConfig, values)


def test_warm_up_stable_decay_is_flat_and_then_falls() -> None:
    shape = {"kind": "warmup_stable_decay", "warmup_steps": 10, "stable_steps": 100, "decay_steps": 200}
    steps = [5, 10, 100, 125, 200, 300]
    assert factors(steps, **shape) == pytest.approx([0.5, 1.0, 1.0, 0.5, 0.0, 0.0])
    linear = factors(steps, **shape, decay_shape="linear", minimum_ratio=0.2)
    assert linear == pytest.approx([0.5, 1.0, 1.0, 0.8, 0.2, 0.2])


def test_each_plateau_lowers_the_rate_down_to_the_minimum() -> None:
    config = build(ScheduleConfig, {"kind": "plateau", "warmup_steps": 10, "minimum_ratio": 0.2})
    assert [rate_factor(config, 20, plateaus) for plateaus in range(4)] == pytest.approx([1.0, 0.5, 0.25, 0.2])
    assert rate_factor(config, 5, 2) == 0.5


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "needs decay_steps"),
        ({"decay_steps": 9000}, "needs stable_steps"),
        ({"decay_steps": 9000, "stable_steps": 9000}, r"decay_steps \(9000\) is not after stable_steps \(9000\)"),
        ({"decay_steps": 9000, "stable_steps": 30}, r"stable_steps \(30\) is not after warmup_steps \(4000\)"),
    ],
)
def test_a_way_down_without_usable_ends_is_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build(ScheduleConfig, {"kind": "warmup_stable_decay", **values})
