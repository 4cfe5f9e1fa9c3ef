"""Text is told by its first bytes: decoded where a mark says how, refused where it would pass as something else."""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import lzma
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from seq2seq_core.errors import InputError
from seq2seq_core.files.encodings import UTF8, encoding_by_zeros, encoding_of, encoding_of_head, open_text
from seq2seq_core.files.segments import read_segments

MARKS = {
    "utf-16-le": codecs.BOM_UTF16_LE,
    "utf-16-be": codecs.BOM_UTF16_BE,
    "utf-32-le": codecs.BOM_UTF32_LE,
    "utf-32-be": codecs.BOM_UTF32_BE,
}
SENTENCES = {
    "English": "The old door by the bridge is open.\n",
    "French": "L'été, la forêt « brûle » — dit-on.\n",
    "Vietnamese": "Cánh cửa cũ bên cây cầu đang mở.\n",
    "Russian": "Старая дверь близ моста открыта.\n",
    "Greek": "παλιά πόρτα δίπλα στη γέφυρα.\n",
    "Arabic": "الباب القديم عند الجسر مفتوح.\n",
    "Hebrew": "הדלת הישנה ליד הגשר פתוחה.\n",
    "Hindi": "पुल के पास का पुराना दरवाज़ा खुला है।\n",
    "Thai": "ประตูเก่าใกล้สะพานเปิดอยู่\n",
    "Georgian": "ხიდთან ძველი კარი ღიაა.\n",
    "Chinese": "桥边的旧门开着、上面一只猫。\n",
    "Japanese": "橋のそばの古いドアが開いている。\n",
    "Korean": "다리 옆의 낡은 문이 열려 있다.\n",
}
quietly = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def read(path: Path, size: int = 1 << 16) -> bytes:
    with open_text(str(path)) as stream:
        return b"".join(iter(lambda: stream.read(size), b""))


@pytest.mark.parametrize("encoding", MARKS)
@quietly
@given(
    text=st.text(st.one_of(st.sampled_from("ab \n\tж上中\u0a0a\u010a😀\ufeff"), st.characters(codec="utf-8"))),
    size=st.integers(1, 9),
)
@example(text="\ufefftwice", size=4)
@example(text="x\n" * 5000 + "é", size=1000)
def test_marked_text_is_read_as_utf8(tmp_path: Path, encoding: str, text: str, size: int) -> None:
    assume("\n" in text or "\r" not in text)
    assume(not (encoding == "utf-16-le" and text.startswith("\0")))  # which is the mark of UTF-32
    path = tmp_path / "c.txt"
    path.write_bytes(MARKS[encoding] + text.encode(encoding))
    assert encoding_of(str(path)) == encoding
    assert read(path, size) == text.encode()
    (tmp_path / "c.txt.xz").write_bytes(lzma.compress(path.read_bytes(), preset=0))
    assert encoding_of(str(tmp_path / "c.txt.xz")) == encoding
    assert read(tmp_path / "c.txt.xz", size) == text.encode()


PIECES = [b"a", b"bc d", b"\n", b"\0", b"\r", b"\xef\xbb\xbf", b"\xff", b"\xfe", b"\xc3\xa9", b"\xe9", b"PK\x03"]


@quietly
@given(data=st.lists(st.sampled_from(PIECES), max_size=30).map(b"".join).map(lambda data: data + b"\n"))
def test_all_else_that_is_text_stays_as_it_is(tmp_path: Path, data: bytes) -> None:
    assume(not any(data.startswith(mark) for mark in MARKS.values()))
    assume(encoding_by_zeros(data) is None)
    (tmp_path / "c.txt").write_bytes(data)
    assert encoding_of(str(tmp_path / "c.txt")) == UTF8
    assert read(tmp_path / "c.txt", 7) == data


@pytest.mark.parametrize("encoding", MARKS)
@pytest.mark.parametrize("language", SENTENCES)
@pytest.mark.parametrize("times", [1, 500])
def test_text_of_that_kind_without_a_mark_is_refused(
    tmp_path: Path, reading: Any, encoding: str, language: str, times: int
) -> None:
    path = tmp_path / "c.txt"
    path.write_bytes((SENTENCES[language] * times).encode(encoding))
    name = encoding.upper()[:6] + encoding.upper()[-2:]
    found = f"c.txt: the text is {name[:6]} without a byte order mark; .*iconv -f {name} -t UTF-8"
    with pytest.raises(InputError, match=found):
        encoding_of(str(path))
    with pytest.raises(InputError, match=found):
        read_segments([str(path)])
    with pytest.raises(InputError, match=found):
        reading.read(text=str(tmp_path / "*.txt"))


WORDS = ["the", "old", "door", "der", "Tür", "дверь", "моста", "橋の", "上", "a", "é", "s p a c e d"]


@settings(deadline=None)
@given(
    lines=st.lists(st.lists(st.sampled_from(WORDS), min_size=1, max_size=9).map(" ".join), min_size=1, max_size=60),
    zeros=st.lists(st.integers(0, 3000), max_size=20),
    encoding=st.sampled_from(["utf-8", "cp1251", "gb18030"]),
)
@example(lines=["the old door"] * 50, zeros=[], encoding="utf-8")
@example(lines=["the 上 上 a a a the", "the"], zeros=[4, 295], encoding="gb18030")
def test_zero_bytes_here_and_there_are_no_other_encoding(lines: list[str], zeros: list[int], encoding: str) -> None:
    octets = bytearray("\n".join(lines).encode(encoding, "ignore"))
    for place in zeros:
        octets.insert(place % (len(octets) + 1), 0)
    assume(len(octets) > 8 + 3 * len(zeros))
    assert encoding_of_head(bytes(octets[:4096]), "c.txt") == UTF8
    for_each_line = "\n".join(f"\0{line}" for line in lines)
    assert len(for_each_line) < 20 or encoding_of_head(for_each_line.encode()[:4096], "c.txt") == UTF8


def test_half_a_pair_of_surrogates_spoils_its_line_alone(tmp_path: Path, reading: Any) -> None:
    text = "one\nt\ud800wo\nthree😀\n\udc00\n"
    (tmp_path / "c.txt").write_bytes(codecs.BOM_UTF16_LE + text.encode("utf-16-le", "surrogatepass"))
    found = reading.read(text=str(tmp_path / "c.txt"))
    assert found.rows == [(1, "", "one"), (3, "", "three😀")]
    assert [(line, rule) for line, rule, _ in found.rejects] == [(2, "not_utf8"), (4, "not_utf8")]


@pytest.mark.parametrize(
    ("encoding", "rest", "found"),
    [
        ("utf-16-le", b"a\0\n\0b", "UTF-16-LE; found truncated data: byte 0x62 at 7"),
        ("utf-32-be", b"\0\0\0\n\0\0\0", "UTF-32-BE; found truncated data: byte 0x00 at 9"),
        ("utf-32-le", b"\n\0\0\0\0\0\x11\0", "UTF-32-LE; found code point not in range"),
    ],
)
def test_what_is_no_such_text_is_told_with_its_place(tmp_path: Path, encoding: str, rest: bytes, found: str) -> None:
    (tmp_path / "c.txt").write_bytes(MARKS[encoding] + rest)
    with pytest.raises(InputError, match=rf"c\.txt: the text is not {found}"):
        read(tmp_path / "c.txt", 3)


def pack(folder: Path) -> dict[str, bytes]:
    """Files that are no text, as some name them."""
    text = b"some text\n" * 9
    pq.write_table(pa.table({"a": ["b"]}), folder / "x")
    table, tar, zipped, arrow = (folder / "x").read_bytes(), io.BytesIO(), io.BytesIO(), io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as archive:
        archive.add(folder / "x", "x")
    with zipfile.ZipFile(zipped, "w") as other:
        other.writestr("x", text)
    with pa.ipc.new_file(arrow, pa.schema([("a", pa.string())])):
        pass
    return {
        "a gzip archive": gzip.compress(text),
        "a bz2 archive": bz2.compress(text),
        "a xz archive": lzma.compress(text),
        "a zstd archive": zstandard.compress(text),
        "a Parquet file": table,
        "an Arrow file": arrow.getvalue(),
        "a tar archive": tar.getvalue(),
        "a zip archive or an office document": zipped.getvalue(),
        "an office document": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(99),
        "a PDF document": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n",
        "an lz4 archive": b"\x04\x22\x4d\x18\x64\x40\xa7\x00",
        "an archive of compress": b"\x1f\x9d\x90\x61\x14",
    }


def test_files_of_other_kinds_are_refused_by_name(tmp_path: Path, reading: Any) -> None:
    for kind, content in pack(tmp_path).items():
        for name, data in (("c.tsv", content), ("c.tsv.gz", gzip.compress(content)), ("c.tmx", content)):
            (tmp_path / name).write_bytes(data)
            with pytest.raises(InputError, match=f"{name}: the file is {kind}; expected text"):
                reading.sources(path=str(tmp_path / name), source_language="en", target_language="de")


@pytest.mark.parametrize("line", ["PK\x03\x04 are four letters", "PAR1 is a name", "BZh9 too", "ARROW1", "%PDF-1.7"])
def test_text_that_begins_as_such_a_file_is_text(line: str) -> None:
    assert encoding_of_head(f"{line}\nthe next line\n".encode(), "c.txt") == UTF8


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("encoding", [None, *MARKS])
@pytest.mark.parametrize("ends", ["one\rtwo\rthree", "one\rtwo\r", "\rone", "one\r\r"])
def test_carriage_returns_alone_end_no_line(
    tmp_path: Path, reading: Any, ends: str, encoding: str | None, suffix: str
) -> None:
    data = MARKS[encoding] + ends.encode(encoding) if encoding else ends.encode()
    path = tmp_path / f"c.en{suffix}"
    path.write_bytes(gzip.compress(data) if suffix else data)
    (tmp_path / "c.de").write_text("eins\nzwei\ndrei\n")
    message = rf"c\.en{suffix}: the lines end in carriage returns alone; found {ends.count(chr(13))} carriage returns"
    for name in (path, tmp_path / f"*.en{suffix}"):
        with pytest.raises(InputError, match=message):
            reading.read(source=str(name), target=str(tmp_path / "c.de"))
    with pytest.raises(InputError, match=message):
        read_segments([str(path)])


@pytest.mark.parametrize("text", ["one\r", "one", "one\r\ntwo\r\n", "one\rtwo\n", "one\r\n"])
def test_line_feeds_anywhere_or_one_line_are_well(tmp_path: Path, text: str) -> None:
    (tmp_path / "c.txt").write_bytes(text.encode())
    assert read(tmp_path / "c.txt", 2) == text.encode()


@quietly
@given(
    rows=st.lists(st.tuples(*[st.text("abж上😀\u0a0a", min_size=1, max_size=5)] * 2), min_size=1, max_size=12),
    encodings=st.tuples(st.sampled_from([None, *MARKS]), st.sampled_from([None, *MARKS])),
    unit_rows=st.integers(1, 5),
)
def test_corpora_in_any_encoding_are_the_same_rows(
    tmp_path: Path, reading: Any, rows: list[tuple[str, str]], encodings: tuple[str | None, ...], unit_rows: int
) -> None:
    def write(name: str, lines: list[str], encoding: str | None) -> str:
        text = "".join(f"{line}\r\n" for line in lines)
        data = MARKS[encoding] + text.encode(encoding) if encoding else b"\xef\xbb\xbf" + text.encode()
        (tmp_path / name).write_bytes(data)
        return str(tmp_path / name)

    expected = [(line, *row) for line, row in enumerate(rows, 1)]
    sides = [write(f"c.{i}", [row[i] for row in rows], encodings[i]) for i in (0, 1)]
    assert reading.read(unit_rows, source=sides[0], target=sides[1]) == (expected, [])
    path = write("c.tsv", ["s\tt", *("\t".join(row) for row in rows)], encodings[0])
    found = reading.read(unit_rows, path=path, source_field="s", target_field="t")
    assert [row[1:] for row in found.rows] == rows
    path = write("c.jsonl", [f'{{"source": "{one}", "target": "{other}"}}' for one, other in rows], encodings[0])
    assert reading.read(unit_rows, path=path) == (expected, [])
    assert read_segments(sides) == [row[i] for i in (0, 1) for row in rows]
