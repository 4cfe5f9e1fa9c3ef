"""Trainings whose layers are compiled, as real processes: it takes a minute and a compiler."""

from __future__ import annotations

import shutil
from collections.abc import Callable

import pytest

from tests.distributed.runs import ALONE, PATIENCE_SECONDS, Run, Values, torchrun

CHANGES: Values = {"limits": {"max_steps": 4}, "validation": {"metric": "loss"}, "late_minutes": 10}


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(shutil.which("g++") is None, reason="there is no g++ to compile with")
def test_compiled_layers_learn_as_others_do(make: Callable[..., Run]) -> None:
    plain, compiled, both, spread = (make(name, **CHANGES) for name in ("plain", "compiled", "both", "spread"))
    plain.finish()
    for run, command, words in (
        (compiled, ALONE, ()),
        (both, torchrun(2), ("--recompute", "true")),
        (spread, torchrun(2), ("--sharding.kind", "full")),
    ):
        process = run.start(command, "--compile", "true", *words)
        _, log = process.communicate(timeout=5 * PATIENCE_SECONDS)
        assert process.returncode == 0, log
        assert run.losses() == pytest.approx(plain.losses(), abs=1e-4, rel=0)


def test_without_a_compiler_that_is_told_before_training_begins(make: Callable[..., Run]) -> None:
    run = make("run", compile=True)
    process = run.start(environment={"CXX": "no-such-compiler", "TORCHINDUCTOR_FX_GRAPH_CACHE": "0"})
    _, log = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 2, log
    assert log.splitlines()[-1].startswith("training: compile: nothing can be compiled here; found ")
    assert not (run.output / "checkpoints").exists()
