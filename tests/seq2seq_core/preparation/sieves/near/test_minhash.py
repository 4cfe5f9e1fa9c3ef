"""Signatures against plain Python, and how often rows of a known similarity meet against the curve that is promised."""

from __future__ import annotations

import random
import unicodedata

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from seq2seq_core.preparation.sieves.near import minhash
from seq2seq_core.preparation.sieves.near.minhash import bands, compared, signatures
from seq2seq_core.preparation.terms.recipe import NearDuplicatesConfig

WORD = (1 << 64) - 1
BASE = 0x9E3779B97F4A7C15
TEXTS = st.lists(st.text(alphabet="ab cÄé\u0301.!\u00df中😀 1", max_size=12), max_size=6)
CONFIGS = st.builds(
    NearDuplicatesConfig,
    shingle=st.sampled_from(["characters", "words"]),
    shingle_length=st.integers(1, 5),
    bands=st.integers(1, 3),
    rows=st.integers(1, 3),
    seed=st.integers(0, 5),
)


def mix(number: int) -> int:
    number = (number ^ number >> 30) * 0xBF58476D1CE4E5B9 & WORD
    number = (number ^ number >> 27) * 0x94D049BB133111EB & WORD
    return number ^ number >> 31


def plain(text: str) -> str:
    kept = "".join(c if unicodedata.category(c)[0] in "LMN" else " " for c in text.lower())
    return " ".join(kept.split()) or text.strip(" ") or " "


def units(text: str, config: NearDuplicatesConfig) -> list[int]:
    if config.shingle == "characters":
        return list(map(ord, text))
    words = text.split(" ") if text.strip(" ") else [" "] * len(text)
    hashes = []
    for word in words:
        total = sum(ord(c) * pow(BASE, place + 1, 1 << 64) for place, c in enumerate(word) if c != " ")
        hashes.append(mix(total & WORD))
    return hashes


def expected_signature(text: str, config: NearDuplicatesConfig) -> list[int]:
    parts, length = units(plain(text), config), config.shingle_length
    shingles = set()
    for begin in range(max(len(parts) - length + 1, 1)):
        total = 0
        for part in parts[begin : begin + length]:
            total = (total * BASE + part) & WORD
        shingles.add(mix(total) >> 32)
    count = config.bands * config.rows
    drawn = [mix((config.seed + number * BASE) & WORD) >> 32 for number in range(1, 2 * count + 1)]
    functions = zip(drawn[:count], drawn[count:], strict=True)
    return [min((shingle ^ mask) * (factor | 1) % (1 << 32) for shingle in shingles) for mask, factor in functions]


@given(TEXTS, CONFIGS)
@example([". ", " .", "  ", ".  ."], NearDuplicatesConfig(shingle="words", shingle_length=1, bands=1, rows=1))
def test_signatures_are_the_smallest_hashes_of_the_shingles(texts: list[str], config: NearDuplicatesConfig) -> None:
    found = signatures(pa.array(texts, pa.string()), config)
    assert found.shape == (len(texts), config.bands * config.rows)
    assert found.tolist() == [expected_signature(text, config) for text in texts]


@pytest.mark.parametrize("shingle", ["characters", "words"])
def test_a_signature_does_not_depend_on_neighbours_or_blocks(shingle: str, monkeypatch: pytest.MonkeyPatch) -> None:
    config = NearDuplicatesConfig.model_validate({"shingle": shingle, "shingle_length": 3, "bands": 2, "rows": 2})
    texts = pa.array(["", "one two three four", "x", "Ärger mit Öl und Übermut", "...", "a b", "one two"] * 3)
    together = signatures(texts, config)
    monkeypatch.setattr(minhash, "_BLOCK_BYTES", 20)
    assert np.array_equal(signatures(texts, config), together)
    assert np.array_equal(np.concatenate([signatures(texts.slice(i, 1), config) for i in range(len(texts))]), together)


@given(TEXTS, CONFIGS)
def test_bands_agree_where_their_rows_do_and_never_across_bands(texts: list[str], config: NearDuplicatesConfig) -> None:
    signed = signatures(pa.array([*texts, *texts], pa.string()), config)
    hashes = bands(signed, config)
    assert hashes.shape == (len(signed), config.bands)
    assert hashes.dtype == np.uint64
    parts = [
        ((band, *row[band * config.rows : (band + 1) * config.rows].tolist()), value)
        for row, values in zip(signed, hashes.tolist(), strict=True)
        for band, value in enumerate(values)
    ]
    assert len({part for part, _ in parts}) == len({value for _, value in parts}) == len(set(parts))


@pytest.mark.parametrize(("bands_", "rows"), [(9, 13), (14, 8), (20, 5)])
def test_rows_of_a_known_similarity_meet_as_often_as_the_curve_says(bands_: int, rows: int) -> None:
    config = NearDuplicatesConfig(shingle="words", shingle_length=1, bands=bands_, rows=rows, seed=1)
    draw = random.Random(7)
    trials, words = 1000, 60
    for common in (25, 35, 42, 48, 52, 55, 58):
        similarity = common / (2 * words - common)
        left, right = [], []
        for _ in range(trials):
            chosen = [str(number) for number in draw.sample(range(10**9), 2 * words - common)]
            left.append(" ".join(chosen[:words]))
            right.append(" ".join(chosen[words - common :]))
        signed = signatures(pa.array(left), config), signatures(pa.array(right), config)
        hashes = bands(signed[0], config), bands(signed[1], config)
        expected = config.meeting(similarity)
        met = (hashes[0] == hashes[1]).any(axis=1).mean()
        assert abs(met - expected) <= 4 * (max(expected * (1 - expected), 0.001) / trials) ** 0.5
        agree = (signed[0] == signed[1]).mean()
        assert abs(agree - similarity) < 0.01


def test_the_documented_curve() -> None:
    config = NearDuplicatesConfig()
    assert config.meeting(config.threshold) == pytest.approx(0.5)
    assert round(config.threshold, 2) == 0.82
    assert [round(config.meeting(s), 2) for s in (0.0, 0.6, 0.75, 0.9, 1.0)] == [0.0, 0.01, 0.19, 0.93, 1.0]
    assert round(NearDuplicatesConfig(bands=14, rows=8).threshold, 2) == 0.68


def test_case_and_punctuation_make_no_difference_but_marks_alone_do() -> None:
    config = NearDuplicatesConfig()
    texts = ["A man, and a WOMAN, are smiling.", "a man and a woman are smiling", "...", "!!!", "Ein Mann"]
    hashes = bands(signatures(pa.array(texts), config), config)
    assert (hashes[0] == hashes[1]).all()
    assert not (hashes[2] == hashes[3]).any()


@pytest.mark.parametrize(
    ("side", "expected"), [("source", ["a b", "c"]), ("target", ["d", "e"]), ("pair", ["a b\td", "c\te"])]
)
def test_the_side_that_is_compared(side: str, expected: list[str]) -> None:
    config = NearDuplicatesConfig.model_validate({"side": side})
    assert compared(pa.array(["a b", "c"]), pa.array(["d", "e"]), config).to_pylist() == expected
