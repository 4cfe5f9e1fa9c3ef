from __future__ import annotations

import bz2
import contextlib
import gzip
import json
import lzma
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from seq2seq_core import storage
from seq2seq_core.documents import lines, pieces, row_groups
from seq2seq_core.documents.fields import Fields
from seq2seq_core.documents.formats.inputs import find_inputs
from seq2seq_core.documents.formats.table import format_of
from seq2seq_core.documents.pieces import clear_pieces
from seq2seq_core.documents.ranges import InputFile, RecordRange, UnitSize
from seq2seq_core.errors import InputError
from seq2seq_core.files.compression import open_plain

FIELDS = Fields("text", "translation")
PACKERS = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": zstandard.ZstdCompressor().compress,
}
FORMATS = [".txt.gz", ".txt.bz2", ".jsonl.xz", ".jsonl.zst", ".parquet"]


def write(folder: Path, records: int, suffix: str, word: str = "number") -> InputFile:
    """An input of so many records; of Parquet all in one row group."""
    path = folder / f"a{suffix}"
    texts = [f"{word} {i}" for i in range(records)]
    if suffix == ".parquet":
        pq.write_table(pa.table({"text": texts, "id": range(records)}), path)
    else:
        rows = texts if suffix.startswith(".txt") else [json.dumps({"text": text}) for text in texts]
        path.write_bytes(PACKERS[path.suffix]("".join(f"{row}\n" for row in rows).encode()))
    return find_inputs([str(path)], None, "elsewhere")[0]


def counted(file: InputFile, records: int = 10) -> list[RecordRange]:
    return list(format_of(file).count(file, UnitSize(records, 1 << 20), FIELDS).ranges)


def texts(file: InputFile, parts: list[RecordRange]) -> list[str | None]:
    return [text for part in parts for text in format_of(file).read(file, part, FIELDS).texts]


@pytest.mark.parametrize("suffix", FORMATS)
def test_pieces_hold_what_the_input_holds(tmp_path: Path, suffix: str) -> None:
    file, folder = write(tmp_path, 95, suffix), tmp_path / "pieces"
    parts = counted(file)
    laid_out = format_of(file).lay_out(file, parts[::-1], str(folder))
    assert [part.first for part in laid_out] == [part.first for part in parts]
    # What stands at the beginning of an archive is read from there.
    with_pieces = [(part, copy) for part, copy in zip(parts, laid_out, strict=True) if copy.piece]
    assert len(with_pieces) == (10 if suffix == ".parquet" else 9)
    expected = texts(file, [part for part, _ in with_pieces])
    Path(file.url).unlink()
    assert texts(file, [copy for _, copy in with_pieces]) == expected


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_piece_that_is_gone_or_damaged_is_read_from_the_input(tmp_path: Path, suffix: str) -> None:
    file, folder = write(tmp_path, 50, suffix), tmp_path / "pieces"
    laid_out = format_of(file).lay_out(file, counted(file), str(folder))
    expected = texts(file, counted(file))
    for damage in (
        lambda piece: piece.write_bytes(piece.read_bytes()[:-3]),
        lambda piece: piece.write_bytes(b"other"),
        Path.unlink,
    ):
        for part in laid_out:
            if part.piece:
                damage(Path(part.piece))  # type: ignore[operator]
        assert texts(file, laid_out) == expected


@pytest.mark.parametrize("suffix", FORMATS)
def test_an_input_that_has_changed_is_an_error(tmp_path: Path, suffix: str) -> None:
    file = write(tmp_path, 50, suffix)
    parts = counted(file)
    write(tmp_path, 50, suffix, "letter")
    with pytest.raises(InputError, match=rf"a{suffix}, (rows|records) from .*: the file has changed"):
        format_of(file).lay_out(file, parts, str(tmp_path / "pieces"))
    assert [path.name for path in (tmp_path / "pieces").iterdir() if path.suffix != ".json"] == []


def test_what_is_read_directly_needs_no_piece(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"one\n" * 50)
    pq.write_table(pa.table({"text": ["one"] * 50}), tmp_path / "b.parquet", row_group_size=20)
    for file in find_inputs([str(tmp_path)], None, "elsewhere"):
        parts = counted(file)
        assert len({format_of(file).read_together(file, part) for part in parts}) == (5 if file.format == "text" else 3)
        for key in {format_of(file).read_together(file, part) for part in parts}:
            together = [part for part in parts if format_of(file).read_together(file, part) == key]
            assert format_of(file).lay_out(file, together, str(tmp_path / "pieces")) == together
    short = write(tmp_path, 20, ".txt.gz")
    assert format_of(short).lay_out(short, counted(short), str(tmp_path / "pieces")) == counted(short)
    assert not (tmp_path / "pieces").exists()


def test_only_what_is_to_be_done_is_laid_out_and_a_rerun_finds_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, folder = write(tmp_path, 100, ".txt.gz"), tmp_path / "pieces"
    parts = counted(file)
    to_do = [parts[2], parts[5], parts[9]]
    laid_out = format_of(file).lay_out(file, to_do, str(folder))
    assert len(list(folder.glob("*.zst"))) == 3
    assert texts(file, laid_out) == texts(file, to_do)
    with monkeypatch.context() as patch:
        patch.setattr(lines, "open_plain", None)
        assert format_of(file).lay_out(file, to_do, str(folder)) == laid_out
    format_of(file).lay_out(file, parts, str(folder))
    assert len(list(folder.glob("*.zst"))) == 9


def test_equal_ranges_share_a_piece(tmp_path: Path) -> None:
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(b"one\n" * 50))
    (file,) = find_inputs([str(tmp_path / "a.txt.gz")], None, "elsewhere")
    laid_out = format_of(file).lay_out(file, counted(file), str(tmp_path / "pieces"))
    assert texts(file, laid_out) == ["one"] * 50
    assert len(list((tmp_path / "pieces").glob("*.zst"))) == 1


class Killed(BaseException):
    """The end of a process, as far as a block can tell."""


@pytest.mark.parametrize("suffix", [".txt.gz", ".parquet"])
def test_a_kill_at_any_moment_leaves_nothing_behind_for_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    file, folder = write(tmp_path, 50, suffix), tmp_path / "pieces"
    parts = counted(file)
    published = storage.publish
    for moment in range(7):
        left = iter([False] * moment + [True] * 99)

        def dying(url: str, **options: Any) -> Any:
            if next(left):  # noqa: B023
                # What a kill leaves of a file that is being written.
                name = storage.name_of(url)
                folder.mkdir(exist_ok=True)
                (folder / f".{name}.{random.randbytes(16).hex()}.tmp").write_bytes(b"half")
                raise Killed
            return published(url, **options)

        with monkeypatch.context() as patch:
            patch.setattr(storage, "publish", dying)
            with contextlib.suppress(Killed):
                format_of(file).lay_out(file, parts, str(folder))
        if moment == 3:
            assert texts(file, format_of(file).lay_out(file, parts, str(folder))) == texts(file, parts)
        clear_pieces(str(folder))
        assert not folder.exists(), moment


def test_only_what_a_record_names_is_removed(tmp_path: Path) -> None:
    file, folder = write(tmp_path, 50, ".txt.gz"), tmp_path / "pieces"
    format_of(file).lay_out(file, counted(file), str(folder))
    foreign = {"notes.txt", "0" * 32 + ".zst", "1" * 32 + ".json", "mine.json", f".x.{'2' * 32}.tmp"}
    for name in foreign:
        (folder / name).write_bytes(b"{}")
    clear_pieces(str(folder))
    assert {path.name for path in folder.iterdir()} == foreign
    clear_pieces(str(tmp_path / "nowhere"))


def test_an_equal_run_that_ends_before_takes_no_record_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, folder = write(tmp_path, 50, ".txt.gz"), tmp_path / "pieces"
    publish_lines = pieces.publish_lines
    monkeypatch.setattr(lines, "publish_lines", lambda url: clear_pieces(str(folder)) or publish_lines(url))
    format_of(file).lay_out(file, counted(file), str(folder))
    assert list(folder.glob("*.zst"))
    clear_pieces(str(folder))
    assert not folder.exists()


@pytest.fixture
def unpacked(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Counts the plain bytes that come out of the input, and the rows that are decoded."""
    counts = {"bytes": 0, "rows": 0}

    class Counting:
        def __init__(self, stream: Any) -> None:
            self._stream = stream

        def read(self, size: int, /) -> bytes:
            block: bytes = self._stream.read(size)
            counts["bytes"] += len(block)
            return block

    class Opened:
        def __init__(self, url: str, *place: int) -> None:
            self._inner = open_plain(url, *place)
            self._is_input = "pieces" not in url

        def __enter__(self) -> Any:
            stream = self._inner.__enter__()
            return Counting(stream) if self._is_input else stream

        def __exit__(self, *error: Any) -> Any:
            return self._inner.__exit__(*error)

    monkeypatch.setattr(lines, "open_plain", Opened)
    plain = lines.unpacked
    monkeypatch.setattr(lines, "unpacked", lambda stored, url: Counting(plain(stored, url)))
    batches_of = row_groups.batches_of

    def counting(parquet: Any, groups: Any) -> Iterator[pa.RecordBatch]:
        for batch in batches_of(parquet, groups):
            counts["rows"] += len(batch)
            yield batch

    monkeypatch.setattr(row_groups, "batches_of", counting)
    return counts


@pytest.mark.parametrize("suffix", [".txt.gz", ".jsonl.zst", ".parquet"])
def test_twice_the_records_are_twice_the_work(tmp_path: Path, unpacked: dict[str, int], suffix: str) -> None:
    for records in (1000, 2000, 4000):
        file = write(tmp_path, records, suffix)
        size = len(gzip.decompress(Path(file.url).read_bytes())) if suffix.endswith(".gz") else None
        unpacked.update(bytes=0, rows=0)
        laid_out = format_of(file).lay_out(file, counted(file), str(tmp_path / f"pieces{records}"))
        assert len(texts(file, laid_out)) == records
        if suffix == ".parquet":
            assert unpacked["rows"] == records
        elif size is not None:
            assert unpacked["bytes"] <= 2 * size + 1000
        assert unpacked["bytes"] <= 2 * 40 * records
