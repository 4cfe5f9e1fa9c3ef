from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import safetensors.torch
import torch

from seq2seq_core import storage
from seq2seq_core.config import build
from seq2seq_core.errors import CheckpointError, ClaimError, ConfigError
from seq2seq_core.training.checkpoints.checkpoint import (
    MARKER_NAME,
    MODEL_FILE,
    OPTIMIZER_FILE,
    CheckpointConfig,
    Checkpoints,
    Retention,
)
from seq2seq_core.training.checkpoints.run_state import RunState, Validation
from tests.processes import tree

IDENTITY, OTHER = {"seed": 1}, {"seed": 2}
ALL = Retention(last=100, best=1, scores={})


def files(value: float) -> dict[str, dict[str, torch.Tensor]]:
    return {MODEL_FILE: {"w": torch.full((3, 2), value), "n": torch.tensor(7)}}


def saved(root: str, *steps: int, retention: Retention = ALL) -> Checkpoints:
    checkpoints = Checkpoints(root, IDENTITY)
    for step in steps:
        checkpoints.save(files(float(step)), RunState(step=step, position=step), retention)
    checkpoints.wait()
    return checkpoints


@pytest.mark.parametrize("scheme", ["local", "memory"])
def test_what_is_saved_is_read_back(tmp_path: Path, scheme: str) -> None:
    root = str(tmp_path / "checkpoints") if scheme == "local" else f"memory://{tmp_path.name}/checkpoints"
    checkpoints = saved(root, 5, 10)
    assert checkpoints.steps() == [5, 10]
    marker = checkpoints.marker(10)
    assert marker.progress == RunState(step=10, position=10)
    assert marker.identity == {"seed": 1}
    tensors = dict(checkpoints.tensors(10, MODEL_FILE))
    assert torch.equal(tensors["w"], torch.full((3, 2), 10.0))
    assert tensors["n"].item() == 7


def test_saving_copies_so_that_training_may_go_on(tmp_path: Path) -> None:
    checkpoints, weights = Checkpoints(str(tmp_path), IDENTITY), torch.ones(4)
    checkpoints.save({MODEL_FILE: {"w": weights}}, RunState(step=1), ALL)
    weights.zero_()
    checkpoints.wait()
    assert torch.equal(dict(checkpoints.tensors(1, MODEL_FILE))["w"], torch.ones(4))


def leave_unfinished(folder: Path, kind: str) -> None:
    """What a kill leaves of a checkpoint at some moment of its writing or removal."""
    if kind != "before the marker":
        (folder / MODEL_FILE).unlink()
    if kind == "in the first file":
        (folder / f".{MODEL_FILE}.{'0' * 32}.tmp").write_bytes(b"half")
    (folder / MARKER_NAME).unlink()


@pytest.mark.parametrize("kind", ["before the marker", "in the first file", "nothing but the folder"])
def test_what_a_kill_leaves_is_no_checkpoint_and_is_swept(tmp_path: Path, kind: str) -> None:
    checkpoints = saved(str(tmp_path), 5, 10)
    leave_unfinished(tmp_path / "step-00000010", kind)
    (tmp_path / "step-00000005" / f".{MARKER_NAME}.{'0' * 32}.tmp").write_text("{")
    (tmp_path / "notes").mkdir()
    assert checkpoints.steps() == [5]
    checkpoints.sweep()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notes", "step-00000005"]
    assert sorted(path.name for path in (tmp_path / "step-00000005").iterdir()) == [MARKER_NAME, MODEL_FILE]


@pytest.mark.parametrize("owner", ["another run", "nobody"])
def test_an_unfinished_checkpoint_that_is_not_ours_is_refused_and_stays(tmp_path: Path, owner: str) -> None:
    saved(str(tmp_path), 10)
    (tmp_path / "step-00000010" / MARKER_NAME).unlink()
    path = tmp_path / "step-00000010" / MODEL_FILE
    if owner == "nobody":
        path.write_bytes(safetensors.torch.save({"w": torch.ones(2)}))
    before = path.read_bytes()
    other = Checkpoints(str(tmp_path), OTHER if owner == "another run" else IDENTITY)
    with pytest.raises(CheckpointError, match=r"step-00000010/model\.safetensors: an unfinished checkpoint of another"):
        other.sweep()
    other.save(files(1.0), RunState(step=10), ALL)
    with pytest.raises(CheckpointError, match="an unfinished checkpoint of another run"):
        other.wait()
    assert path.read_bytes() == before


def test_a_checkpoint_of_another_run_is_neither_read_nor_replaced_nor_pruned(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    saved(str(tmp_path), 10, 20)
    before = tree(tmp_path)
    ours = Checkpoints(str(tmp_path), OTHER)
    assert (ours.present(), ours.steps()) == ([10, 20], [])
    with pytest.raises(
        CheckpointError, match=r"those of another run: seed differs; found seed = 1 .* expected seed = 2"
    ):
        dict(ours.tensors(10, MODEL_FILE))
    ours.save(files(1.0), RunState(step=10), ALL)
    with pytest.raises(CheckpointError, match="seed differs"):
        ours.wait()
    ours.record(RunState(step=20, position=9), ALL)
    with pytest.raises(CheckpointError, match="seed differs"):
        ours.wait()
    ours.sweep()
    assert sum("it is not of this run" in message for message in caplog.messages) == 2
    for step in (30, 40):
        ours.save(files(2.0), RunState(step=step), Retention(last=1, best=1, scores={10: (9.0, 0.0), 40: (1.0, 0.0)}))
    ours.wait()
    assert ours.steps() == [40]
    assert {name: data for name, data in tree(tmp_path).items() if "40" not in name} == before


def test_files_of_others_in_the_folder_of_a_checkpoint_stay(tmp_path: Path) -> None:
    checkpoints = saved(str(tmp_path), 10)
    (tmp_path / "step-00000010" / "notes.txt").write_text("keep")
    (tmp_path / "step-0000000010").mkdir()
    checkpoints.save(files(1.0), RunState(step=20), Retention(last=1, best=1, scores={}))
    checkpoints.wait()
    assert tree(tmp_path / "step-00000010") == {"notes.txt": b"keep"}
    assert checkpoints.present() == [20]
    assert (tmp_path / "step-0000000010").is_dir()


def test_a_marker_says_more_without_its_tensors_being_written_anew(tmp_path: Path) -> None:
    checkpoints = saved(str(tmp_path), 10, 20)
    inode = (tmp_path / "step-00000020" / MODEL_FILE).stat().st_ino
    validation = Validation(step=20, epoch=0, loss=math.inf, bleu=math.nan, seconds=1.0)
    more = RunState(step=20, position=20, validations=(validation,))
    checkpoints.record(more, Retention(last=1, best=1, scores={}))
    checkpoints.wait()
    assert (tmp_path / "step-00000020" / MODEL_FILE).stat().st_ino == inode
    (found,) = checkpoints.marker(20).progress.validations
    assert found.loss == math.inf
    assert found.bleu is not None
    assert math.isnan(found.bleu)
    assert checkpoints.steps() == [20]
    json.loads((tmp_path / "step-00000020" / MARKER_NAME).read_text(), parse_constant=pytest.fail)
    assert torch.equal(dict(checkpoints.tensors(20, MODEL_FILE))["w"], torch.full((3, 2), 20.0))


def test_a_checkpoint_that_was_removed_meanwhile_is_no_error(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    checkpoints = Checkpoints(str(tmp_path), IDENTITY)
    checkpoints.record(RunState(step=20), ALL)
    checkpoints.wait()
    assert "was removed meanwhile" in caplog.text


def test_nothing_is_written_once_the_folder_is_another_run_s(tmp_path: Path) -> None:
    def refuse() -> None:
        raise ClaimError("another training is under way here")

    checkpoints = Checkpoints(str(tmp_path), IDENTITY, refuse)
    for act in (
        lambda: checkpoints.save(files(1.0), RunState(step=1), ALL),
        lambda: checkpoints.record(RunState(), ALL),
    ):
        act()
        with pytest.raises(ClaimError, match="another training"):
            checkpoints.wait()
    assert tree(tmp_path) == {}


def test_the_latest_and_the_best_stay(tmp_path: Path) -> None:
    retention = Retention(last=2, best=2, scores={1: (9.0, 0.0), 2: (5.0, 0.0), 3: (9.0, 0.0), 4: (1.0, 0.0)})
    assert saved(str(tmp_path), 1, 2, 3, 4, 5, 6, retention=retention).steps() == [1, 3, 5, 6]


def test_changed_bytes_are_noticed(tmp_path: Path) -> None:
    checkpoints = saved(str(tmp_path), 5)
    path = tmp_path / "step-00000005" / MODEL_FILE
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match="not the one that was saved"):
        dict(checkpoints.tensors(5, MODEL_FILE))


@pytest.mark.parametrize("name", [MODEL_FILE, OPTIMIZER_FILE])
def test_a_missing_file_is_told_with_the_same_advice(tmp_path: Path, name: str) -> None:
    checkpoints = Checkpoints(str(tmp_path), IDENTITY)
    checkpoints.save({**files(1.0), OPTIMIZER_FILE: {"m/w": torch.ones(2)}}, RunState(step=5), ALL)
    checkpoints.wait()
    (tmp_path / "step-00000005" / name).unlink()
    with pytest.raises(
        CheckpointError, match=rf"{name}: a file of the checkpoint is missing\. Remove this checkpoint's"
    ):
        dict(checkpoints.tensors(5, name))


def test_a_file_that_the_marker_does_not_name_is_not_read(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"has no such file; found model\.safetensors"):
        dict(saved(str(tmp_path), 5).tensors(5, OPTIMIZER_FILE))


@pytest.mark.parametrize(
    "data", [b"{", json.dumps({"format_version": 1}).encode(), b"[]", b"\0" * 9, b"\xff", b"[" * 9999]
)
def test_a_damaged_marker_is_named(tmp_path: Path, data: bytes) -> None:
    checkpoints = saved(str(tmp_path), 5, 10)
    (tmp_path / "step-00000005" / MARKER_NAME).write_bytes(data)
    with pytest.raises(CheckpointError, match=r"step-00000005/checkpoint\.json.*Remove this checkpoint's folder"):
        checkpoints.marker(5)
    assert checkpoints.steps() == [10]


def test_the_marker_of_another_step_is_none(tmp_path: Path) -> None:
    checkpoints = saved(str(tmp_path), 5)
    (tmp_path / "step-00000005").rename(tmp_path / "step-00000050")
    with pytest.raises(CheckpointError, match="the marker of step 5"):
        checkpoints.marker(50)


def test_an_error_of_the_background_writing_comes_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(url: str, data: bytes) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(storage, "publish_bytes", refuse)
    checkpoints = Checkpoints(str(tmp_path), IDENTITY)
    checkpoints.save(files(1.0), RunState(step=1), ALL)
    with pytest.raises(OSError, match="disk full"):
        checkpoints.wait()
    assert not checkpoints.has_failed
    assert checkpoints.steps() == []


def test_more_averaged_than_kept_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"average.count \(5\) is more than keep_last \(2\)"):
        build(CheckpointConfig, {"keep_last": 2, "average": {"count": 5, "of": "last"}})
    build(CheckpointConfig, {"keep_last": 2, "average": {"count": 5, "of": "best"}})
