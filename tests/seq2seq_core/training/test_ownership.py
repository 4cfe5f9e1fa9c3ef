from __future__ import annotations

import json
import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch

from seq2seq_core import claims
from seq2seq_core.config import build, to_yaml
from seq2seq_core.errors import CheckpointError, ClaimError, ConfigError, ForeignFileError
from seq2seq_core.models.card import Lineage
from seq2seq_core.training import ownership
from seq2seq_core.training.agreement import Stopped
from seq2seq_core.training.config import TrainConfig, identity
from seq2seq_core.training.ownership import check_free, check_shared, is_of_run, owned
from seq2seq_core.training.processes.distributed import World
from seq2seq_core.training.processes.stop import StopFlag
from tests.processes import tree
from tests.seq2seq_core.training.test_agreement import Rank, on_ranks

ALONE = World(rank=0, size=1, local_size=1, device=torch.device("cpu"))
CONFIG = build(TrainConfig, {"dataset": "data", "output": "run"})
OURS = {**identity(CONFIG, "ab"), "stream": "s"}


def lineage(**changes: Any) -> Lineage:
    values = {"run": "run", "step": 5, "dataset_digest": "ab", "dataset": "data", **changes}
    return Lineage(**{"configuration": CONFIG.model_dump(mode="json"), **values})


def test_a_run_of_another_identity_is_refused_with_both_fingerprints(tmp_path: Path) -> None:
    second = owned(str(tmp_path), "bbbb", ALONE, StopFlag())
    with owned(str(tmp_path), "aaaa", ALONE, StopFlag()), pytest.raises(ClaimError) as caught, second:
        pass
    message = str(caught.value)
    assert "another training is under way here" in message
    assert f"found fingerprint aaaa of process {os.getpid()} on " in message
    assert "expected fingerprint bbbb" in message


def test_the_folder_is_left_as_it_was(tmp_path: Path) -> None:
    with owned(str(tmp_path), "aaaa", ALONE, StopFlag()) as folder:
        folder.check()
    assert list(tmp_path.iterdir()) == []


def test_an_equal_run_waits_for_its_turn(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    order: list[str] = []

    def second() -> None:
        with owned(str(tmp_path), "aaaa", ALONE, StopFlag()):
            order.append("second begins")

    with ThreadPoolExecutor(1) as pool, caplog.at_level("INFO"):
        with owned(str(tmp_path), "aaaa", ALONE, StopFlag()):
            waiting = pool.submit(second)
            until = time.monotonic() + 20
            while "waiting for it to end" not in caplog.text:
                assert time.monotonic() < until
                time.sleep(0.05)
            time.sleep(0.5)
            order.append("first ends")
        waiting.result(20)
    assert order == ["first ends", "second begins"]
    assert list(tmp_path.iterdir()) == []


def test_an_equal_run_that_does_not_end_is_told_at_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ownership, "WAIT_SECONDS", 0)
    first, second = (owned(str(tmp_path), "aaaa", ALONE, StopFlag()) for _ in range(2))
    told = pytest.raises(
        ClaimError, match=r"the same training is under way here; found fingerprint aaaa of process \d+ on"
    )
    with first, told, second:
        pass


def test_a_signal_ends_the_waiting(tmp_path: Path) -> None:
    stop = StopFlag()
    stop.received = signal.SIGTERM
    with (
        owned(str(tmp_path), "aaaa", ALONE, StopFlag()),
        pytest.raises(Stopped),
        owned(str(tmp_path), "aaaa", ALONE, stop),
    ):
        pass


def test_a_dead_run_of_another_machine_is_waited_for_and_then_taken_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "_machine", lambda: "elsewhere")
    first = owned(str(tmp_path), "aaaa", ALONE, StopFlag())
    first.__enter__()  # it is never left: its machine is gone
    left = tree(tmp_path)
    monkeypatch.undo()
    monkeypatch.setattr(claims, "SILENT_SECONDS", 2)
    began = time.monotonic()
    with owned(str(tmp_path), "aaaa", ALONE, StopFlag()) as folder:
        assert time.monotonic() - began > 0.5
        folder.check()
    assert left


def test_who_was_taken_over_writes_nothing_more(tmp_path: Path) -> None:
    with owned(str(tmp_path), "aaaa", ALONE, StopFlag()) as folder:
        claim = tmp_path / ".claim" / "claim.json"
        mine = claim.read_text()
        claim.write_text(json.dumps({**json.loads(mine), "fingerprint": "bbbb"}))
        with pytest.raises(ClaimError, match="fingerprint bbbb"):
            folder.check()
        claim.write_text(mine)


def test_all_processes_hear_of_a_refusal_together(tmp_path: Path) -> None:
    def enter(world: Rank) -> None:
        with owned(str(tmp_path), "bbbb", world, StopFlag()):
            pass

    with owned(str(tmp_path), "aaaa", ALONE, StopFlag()):
        assert [type(error) for error in on_ranks(3, enter)] == [ClaimError] * 3
    assert on_ranks(3, enter) == [None] * 3
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_shared_is_named_on_every_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ownership, "SHOW_SECONDS", 0)
    found = on_ranks(3, lambda world: check_shared(str(tmp_path / str(world.rank // 2)), world))
    assert [type(error) for error in found] == [ConfigError] * 3
    assert all("found process 2 has another folder of that name" in str(error) for error in found)
    assert on_ranks(3, lambda world: check_shared(str(tmp_path), world)) == [None] * 3


def test_a_folder_that_is_seen_late_is_shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[str] = []

    def late(url: str) -> bool:
        looks.append(url)
        return len(looks) > 2

    monkeypatch.setattr(ownership.storage, "exists", late)
    monkeypatch.setattr(ownership, "_LOOK_SECONDS", 0.01)
    assert ownership._appears("x")
    assert len(looks) == 3


@pytest.mark.parametrize(
    ("changes", "is_ours"),
    [
        ({}, True),
        ({"run": "renamed", "dataset": "moved"}, True),
        ({"dataset_digest": "cd"}, False),
        ({"configuration": {**CONFIG.model_dump(mode="json"), "seed": 7}}, False),
        ({"configuration": {**CONFIG.model_dump(mode="json"), "limits": {"max_steps": 7}}}, True),
        ({"configuration": {"no": "such key"}}, False),
    ],
)
def test_a_model_says_of_which_run_it_is(changes: dict[str, Any], is_ours: bool) -> None:
    assert is_of_run(lineage(**changes), OURS) is is_ours


@pytest.fixture
def config_file(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(to_yaml(CONFIG))
    return path


def test_a_configuration_by_hand_is_not_replaced(config_file: Path) -> None:
    check_free(str(config_file.parent), OURS, is_new=True)  # that of a training
    config_file.write_text(f"# my notes\n{config_file.read_text()}")
    with pytest.raises(ForeignFileError, match=r"config\.yaml: a file that this program has not written"):
        check_free(str(config_file.parent), OURS, is_new=True)
    check_free(str(config_file.parent), OURS, is_new=False)  # the run's own checkpoints stand there
    config_file.write_text("- no mapping")
    with pytest.raises(ForeignFileError, match="this program has not written"):
        check_free(str(config_file.parent), OURS, is_new=True)


def test_a_model_that_cannot_be_read_is_nobody_s(tmp_path: Path) -> None:
    (tmp_path / "best").mkdir()
    (tmp_path / "best" / "config.json").write_text("{}")
    with pytest.raises(CheckpointError, match=r"best: a model that cannot be read stands where this run's would go"):
        check_free(str(tmp_path), OURS, is_new=True)
    check_free(str(tmp_path), OURS, is_new=False)


def test_no_thread_is_left(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    with owned(str(tmp_path), "aaaa", ALONE, StopFlag()):
        pass
    assert set(threading.enumerate()) == before
