"""Folders of LibriSpeech."""

from __future__ import annotations

from pathlib import Path

import pytest

from seq2seq_core.corpora.formats.table import FORMATS
from seq2seq_core.errors import ConfigError
from tests.speech_corpora import parts_of, read, source_of, sources_of, tone, write_files


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    for subset, speaker, chapter in [("train", "84", "1"), ("train", "174", "2"), ("dev", "9", "3")]:
        folder = f"LibriSpeech/{subset}/{speaker}/{chapter}"
        key = f"{speaker}-{chapter}"
        texts = "".join(f"{key}-{number:04d} SAID {number}\n" for number in range(3))
        write_files(
            tmp_path,
            **{f"{folder}/{key}.trans.txt": texts},
            **{f"{folder}/{key}-{number:04d}.flac": tone(0.2, 100 + number, "FLAC") for number in range(2)},
        )
    write_files(tmp_path, **{"LibriSpeech/README.TXT": "read me", "LibriSpeech/.cache/x-1.trans.txt": "x-1-0000 NO\n"})
    return tmp_path / "LibriSpeech"


def test_a_folder(corpus: Path) -> None:
    assert FORMATS["librispeech"].owns(str(corpus))
    found = read(path=str(corpus))
    assert [row for row in found.rows if row[2] == "174"] == [
        (1, "174-2-0000.flac", "174", "SAID 0"),
        (2, "174-2-0001.flac", "174", "SAID 1"),
    ]
    assert len(found.rows) == 6
    assert [(line, rule) for line, rule, _ in found.rejects] == [(3, "missing_audio")] * 3


def test_a_subset_and_a_transcript(corpus: Path) -> None:
    assert {row[2] for row in read(path=str(corpus / "train")).rows} == {"84", "174"}
    assert {row[2] for row in read(path=str(corpus), split="dev").rows} == {"9"}
    assert {row[2] for row in read(path=str(corpus / "dev" / "9" / "3" / "9-3.trans.txt")).rows} == {"9"}
    assert {row[2] for row in read(path=str(corpus / "*" / "*" / "*" / "*.trans.txt")).rows} == {"84", "174", "9"}
    with pytest.raises(ConfigError, match="no such split"):
        read(path=str(corpus), split="test-clean")


def test_parts_by_the_sizes_of_files(corpus: Path) -> None:
    source = source_of(path=str(corpus / "dev"))
    size = (corpus / "dev" / "9" / "3" / "9-3-0000.flac").stat().st_size
    assert [part.first_line for part in parts_of(source, size / 17_400 * 1.5)] == [1, 2, 3]
    assert len(parts_of(source)) == 1
    assert len(sources_of(path=str(corpus))) == 3


def test_lines_without_a_word(corpus: Path) -> None:
    path = corpus / "dev" / "9" / "3" / "9-3.trans.txt"
    path.write_text("\n9-3-0000\n  9-3-0001 \t SAID  TWICE \n")
    found = read(path=str(path))
    assert [(row[0], row[3]) for row in found.rows] == [(2, ""), (3, "SAID  TWICE")]
    assert found.rejects == [(1, "missing_field", "an empty line")]


def test_other_folders_are_none(tmp_path: Path) -> None:
    write_files(tmp_path, **{"a/b/c.txt": "x"})
    assert not FORMATS["librispeech"].owns(str(tmp_path))
