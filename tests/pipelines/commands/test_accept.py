from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.cli import main
from seq2seq_core.claims import held
from seq2seq_core.models.card import read_card, verify_model
from tests.model_folders import write_model_folder


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def accept(model: Path, output: Path) -> int:
    return main(["accept", "--model", str(model), "--output", str(output)])


def test_the_accepted_model_replaces_the_old_one(
    tmp_path: Path, echo_tokenizer: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    card = write_model_folder(tmp_path / "a", echo_tokenizer, step=1)
    write_model_folder(tmp_path / "b", echo_tokenizer, step=2)
    in_use = tmp_path / "in_use"
    assert accept(tmp_path / "a", in_use) == 0
    assert files(in_use) == files(tmp_path / "a")
    assert verify_model(str(in_use)).digest == card.digest
    assert card.digest in capsys.readouterr().out
    assert accept(tmp_path / "b", in_use) == 0
    found, lineage = read_card(str(in_use))
    assert (lineage.step, found.digest) == (2, read_card(str(tmp_path / "b"))[0].digest)
    verify_model(str(in_use))
    assert len(files(in_use)) == len(files(tmp_path / "b"))
    before = files(in_use)
    assert accept(tmp_path / "b", in_use) == 0
    assert files(in_use) == before


def test_the_old_model_stays_where_the_new_one_is_none(tmp_path: Path, echo_tokenizer: bytes) -> None:
    write_model_folder(tmp_path / "in_use", echo_tokenizer, step=1)
    damaged = write_model_folder(tmp_path / "new", echo_tokenizer, step=2)
    (tmp_path / "new" / damaged.weights.path).write_bytes(b"cut")
    before = files(tmp_path / "in_use")
    assert accept(tmp_path / "new", tmp_path / "in_use") == 1
    assert accept(tmp_path / "nowhere", tmp_path / "in_use") == 1
    assert files(tmp_path / "in_use") == before


def test_files_of_others_stay(tmp_path: Path, echo_tokenizer: bytes) -> None:
    write_model_folder(tmp_path / "new", echo_tokenizer)
    (tmp_path / "in_use").mkdir()
    (tmp_path / "in_use" / "model.safetensors").write_text("mine")
    assert accept(tmp_path / "new", tmp_path / "in_use") == 1
    assert files(tmp_path / "in_use") == {"model.safetensors": b"mine"}


def test_two_at_a_time_are_refused(tmp_path: Path, echo_tokenizer: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    write_model_folder(tmp_path / "new", echo_tokenizer)
    with held(str(tmp_path / "in_use"), "another model", "acceptance"):
        assert accept(tmp_path / "new", tmp_path / "in_use") == 1
    assert "another acceptance is under way here" in capsys.readouterr().err
    assert accept(tmp_path / "new", tmp_path / "in_use") == 0
