"""The configuration of a corpus: which files it names, and what does not fit together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from seq2seq_core import config as configuration
from seq2seq_core.corpora.config import CorpusConfig
from seq2seq_core.errors import ConfigError, InputError, StorageError


def corpus(**values: Any) -> CorpusConfig:
    return configuration.build(CorpusConfig, values)


def test_a_corpus_knows_more_than_where_it_lies() -> None:
    config = corpus(
        path=["b.tsv", "a.tsv"], name="news", weight=0.5, max_rows=10, source_language="en", target_language="pt-BR",
        tag=True, filters={"words": {"maximum": 9}}, normalize={"unicode": "nfc"},
    )  # fmt: skip
    assert (config.weight, config.max_rows, config.tag, config.path) == (0.5, 10, True, ("a.tsv", "b.tsv"))  # in order
    plain = corpus(path="a.tsv")
    assert (plain.weight, plain.max_rows, plain.tag, plain.prompt_words, plain.filters) == (1.0, None, False, 0, None)
    assert [plain.has_files, corpus().has_files, corpus(text="x").has_files] == [True, False, True]


def test_globs_are_sorted_and_pair_up(tmp_path: Path) -> None:
    for name in ("b.en", "a.en", "a.de", "b.de", "c.en"):
        (tmp_path / name).write_text("x\n")
    pairs = corpus(source=str(tmp_path / "[ab].en"), target=str(tmp_path / "*.de")).sources()
    assert [[Path(url).name for url in pair.urls] for pair in pairs] == [["a.en", "a.de"], ["b.en", "b.de"]]
    with pytest.raises(InputError, match=r"3 source files .* and 2 target files"):
        corpus(source=str(tmp_path / "*.en"), target=str(tmp_path / "*.de")).sources()
    with pytest.raises(StorageError, match="no such file"):
        corpus(source=str(tmp_path / "*.fr"), target=str(tmp_path / "*.de")).sources()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"path": "a.tsv", "source": "a"}, "give source and target, or path alone"),
        ({"source": "a"}, "both sides are needed"),
        ({"text": "a", "path": "b.tsv"}, "or text alone; found"),
        ({"text": "a", "format": "tsv"}, "format tsv does not fit; found text, expected path and text_field"),
        ({"path": "a", "format": "text"}, "format text does not fit; found path, expected text"),
        ({"path": "a", "format": "xml"}, "format: Input should be 'moses', 'text', 'tsv', .*'webdataset'; found 'xml'"),
        ({"path": []}, "path names no file"),
        ({"source": ["a", ""], "target": "b"}, r"source\.1: an empty path \(is a variable unset\?\)"),
        ({"text": "a", "text_field": 1}, "give text_field with path alone"),
        ({"path": "a.tsv", "text_field": 1, "source_field": 2}, "without source_field and target_field"),
        ({"path": "a.tsv", "prompt_words": 2}, "prompt_words is for text alone"),
        ({"text": "a", "prompt_words": -1}, "prompt_words: .*greater than or equal to 0"),
        ({"path": "a.tsv", "tag": True}, "tag needs target_language"),
        ({"path": "a.tsv", "target_language": "not a language"}, "target_language: "),
        ({"path": "a.tsv", "weight": 0}, "weight: .*greater than 0"),
        ({"path": "a.tsv", "weight": float("inf")}, "weight: .*finite"),
        ({"path": "a.tsv", "max_rows": 0}, "max_rows: "),
        ({"path": "a.tsv", "name": ""}, "name: "),
        ({"source": "a", "target": "b", "format": "tsv"}, "does not fit; found source and target, expected path"),
        ({"path": "a.tsv", "format": "moses"}, "does not fit; found path, expected source and target"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        corpus(**values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"path": "x.dat"}, "does not tell the format"),
        ({"path": "x.tsv", "source_field": "en"}, "name all columns or number all of them"),
        ({"path": "x.tsv", "source_field": 0}, "numbered from 1"),
        ({"path": "x.tsv", "source_field": "000"}, "numbered from 1"),
        ({"path": "x.tsv", "target_field": 1 << 62}, "numbered from 1; found 1 and 4[0-9]{18}; expected"),
        ({"path": "x.tsv", "target_field": "9" * 5000}, "numbered from 1; found 1 and 9{190,200}; expected at most 6"),
        ({"path": "x.tsv", "score_field": 1_000_000}, "numbered from 1"),
        ({"path": "x.tsv", "source_field": "²"}, "name all columns or number all of them; found ² and 2"),
        ({"path": "x.tsv", "source_field": "٢"}, "name all columns or number all of them"),
        ({"path": "x.tsv", "source_field": 2}, "must be different values; found 2 and 2"),
        ({"path": "x.tsv", "source_field": "02"}, "must be different values; found 02 and 2"),
        ({"path": "x.tsv", "source_field": "a", "target_field": "a"}, "must be different values"),
        ({"path": "x.jsonl", "source_field": "a", "target_field": "a.b"}, "must be different values"),
        ({"path": "x.tsv", "score_field": "score"}, "name all columns or number all of them; found 1 and 2 and score"),
        ({"path": "x.parquet", "score_field": "source"}, "must be different values"),
        ({"path": "x.parquet", "source_field": "a.b", "target_field": "a.b"}, "must be different values"),
        ({"path": "x.jsonl", "source_field": "a.1", "target_field": "a.01"}, "must be different values"),
        ({"path": "x.arrow", "source_field": "target"}, "must be different values; found target and target"),
        ({"source": "x", "target": "y", "source_field": 1}, "a Moses pair has no fields"),
        ({"source": "x", "target": "y", "score_field": 1}, "a Moses pair has no fields"),
        ({"text": "x", "score_field": 1}, "text a segment a line has no fields"),
        ({"path": "x.tmx", "source_language": "en", "target_language": "de", "text_field": "x"}, "a TMX file has no"),
        ({"path": "x.tsv", "split": "train"}, "only a folder that is one corpus has splits"),
    ],
)
def test_fields_that_do_not_fit_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        corpus(**values).sources()


def test_a_file_that_is_both_sides_is_refused_by_whatever_names(tmp_path: Path) -> None:
    for name in ("c.en", "c.de"):
        (tmp_path / name).write_text("x\n")
    (tmp_path / "link.de").symlink_to("c.en")
    folder = str(tmp_path)
    for source, target in [
        (f"{folder}/c.*", f"{folder}/c.*"),
        (f"{folder}/c.en", f"{folder}/./c.en"),
        (f"{folder}/c.en", f"{folder}/link.de"),
        (f"{folder}/*.en", f"{folder}/c.e?"),
    ]:
        with pytest.raises(ConfigError, match=r"c\.\w\w: both sides of a corpus are the same file; expected"):
            corpus(source=source, target=target).sources()
    assert len(corpus(source=f"{folder}/c.en", target=f"{folder}/c.de").sources()) == 1
