from __future__ import annotations

import pytest

from seq2seq_core.training import clock as training_clock
from seq2seq_core.training.clock import Clock
from seq2seq_core.training.processes.stop import LimitsConfig


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    times = [100.0]
    monkeypatch.setattr(training_clock.time, "monotonic", lambda: times[0])
    return times


def test_time_goes_on_over_resumptions(now: list[float]) -> None:
    clock = Clock(LimitsConfig(max_steps=50, max_minutes=2.0), step=10, seconds=30.0, tokens=0)
    assert (clock.seconds(), clock.is_late(), clock.seconds_left(10)) == (30.0, False, 90.0)
    now[0] += 20
    assert clock.seconds_left(20) == 60.0  # two seconds a step, and thirty steps
    now[0] += 70
    assert clock.is_late()
    assert clock.seconds_left(40) == 0.0


def test_where_only_epochs_are_limited_nothing_is_known() -> None:
    clock = Clock(LimitsConfig(max_steps=None, max_epochs=1), step=0, seconds=0.0, tokens=0)
    assert clock.seconds_left(5) is None
    assert not clock.is_late()


def test_the_pace_is_that_of_own_tokens_and_counts_no_waiting(now: list[float]) -> None:
    clock = Clock(LimitsConfig(), step=0, seconds=0.0, tokens=1000)
    now[0] += 10
    assert clock.tokens_per_second(1500) == 50.0
    clock.begin_window()
    now[0] += 4
    clock.leave_out(now[0] - 2)
    assert clock.tokens_per_second(60) == 30.0
