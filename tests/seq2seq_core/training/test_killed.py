"""A training that is killed before any of its writes, or between two batches of a validation, and started again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Values = dict[str, Any]

TIMES = ("seconds", "validation_seconds", "tokens_per_second", "data_wait", "teraflops", "peak_memory")
OF_ITS_FOLDER = ("configuration",)
"""Digest of a configuration that names the folder."""
MOST_MOMENTS = 120
CHANGES: Values = {
    "validation": {"every_steps": 3, "max_batch_tokens": 150},
    "checkpoints": {"every_steps": 2, "keep_last": 2, "keep_best": 2, "average": {"count": 2}},
    "limits": {"max_steps": 6},
    "optimizer": {"learning_rate": 0.05},
}


@pytest.fixture(scope="module")
def kill(tiny_training: Values, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    root = tmp_path_factory.mktemp("kills")
    values = root / "values.json"
    values.write_text(json.dumps({**tiny_training, **CHANGES}))

    def kill(*moments: int) -> Path:
        command = [sys.executable, "-m", "tests.kills", str(values), str(root), *map(str, moments)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        assert done.returncode == 0, done.stderr[-6000:]
        return root

    return kill


def without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_times(inner) for name, inner in value.items() if name not in (*TIMES, *OF_ITS_FOLDER)}
    return [without_times(inner) for inner in value] if isinstance(value, list) else value


def content(path: Path) -> Any:
    if path.name.endswith(".jsonl"):
        return [without_times(json.loads(line)) for line in path.read_text().splitlines()]
    return without_times(json.loads(path.read_text())) if path.suffix == ".json" else path.read_bytes()


def state(output: Path) -> dict[str, Any]:
    """All that the run is for, the times that it took aside."""
    files = {path: str(path.relative_to(output)) for path in output.rglob("*") if path.is_file()}
    kept = {path: name for path, name in files.items() if name.startswith(("checkpoints/", "metrics"))}
    weights = {path: name for path, name in files.items() if path.match("*/model*.safetensors")}
    return {name: content(path) for path, name in {**kept, **weights}.items()}


def assert_all_end_alike(root: Path) -> None:
    straight = state(root / "straight")
    assert {"metrics.jsonl", "checkpoints/step-00000006/checkpoint.json"} < straight.keys()
    ends = sorted(root.glob("killed-*"))
    assert ends
    for output in ends:
        found = state(output)
        assert found.keys() == straight.keys(), output.name
        assert [name for name in straight if found[name] != straight[name]] == [], output.name
        assert not (output / ".claim").exists(), output.name


def test_killed_at_some_of_its_writes_a_run_ends_as_undisturbed(kill: Callable[..., Path]) -> None:
    assert_all_end_alike(kill(*range(4, MOST_MOMENTS, 6)))


@pytest.mark.slow
def test_killed_at_each_of_its_writes_a_run_ends_as_undisturbed(kill: Callable[..., Path]) -> None:
    root = kill()
    assert int((root / "count").read_text()) < MOST_MOMENTS
    assert_all_end_alike(root)
