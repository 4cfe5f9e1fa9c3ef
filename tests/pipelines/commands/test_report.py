from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipelines.cli import main
from pipelines.commands import report
from seq2seq_core import config as configuration
from seq2seq_core.errors import ConfigError, ForeignFileError, InputError, StorageError


def write(folder: Path, **texts: str) -> report.ReportConfig:
    for name, text in texts.items():
        (folder / name).write_text(text)
    files = {name: [str(folder / name)] for name in texts}
    return configuration.build(report.ReportConfig, {"output": str(folder / "report.html"), **files})


def test_translations_alone_make_a_page(tmp_path: Path) -> None:
    config = write(tmp_path, sources="a\n<b>\n", hypotheses="x\ny & z\n", references="x\ny\n")
    examples = report.write(config)
    page = (tmp_path / "report.html").read_text()
    assert [example.is_exact for example in examples] == [True, False]
    assert "&lt;b&gt;" in page
    assert "50.0" in page  # half of them are exact
    assert "tok:13a" in page
    assert "<script" not in page


def test_files_of_different_lengths_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="1 hypotheses; expected 2"):
        report.write(write(tmp_path, sources="a\nb\n", hypotheses="x\n", references="x\ny\n"))
    with pytest.raises(InputError, match="3 sources; expected 2"):
        report.write(write(tmp_path, sources="a\nb\nc\n", hypotheses="x\ny\n", references="x\ny\n"))
    assert not (tmp_path / "report.html").exists()


def test_translations_come_with_sources_and_references(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="belong together; found no sources, references"):
        write(tmp_path, hypotheses="x\n")


def test_the_command_says_where_the_page_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, sources="a\n", hypotheses="x\n", references="x\n")
    words = [f"--{name}={tmp_path / name}" for name in ("sources", "hypotheses", "references")]
    assert main(["report", "--output", str(tmp_path / "r.html"), *words]) == 0
    assert capsys.readouterr().out == f"{tmp_path}/r.html is written\n"


@pytest.mark.parametrize("theirs", ["a line of mine\n", "<html><head><title>mine</title></head></html>", ""])
def test_a_page_replaces_a_page_of_ours_and_no_other_file(tmp_path: Path, theirs: str) -> None:
    config = write(tmp_path, sources="a\n", hypotheses="x\n", references="x\n")
    Path(config.output).write_text(theirs)
    with pytest.raises(ForeignFileError, match=r"report\.html: a file that this program has not written stands where"):
        report.write(config)
    assert Path(config.output).read_text() == theirs
    Path(config.output).unlink()
    report.write(config)
    report.write(config.model_copy(update={"title": "another"}))
    assert "another" in Path(config.output).read_text()


def test_a_page_goes_into_no_pipe(tmp_path: Path) -> None:
    config = write(tmp_path, sources="a\n", hypotheses="x\n", references="x\n")
    os.mkfifo(config.output)
    with pytest.raises(StorageError, match="a pipe stands here"):
        report.write(config)


def test_transcripts_make_a_page_of_error_rates(tmp_path: Path) -> None:
    (tmp_path / "h.jsonl").write_text('{"id": "u2", "text": "Three."}\n{"id": "u1", "text": "one <b>"}\n')
    (tmp_path / "r.jsonl").write_text('{"id": "u1", "text": "one two"}\n{"id": "u2", "text": "three"}\n')
    files = {"hypotheses": [str(tmp_path / "h.jsonl")], "references": [str(tmp_path / "r.jsonl")]}
    values = {"output": str(tmp_path / "r.html"), "task": "asr", "language": "en"}
    examples = report.write(configuration.build(report.ReportConfig, {**values, **files}))
    assert [(example.source, example.reference) for example in examples] == [("u1", "one two"), ("u2", "three")]
    page = (tmp_path / "r.html").read_text()
    assert "33.3" in page
    assert "wer|norm:standard.1|lang:en|" in page
    assert "one &lt;b&gt;" in page
    assert "BLEU" not in page


@pytest.mark.parametrize(
    ("given", "message"),
    [(["sources"], "sources are for text that was translated"), (["hypotheses"], "belong together; found no ref")],
)
def test_transcripts_have_no_sources_but_references(given: list[str], message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        configuration.build(report.ReportConfig, {"output": "x", "task": "asr", **{key: ["a"] for key in given}})
