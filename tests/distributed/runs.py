"""The values of a train.yaml in; a run that tests start as real processes, as often as they like, out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
import yaml

from seq2seq_core.models.folder import load_model

Values = dict[str, Any]

ALONE = (sys.executable, "-m", "seq2seq_core.training")
PATIENCE_SECONDS = 120


class Run:
    """A run folder with its train.yaml, started as often as a test likes."""

    def __init__(self, output: Path, values: Values) -> None:
        self.output = output
        output.mkdir()
        self.config_file = output.parent / f"{output.name}.yaml"
        self.config_file.write_text(yaml.safe_dump({**values, "output": str(output)}))

    def start(
        self, command: tuple[str, ...] = ALONE, *options: str, environment: Mapping[str, str] | None = None
    ) -> subprocess.Popen[str]:
        words = [*command, "--config", str(self.config_file), *options]
        variables = {**os.environ, "OMP_NUM_THREADS": "1", **(environment or {})}
        return subprocess.Popen(words, stderr=subprocess.PIPE, text=True, env=variables)

    def finish(self, command: tuple[str, ...] = ALONE, *options: str) -> str:
        """Run to the end; the log."""
        process = self.start(command, *options)
        _, log = process.communicate(timeout=PATIENCE_SECONDS)
        assert process.returncode == 0, log
        return log

    def wait_until(self, condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
        """Return when the condition holds, while the process runs."""
        until = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < until
            time.sleep(0.02)

    def rows(self, kind: str = "train") -> list[Values]:
        rows = map(json.loads, (self.output / "metrics.jsonl").read_text().splitlines())
        return [row for row in rows if row["kind"] == kind]

    def losses(self) -> list[float]:
        return [row["loss"] for row in self.rows()]

    def steps(self) -> list[int]:
        """Steps of the complete checkpoints."""
        return sorted(int(path.parent.name[5:]) for path in self.output.glob("checkpoints/*/checkpoint.json"))

    def weights(self, name: str) -> dict[str, torch.Tensor]:
        return dict(load_model(str(self.output / name)).model.state_dict())


def torchrun(processes: int, *program: str) -> tuple[str, ...]:
    start = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes))
    return (*start, *(program or ("-m", "seq2seq_core.training")))
