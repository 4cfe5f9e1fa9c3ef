from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipelines.cli import main


def write(path: Path, text: str) -> str:
    path.write_text(text)
    return str(path)


def rows(path: Path, *values: dict[str, Any]) -> str:
    return write(path, "".join(json.dumps(value) + "\n" for value in values))


def score(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["score", *words]) == 0
    return capsys.readouterr().out


def test_text_by_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = ["--hypotheses", write(tmp_path / "h", "a b c d\n"), "--references", write(tmp_path / "r", "a b c d\n")]
    assert score(capsys, *files).startswith("BLEU   100.00")
    assert json.loads(score(capsys, *files, "--json_output"))["exact_match"] == 1.0


def test_text_by_id(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hypotheses = rows(tmp_path / "h.jsonl", {"id": "b", "text": "a b c d"})
    references = rows(tmp_path / "r.jsonl", {"id": "a", "text": "w x y z"}, {"id": "b", "text": "a b c d"})
    files = ["--hypotheses", hypotheses, "--references", references]
    found = score(capsys, *files)
    assert "50.00  % of 2 segments" in found
    assert "1 segments have no hypothesis, and count as empty ones" in found
    assert json.loads(score(capsys, *files, "--json_output"))["missing"] == ["a"]


def test_transcripts_by_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = ["--hypotheses", write(tmp_path / "h", "one, TWO\nthree\n")]
    files += ["--references", write(tmp_path / "r", "One two.\nfour\n"), "--task", "asr", "--language", "en"]
    assert score(capsys, *files).startswith("WER   33.33 %  wer|norm:standard.1|lang:en|jiwer:")
    assert json.loads(score(capsys, *files, "--json_output"))["words"]["substitutions"] == 1
    none = json.loads(score(capsys, *files, "--json_output", "--normalization", "none"))
    assert none["words"]["substitutions"] == 3
    speakers = write(tmp_path / "s", "ann\nbob\n")
    found = json.loads(score(capsys, *files, "--json_output", "--speakers", speakers))["speakers"]
    assert (found["ann"]["wer"], found["bob"]["wer"]) == (0.0, 100.0)


def test_transcripts_by_id(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hypotheses = write(tmp_path / "h.tsv", "file\ttext\nb.wav\tone two\n")
    references = rows(
        tmp_path / "r.jsonl",
        {"audio_filepath": "x/a.flac", "text": "three", "speaker": "ann"},
        {"audio_filepath": "x/b.flac", "text": "one two", "speaker": "bob"},
    )
    found = score(capsys, "--task", "asr", "--hypotheses", hypotheses, "--references", references)
    assert found.startswith("WER   33.33 %")
    assert "without a hypothesis, and counted as empty\n  x/a.flac" in found
    assert "by speaker" in found


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--language", "english"], "language: no language has the code 'english'"),
        (["--task", "speech"], "task"),
        (["--hypotheses", "none.txt"], "none.txt"),
    ],
)
def test_what_is_wrong_is_said(
    words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = ["--hypotheses", write(tmp_path / "h", "a\n"), "--references", write(tmp_path / "r", "a\n")]
    assert main(["score", *files, *words]) == 2 if "none.txt" not in words else True
    if "none.txt" in words:
        assert main(["score", *files[2:], *words]) == 1
    assert message in capsys.readouterr().err
