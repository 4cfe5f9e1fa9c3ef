from __future__ import annotations

import weakref
from collections.abc import Iterator

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from seq2seq_core.training.checkpoints.averaging import averaged, best_steps


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


@given(st.integers(1, 12), st.integers(0, 6), st.integers(0, 2**32))
def test_the_bits_are_those_of_a_mean_over_all_at_once(count: int, exponent: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    shapes = {"w": (5, 7), "b": (1,), "s": ()}
    scale = 10.0**exponent
    sets = [{n: torch.randn(shape, generator=generator) * scale for n, shape in shapes.items()} for _ in range(count)]
    sets = [{**tensors, "h": tensors["w"].bfloat16(), "d": tensors["b"].double()} for tensors in sets]
    result = averaged(tensors.items() for tensors in sets)
    for name in ("w", "b", "s", "h"):
        mean = torch.stack([tensors[name].double() for tensors in sets]).mean(0).to(sets[0][name].dtype)
        assert torch.equal(result[name], mean), name
    assert result["d"].item() == pytest.approx(sum(tensors["d"].item() for tensors in sets) / count)


def test_no_more_than_the_sums_and_one_tensor_are_held() -> None:
    alive: weakref.WeakSet[Tensor] = weakref.WeakSet()

    def read() -> Iterator[tuple[str, Tensor]]:
        for name in "abcdef":
            assert len(alive) <= 1
            tensor = torch.ones(4)
            alive.add(tensor)
            yield name, tensor
            del tensor

    result = averaged(read() for _ in range(5))
    assert all(torch.equal(tensor, torch.ones(4)) for tensor in result.values())


def test_what_is_averaged_stays_as_it_is() -> None:
    sets = [{"d": torch.ones(2, dtype=torch.float64), "n": torch.tensor(1)} for _ in range(3)]
    averaged(tensors.items() for tensors in sets)
    assert all(torch.equal(tensors["d"], torch.ones(2, dtype=torch.float64)) for tensors in sets)


def test_best_steps_are_ordered_by_score_then_by_age() -> None:
    scores = {10: (1.0, 0.0), 20: (3.0, 0.0), 30: (3.0, 0.0), 40: (2.0, 0.0), 60: (2.0, -1.0)}
    assert best_steps([10, 20, 30, 40, 50, 60], scores, 4) == [20, 30, 40, 60]
    assert best_steps([10, 40], scores, 3) == [40, 10]
    assert best_steps([50], scores, 3) == []
