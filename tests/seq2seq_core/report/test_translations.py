from __future__ import annotations

from pathlib import Path

import pytest

from seq2seq_core.errors import InputError
from seq2seq_core.report.data import Example
from seq2seq_core.report.translations import read_translations, spread


def rows(count: int) -> list[Example]:
    return [Example(str(i), str(i), str(i)) for i in range(count)]


def test_examples_are_spread_over_all_rows() -> None:
    assert [row.source for row in spread(rows(101), 5)] == ["0", "25", "50", "75", "100"]
    assert len(spread(rows(3), 10)) == 3
    assert spread(rows(3), 0) == ()
    assert spread([], 10) == ()


def files(folder: Path, **texts: str) -> list[list[str]]:
    for name, text in texts.items():
        (folder / name).write_text(text)
    return [[str(folder / name)] for name in texts]


def test_a_test_set_has_scores_and_rows(tmp_path: Path) -> None:
    found = read_translations(*files(tmp_path, sources="a\nb\n", hypotheses="x\ny\n", references="x\nz\n"))
    assert found.rows == (Example("a", "x", "x"), Example("b", "y", "z"))
    (table,) = found.scores
    assert table.title == "2 segments"
    assert [(score.name, score.value) for score in table.scores if score.unit] == [("Exact match", 50.0)]
    assert read_translations((), (), ()) == ((), ())


def test_files_that_do_not_match_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="3 sources; expected 2"):
        read_translations(*files(tmp_path, sources="a\nb\nc\n", hypotheses="x\ny\n", references="x\ny\n"))
