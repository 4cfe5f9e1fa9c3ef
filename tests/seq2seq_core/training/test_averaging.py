from __future__ import annotations

import torch

from seq2seq_core.training.averaging import averaged, best_steps


def test_weights_become_their_mean_and_counters_stay() -> None:
    sets = [
        {"w": torch.tensor([1.0, 2.0]), "n": torch.tensor(3)},
        {"w": torch.tensor([3.0, -2.0]), "n": torch.tensor(9)},
    ]
    result = averaged(tensors.items() for tensors in sets)
    assert torch.equal(result["w"], torch.tensor([2.0, 0.0]))
    assert result["w"].dtype == torch.float32
    assert result["n"].item() == 3


def test_a_single_set_is_kept_bit_by_bit() -> None:
    weights = {"w": torch.randn(100)}
    assert torch.equal(averaged([weights.items()])["w"], weights["w"])


def test_many_small_differences_do_not_drown() -> None:
    sets = [{"w": torch.tensor([1e8 if i == 0 else 1.0])} for i in range(4)]
    assert averaged(tensors.items() for tensors in sets)["w"].item() == torch.tensor((1e8 + 3) / 4).item()


def test_best_steps_are_ordered_by_score_then_by_age() -> None:
    scores = {10: (1.0, 0.0), 20: (3.0, 0.0), 30: (3.0, 0.0), 40: (2.0, 0.0), 60: (2.0, -1.0)}
    assert best_steps([10, 20, 30, 40, 50, 60], scores, 4) == [20, 30, 40, 60]
    assert best_steps([10, 40], scores, 3) == [40, 10]
    assert best_steps([50], scores, 3) == []
