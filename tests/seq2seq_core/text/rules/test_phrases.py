"""The list of phrases: rows that pass and fail, files of them, and agreement with plain Python."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq_core import config as configuration
from seq2seq_core.errors import ConfigError, StorageError
from seq2seq_core.text.rules.catalogue import FiltersConfig, resolve

quick = settings(deadline=None, max_examples=60)

Ask = Callable[..., Any]


def test_phrases(reasons: Ask) -> None:
    rows = [
        ("Please CLICK here!", "ok"),
        ("clicks here", "ok"),
        ("ok", "\u4eca\u3059\u3050\u30af\u30ea\u30c3\u30af"),
        ("a+b", "C"),
    ]
    phrases = ["click here", "\u30af\u30ea\u30c3\u30af", "a+b", "lick"]
    threshold = "none of 4 phrases"
    assert reasons("phrases", rows, phrases=phrases) == [
        ("source CLICK here, target none", threshold),
        None,
        ("source none, target \u30af\u30ea\u30c3\u30af", threshold),
        ("source a+b, target none", threshold),
    ]
    assert reasons("phrases", rows, phrases=phrases, ignore_case=False)[0] is None
    inside = reasons("phrases", rows, phrases=phrases, whole_words=False)
    assert inside[1] == ("source lick, target none", threshold)
    assert reasons("phrases", rows, phrases=phrases, side="target")[0] is None


def test_phrases_of_a_file(tmp_path: Path, reasons: Ask) -> None:
    file = tmp_path / "phrases.txt"
    file.write_text("lorem ipsum\n\n  cookie policy \n", encoding="utf-8")
    keys = {"file": str(file), "phrases": ["lorem ipsum", "all rights reserved"]}
    rows = [("our cookie policy", "ok"), ("fine", "ok")]
    assert reasons("phrases", rows, **keys) == [("source cookie policy, target none", "none of 3 phrases"), None]
    resolved = resolve(configuration.build(FiltersConfig, {"phrases": keys}))
    assert resolved.phrases is not None
    assert resolved.phrases.file is None
    assert resolved.phrases.phrases == ("lorem ipsum", "all rights reserved", "cookie policy")
    assert configuration.build(FiltersConfig, resolved.model_dump()) == resolved


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    filters = configuration.build(FiltersConfig, {"phrases": {"file": str(tmp_path / "none.txt")}})
    with pytest.raises(StorageError, match=r"none\.txt"):
        resolve(filters)
    assert resolve(FiltersConfig()) == FiltersConfig()


def test_a_list_without_phrases_is_refused() -> None:
    for keys in (True, {"phrases": [" "]}):
        with pytest.raises(ConfigError, match="the rule needs `phrases`, or a `file` of them"):
            configuration.build(FiltersConfig, {"phrases": keys})


def test_thousands_of_phrases(reasons: Ask) -> None:
    phrases = [f"phrase number {i}" for i in range(3000)]
    rows = [("a phrase number 2999 here", "ok"), ("phrase number 29999", "ok"), ("phrase number 7", "phrase number 8")]
    assert reasons("phrases", rows, phrases=phrases) == [
        ("source phrase number 2999, target none", "none of 3000 phrases"),
        None,
        ("source phrase number 7, target phrase number 8", "none of 3000 phrases"),
    ]


@quick
@given(data=st.data())
def test_phrases_agree_with_plain_python(data: st.DataObject, measure: Ask) -> None:
    texts = st.text(st.sampled_from("ab .+\\[(\u00e9\u6f22\n^$|#-&~"), max_size=10)
    phrases = data.draw(st.lists(texts.filter(str.strip), min_size=1, max_size=4))
    rows = data.draw(st.lists(st.tuples(texts, texts), max_size=6))
    found = measure("phrases", rows, phrases=phrases, ignore_case=False, whole_words=False)
    stripped = [phrase.strip() for phrase in phrases]
    assert found.failed.to_pylist() == [any(p in text for p in stripped for text in row) for row in rows]
    for row, value in zip(rows, found.values["source"].to_pylist(), strict=True):
        assert value in stripped if any(p in row[0] for p in stripped) else value == "none"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_a_file_of_phrases_may_have_a_mark_or_be_compressed(
    tmp_path: Path, reasons: Ask, encoding: str, suffix: str
) -> None:
    file = tmp_path / f"phrases.txt{suffix}"
    data = "über uns\r\nimpressum\r\n".encode(encoding)
    file.write_bytes(gzip.compress(data) if suffix else data)
    found = reasons("phrases", [("Lies über uns", "ok"), ("Impressum", "ok"), ("fine", "ok")], file=str(file))
    assert [reason is None for reason in found] == [False, False, True]
