from __future__ import annotations

from pathlib import Path

import pytest

from pipelines import report
from seq2seq_core import config as configuration
from seq2seq_core.errors import ConfigError, InputError
from seq2seq_core.report.data import Example


def rows(count: int) -> list[Example]:
    return [Example(str(i), str(i), str(i)) for i in range(count)]


def test_examples_are_spread_over_all_rows() -> None:
    assert [row.source for row in report.spread(rows(101), 5)] == ["0", "25", "50", "75", "100"]
    assert len(report.spread(rows(3), 10)) == 3
    assert report.spread(rows(3), 0) == ()
    assert report.spread([], 10) == ()


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
