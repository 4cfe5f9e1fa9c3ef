"""A Whisper model transcribes as any other, where the engine for it is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipelines.cli import main
from seq2seq_core.inference.manifest import load_transcription
from tests.extras import as_if, packages_of
from tests.processes import tree
from tests.tone_speech import talk, tree_of, write


@pytest.fixture(scope="module")
def talks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short recording, and one of several chunks at another rate."""
    folder = tmp_path_factory.mktemp("talks")
    write(folder / "short.wav", talk(2, seed=1))
    write(folder / "long.wav", talk(8, seed=2, rate=22_050, pauses=False))
    return folder


def words(model: Path, inputs: Path, output: Path, *more: str) -> list[str]:
    found = ["transcribe", "--model", str(model), "--input", str(inputs), "--output", str(output)]
    found += ["--voice.method", "energy", "--search.beam", "2", "--search.max_length_ratio", "0.1"]
    return [*found, "--gate.max_loss", "null", "--gate.no_speech", "1", *more]


ENGINE = ("--engine.kind", "whisper", "--engine.device", "cpu", "--engine.compute_type", "float32")


def test_recordings_are_transcribed(whisper: Any, talks: Path, tmp_path: Path) -> None:
    call = [*ENGINE, "--engine.language", "en", "--format", "[json, srt]"]
    assert main(words(whisper.converted, talks, tmp_path / "out", *call)) == 0
    for name, seconds in (("short", 2.0), ("long", 8.0)):
        found = json.loads((tmp_path / "out" / f"{name}.json").read_bytes())
        said = [word for segment in found["segments"] for word in segment["words"]]
        assert said
        assert all(0 <= word["begin"] <= word["end"] <= seconds + 0.001 for word in said)
        assert "-->" in (tmp_path / "out" / f"{name}.srt").read_text()
    manifest = load_transcription(str(tmp_path / "out"))
    assert (manifest.records_out, manifest.failed, manifest.model.lineage) == (2, 0, None)
    assert "ctranslate2" in manifest.software
    again = ["--engine.max_batch_chunks", "1", "--unit_seconds", "10", "--engine.threads", "1"]
    assert main(words(whisper.converted, talks, tmp_path / "again", *call, *again)) == 0
    names = [name for name in tree(tmp_path / "out") if name.endswith((".json", ".srt")) and "/" not in name]
    for name in set(names) - {"output.json"}:
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()
    before = tree(tmp_path / "out")
    assert main(words(whisper.converted, talks, tmp_path / "out", *call)) == 0
    assert tree_of(tree(tmp_path / "out")) == tree_of(before)


def test_the_usual_engine_says_which_one_it_is_for(
    whisper: Any, talks: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words(whisper.converted, talks, tmp_path / "out")) == 1
    assert "the model is for another engine" in (told := capsys.readouterr().err)
    assert "Say --engine.kind whisper." in told
    assert main(words(whisper.folder, talks, tmp_path / "out")) == 1
    assert "the model is none of this project" in capsys.readouterr().err
    assert main(words(whisper.folder, talks, tmp_path / "out", *ENGINE)) == 1
    assert "ct2-transformers-converter --model FOLDER" in capsys.readouterr().err


def test_what_to_install_is_told_where_the_library_is_missing(whisper: Any, talks: Path, tmp_path: Path) -> None:
    call = [*words(whisper.converted, talks, tmp_path / "out", *ENGINE), "--", "--direct_num_workers=1"]
    assert "ctranslate2" in packages_of("ctranslate2") - packages_of("transcribe")
    done = as_if("transcribe").run(call)
    assert done.codes == [2], done.errors
    assert "no module ctranslate2" in done.errors
    assert "pip install 'seq2seq" in done.errors
