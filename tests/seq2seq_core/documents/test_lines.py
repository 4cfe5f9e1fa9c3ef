from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_core.documents import content, lines
from seq2seq_core.documents.formats.inputs import find_inputs
from seq2seq_core.documents.formats.text import parse_text, render_text
from seq2seq_core.documents.lines import count_lines, join_lines, read_lines
from seq2seq_core.documents.prediction import Prediction
from seq2seq_core.documents.ranges import UnitSize
from seq2seq_core.errors import InputError

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
    counted = count_lines(file, UnitSize(records, 1000))
    read = [read_lines(file, part) for part in counted.ranges]
    assert b"".join(join_lines(lines, ends_line=ends_line) for lines, ends_line in read) == data
    assert [len(lines) for lines, _ in read] == [part.records for part in counted.ranges]


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize(
    "data", [b"one\n", b"one\ntwo", b"o\nn\ne\n\n\n\n", b"one\ntwo\nten\n", b"", b"one\ntwo\nsix\n"]
)
def test_a_file_that_has_changed_is_an_error(tmp_path: Path, data: bytes, suffix: str) -> None:
    path = tmp_path / f"a.txt{suffix}"
    write = gzip.compress if suffix else bytes
    path.write_bytes(write(b"one\ntwo\nsix\n"))
    (file,) = find_inputs([str(path)], None, "elsewhere")
    parts = count_lines(file, UnitSize(2, 1000)).ranges
    path.write_bytes(write(data))
    plain = b"one\ntwo\nsix\n"
    for part in parts:
        if data[part.offset : part.offset + part.bytes] == plain[part.offset : part.offset + part.bytes]:
            assert join_lines(read_lines(file, part)[0], ends_line=True) == plain[part.offset :][: part.bytes]
        else:
            with pytest.raises(InputError, match=rf"a\.txt{suffix}, records from {part.first}: the file has changed"):
                read_lines(file, part)


def test_a_line_without_end_fails_alone_and_is_not_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "MAX_RECORD_BYTES", 9)
    monkeypatch.setattr(lines, "MAX_RECORD_BYTES", 9)
    monkeypatch.setattr(lines, "BLOCK_BYTES", 4)
    whole = b"one\n" + b"long" * 100 + b"\r\n" + b"x" * 9 + b"\nlast"
    (tmp_path / "a.txt").write_bytes(whole)
    (file,) = find_inputs([str(tmp_path / "a.txt")], None, "elsewhere")
    (part,) = count_lines(file, UnitSize(9, 1000)).ranges
    found, ends_line = read_lines(file, part)
    assert found == [b"one", b"longlonglo\r", b"x" * 9, b"last"]
    parsed = parse_text(found, ends_line=ends_line)
    assert parsed.texts == ["one", None, "x" * 9, "last"]
    assert [(failure.record, failure.reason) for failure in parsed.failures] == [(1, "longer than 0 MiB")]
    answers = [None if text is None else Prediction(text) for text in parsed.texts]
    assert render_text(parsed, answers) == b"one\n\r\nxxxxxxxxx\nlast"


@given(
    data=st.lists(st.sampled_from([b"\n", b"a", b"bb\n", b"\r\n", b"c" * 7]), max_size=30).map(b"".join),
    block=st.integers(1, 9),
)
def test_long_ranges_are_cut_like_short_ones(tmp_path_factory: pytest.TempPathFactory, data: bytes, block: int) -> None:
    path = tmp_path_factory.mktemp("long") / "a.txt"
    path.write_bytes(data)
    (file,) = find_inputs([str(path)], None, "elsewhere")
    (part,) = count_lines(file, UnitSize(1000, 1000)).ranges
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "BLOCK_BYTES", block)
        patch.setattr(lines, "MAX_RECORD_BYTES", 2)
        found, ends_line = read_lines(file, part)
    whole = data.split(b"\n")[: -1 if data.endswith(b"\n") or not data else None]
    assert [line if len(line) < 3 else line[:3] for line in found] == [line[:3] for line in whole]
    assert ends_line == data.endswith(b"\n")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("text", ["It is Monday, the tenth.\nfünf\n", "Сегодня понедельник.\nПять\n"])
def test_other_encodings_are_named_before_work(tmp_path: Path, encoding: str, suffix: str, text: str) -> None:
    data = text.encode(encoding)
    path = tmp_path / f"a.txt{suffix}"
    path.write_bytes(gzip.compress(data) if suffix else data)
    (file,) = find_inputs([str(path)], None, "elsewhere")
    name = encoding.upper().replace("-LE", "LE").replace("-BE", "BE")
    with pytest.raises(InputError, match=rf"a\.txt{suffix}: the text is {name[:6]}.* expected UTF-8.* iconv -f {name}"):
        count_lines(file, UnitSize(2, 1000))


@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=80), mark=st.sampled_from(["", "\ufeff"]))
def test_no_text_in_utf8_is_taken_for_another(tmp_path_factory: pytest.TempPathFactory, text: str, mark: str) -> None:
    path = tmp_path_factory.mktemp("utf8") / "a.txt"
    path.write_bytes((mark + text).encode())
    (file,) = find_inputs([str(path)], None, "elsewhere")
    count_lines(file, UnitSize(2, 1000))
