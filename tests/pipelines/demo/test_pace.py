from __future__ import annotations

import pytest

from pipelines.demo import pace


def test_a_slower_machine_and_more_steps_take_longer() -> None:
    quick, slow = pace.Pace(0.2), pace.Pace(0.6)
    assert slow.expected(pace.STEPS) == pytest.approx(3 * quick.expected(pace.STEPS))
    assert quick.expected(pace.STEPS // 10) < quick.expected(pace.STEPS) / 2
    assert quick.expected(pace.STEPS) < 240
    assert "about 3.4 minutes" in quick.line(pace.STEPS)
    assert "took 0.60 s" in slow.line(10)


def test_the_reference_work_takes_time_on_each_core(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "_TIMES", 20)
    asked: list[int] = []
    work = pace._work
    monkeypatch.setattr(pace, "_work", lambda number: asked.append(number) or work(number))
    assert 0 < pace.measured(3).seconds < 10
    assert sorted(asked) == [0, 1, 2]
