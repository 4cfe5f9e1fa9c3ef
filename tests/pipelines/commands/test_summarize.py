"""Texts through a model that says what it reads: how they are cut, and what their parts become."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipelines.cli import main
from pipelines.commands import summarize, translate
from seq2seq_core import config as configuration
from seq2seq_core.inference.answering import answer
from seq2seq_core.inference.translator_config import load_translator

TEXT = " ".join(f"Here is the sentence number {number}." for number in range(12))
ROWS = [{"text": "One is short.\nIt has two lines."}, {"text": TEXT}]


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return path


def summed_up(model: str, inputs: Path, output: Path, **segmentation: Any) -> list[dict[str, Any]]:
    values = {"model": model, "input": [str(inputs)], "output": str(output), "engine": {"kind": "echo"}}
    values |= {"segmentation": segmentation, "include": ["segments", "overlong"]}
    translate.run(configuration.build(summarize.SummarizeConfig, values))
    (file,) = output.glob("a-*.jsonl")
    return [json.loads(line) for line in file.read_text().splitlines()]


@pytest.mark.parametrize("parts", ["join", "combine", "first"])
def test_a_long_text_is_read_in_parts(echo_model: str, inputs: Path, tmp_path: Path, parts: str) -> None:
    short, long = summed_up(echo_model, inputs, tmp_path / parts, parts=parts, max_segment_pieces=60)
    assert (short["summary"].split(), short["summary_segments"]) == (ROWS[0]["text"].split(), 1)
    if parts == "first":
        assert TEXT.startswith(long["summary"])
        assert 30 < len(long["summary"]) < len(TEXT)
        assert (long["summary_segments"], long["summary_overlong"]) == (1, True)
    else:
        assert long["summary"] == TEXT
        assert long["summary_segments"] > 2
        assert not long["summary_overlong"]


def test_the_command(echo_model: str, inputs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--model", echo_model, "--engine.kind", "echo", "--input", str(inputs), "--output", str(tmp_path / "out")]
    assert main(["summarize", *words]) == 0
    assert "2 records of 1 units summarized to" in capsys.readouterr().out
    inputs.write_text('{"text": "one"}\n{"text": 3}\n')
    assert main(["summarize", *words]) == 3
    assert "1 of 2 records were not summarized; their places are kept" in capsys.readouterr().err


def test_a_file_is_one_text_where_that_is_asked_for(echo_model: str, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text(f"\n{TEXT}\n\n{TEXT}\n")
    (tmp_path / "in" / "b").write_text("A short one.\n")
    values: dict[str, Any] = {"model": echo_model, "input": [str(tmp_path / "in")], "output": str(tmp_path / "out")}
    values["format"] = "one_text"
    values |= {"engine": {"kind": "echo"}, "segmentation": {"parts": "first", "max_segment_pieces": 60}}
    job = translate.make_job(configuration.build(summarize.SummarizeConfig, values))
    *_, manifest = answer(job, load_translator(job.translator))
    assert manifest is not None
    assert manifest.records_out == 2
    found = (tmp_path / "out" / "a.txt").read_text()
    assert found.startswith("\nHere is the sentence number 0.")
    assert found.endswith(".\n")
    assert len(found) < len(TEXT)
    assert (tmp_path / "out" / "b").read_text() == "A short one.\n"
