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


def test_text_without_case_and_beside_a_baseline(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = ["--hypotheses", write(tmp_path / "h", "A b c d\n"), "--references", write(tmp_path / "r", "a b c d\n")]
    files += ["--baseline", write(tmp_path / "b", "w x y z\n"), "--resamples", "20"]
    assert "BLEU lc 100.00  nrefs:1|case:lc|" in score(capsys, *files)
    found = json.loads(score(capsys, *files, "--json_output"))
    assert found["bleu_lowercase"]["bleu"] > 99
    assert [one["name"] for one in found["differences"]] == ["BLEU", "chrF2"]
    assert "bleu_lowercase" not in json.loads(score(capsys, *files, "--json_output", "--lowercase", "true"))
    (tmp_path / "b").write_text("w\nx\n")
    assert main(["score", *files]) == 1
    assert "lines of the baseline and references do not match; found 2 lines of" in capsys.readouterr().err


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


@pytest.mark.parametrize(
    ("bar", "code"),
    [
        ({"minimum.bleu": 100, "minimum.chrf": 100, "minimum.exact": 100}, 0),
        ({"minimum.bleu": 30, "task": "text"}, 0),
        ({"maximum.wer": 10}, 2),
        ({"minimum.bleu": 101}, 2),
        ({"minimum.wer": 10}, 2),
    ],
)
def test_a_bar_for_texts(bar: dict[str, object], code: int, tmp_path: Path) -> None:
    files = ["--hypotheses", write(tmp_path / "h", "a b c d\n"), "--references", write(tmp_path / "r", "a b c d\n")]
    words = [word for name, value in bar.items() for word in (f"--{name}", str(value))]
    assert main(["score", *files, *words]) == code


def test_what_misses_the_bar_is_shown_and_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [
        "--hypotheses",
        write(tmp_path / "h", "a b c d\nx\n"),
        "--references",
        write(tmp_path / "r", "a b c d\ny\n"),
    ]
    assert main(["score", *files, "--minimum.exact", "50"]) == 0
    assert main(["score", *files, "--minimum.exact", "50.1", "--json_output"]) == 4
    told = capsys.readouterr()
    assert json.loads(told.out.splitlines()[-1])["exact_match"] == 0.5
    assert told.err == "seq2seq: exact: not good enough; found 50; expected 50.1 or more\n"


def test_a_bar_for_transcripts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = ["--hypotheses", write(tmp_path / "h", "one two\n"), "--references", write(tmp_path / "r", "one three\n")]
    assert main(["score", "--task", "asr", *files, "--maximum.wer", "50"]) == 0
    assert main(["score", "--task", "asr", *files, "--maximum.wer", "49"]) == 4
    assert main(["score", "--task", "asr", *files, "--maximum.wer", "50", "--maximum.cer", "1"]) == 4
    assert main(["score", "--task", "asr", *files, "--minimum.bleu", "50"]) == 2
    assert "minimum.bleu is no score of task asr" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("task", "bar"), [("text", "minimum.rouge1"), ("asr", "minimum.bleu"), ("summarization", "maximum.wer")]
)
def test_a_bar_is_of_the_task(task: str, bar: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["score", "--task", task, "--hypotheses", "a", "--references", "b", f"--{bar}", "5"]) == 2
    assert f"{bar} is no score of task {task}" in capsys.readouterr().err
