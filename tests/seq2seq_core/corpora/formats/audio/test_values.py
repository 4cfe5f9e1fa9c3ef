"""Parquet and Arrow files with audio as Hugging Face `datasets` writes it: held, or named by a path."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from seq2seq_core.corpora.cutting import cut, index_source
from seq2seq_core.corpora.formats.audio import named
from seq2seq_core.corpora.formats.audio.values import is_file
from seq2seq_core.corpora.terms.index import PartSize
from tests.speech_corpora import parts_of, read, read_parts, source_of, tone, write_files

HELD = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
FIELDS = {"source_field": "audio", "target_field": "text"}
Rows = list[dict[str, Any] | None]


def write(folder: Path, suffix: str, rows: Rows, kind: pa.DataType = HELD, **options: Any) -> str:
    table = pa.table({"audio": pa.array(rows, kind), "text": [str(number) for number in range(len(rows))]})
    path = folder / f"a{suffix}"
    if suffix == ".parquet":
        pq.write_table(table, path, **options)
    else:
        with pa.ipc.new_stream(str(path), table.schema) as sink:
            sink.write_table(table, max_chunksize=2)
    return str(path)


@pytest.mark.parametrize("suffix", [".parquet", ".arrow"])
def test_bytes_that_are_held(tmp_path: Path, suffix: str) -> None:
    rows: Rows = [{"bytes": tone(0.1, 100.0 + n), "path": f"{n}.wav"} for n in range(3)]
    found = read(path=write(tmp_path, suffix, rows), **FIELDS)
    assert found.rows == [(n + 1, f"{n}.wav", None, str(n)) for n in range(3)]
    assert found.audio == [row["bytes"] for row in rows if row]


@pytest.mark.parametrize("suffix", [".parquet", ".arrow"])
def test_bytes_that_are_not_there(tmp_path: Path, suffix: str) -> None:
    write_files(tmp_path, **{"wavs/a.wav": tone(0.2)})
    rows: Rows = [
        {"bytes": None, "path": "wavs/a.wav"},
        {"bytes": b"held", "path": None},
        None,
        {"bytes": None, "path": None},
        {"bytes": None, "path": "none.wav"},
        {"bytes": None, "path": "../../x.wav"},
        {"bytes": b"", "path": "../x.wav"},
    ]
    found = read(path=write(tmp_path, suffix, rows), **FIELDS)
    assert found.rows == [(1, "wavs/a.wav", None, "0"), (2, None, None, "1"), (7, "../x.wav", None, "6")]
    assert found.audio == [tone(0.2), b"held", b""]
    assert [(line, rule) for line, rule, _ in found.rejects] == [
        (3, "missing_field"),
        (4, "missing_audio"),
        (5, "missing_audio"),
        (6, "outside_corpus"),
    ]


def test_a_root_and_bounded_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(named, "BATCH_BYTES", 4000)
    write_files(tmp_path, **{"wavs/a.wav": tone(0.1)})
    (tmp_path / "tables").mkdir()
    path = write(tmp_path / "tables", ".parquet", [{"bytes": None, "path": "a.wav"}] * 5)
    assert len(read(path=path, **FIELDS).rejects) == 5
    found = read(path=path, audio_root=str(tmp_path / "wavs"), **FIELDS)
    assert [row[0] for row in found.rows] == [1, 2, 3, 4, 5]


def test_paths_that_are_not_utf8_are_not_shown(tmp_path: Path) -> None:
    kind = pa.struct([("bytes", pa.large_binary()), ("path", pa.binary())])
    path = write(tmp_path, ".parquet", [{"bytes": b"x", "path": b"\xff"}, {"bytes": b"y", "path": b"b.wav"}], kind)
    assert [row[1] for row in read(path=path, **FIELDS).rows] == [None, "b.wav"]


def test_who_speaks(tmp_path: Path) -> None:
    kind = pa.struct([*HELD, ("speaker", pa.string())])
    rows: Rows = [{"bytes": b"x", "path": None, "speaker": "ann"}]
    assert read(path=write(tmp_path, ".parquet", rows, kind), **FIELDS).rows == [(1, None, "ann", "0")]


@pytest.mark.parametrize("suffix", [".parquet", ".arrow"])
def test_parts_are_bounded_by_bytes(tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PartSize.__new__, "__defaults__", (1800.0, 30_000))
    rows: Rows = [{"bytes": bytes([n]) * 10_000, "path": None} for n in range(8)]
    options = {"row_group_size": 2, "compression": "none", "use_dictionary": False} if suffix == ".parquet" else {}
    source = source_of(path=write(tmp_path, suffix, rows, **options), **FIELDS)
    assert [part.first_line for part in parts_of(source)] == [1, 3, 5, 7]
    as_text = source.model_copy(update={"fields": ("text", "text"), "values": ()})
    assert len(cut(as_text, index_source(as_text, 100, 1000))) == 1
    assert len(read_parts(parts_of(source)).rows) == 8


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (HELD, True),
        (pa.struct([("path", pa.string()), ("bytes", pa.null())]), True),
        (pa.struct([("path", pa.string())]), True),
        (pa.struct([*HELD, ("array", pa.float32())]), False),
        (pa.struct([("bytes", pa.binary())]), False),
        (pa.struct([("bytes", pa.int8()), ("path", pa.string())]), False),
        (pa.binary(), False),
        (pa.list_(HELD), False),
    ],
)
def test_which_values_are_files(kind: pa.DataType, expected: bool) -> None:
    assert is_file(kind) == expected
