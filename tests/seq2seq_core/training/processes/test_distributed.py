from __future__ import annotations

import os
from unittest.mock import MagicMock

import pytest
import torch

from seq2seq_core.errors import ConfigError
from seq2seq_core.training.processes import distributed
from seq2seq_core.training.processes.distributed import World, joined, threads_per_process
from seq2seq_core.training.processes.place import Place

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


def test_variables_that_make_no_place_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "1")
    with pytest.raises(ConfigError, match="RANK: variables of torchrun are set in part"), joined("cpu"):
        pass


def test_processes_share_the_cores_also_where_the_system_counts_all_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[int] = []
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(torch, "set_num_threads", threads.append)
    monkeypatch.setattr(distributed, "find_place", lambda: Place(0, 2, 0, 2, ("127.0.0.1", 1)))
    monkeypatch.setattr(distributed, "_connect", lambda place, backend, seconds: MagicMock())
    monkeypatch.setattr(torch.distributed, "destroy_process_group", lambda: None)
    with joined("cpu") as world:
        assert world.size == 2
    assert threads == [4]
