"""What finished work says of itself comes back; anything else in the place of a marker means that it is to be done."""

from __future__ import annotations

from pathlib import Path

import pytest

from seq2seq_core.preparation.terms.markers import publish_marker, read_marker
from seq2seq_core.preparation.terms.messages import EdgesReport


def test_a_report_comes_back(tmp_path: Path) -> None:
    url, report = str(tmp_path / "deeper" / "m.json"), EdgesReport(index=3, edges=7)
    publish_marker(url, report)
    assert read_marker(EdgesReport, url) == report


@pytest.mark.parametrize("text", ["", "{", "[]", '{"index": 3}', '{"index": 3, "path": "x", "edges": 7}', "\udcff"])
def test_what_is_none_means_that_there_is_work_to_do(tmp_path: Path, text: str) -> None:
    path = tmp_path / "m.json"
    assert read_marker(EdgesReport, str(path)) is None
    path.write_bytes(text.encode(errors="surrogateescape"))
    assert read_marker(EdgesReport, str(path)) is None
