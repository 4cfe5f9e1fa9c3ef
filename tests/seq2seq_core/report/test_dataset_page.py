from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Any

import pytest

from seq2seq_core.dataset.manifest import publish_manifest
from seq2seq_core.dataset.verify import verify
from seq2seq_core.report.dataset_page import write_beside

ROWS = [("a dog runs", "ein Hund rennt"), ("a cat sleeps", "eine Katze schläft")]


def test_the_page_stands_beside_the_manifest_and_verification_lets_it(press: Any) -> None:
    dataset = press.publish([[press.table(ROWS)]])
    before = files_of(dataset.root)
    assert write_beside(dataset.root)
    after = files_of(dataset.root)
    page = after.pop("report.html").decode()
    assert after == before
    assert "2 rows kept of 2 read" in page
    assert verify(dataset.root).unlisted == ()
    assert write_beside(dataset.root)
    assert files_of(dataset.root)["report.html"].decode() == page


def files_of(root: str) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in Path(root).rglob("*") if path.is_file()}


def test_a_page_is_written_again_only_when_the_dataset_has_changed(press: Any) -> None:
    dataset = press.publish([[press.table(ROWS)]])
    page = Path(dataset.root, "report.html")
    write_beside(dataset.root)
    time = page.stat().st_mtime_ns
    write_beside(dataset.root)
    assert page.stat().st_mtime_ns == time
    publish_manifest(dataset.root, dataset.manifest.model_copy(update={"fingerprint": "another"}))
    write_beside(dataset.root)
    assert page.stat().st_mtime_ns > time


def test_what_hinders_the_page_is_told_and_nothing_else_happens(press: Any, caplog: pytest.LogCaptureFixture) -> None:
    dataset = press.publish([[press.table(ROWS)]])
    shard = Path(dataset.root, dataset.manifest.splits["train"].shards[0].path)
    shard.write_bytes(b"damaged")
    with caplog.at_level(logging.WARNING):
        assert not write_beside(dataset.root)
    assert "no report.html: " in caplog.text
    assert shard.name in caplog.text
    assert not Path(dataset.root, "report.html").exists()


def test_missing_packages_are_told_in_one_line(
    press: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = press.publish([[press.table(ROWS)]])
    for name in ("seq2seq_core.report.page", "seq2seq_core.report.charts", "seq2seq_core.report.text_section"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with caplog.at_level(logging.WARNING):
        assert not write_beside(dataset.root)
    (record,) = caplog.records
    assert "pip install 'seq2seq[report]'" in record.getMessage()
    assert record.exc_info in (None, False)


def test_a_page_of_others_stays(press: Any, caplog: pytest.LogCaptureFixture) -> None:
    dataset = press.publish([[press.table(ROWS)]])
    page = Path(dataset.root, "report.html")
    page.write_text("<html>mine</html>")
    assert not write_beside(dataset.root)
    assert page.read_text() == "<html>mine</html>"
    assert "a file that this program has not written stands there" in caplog.text
