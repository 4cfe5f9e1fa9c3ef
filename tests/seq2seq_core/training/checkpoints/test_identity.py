from __future__ import annotations

import pytest

from seq2seq_core.errors import CheckpointError
from seq2seq_core.training.checkpoints.identity import check_same_run, identity_digest

IDENTITY = {"dataset_digest": "ab", "seed": 1, "optimizer.learning_rate": 0.1}


def test_the_first_difference_is_named_with_both_values_and_digests() -> None:
    theirs = {**IDENTITY, "seed": 2, "optimizer.learning_rate": 0.5}
    with pytest.raises(CheckpointError) as caught:
        check_same_run(theirs, IDENTITY, "runs/x")
    message = str(caught.value)
    assert "runs/x" in message
    assert "seed differs" in message
    assert f"found seed = 2 (run {identity_digest(theirs)})" in message
    assert f"expected seed = 1 (run {identity_digest(IDENTITY)})" in message


def test_a_key_only_one_side_has_is_a_difference() -> None:
    with pytest.raises(CheckpointError, match=r"new\.key differs"):
        check_same_run({**IDENTITY, "new.key": 1}, IDENTITY, "runs/x")
    with pytest.raises(CheckpointError, match=r"new\.key differs"):
        check_same_run(IDENTITY, {**IDENTITY, "new.key": 1}, "runs/x")
