"""Processes beside this one translate what this one alone would, byte by byte, and what fails there is told here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipelines.cli import main
from pipelines.commands import translate
from seq2seq_core.engines.echo import EchoEngineConfig
from seq2seq_core.engines.interface import SideBySide
from seq2seq_core.tokenizer.training import TokenizerConfig, train
from tests.model_folders import write_model_folder

TEXTS = ["a small cat sat.", "the dog ran fast!", "one, two and three?", ""]


@pytest.fixture(params=[SideBySide(2), SideBySide(1, 2)], ids=["two", "one, two units at a time"])
def in_processes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """However small the input."""
    monkeypatch.setattr(translate, "_SMALL_BYTES", 0)
    monkeypatch.setattr(EchoEngineConfig, "side_by_side", lambda *_: request.param)


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    """Of the command line, without the output."""
    model = tmp_path / "model"
    write_model_folder(model, train(iter(TEXTS[:3] * 5), TokenizerConfig(vocabulary_size=310, type="bpe")))
    documents = tmp_path / "documents.txt"
    documents.write_text("".join(f"{number} {TEXTS[number % 4]}\n" for number in range(50)))
    return ["--model", str(model), "--input", str(documents), "--engine.kind", "echo", "--unit_records", "20"]


def outputs(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.txt"))}


@pytest.mark.usefixtures("in_processes")
def test_the_bytes_are_those_of_one_process(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["translate", *words, "--output", str(tmp_path / "many")]) == 0
    assert main(["translate", *words, "--output", str(tmp_path / "one"), "--", "--direct_num_workers=1"]) == 0
    many, one = outputs(tmp_path / "many"), outputs(tmp_path / "one")
    assert many == one
    assert len(many) == 3
    manifests = [json.loads((tmp_path / name / "output.json").read_bytes()) for name in ("many", "one")]
    assert manifests[0]["fingerprint"] == manifests[1]["fingerprint"]
    capsys.readouterr()
    assert main(["translate", *words, "--output", str(tmp_path / "many")]) == 0
    assert "3 units were finished before" in capsys.readouterr().out


@pytest.mark.usefixtures("in_processes")
def test_what_fails_is_told(words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path(words[words.index("--input") + 1]).write_text("a\n" * 30)
    model = Path(words[words.index("--model") + 1])
    (model / "tokenizer" / "joint.model").write_bytes(b"damaged")
    assert main(["translate", *words, "--output", str(tmp_path / "out")]) == 1
    assert "a file of the model is damaged" in capsys.readouterr().err
