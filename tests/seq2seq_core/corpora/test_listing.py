"""Which files a corpus has, in which order, and what it is called: the order in which they were given is nothing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seq2seq_core import config as configuration
from seq2seq_core.corpora.config import CorpusConfig, corpus_names
from seq2seq_core.corpora.listing import expand_all, format_of, pair_files, stem_of
from seq2seq_core.errors import ConfigError, InputError, StorageError


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x\n")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(order=st.permutations(["a/1.tsv", "a/2.tsv", "b/*.tsv", "a", "b/3.tsv"]))
def test_files_are_sorted_and_unique(tmp_path: Path, order: list[str]) -> None:
    touch(tmp_path, "a/1.tsv", "a/2.tsv", "b/3.tsv")
    found = expand_all(str(tmp_path / name) for name in order)
    assert found == [str(tmp_path / name) for name in ("a/1.tsv", "a/2.tsv", "b/3.tsv")]


def test_a_file_that_is_named_in_two_ways_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, "a.tsv")
    monkeypatch.chdir(tmp_path)
    assert len(expand_all(["a.tsv", str(tmp_path / "a.tsv"), f".{os.sep}a.tsv", f"file://{tmp_path}/a.tsv"])) == 1
    with pytest.raises(StorageError, match=r"b\.tsv: no such file"):
        expand_all(["a.tsv", "b.tsv"])


@pytest.mark.parametrize(
    ("patterns", "found"),
    [
        (["x.tsv"], "tsv"),
        (["x.JSONL.GZ", "y.ndjson"], "jsonl"),
        (["*.parquet"], "parquet"),
        (["s3://b/x.tmx.zst"], "tmx"),
        (["x.arrow"], "arrow"),
    ],
)
def test_formats_by_name(patterns: list[str], found: str) -> None:
    assert format_of(patterns) == found


def test_a_folder_or_glob_has_the_format_of_its_files(tmp_path: Path) -> None:
    touch(tmp_path, "one/a.jsonl", "one/b.jsonl.gz", "two/a.jsonl", "two/b.tsv", "three/state.json", "four/x")
    assert format_of([str(tmp_path / "one")]) == "jsonl"
    assert format_of([str(tmp_path / "one" / "*")]) == "jsonl"
    assert format_of([str(tmp_path / "three")]) == "arrow"
    for name in ("two", "four", "two/*"):
        with pytest.raises(ConfigError, match="the names of the files there do not tell the format"):
            format_of([str(tmp_path / name)])
    with pytest.raises(ConfigError, match="several formats; found jsonl, tsv"):
        format_of(["a.tsv", "b.jsonl"])


def test_pairs_have_names_that_differ_in_the_language_alone() -> None:
    def pairs(source: list[str], target: list[str]) -> list[tuple[str, ...]]:
        return pair_files(sorted(source), sorted(target))

    assert pairs(["b.en", "a.en"], ["a.es.gz", "b.es"]) == [("a.en", "a.es.gz"), ("b.en", "b.es")]
    assert pairs(["en/b", "en/a"], ["de/a", "de/b"]) == [("en/a", "de/a"), ("en/b", "de/b")]
    assert pairs(["x-en.txt"], ["other"]) == [("x-en.txt", "other")]
    with pytest.raises(InputError, match=r"a/news\.en and b/train\.de, but x/train\.en and c/news\.de, when both"):
        pairs(["x/train.en", "a/news.en"], ["b/train.de", "c/news.de"])


@pytest.mark.parametrize(
    ("pattern", "stem"),
    [
        ("data/train.en.gz", "train"),
        ("s3://bucket/wmt/*.en", "wmt"),
        ("*.tsv", "corpus"),
        ("data/part-?.jsonl", "data"),
        ("data/saved/", "saved"),
        (".hidden", ".hidden"),
    ],
)
def test_corpora_are_called_after_their_files(pattern: str, stem: str) -> None:
    assert stem_of(pattern) == stem


def corpora(*values: dict[str, Any]) -> list[CorpusConfig]:
    return [configuration.build(CorpusConfig, value) for value in values]


def test_names_of_corpora_are_unique() -> None:
    unnamed = {"path": ["z.tsv", "a.tsv"]}
    assert corpus_names(corpora(unnamed, {"text": "a.txt"}, {"path": "b.tsv", "name": "a-2"})) == ("a", "a-3", "a-2")
    with pytest.raises(ConfigError, match="two corpora have the same name; found x"):
        corpus_names(corpora({"path": "a.tsv", "name": "x"}, {"path": "b.tsv", "name": "x"}))
