"""What names a model, and what its folder says without torch: by content, whatever the files are called."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from seq2seq_core import storage
from seq2seq_core.errors import ModelError
from seq2seq_core.models.card import FileEntry, ModelCard, as_json, count_parameters, read_card
from seq2seq_core.text.normalize import NormalizeConfig
from seq2seq_core.text.source_text import SourceText
from tests.model_folders import weights


def card(**changes: Any) -> ModelCard:
    files = {
        name: FileEntry(path=f"{name}.bin", bytes=3, digest=f"digest of {name}")
        for name in ("weights", "source_tokenizer", "target_tokenizer", "lineage")
    }
    facts = {"architecture": {"family": "rnn", "width": 8}, "source_vocabulary": 20, "target_vocabulary": 24}
    return ModelCard(**{**facts, **files, **changes})


@pytest.mark.parametrize("name", ["weights", "source_tokenizer", "target_tokenizer", "lineage"])
def test_names_of_files_do_not_name_the_model(name: str) -> None:
    entry = getattr(card(), name).model_copy(update={"path": "other/name.bin"})
    assert card(**{name: entry}).digest == card().digest


def test_a_model_of_text_has_the_digest_and_the_bytes_that_it_had_before_sources_were_anything_else() -> None:
    values = card(source_text=SourceText(source_language="en", longest=7))
    assert values.digest == "ec7fb7209a90194d3b8d80864800cfd0"
    assert storage.digest_bytes(as_json(values)) == "b9d8155847a7b311d8f90e331d94e6c5"


def test_where_the_same_model_comes_from_does_not_name_it() -> None:
    assert card(lineage=FileEntry(path="lineage.json", bytes=9, digest="other")).digest == card().digest


@pytest.mark.parametrize(
    "changes",
    [
        {"architecture": {"family": "rnn", "width": 9}},
        {"source_vocabulary": 21},
        {"target_vocabulary": 21},
        {"source_text": SourceText(longest=7)},
        {"source_text": SourceText(normalize=NormalizeConfig(case="lower"))},
        *(
            {name: FileEntry(path=f"{name}.bin", bytes=3, digest="other")}
            for name in ("weights", "source_tokenizer", "target_tokenizer")
        ),
        {
            "source_tokenizer": FileEntry(path="a", bytes=3, digest="digest of target_tokenizer"),
            "target_tokenizer": FileEntry(path="b", bytes=3, digest="digest of source_tokenizer"),
        },
    ],
)
def test_all_that_outputs_follow_from_names_the_model(changes: dict[str, Any]) -> None:
    assert card(**changes).digest != card().digest


def header(tmp_path: Path, values: object, length: int | None = None) -> str:
    text = json.dumps(values).encode()
    (tmp_path / "w").write_bytes(struct.pack("<Q", len(text) if length is None else length) + text)
    return str(tmp_path / "w")


def test_parameters_are_counted_by_the_header(tmp_path: Path) -> None:
    (tmp_path / "w").write_bytes(weights(header={"a": {"shape": [3, 4]}, "b": {"shape": []}}))
    assert count_parameters(str(tmp_path / "w")) == 13


@pytest.mark.parametrize(
    "values",
    [
        *([], 3, {"a": 3}, {"a": {}}, {"a": {"shape": 3}}, {"a": {"shape": ["3"]}}, {"a": {"shape": [-1]}}),
        *({"a": {"shape": [1 << 70]}}, {"a": {"shape": [2] * 1000}}, {"a": {"shape": [float("nan")]}}),
    ],
)
def test_a_header_that_cannot_be_is_named(tmp_path: Path, values: object) -> None:
    with pytest.raises(ModelError, match="w: the weights are damaged"):
        count_parameters(header(tmp_path, values))


def test_a_header_without_end_is_named(tmp_path: Path) -> None:
    (tmp_path / "short").write_bytes(b"\x10")
    (tmp_path / "deep").write_bytes(struct.pack("<Q", 200_000) + b"[" * 200_000)
    for url in (str(tmp_path / "short"), str(tmp_path / "deep"), header(tmp_path, {"a": {}}, length=1 << 62)):
        with pytest.raises(ModelError, match="the weights are damaged"):
            count_parameters(url)


def test_folders_are_read_without_torch(tmp_path: Path) -> None:
    storage.publish_text(str(tmp_path / "config.json"), "{}")
    code = f"""
import sys
sys.modules["torch"] = None
from seq2seq_core.errors import ModelError
from seq2seq_core.models import card, publishing
try:
    card.read_card({str(tmp_path)!r})
except ModelError:
    sys.exit(7)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 7
    with pytest.raises(ModelError, match="none of this project"):
        read_card(str(tmp_path))
