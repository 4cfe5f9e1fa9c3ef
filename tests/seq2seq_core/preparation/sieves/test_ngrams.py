"""N-grams of held-out texts against a plain search for shared words."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq_core.preparation.sieves.ngrams import comparable, load_index, publish_index, shared

TEXTS = st.lists(st.text(st.sampled_from("ab Éß.,漢字-\u00a0\t"), max_size=30), max_size=6)


def plain_words(text: str) -> list[str]:
    spaced = "".join(f" {c} " if c in "漢字" else c if c.isalnum() else " " for c in text.lower())
    return spaced.split()


def plain_ngrams(text: str, words: int) -> set[tuple[str, ...]]:
    found = plain_words(text)
    return {tuple(found[i : i + words]) for i in range(len(found) - words + 1)}


@settings(max_examples=200, deadline=None)
@given(held=TEXTS, rows=TEXTS, words=st.integers(2, 4))
def test_rows_that_share_words_in_a_row_are_found(held: list[str], rows: list[str], words: int) -> None:
    url = "memory://protection/index.arrow"
    ngrams = set[tuple[str, ...]]().union(*(plain_ngrams(text, words) for text in held))
    assert publish_index(url, [pa.array(held, pa.string())], words) == len(ngrams)
    load_index.cache_clear()
    found = shared([("source", pa.array(rows, pa.string()))], load_index(url), words)
    assert found.rows.to_pylist() == [bool(plain_ngrams(row, words) & ngrams) for row in rows]
    for value in found.values.to_pylist():
        assert tuple(value.removeprefix("source ").split(" ")) in ngrams


def test_case_and_punctuation_do_not_tell_texts_apart_and_either_side_counts(tmp_path: Path) -> None:
    url = str(tmp_path / "index.arrow")
    publish_index(url, [pa.array(["The quick, brown fox!"]), pa.array(["ein alter Mann geht"])], 3)
    sides = [
        ("source", pa.array(["see the QUICK brown-fox run", "quick fox brown", "x"])),
        ("target", pa.array(["no", "Ein alter Mann?", "alter mann geht heim"])),
    ]
    found = shared(sides, load_index(url), 3)
    assert found.rows.to_pylist() == [True, True, True]
    assert found.values.to_pylist() == ["source the quick brown", "target ein alter mann", "target alter mann geht"]


def test_an_index_is_the_same_bytes_whatever_the_order(tmp_path: Path) -> None:
    texts = ["one two three four", "five six seven eight nine"]
    for name, order in (("a", texts), ("b", texts[::-1])):
        publish_index(str(tmp_path / name), [pa.array([text]) for text in order], 3)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_short_texts_are_not_looked_at() -> None:
    assert comparable(pa.array(["a b", "a b c d"]), 3).to_pylist() == ["", "a b c d"]
