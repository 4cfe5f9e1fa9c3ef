from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_core.errors import InputError
from seq2seq_core.inference.records.inputs import find_inputs
from seq2seq_core.inference.records.lines import join_lines, parse_text, read_lines, render_text
from seq2seq_core.inference.records.plan import RecordRange, UnitSize, plan_input
from seq2seq_core.inference.translator import Prediction

MARK = b"\xef\xbb\xbf"


@pytest.mark.parametrize("name", ["a.txt", "a.txt.gz"])
@given(
    data=st.lists(st.sampled_from([b"\n", b"a", b"bb\n", b"\r\n"]), max_size=30).map(b"".join),
    records=st.integers(1, 5),
)
def test_the_ranges_of_a_file_join_to_the_file(
    tmp_path_factory: pytest.TempPathFactory, name: str, data: bytes, records: int
) -> None:
    path = tmp_path_factory.mktemp("lines") / name
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    (file,) = find_inputs([str(path)], None, "elsewhere")
    plan = plan_input(file, UnitSize(records, 1000))
    read = [read_lines(file, part) for part in plan.ranges]
    assert b"".join(join_lines(lines, ends_line=ends_line) for lines, ends_line in read) == data
    assert [len(lines) for lines, _ in read] == [part.records for part in plan.ranges]


@pytest.mark.parametrize("data", [b"one\n", b"one\ntwo", b"o\nn\ne\n\n\n\n"])
def test_a_file_that_has_changed_is_an_error(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.txt").write_bytes(data)
    (file,) = find_inputs([str(tmp_path / "a.txt")], None, "elsewhere")
    with pytest.raises(InputError, match=r"a\.txt, records from 0: the file has changed"):
        read_lines(file, RecordRange(0, 2, 0, 8))


def test_only_the_text_of_a_line_is_translated() -> None:
    lines = [MARK + b"one\r", b"two", b"", b"\r", b"a\rb\r\r", "\u2028\x0c".encode()]
    content = parse_text(lines, ends_line=True)
    assert content.texts == ["one", "two", "", "", "a\rb\r", "\u2028\x0c"]
    assert content.failures == []
    same = [Prediction(text or "") for text in content.texts]
    assert render_text(content, same) == b"\n".join(lines) + b"\n"


def test_bytes_that_are_not_utf8_fail_alone() -> None:
    content = parse_text([b"one", b"a\xffb" + b"c" * 300 + b"\r", b"two"], ends_line=False)
    assert content.texts == ["one", None, "two"]
    (failure,) = content.failures
    assert (failure.record, failure.reason) == (1, "not UTF-8 at byte 2")
    assert failure.excerpt == "a\\xffb" + "c" * 194
    assert render_text(content, [Prediction("1"), None, Prediction("2")]) == b"1\n\r\n2"


def test_an_output_never_makes_a_line_of_its_own() -> None:
    content = parse_text([b"one"], ends_line=True)
    assert render_text(content, [Prediction("a\nb\n")]) == b"a b \n"
