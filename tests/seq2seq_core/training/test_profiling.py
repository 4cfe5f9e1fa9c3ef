from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from seq2seq_core.errors import ClaimError
from seq2seq_core.training.profiling import ProfileConfig, Profiling


def steps(profiling: Profiling, numbers: range) -> None:
    for step in numbers:
        profiling.before(step)
        torch.ones(4).cos()
        profiling.after(step)
    profiling.close()


def test_the_steps_that_are_asked_for_are_traced(tmp_path: Path) -> None:
    steps(Profiling(ProfileConfig(from_step=2, steps=2), str(tmp_path), lambda: None), range(1, 6))
    (path,) = tmp_path.rglob("*.*")
    assert str(path.relative_to(tmp_path)) == "profile/steps-00000002-00000003.json"
    events = json.loads(path.read_text())["traceEvents"]
    assert sum(event.get("name") == "aten::cos" for event in events) == 2


@pytest.mark.parametrize("config", [ProfileConfig(), ProfileConfig(from_step=9), ProfileConfig(from_step=3, steps=9)])
def test_otherwise_there_is_no_trace(config: ProfileConfig, tmp_path: Path) -> None:
    """The last is cut short by the end of the run."""
    steps(Profiling(config, str(tmp_path), lambda: None), range(1, 4))
    assert not list(tmp_path.iterdir())


def test_nothing_is_put_into_a_folder_that_is_another_run_s(tmp_path: Path) -> None:
    def refuse() -> None:
        raise ClaimError("taken over")

    with pytest.raises(ClaimError):
        steps(Profiling(ProfileConfig(from_step=1, steps=1), str(tmp_path), refuse), range(1, 2))
    assert not list(tmp_path.iterdir())
