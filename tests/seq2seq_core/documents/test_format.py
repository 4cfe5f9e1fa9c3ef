from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from seq2seq_core import documents
from seq2seq_core.documents.fields import Fields
from seq2seq_core.documents.format import FORMATS, format_by_suffix, format_of
from seq2seq_core.documents.prediction import Prediction
from seq2seq_core.documents.ranges import InputFile, UnitSize

FIELDS = Fields("text", "translation")
EXAMPLES = {"text": b"one\ntwo\n", "jsonl": b'{"text": "one"}\n{"text": "two"}\n'}


def test_no_two_formats_share_a_name_or_a_suffix() -> None:
    suffixes = [suffix for described in FORMATS.values() for suffix in described.suffixes]
    assert len(set(suffixes)) == len(suffixes)
    assert [name for name, described in FORMATS.items() if described.name != name] == []
    assert sum(described.is_named_by_side for described in FORMATS.values()) == 1


@pytest.mark.parametrize(("suffix", "name"), [(".txt", "text"), (".NDJSON", "jsonl"), (".parquet", "parquet")])
def test_a_suffix_names_a_format(suffix: str, name: str) -> None:
    found = format_by_suffix(suffix)
    assert found is not None
    assert found.name == name


def test_a_suffix_may_name_none() -> None:
    assert format_by_suffix(".en") is None


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
    script = "import sys; from seq2seq_core.documents import format, inputs; print(*sorted(sys.modules))"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = set(run.stdout.split())
    assert not loaded & {"torch", "apache_beam", "sentencepiece", "sentencex", "ftfy"}
    ours = {name.split(".")[1] for name in loaded if name.startswith("seq2seq_core.")}
    assert not ours & {"tokenizer", "engines", "decoding", "models", "dataset", "inference", "preparation", "corpora"}


def test_a_name_in_the_table_stands_in_its_file_alone() -> None:
    """Whoever asks a file for its format asks the format, not for a name."""
    for path in Path(documents.__path__[0]).glob("*.py"):
        names = {node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)}
        assert names & {"jsonl", "parquet"} <= {path.stem}, path
