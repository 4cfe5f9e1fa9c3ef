"""The table of formats: what stands there is what configurations take, and no format leans on another."""

from __future__ import annotations

import ast
import inspect
from collections import Counter

import pytest

from seq2seq_core import config as configuration
from seq2seq_core.config import keys
from seq2seq_core.corpora.config import CorpusConfig
from seq2seq_core.corpora.formats.table import FORMATS
from seq2seq_core.errors import ConfigError


def test_a_configuration_takes_the_names_of_the_table_and_shows_them() -> None:
    choices = CorpusConfig.model_json_schema()["properties"]["format"]["anyOf"]
    assert choices == [{"enum": list(FORMATS), "type": "string"}, {"type": "null"}]
    (shown,) = (key.type_name for key in keys(CorpusConfig) if key.name == "format")
    assert shown == " | ".join([*FORMATS, "null"])
    with pytest.raises(ConfigError, match=r"format: Input should be 'moses', .*; found 'word'"):
        configuration.build(CorpusConfig, {"path": "x", "format": "word"})


def test_a_name_tells_one_format() -> None:
    suffixes = Counter(suffix for format_ in FORMATS.values() for suffix in format_.suffixes)
    assert set(suffixes.values()) == {1}
    assert all(suffix == suffix.lower() and suffix.startswith(".") for suffix in suffixes)


@pytest.mark.parametrize("name", FORMATS)
def test_no_format_knows_another(name: str) -> None:
    files = {key: inspect.getmodule(type(format_)) for key, format_ in FORMATS.items()}
    others = {module.__name__ for key, module in files.items() if module is not None and key != name}
    module = files[name]
    assert module is not None
    imported = {
        node.module for node in ast.walk(ast.parse(inspect.getsource(module))) if isinstance(node, ast.ImportFrom)
    }
    assert len(others) == len(FORMATS) - 1
    assert imported.isdisjoint(others)
