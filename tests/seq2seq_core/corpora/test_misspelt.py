"""A field that no row has is told before all rows are read; a row without one is no reason."""

from __future__ import annotations

import gzip
import re
from pathlib import Path
from typing import Any

import pytest

from seq2seq_core.corpora.config import CorpusConfig
from seq2seq_core.corpora.misspelt import refuse_misspelt
from seq2seq_core.errors import ConfigError


def look(folder: Path, texts: dict[str, str], **values: Any) -> None:
    for name, text in texts.items():
        (folder / name).write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    corpus = CorpusConfig(path=tuple(str(folder / name) for name in texts), **values)
    refuse_misspelt(corpus.sources(), "web")


ROWS = '{"en": "a", "de": "b", "more": {"id": 3}}\n'


@pytest.mark.parametrize(
    ("texts", "values", "message"),
    [
        (
            {"a.jsonl": ROWS * 3},
            {},
            "a.jsonl: corpus web: no row has the field source or target; found en, de, more.id",
        ),
        (
            {"a.jsonl": ROWS},
            {"source_field": "english", "target_field": "de"},
            "no row has the field english; found en",
        ),
        ({"a.jsonl.gz": ROWS}, {"source_field": "en", "target_field": "more.de"}, "no row has the field more.de"),
        ({"a.jsonl": f"no JSON\n\n{ROWS}"}, {}, "found en, de, more.id in the first 1 rows"),
        ({"a.jsonl": ROWS, "b.jsonl": ROWS}, {"source_field": "en"}, "no row has the field target"),
        (
            {"a.jsonl": ROWS},
            {"source_field": "en", "target_field": "de", "score_field": "s"},
            "no row has the field s;",
        ),
        (
            {"a.tsv": "a\tb\n" * 3},
            {"target_field": 3},
            "no row has the field 3; found column 1, column 2 in the first 3",
        ),
    ],
)
def test_a_field_that_is_nowhere_is_refused_with_those_that_are_there(
    tmp_path: Path, texts: dict[str, str], values: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        look(tmp_path, texts, **values)


@pytest.mark.parametrize(
    ("texts", "values"),
    [
        ({"a.jsonl": "{}\n" * 5 + ROWS}, {"source_field": "en", "target_field": "de"}),
        ({"a.jsonl": '{"en": null, "de": 3}\n'}, {"source_field": "en", "target_field": "de"}),  # there, if of no use
        ({"a.jsonl": "no JSON\n" * 3}, {}),
        ({"a.jsonl": "{}\n", "b.jsonl": ROWS}, {"source_field": "en", "target_field": "de"}),
        ({"a.tsv": "a\n" * 5 + "a\tb\n"}, {}),
        ({"a.tsv": "en\tde\na\tb\n"}, {"source_field": "en", "target_field": "de"}),
        ({"a.txt": "a\n"}, {"format": "tsv", "text_field": 1}),
    ],
)
def test_what_some_row_has_is_no_mistake(tmp_path: Path, texts: dict[str, str], values: dict[str, Any]) -> None:
    look(tmp_path, texts, **values)


@pytest.mark.parametrize(
    ("row", "missing"),
    [
        ('{"audio_filepth": "a.wav", "text": "x"}', "audio_filepath; found audio_filepth, text"),
        ('{"audio": "a.wav", "txt": "x"}', "text; found audio, txt"),
        ('{"audio_filepath": "a.wav", "text": "x"}', ""),
        ('{"audio": "a.wav", "text": "x"}', ""),
    ],
)
def test_fields_of_speech_manifests(tmp_path: Path, row: str, missing: str) -> None:
    (tmp_path / "a.jsonl").write_text(f"{row}\n")
    sources = CorpusConfig(path=str(tmp_path / "a.jsonl"), format="speech_manifest").sources(values=("source",))
    if not missing:
        refuse_misspelt(sources, "web")
        return
    with pytest.raises(ConfigError, match=re.escape(f"no row has the field {missing}")):
        refuse_misspelt(sources, "web")
