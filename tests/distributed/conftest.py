"""A maker of runs on the tiny dataset."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.distributed.runs import Run, Values


@pytest.fixture
def make(tmp_path: Path, tiny_training: Values) -> Callable[..., Run]:
    def make(name: str, **changes: Any) -> Run:
        return Run(tmp_path / name, {**tiny_training, "validation": {"every_steps": 5}, **changes})

    return make
