from __future__ import annotations

import time
from collections.abc import Callable

import pytest
import torch.distributed

from seq2seq_core.errors import ConfigError, TrainingError
from seq2seq_core.training.agreement import LeftError, OtherFailedError
from seq2seq_core.training.processes import early, endings
from seq2seq_core.training.processes.endings import PeerError, is_loss_of_peers, told_once
from seq2seq_core.training.processes.place import Place

GLOO = "[/pytorch/third_party/gloo/gloo/transport/tcp/pair.cc:553] Connection closed by peer [127.0.0.1]:39348. Hm."
LOST = [
    RuntimeError(GLOO),
    RuntimeError("[/pytorch/third_party/gloo/gloo/transport/tcp/unbound_buffer.cc:81] Timed out waiting 1800000ms"),
    torch.distributed.DistNetworkError("Failed to recv, got 0 bytes. Connection was likely closed."),
    torch.distributed.DistBackendError("NCCL error in: ..., remote process exited or there was a network error"),
]


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    seconds: list[float] = []
    monkeypatch.setattr(endings.time, "sleep", seconds.append)
    monkeypatch.setattr(early, "heard", [])
    monkeypatch.setattr(endings, "heard", [])
    return seconds


def failing(error: Exception) -> Callable[[], int]:
    def work() -> int:
        raise error

    return work


def place(rank: int, size: int = 2) -> Callable[[], Place]:
    return lambda: Place(rank, size, rank, size, ("host", 1))


@pytest.mark.parametrize("error", LOST)
def test_lost_peers_are_known(error: Exception) -> None:
    assert is_loss_of_peers(error)


@pytest.mark.parametrize(
    "error", [RuntimeError("CUDA error: out of memory"), ValueError("gloo/"), TrainingError("NCCL"), OSError("gloo/x")]
)
def test_other_errors_are_not_taken_for_that(error: Exception) -> None:
    assert not is_loss_of_peers(error)


def test_what_ends_well_says_nothing(slept: list[float], capfd: pytest.CaptureFixture[str]) -> None:
    assert told_once(place(1), lambda: 143, "training") == 143
    assert (capfd.readouterr().err, slept) == ("", [])


@pytest.mark.parametrize(("error", "code"), [(ConfigError("wrong"), 2), (TrainingError("wrong"), 1)])
@pytest.mark.parametrize(("rank", "seconds"), [(0, 0), (1, 1)])
def test_an_error_of_ours_is_a_line_with_the_rank_after_that_of_rank_0(
    slept: list[float], capfd: pytest.CaptureFixture[str], error: Exception, code: int, rank: int, seconds: float
) -> None:
    assert told_once(place(rank), failing(error), "training") == code
    assert capfd.readouterr().err == f"training (rank {rank}): wrong\n"
    assert sum(slept) == seconds


def test_one_process_alone_waits_for_nobody(slept: list[float], capfd: pytest.CaptureFixture[str]) -> None:
    assert told_once(Place, failing(TrainingError("wrong")), "training") == 1
    assert (capfd.readouterr().err, slept) == ("training: wrong\n", [])


def test_a_place_that_is_wrong_is_a_line(capfd: pytest.CaptureFixture[str]) -> None:
    assert told_once(failing(ConfigError("no place")), lambda: 0, "training") == 2  # type: ignore[arg-type]
    assert capfd.readouterr().err == "training: no place\n"


def test_any_other_error_shows_its_traceback_once(slept: list[float], capfd: pytest.CaptureFixture[str]) -> None:
    assert told_once(place(1), failing(RuntimeError("broken")), "training") == 1
    told = capfd.readouterr().err
    assert told.count("Traceback") == 1
    assert told.endswith("RuntimeError: broken\n")


@pytest.mark.parametrize("error", LOST)
@pytest.mark.parametrize("rank", [0, 1])
def test_lost_peers_are_a_line_only_after_the_time_in_which_a_launcher_would_have_ended_this_process(
    slept: list[float], capfd: pytest.CaptureFixture[str], error: Exception, rank: int
) -> None:
    assert told_once(place(rank), failing(error), "training") == 1
    told = capfd.readouterr().err
    assert told.startswith(f"training (rank {rank}): host:1: the connection to the other processes is lost; found ")
    assert told.count("\n") == 1
    assert sum(slept) == 5 + rank


def test_a_connection_that_is_lost_in_an_error_of_ours_is_waited_for_as_well(
    slept: list[float], capfd: pytest.CaptureFixture[str]
) -> None:
    error = TrainingError("the processes cannot connect")
    error.__cause__ = RuntimeError(GLOO)
    assert told_once(place(0), failing(error), "training") == 1
    assert capfd.readouterr().err == "training (rank 0): the processes cannot connect\n"
    assert sum(slept) == 5


@pytest.mark.parametrize("kind", [PeerError, OtherFailedError, LeftError])
def test_the_error_of_another_process_is_left_to_that_one(slept: list[float], kind: type[Exception]) -> None:
    assert told_once(place(0), failing(kind("another process failed")), "training") == 1
    assert sum(slept) == 5


def test_one_that_was_stopped_and_has_lost_its_peers_says_nothing(
    slept: list[float], capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endings, "heard", [15])
    monkeypatch.setattr(endings.logging, "shutdown", lambda: None)  # it would close what later tests write to
    with pytest.raises(SystemExit) as ended:
        told_once(place(1), failing(LOST[0]), "training")
    assert (ended.value.code, capfd.readouterr().err, slept) == (143, "", [])
    assert told_once(place(1), failing(TrainingError("the disk is full")), "training") == 1
    assert "the disk is full" in capfd.readouterr().err


def test_time_is_that_of_the_system() -> None:
    assert endings.time is time
