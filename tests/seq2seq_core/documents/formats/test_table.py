from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from seq2seq_core.documents.fields import Fields
from seq2seq_core.documents.formats.table import FORMATS, format_of, name_by_suffix
from seq2seq_core.documents.prediction import Prediction
from seq2seq_core.documents.ranges import InputFile, UnitSize

FIELDS = Fields("text", "translation")
EXAMPLES = {"text": b"one\ntwo\n", "jsonl": b'{"text": "one"}\n{"text": "two"}\n'}


def test_no_two_formats_share_a_name_or_a_suffix() -> None:
    suffixes = [suffix for described in FORMATS.values() for suffix in described.suffixes]
    assert len(set(suffixes)) == len(suffixes)
    assert sum(described.is_named_by_side for described in FORMATS.values()) == 1


@pytest.mark.parametrize(
    ("suffix", "name"), [(".txt", "text"), (".NDJSON", "jsonl"), (".parquet", "parquet"), (".en", None)]
)
def test_a_suffix_names_a_format(suffix: str, name: str | None) -> None:
    assert name_by_suffix(suffix) == name


@pytest.mark.parametrize("name", EXAMPLES)
def test_what_is_read_is_rendered_again(tmp_path: Path, name: str) -> None:
    path = tmp_path / "a"
    path.write_bytes(EXAMPLES[name])
    file = InputFile(str(path), "a", "", name)
    counted = format_of(file).count(file, UnitSize(1, 1 << 20), FIELDS)
    contents = [format_of(file).read(file, part, FIELDS) for part in counted.ranges]
    assert [content.texts for content in contents] == [["one"], ["two"]]
    out = [format_of(file).render(file, content, [Prediction("answer")], FIELDS) for content in contents]
    assert all(b"answer" in data for data in out)


def test_documents_are_read_without_tokenizer_segmenter_and_engine() -> None:
    """And none of their libraries is loaded."""
    script = "import sys; from seq2seq_core.documents.formats import inputs, table; print(*sorted(sys.modules))"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = set(run.stdout.split())
    assert not loaded & {"torch", "apache_beam", "sentencepiece", "sentencex", "ftfy"}
    ours = {name.split(".")[1] for name in loaded if name.startswith("seq2seq_core.")}
    assert not ours & {"tokenizer", "engines", "decoding", "models", "dataset", "inference", "preparation", "corpora"}
