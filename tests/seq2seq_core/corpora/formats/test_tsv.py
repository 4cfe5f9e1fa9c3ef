"""The header of a file of tab-separated columns: what is wrong with it is told before any row is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from seq2seq_core.corpora.cutting import index_source
from seq2seq_core.errors import InputError

LIMIT = 10_000


def test_a_header_without_the_column_lists_those_there(tmp_path: Path, reading: Any) -> None:
    (tmp_path / "c.tsv").write_text("en\tde\nx\ty\n")
    source = reading.source(path=str(tmp_path / "c.tsv"), source_field="en", target_field="fr")
    with pytest.raises(InputError, match=r"c\.tsv, line 1: no column 'fr'; found columns en, de"):
        index_source(source, 10, LIMIT)


def test_a_header_with_a_column_twice_is_refused_where_it_is_asked_for(tmp_path: Path, reading: Any) -> None:
    (tmp_path / "c.tsv").write_text("en\tde\tde\ta.b\ta\n1\t2\t3\t4\t5\n")
    source = reading.source(path=str(tmp_path / "c.tsv"), source_field="en", target_field="de")
    with pytest.raises(
        InputError, match=r"c\.tsv, line 1: the column 'de' is there more than once; found columns en, de"
    ):
        index_source(source, 10, LIMIT)
    assert reading.read(path=str(tmp_path / "c.tsv"), source_field="a", target_field="a.b").rows == [(2, "5", "4")]


def test_a_header_that_cannot_be_read_says_why(tmp_path: Path, reading: Any) -> None:
    (tmp_path / "c.tsv").write_bytes(b"en\tf\xfcr\nx\ty\n")
    source = reading.source(path=str(tmp_path / "c.tsv"), source_field="en", target_field="de")
    with pytest.raises(InputError, match=r"the header cannot be read; found byte 0xfc at 5; expected UTF-8"):
        index_source(source, 10, LIMIT)
