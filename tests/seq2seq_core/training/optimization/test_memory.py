from __future__ import annotations

import pytest
import torch

from seq2seq_core.data.batch import Batch
from seq2seq_core.errors import TrainingError
from seq2seq_core.training.optimization.memory import named_shortage


def batch() -> Batch:
    source, target = torch.ones(3, 7, dtype=torch.int64), torch.ones(3, 5, dtype=torch.int64)
    return Batch(source, torch.tensor([7, 7, 7]), target, target, target_tokens=15)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory: you tried"),
        MemoryError(),
    ],
)
def test_a_shortage_names_the_batch_and_what_to_lower(error: Exception) -> None:
    message = r"3 rows of 7 source and 5 target positions, computed 2 times: 42 .*max_tokens_per_device to 21 or less"
    with pytest.raises(TrainingError, match=message), named_shortage(batch(), 2):
        raise error


def test_other_errors_are_what_they_are() -> None:
    with pytest.raises(RuntimeError, match="shapes"), named_shortage(batch(), 1):
        raise RuntimeError("shapes do not fit")


def test_memory_that_is_not_there_is_recognised() -> None:
    with pytest.raises(TrainingError, match="memory ran out"), named_shortage(batch(), 1):
        torch.empty(1 << 60, dtype=torch.uint8)
