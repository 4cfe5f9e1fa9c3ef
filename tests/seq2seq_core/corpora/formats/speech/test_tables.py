"""Tables of speech with a header, of any maker and of Common Voice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from seq2seq_core.corpora.formats.table import FORMATS
from seq2seq_core.errors import ConfigError, InputError
from tests.conftest import real_data
from tests.speech_corpora import parts_of, read, read_parts, source_of, tone, write_files


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    write_files(tmp_path, **{"a.wav": tone(0.5), "long.wav": tone(3.0), "clips/x.mp3": tone(0.4), "clips/y.mp3": b"y"})
    return tmp_path


def table(*rows: str) -> str:
    return "".join(f"{row}\n" for row in rows).replace(" ", "\t")


def test_columns_by_name(corpus: Path) -> None:
    write_files(
        corpus, **{"t.tsv": table("text id speaker path", "one 1 ann a.wav", "two 2  a.wav", 'say"s 3 bo a.wav')}
    )
    found = read(path=str(corpus / "t.tsv"), format="speech_tsv")
    assert found.rows == [(2, "a.wav", "ann", "one"), (3, "a.wav", None, "two"), (4, "a.wav", "bo", 'say"s')]
    assert found.audio == [(corpus / "a.wav").read_bytes()] * 3


def test_a_column_called_audio_and_columns_that_are_named(corpus: Path) -> None:
    write_files(corpus, **{"t.tsv": table("audio text", "a.wav one"), "u.tsv": table("file said", "a.wav one")})
    expected = [(2, "a.wav", None, "one")]
    assert read(path=str(corpus / "t.tsv"), format="speech_tsv").rows == expected
    fields = {"source_field": "file", "target_field": "said"}
    assert read(path=str(corpus / "u.tsv"), format="speech_tsv", **fields).rows == expected


def test_ranges_and_faults(corpus: Path) -> None:
    rows = table(
        "path text offset duration",
        "long.wav one 0.5 1.0",
        "long.wav two 2.9 1.0",
        "long.wav three later 1.0",
        "long.wav",
        " five  ",
        "a.wav six  0.5",
        "none.wav seven  ",
    )
    write_files(corpus, **{"t.tsv": rows})
    found = read(path=str(corpus / "t.tsv"), format="speech_tsv")
    assert [(row[0], row[3]) for row in found.rows] == [(2, "one"), (7, "six")]
    assert [(line, rule) for line, rule, _ in found.rejects] == [
        (3, "wrong_duration"),
        (4, "wrong_duration"),
        (5, "missing_column"),
        (6, "missing_field"),
        (8, "missing_audio"),
    ]


@pytest.mark.parametrize("packed", [False, True])
def test_every_part_knows_the_header(corpus: Path, packed: bool) -> None:
    import gzip

    rows = table("text path duration", *(f"{number} a.wav 0.5" for number in range(7)))
    path = corpus / ("t.tsv.gz" if packed else "t.tsv")
    path.write_bytes(gzip.compress(rows.encode()) if packed else rows.encode())
    parts = parts_of(source_of(path=str(path), format="speech_tsv"), 1.5)
    assert [[row[0] for row in read_parts([part]).rows] for part in parts] == [[2, 3, 4], [5, 6, 7], [8]]
    swapped = rows.replace("text\tpath", "path\ttext")
    path.write_bytes(gzip.compress(swapped.encode()) if packed else swapped.encode())
    with pytest.raises(InputError, match="the file has changed"):
        read_parts(parts[1:])


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("file text", r"t\.tsv, line 1: no column 'path'; found columns file, text"),
        ("path path text", "the column 'path' is there more than once"),
        ("path text speaker speaker", "the column 'speaker' is there more than once"),
    ],
)
def test_headers_that_will_not_do(corpus: Path, header: str, message: str) -> None:
    write_files(corpus, **{"t.tsv": table(header, "a b c d")})
    with pytest.raises(InputError, match=message):
        read(path=str(corpus / "t.tsv"), format="speech_tsv")


def test_a_table_without_rows(corpus: Path) -> None:
    write_files(corpus, **{"t.tsv": table("path text")})
    with pytest.raises(InputError, match="the file is empty"):
        read(path=str(corpus / "t.tsv"), format="speech_tsv")
    assert read(path=str(corpus / "*.tsv"), format="speech_tsv").rows == []


CV = ("client_id path sentence up_votes", "c1 x.mp3 eins 2", "c2 y.mp3 zwei 2", "c1 ../a.wav drei 2")


def test_common_voice(corpus: Path) -> None:
    write_files(corpus, **{"train.tsv": table(*CV), "dev.tsv": table(*CV[:2])})
    expected = [(2, "clips/x.mp3", "c1", "eins"), (3, "clips/y.mp3", "c2", "zwei"), (4, "clips/../a.wav", "c1", "drei")]
    assert read(path=str(corpus / "train.tsv"), format="common_voice").rows == expected
    assert read(path=str(corpus)).rows == expected
    assert read(path=str(corpus), split="dev").rows == expected[:1]
    assert FORMATS["common_voice"].owns(str(corpus))
    with pytest.raises(ConfigError, match=r"no such split; found dev\.tsv, train\.tsv"):
        read(path=str(corpus), split="test")


def test_fsdd() -> None:
    folder = real_data("fsdd")
    path = str(folder / "manifest.tsv")
    source = source_of(path=path, format="speech_tsv")
    parts = parts_of(source, 600.0)
    assert len(parts) > 10
    found: Any = read_parts(parts[:1])
    assert len(found.rows) == 60
    assert all(f"_{speaker}_" in path for _, path, speaker, _ in found.rows)
    assert found.audio[0] == (folder / found.rows[0][1]).read_bytes()
