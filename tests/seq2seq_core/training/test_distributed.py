from __future__ import annotations

import pytest
import torch

from seq2seq_core.errors import ConfigError
from seq2seq_core.training.distributed import World, joined, threads_per_process

ALONE = World(rank=0, size=1, local_size=1, device=torch.device("cpu"))


@pytest.mark.parametrize(("cores", "processes", "threads"), [(2, 2, 1), (8, 2, 4), (2, 4, 1), (7, 2, 3)])
def test_cores_are_divided_between_processes(cores: int, processes: int, threads: int) -> None:
    assert threads_per_process(cores, processes) == threads


def test_alone_every_agreement_is_one_s_own() -> None:
    values = torch.tensor([1.0, 2.0])
    assert ALONE.sum(values) is values
    assert ALONE.agree("x") == "x"
    assert ALONE.is_main


def test_without_torchrun_there_is_one_process_and_no_group() -> None:
    with joined("cpu") as world:
        assert (world.rank, world.size, world.device.type) == (0, 1, "cpu")
        assert not torch.distributed.is_initialized()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_named() -> None:
    with pytest.raises(ConfigError, match="1 processes, 0 GPUs"), joined("cuda"):
        pass
