"""One pass over the files of a source: what is noticed before work starts, and where parts begin."""

from __future__ import annotations

import gzip
import json
import logging
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from seq2seq_core import storage
from seq2seq_core.corpora import cutting
from seq2seq_core.corpora.cutting import cut, index_source
from seq2seq_core.corpora.formats.table import FORMATS
from seq2seq_core.errors import InputError
from seq2seq_core.files.compression import codec_of, compress


def pair(folder: Path, source: bytes, target: bytes, suffix: str = "") -> dict[str, str]:
    pack = gzip.compress if suffix else bytes
    (folder / f"c.en{suffix}").write_bytes(pack(source))
    (folder / "c.de").write_bytes(target)
    return {"source": str(folder / f"c.en{suffix}"), "target": str(folder / "c.de")}


def test_both_sides_are_cut_at_the_same_lines(tmp_path: Path, reading: Any) -> None:
    source = reading.source(**pair(tmp_path, b"a\n\nbcd\ne", b"long\nlonger\nx\ny\n"))
    parts = cut(source, index_source(source, 2, 100))
    assert [(part.ranges, part.first_line) for part in parts] == [(((0, 3), (0, 12)), 1), (((3, 8), (12, 16)), 3)]


def test_fingerprints_are_those_of_all_bytes(tmp_path: Path, reading: Any) -> None:
    source = reading.source(**pair(tmp_path, b"a\nb\n", b"c\nd"))
    found = index_source(source, 1, 100)
    assert [index.fingerprint for index in found] == [storage.digest_bytes(b"a\nb\n"), storage.digest_bytes(b"c\nd")]


def test_unequal_sides_are_found_before_work_starts(tmp_path: Path, reading: Any) -> None:
    with pytest.raises(InputError, match=r"c\.en has 3 lines and .*c\.de has 2 lines"):
        index_source(reading.source(**pair(tmp_path, b"a\nb\nc", b"a\nb\n")), 10, 100)


@pytest.mark.parametrize("name", ["c.tsv", "c.jsonl.gz", "c.tmx", "c.parquet", "c.arrow"])
def test_an_empty_file_is_an_error(tmp_path: Path, reading: Any, name: str) -> None:
    (tmp_path / name).touch()
    values = {"path": str(tmp_path / name), "source_language": "en", "target_language": "de"}
    with pytest.raises(InputError, match=f"{name}: the file is empty"):
        reading.source(**values)
    source = reading.source(**values | {"path": str(tmp_path / f"*{name}")})
    with pytest.raises(InputError, match=name):
        index_source(source, 10, 100)


def test_a_large_file_that_cannot_be_cut_is_told(
    tmp_path: Path, reading: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(cutting, "_LARGE_BYTES", 30)
    caplog.set_level(logging.WARNING)
    (tmp_path / "c.tmx").write_text("<tmx><body><tu/></body></tmx>" + " " * 20)
    tmx = reading.source(path=str(tmp_path / "c.tmx"), source_language="en", target_language="de")
    packed = reading.source(**pair(tmp_path, b"a\n" * 99, b"b\n" * 99, ".gz"))
    for source in (tmx, packed):
        (part,) = cut(source, index_source(source, 1, 100))
        assert (set(part.ranges), part.first_line) == ({(0, None)}, 1)
    assert "c.tmx: 0.0 GB of TMX are read by one worker as one stream; in several files, by many" in caplog.messages[0]
    assert "c.en.gz: 0.0 GB of compressed" in caplog.messages[1]


def write_rowless(folder: Path, kind: str, name: str) -> str:
    """A file that has bytes, but no rows."""
    path = folder / f"{name}{kind}"
    if "parquet" in kind:
        pq.write_table(pa.table({"source": pa.array([], pa.string()), "target": pa.array([], pa.string())}), path)
        return str(path)
    if "arrow" in kind:
        schema = pa.schema([("source", pa.string()), ("target", pa.string())])
        make = pa.ipc.new_stream if "stream" in kind else pa.ipc.new_file
        with pa.OSFile(str(path), "wb") as sink, make(sink, schema) as writer:
            writer.write_batch(pa.record_batch([[], []], schema=schema))
        return str(path)
    text = {".tsv": "source\ttarget\n", ".jsonl": "\n \n\r\n", ".tmx": "<tmx><header/><body></body></tmx>"}
    content = text[kind.removesuffix(".gz")].encode()
    path.write_bytes(gzip.compress(content) if kind.endswith(".gz") else content)
    return str(path)


ROWLESS = [".parquet", ".stream.arrow", ".file.arrow", ".tsv", ".tsv.gz", ".jsonl", ".jsonl.gz", ".tmx", ".tmx.gz"]


@pytest.mark.parametrize("kind", ROWLESS)
def test_a_file_without_rows_is_an_error_where_it_is_named_and_a_line_where_it_is_one_of_many(
    tmp_path: Path, reading: Any, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    path = write_rowless(tmp_path, kind, "c")
    values: dict[str, Any] = {"source_language": "en", "target_language": "de"}
    if "tsv" in kind:
        values |= {"source_field": "source", "target_field": "target"}
    for named in (path, [path]):
        with pytest.raises(InputError, match=f"c{kind}: the file is empty; expected rows"):
            reading.sources(path=named, **values)
    assert reading.read(path=str(tmp_path / f"*{kind}"), **values) == ([], [])
    assert f"c{kind}: the file has no rows and is passed over" in caplog.text


@pytest.mark.parametrize(
    ("text", "rows"), [("\n" * 9000, 0), ("\ufeff\n \n", 0), ("\n" * 9000 + "{}", 1), ("\x0c\n", 1)]
)
def test_blank_lines_of_json_are_no_rows_however_many(
    tmp_path: Path, reading: Any, caplog: pytest.LogCaptureFixture, text: str, rows: int
) -> None:
    (tmp_path / "c.jsonl").write_text(text, encoding="utf-8")
    found = reading.read(path=str(tmp_path / "*.jsonl"))
    assert (len(found.rows), len(found.rejects)) == (0, rows)
    assert ("passed over" in caplog.text) == (not rows)


@pytest.mark.parametrize("kind", [".tsv", ".jsonl", ".jsonl.gz", ".tmx"])
def test_a_file_that_gets_rows_while_it_is_indexed_is_not_passed_over(
    tmp_path: Path, reading: Any, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    values: dict[str, Any] = {"source_language": "en", "target_language": "de"}
    if "tsv" in kind:
        values |= {"source_field": "source", "target_field": "target"}
    path = Path(write_rowless(tmp_path, kind, "c"))
    source = reading.source(path=str(tmp_path / "c*"), **values)
    format_ = FORMATS[source.format]
    look = format_.has_rows

    def has_rows(*arguments: Any) -> bool:
        try:
            return look(*arguments)
        finally:
            path.write_bytes(path.read_bytes() * 2)

    monkeypatch.setattr(format_, "has_rows", has_rows)
    with pytest.raises(InputError, match="the file has changed since it was counted"):
        index_source(source, 10, 100)


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz", ".zst"])
def test_an_archive_of_nothing_is_an_empty_file(tmp_path: Path, reading: Any, suffix: str) -> None:
    for name in ("c.en", "c.de"):
        (tmp_path / f"{name}{suffix}").write_bytes(compress(b"", codec_of(suffix)))
    for values in (
        {"source": str(tmp_path / f"c.en{suffix}"), "target": str(tmp_path / f"c.de{suffix}")},
        {"source": str(tmp_path / f"*.en{suffix}"), "target": str(tmp_path / f"*.de{suffix}")},
        {"text": str(tmp_path / f"c.en{suffix}")},
    ):
        with pytest.raises(InputError, match=rf"c\.en\{suffix}: the file is empty; expected rows"):
            reading.read(**values)


def test_a_side_in_utf16_is_read_whole_with_the_other(tmp_path: Path, reading: Any) -> None:
    values = pair(tmp_path, "ä\nb\nc\n".encode("utf-16"), b"d\ne\nf\n")
    source = reading.source(**values)
    (part,) = cut(source, index_source(source, 1, 100))
    assert part.ranges == ((0, None), (0, None))
    assert reading.read(1, **values).rows == [(1, "ä", "d"), (2, "b", "e"), (3, "c", "f")]
    (tmp_path / "c.de").write_bytes(b"d\ne\n")
    with pytest.raises(InputError, match=r"c\.en has 3 lines and .*c\.de has 2 lines"):
        reading.read(1, **values)


UNIT = '<tu><tuv xml:lang="en"><seg>a</seg></tuv><tuv xml:lang="de"><seg>b</seg></tuv></tu>'
FILES = {
    "c.en": "a\nb\nc\n",
    "c.de": "d\ne\nf\n",
    "c.txt": "a b c\nd e f\ng h i\n",
    "c.tsv": "s\tt\tn\n" + "".join(f"a{i}\tb{i}\t{i}\n" for i in range(5)),
    "c.jsonl": '{"s": ["a"], "t": "b"}\n' * 3,
    "c.tmx": f"<tmx><body>{UNIT}</body></tmx>",
}


@pytest.mark.parametrize(
    ("values", "count", "digest"),
    [
        ({"source": "c.en", "target": "c.de"}, 2, "72d4a82682e7005e2d378afaca867d30"),
        ({"text": "c.txt"}, 2, "40d89fdf5e1e4079c64b38aa4a8b1a2b"),
        ({"path": "c.tsv"}, 3, "f5161aabcfe62c29289fdd0e851ea6be"),
        (
            {"path": "c.tsv", "source_field": "s", "target_field": "t", "score_field": "n"},
            3,
            "c496c2036f3cec96e6e525daff1fb232",
        ),
        ({"path": "c.jsonl", "source_field": "s.0", "target_field": "t"}, 2, "9683f0aa6444e1ea59f30eb97a0c3084"),
        ({"path": "c.tmx", "source_language": "en", "target_language": "de"}, 1, "7d147cea48f37fc918d731dfd09fc6c8"),
    ],
)
def test_parts_and_their_seals_are_what_they_have_always_been(
    tmp_path: Path, reading: Any, values: dict[str, str], count: int, digest: str
) -> None:
    """Or a run that was killed would not go on with the work that is done."""
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    source = reading.source(
        **{key: str(tmp_path / value) if value in FILES else value for key, value in values.items()}
    )
    parts = cut(source, index_source(source, 2, 100))
    assert len(parts) == count
    told = json.dumps([part.model_dump(mode="json", exclude={"source"}) for part in parts])
    assert storage.digest_bytes(told.encode()) == digest
