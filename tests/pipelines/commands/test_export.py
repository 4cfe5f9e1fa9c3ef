"""`seq2seq export` writes a folder that runs by itself, and touches nothing of anybody's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipelines.cli import main
from seq2seq_core.engines.ctranslate2_engine import CTranslate2EngineConfig
from tests.small_models import small_model


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return small_model(tmp_path_factory.mktemp("model"))


def export(model: str, output: Path, *words: str) -> int:
    return main(["export", "--model", model, "--output", str(output), *words])


def test_an_exported_model_translates_as_the_model_does(
    model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    exported = tmp_path / "exported"
    assert export(model, exported, "--to", "ctranslate2") == 0
    assert "weights in float32" in capsys.readouterr().out
    documents = tmp_path / "a.txt"
    documents.write_text("a small cat sat.\nthe dog ran fast!\n\none, two and three?\n")
    said = {}
    for name, words in {
        "torch": [model],
        "own": [model, "--engine.kind", "ctranslate2"],
        "auto": [str(exported)],
    }.items():
        where = ["--output", str(tmp_path / name), "--input", str(documents), "--search.beam", "1"]
        kind = ["--engine.kind", "auto"] if name == "auto" else []
        assert main(["translate", "--model", *words, *kind, *where]) == 0
        (output,) = (tmp_path / name).glob("*.txt")
        said[name] = output.read_text()
    assert said["torch"] == said["own"] == said["auto"]
    manifests = {name: json.loads((tmp_path / name / "output.json").read_bytes()) for name in said}
    assert manifests["own"]["model"]["digest"] == manifests["torch"]["model"]["digest"]
    assert manifests["auto"]["model"]["digest"] != manifests["torch"]["model"]["digest"]
    assert manifests["auto"]["model"]["lineage"] == manifests["torch"]["model"]["lineage"]
    assert manifests["auto"]["configuration"]["engine"]["kind"] == "ctranslate2"
    assert "ctranslate2" in manifests["auto"]["software"]
    assert len({manifest["fingerprint"] for manifest in manifests.values()}) == 3


def test_an_export_replaces_another_and_no_files_of_others(model: str, tmp_path: Path) -> None:
    assert export(model, tmp_path / "out") == 0
    assert export(model, tmp_path / "out", "--quantization", "int8") == 0
    facts = json.loads((tmp_path / "out" / "seq2seq.json").read_text())
    assert facts["quantization"] == "int8"
    other = tmp_path / "other"
    other.mkdir()
    (other / "notes.txt").write_text("mine")
    assert export(model, other) != 0
    assert [path.name for path in other.iterdir()] == ["notes.txt"]


def test_what_cannot_be_exported_is_told(model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert export(model, tmp_path / "a", "--to", "torch") == 2
    assert "to: models are not exported to it; found torch; expected ctranslate2" in capsys.readouterr().err
    assert export(model, tmp_path / "b") == 0
    assert export(str(tmp_path / "b"), tmp_path / "c") == 2
    assert "in this form already" in capsys.readouterr().err
    assert export(str(tmp_path / "none"), tmp_path / "d") != 0
    assert not (tmp_path / "d").exists()


def test_an_engine_without_a_form_says_so(model: str, tmp_path: Path) -> None:
    from seq2seq_core.engines.echo import EchoEngineConfig
    from seq2seq_core.errors import ConfigError

    with pytest.raises(ConfigError, match="not exported to it"):
        EchoEngineConfig().export(model, str(tmp_path / "e"))
    assert CTranslate2EngineConfig.exports
