"""Training on a source that is no text as real processes: equal on one and two, and with a part that is empty."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.distributed.runs import Run, Values, torchrun
from tests.points import with_points


@pytest.mark.parametrize(
    ("data", "metric"),
    [
        ({"batch_tokens": 160, "bins_per_batch": 2}, "bleu"),
        ({"batch_tokens": 33, "bins_per_batch": 1}, "loss"),  # one row a batch: the second process never has any
    ],
    ids=["rows for both", "rows for one"],
)
def test_one_and_two_processes_have_the_same_curve(
    make: Callable[..., Run], tiny_training: Values, points_dataset: str, tmp_path: Path, data: Values, metric: str
) -> None:
    program = str(with_points(tmp_path))
    changes: Values = {
        "dataset": points_dataset,
        "model": {**tiny_training["model"], "tie_embeddings": "target"},
        "data": {**data, "max_source_tokens": 32, "max_target_tokens": 32},
        "loader": {"max_tokens_per_device": 66},
        "limits": {"max_steps": 6},
        "validation": {"every_steps": 3, "metric": metric},
    }
    one, two = make("one", **changes), make("two", **changes)
    one.finish((sys.executable, program))
    two.finish(torchrun(2, program))
    assert len(one.losses()) == 6
    assert two.losses() == pytest.approx(one.losses(), abs=1e-5, rel=0)
    for row, other in zip(one.rows("validation"), two.rows("validation"), strict=True):
        assert row["loss"] == pytest.approx(other["loss"], abs=1e-5)
        assert row["bleu"] == pytest.approx(other["bleu"])
