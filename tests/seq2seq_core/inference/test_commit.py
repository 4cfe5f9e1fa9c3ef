from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from seq2seq_core import storage
from seq2seq_core.documents.content import RecordFailure
from seq2seq_core.documents.ranges import InputFile, RecordRange
from seq2seq_core.inference.commit import commit, find_finished, ledger_lines
from seq2seq_core.inference.unit import DocumentUnit

FILE = InputFile("s3://key:secret@bucket/a.txt", "x/a", ".txt", "text")
FAILURES = [RecordFailure(1, "odd", "é\ud800".encode("utf-8", "replace").decode())]


def unit(fingerprint: str = "f1") -> DocumentUnit:
    return DocumentUnit(FILE, RecordRange(10, 3, 100, 30), 2, 5, fingerprint)


class CrashError(Exception):
    pass


@contextlib.contextmanager
def crashing_at(step: int) -> Iterator[list[str]]:
    """The step-th change of the storage does not happen, nor any after it."""
    steps: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        for name in ("publish_bytes", "publish_text", "remove"):
            original = getattr(storage, name)

            def counted(*arguments: Any, original: Any = original) -> None:
                steps.append(arguments[0])
                if len(steps) > step:
                    raise CrashError
                original(*arguments)

            patch.setattr(storage, name, counted)
        yield steps


def test_a_committed_unit_is_found_by_its_fingerprint_alone(tmp_path: Path) -> None:
    assert find_finished(str(tmp_path), unit()) is None
    entry = commit(str(tmp_path), unit(), b"1\n2\n3\n", FAILURES)
    assert (entry.records, entry.failed, entry.first_record, entry.bytes) == (3, 1, 10, 6)
    assert find_finished(str(tmp_path), unit()) == entry
    assert find_finished(str(tmp_path), unit("f2")) is None


@pytest.mark.parametrize("lost", ["x/a-00002-of-00005.txt", "failures/x/a-00002-of-00005.txt.jsonl"])
def test_a_unit_whose_files_are_gone_is_not_finished(tmp_path: Path, lost: str) -> None:
    commit(str(tmp_path), unit(), b"1\n2\n3\n", FAILURES)
    (tmp_path / lost).unlink()
    assert find_finished(str(tmp_path), unit()) is None


def test_an_output_of_another_size_or_a_damaged_marker_is_not_finished(tmp_path: Path) -> None:
    commit(str(tmp_path), unit(), b"1\n2\n3\n", [])
    (tmp_path / unit().path).write_bytes(b"1\n")
    assert find_finished(str(tmp_path), unit()) is None
    commit(str(tmp_path), unit(), b"1\n2\n3\n", [])
    (tmp_path / unit().marker_path).write_bytes(b'{"path":')
    assert find_finished(str(tmp_path), unit()) is None


@pytest.mark.parametrize("step", range(5))
@pytest.mark.parametrize("failures", [[], FAILURES])
def test_a_crash_at_any_step_never_leaves_a_marker_beside_another_output(
    tmp_path: Path, step: int, failures: list[RecordFailure]
) -> None:
    root = str(tmp_path)
    commit(root, unit("old"), b"same size 1", FAILURES)
    with crashing_at(step) as steps, contextlib.suppress(CrashError):
        commit(root, unit("new"), b"same size 2", failures)
    for fingerprint, data in (("old", b"same size 1"), ("new", b"same size 2")):
        if find_finished(root, unit(fingerprint)) is not None:
            assert (tmp_path / unit().path).read_bytes() == data
    assert (find_finished(root, unit("new")) is None) == (len(steps) > step)
    commit(root, unit("new"), b"same size 2", failures)
    assert find_finished(root, unit("new")) is not None
    assert (tmp_path / unit().failures_path).exists() == bool(failures)


def test_a_replay_never_takes_the_marker_away(tmp_path: Path) -> None:
    commit(str(tmp_path), unit(), b"data", FAILURES)
    with crashing_at(0), contextlib.suppress(CrashError):
        commit(str(tmp_path), unit(), b"data", FAILURES)
    assert find_finished(str(tmp_path), unit()) is not None


def test_the_ledger_says_where_and_why_and_hides_passwords() -> None:
    row = json.loads(ledger_lines(unit(), FAILURES))
    assert row == {"input": "s3://bucket/a.txt", "record": 11, "line": 12, "reason": "odd", "text": "é?"}
    rows = DocumentUnit(InputFile("a.parquet", "a", ".parquet", "parquet"), RecordRange(0, 1), 0, 1, "f")
    assert "line" not in json.loads(ledger_lines(rows, FAILURES))


def test_what_the_output_has_no_place_for_stands_whole_in_the_ledger() -> None:
    failures = [
        RecordFailure(0, "not JSON", "bro", "broken é".encode()),
        RecordFailure(1, "not UTF-8", "\\xff", b"\xff"),
        RecordFailure(2, "odd", "o"),
    ]
    first, second, third = map(json.loads, ledger_lines(unit(), failures).splitlines())
    assert first["original"] == "broken é"
    assert base64.b64decode(second["original_base64"]) == b"\xff"
    assert set(third) == {"input", "record", "line", "reason", "text"}
