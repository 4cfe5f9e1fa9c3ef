"""Training on a source that is no text as real processes: equal on one and two, and with a part that is empty."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.distributed.runs import Run, Values, torchrun
from tests.points import publish_points, with_points

SPEECH: Values = {
    "family": "speech",
    "width": 16,
    "heads": 2,
    "feed_forward_width": 32,
    "encoder_layers": 1,
    "decoder_layers": 1,
    "subsampling": 2,
    "front_channels": 4,
    "convolution_kernel": 3,
    "dropout": 0.0,
    "augment": None,
}


@pytest.mark.parametrize(
    ("data", "metric", "model"),
    [
        ({"batch_tokens": 33, "bins_per_batch": 1}, "loss", {}),  # one row a batch: the second process never has any
        ({"batch_tokens": 640, "bins_per_batch": 2}, "bleu", SPEECH),
    ],
    ids=["rows for one", "speech"],
)
def test_one_and_two_processes_have_the_same_curve(
    make: Callable[..., Run],
    tiny_training: Values,
    points_dataset: str,
    tmp_path: Path,
    data: Values,
    metric: str,
    model: Values,
) -> None:
    program, dataset, most = str(with_points(tmp_path)), points_dataset, 32
    if model:
        dataset, most = str(tmp_path / "slow"), 80
        publish_points(dataset, {"train": 100, "valid": 12}, repeats=16)
    changes: Values = {
        "dataset": dataset,
        "model": model or {**tiny_training["model"], "tie_embeddings": "target"},
        "data": {**data, "max_source_tokens": most, "max_target_tokens": 32},
        "loader": {"max_tokens_per_device": 2 * most + 2},
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
