"""Real corpora in every format: the rows a plain Python reading finds, whatever they were converted to."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

Rows = list[tuple[int, str, str]]
NESTED = {"source_field": "translation.en", "target_field": "translation.de"}


def gzip_lines(path: Path) -> list[str]:
    with gzip.open(path, "rb") as file:
        return file.read().decode().removesuffix("\n").split("\n")


def beside(folder: Path, name: str) -> Path:
    """Another folder of real data; the test skips, naming it, where it is absent."""
    found = folder.parent / name
    if not found.is_dir():
        pytest.skip(f"no such folder: {found}")
    return found


@pytest.fixture(scope="module")
def rows(multi30k: Path) -> Rows:
    sides = [gzip_lines(multi30k / f"val.{language}.gz") for language in ("en", "de")]
    return [(line, *pair) for line, pair in enumerate(zip(*sides, strict=True), 1)]


@pytest.fixture
def table(rows: Rows) -> pa.Table:
    return pa.table({"translation": [{"en": source, "de": target} for _, source, target in rows]})


def test_a_pair_of_files(multi30k: Path, reading: Any, rows: Rows) -> None:
    found = reading.read(source=str(multi30k / "val.en.gz"), target=str(multi30k / "val.de.gz"))
    assert found == (rows, [])


def test_lines_without_spaces(multi30k: Path, reading: Any) -> None:
    folder = beside(multi30k, "enja")
    found = reading.read(source=str(folder / "train.en.gz"), target=str(folder / "train.ja.gz"))
    sides = [gzip_lines(folder / f"train.{language}.gz") for language in ("en", "ja")]
    assert found.rows == [(line, *pair) for line, pair in enumerate(zip(*sides, strict=True), 1)]


def test_nested_json(multi30k: Path, reading: Any) -> None:
    path = beside(multi30k, "scitldr") / "train.jsonl.gz"
    found = reading.read(limit=1 << 20, path=str(path), source_field="source.*", target_field="target.0")
    objects = [json.loads(line) for line in gzip_lines(path)]
    expected = [(line, " ".join(row["source"]), row["target"][0]) for line, row in enumerate(objects, 1)]
    assert found == (expected, [])


def test_tsv_and_json_plain(tmp_path: Path, reading: Any, rows: Rows) -> None:
    (tmp_path / "c.tsv").write_bytes("".join(f"{source}\t{target}\n" for _, source, target in rows).encode())
    objects = (json.dumps({"source": source, "target": target}) for _, source, target in rows)
    (tmp_path / "c.jsonl").write_text("\n".join(objects))
    for name in ("c.tsv", "c.jsonl"):
        assert reading.read(300, path=str(tmp_path / name)) == (rows, [])


def test_parquet(tmp_path: Path, reading: Any, rows: Rows, table: pa.Table) -> None:
    pq.write_table(table, tmp_path / "c.parquet", row_group_size=100, compression="zstd")
    assert reading.read(250, path=str(tmp_path / "c.parquet"), **NESTED) == (rows, [])


def test_tmx(tmp_path: Path, reading: Any, rows: Rows) -> None:
    unit = '<tu><tuv xml:lang="en-GB"><seg>{}</seg></tuv><tuv xml:lang="DE"><seg>{}</seg></tuv></tu>'
    units = "".join(unit.format(escape(source), escape(target)) for _, source, target in rows)
    (tmp_path / "c.tmx.gz").write_bytes(gzip.compress(f"<tmx><header/><body>{units}</body></tmx>".encode()))
    found = reading.read(path=str(tmp_path / "c.tmx.gz"), source_language="en", target_language="de")
    assert found == (rows, [])


def test_a_saved_dataset(tmp_path: Path, reading: Any, rows: Rows, table: pa.Table) -> None:
    folder = tmp_path / "saved" / "validation"
    folder.mkdir(parents=True)
    with (
        pa.OSFile(str(folder / "data-00000-of-00001.arrow"), "wb") as sink,
        pa.ipc.new_stream(sink, table.schema) as out,
    ):
        out.write_table(table, max_chunksize=100)
    (folder / "state.json").write_text('{"_data_files": [{"filename": "data-00000-of-00001.arrow"}], "_split": null}')
    (tmp_path / "saved" / "dataset_dict.json").write_text('{"splits": ["validation"]}')
    assert reading.read(250, path=str(tmp_path / "saved"), split="validation", **NESTED) == (rows, [])
