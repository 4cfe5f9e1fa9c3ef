from __future__ import annotations

import math
from collections import Counter
from typing import Literal

import numpy as np
import pytest

from seq2seq_core.errors import TokenizerError
from seq2seq_core.tokenizer.model import Tokenizer
from seq2seq_core.tokenizer.proto import ModelType, read_facts
from seq2seq_core.tokenizer.sampling.chances import keys_of_rows
from seq2seq_core.tokenizer.sampling.resegment import Resegmenter, SamplingConfig
from seq2seq_core.tokenizer.training import TokenizerConfig, train

TEXTS = [
    "a small cat sat on the mat with another small cat",
    "the dogs ran faster than the smallest cats",
    "one two three twenty-three thirty-three",
    "Fünf Bücher und ein Hund; fünfzehn Hunde",
    "cats",
    "",
]


@pytest.fixture(scope="module", params=["bpe", "unigram"])
def tokenizer(request: pytest.FixtureRequest) -> Tokenizer:
    kind: Literal["bpe", "unigram"] = request.param
    return Tokenizer(train(iter(TEXTS[:-1] * 20), TokenizerConfig(vocabulary_size=48, type=kind, byte_fallback=False)))


def ragged(tokenizer: Tokenizer, texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
    rows = tokenizer.encode(texts)
    return np.concatenate(rows).astype(np.int64), np.array([len(row) for row in rows], np.int64)


def cut(
    tokenizer: Tokenizer, texts: list[str], config: SamplingConfig, position: int = 0, rows: np.ndarray | None = None
) -> list[list[int]]:
    ids, lengths = ragged(tokenizer, texts)
    rows = np.arange(len(texts)) if rows is None else rows
    keys = keys_of_rows(1, 0, np.full(len(texts), position), rows)
    found, counts = Resegmenter(tokenizer, config).cut(ids, lengths, keys)
    return [part.tolist() for part in np.split(found, np.cumsum(counts)[:-1])]


def test_without_chance_the_pieces_are_the_stored_ones(tokenizer: Tokenizer) -> None:
    """Of a unigram model they may be others that are as likely: its scores are multiples of a step."""
    usual = [row.tolist() for row in tokenizer.encode(TEXTS)]
    facts = read_facts(tokenizer.data)
    found = cut(tokenizer, TEXTS, SamplingConfig(bpe_dropout=0, unigram_alpha=1e6))
    if facts.type == ModelType.BPE:
        assert found == usual
    scores = [[sum(facts.pieces[i].score for i in row) for row in rows] for rows in (found, usual)]
    assert scores[0] == pytest.approx(scores[1], abs=1e-6)


def test_the_texts_stay_and_the_pieces_change(tokenizer: Tokenizer) -> None:
    config = SamplingConfig(bpe_dropout=0.3, unigram_alpha=0.2)
    usual = [row.tolist() for row in tokenizer.encode(TEXTS)]
    drawn = [cut(tokenizer, TEXTS, config, position) for position in range(20)]
    assert all(tokenizer.decode([np.array(row, np.int64) for row in rows]) == TEXTS for rows in drawn)
    assert len({str(rows) for rows in drawn}) == 20
    assert all(rows != usual for rows in drawn)


def test_a_row_is_cut_alike_whichever_rows_stand_beside_it(tokenizer: Tokenizer) -> None:
    config = SamplingConfig(bpe_dropout=0.3, unigram_alpha=0.1)
    together = cut(tokenizer, TEXTS, config, 7)
    for row, text in enumerate(TEXTS[:-1]):
        assert cut(tokenizer, [text], config, 7, np.array([row])) == [together[row]]


def test_all_merges_left_out_leave_letters(tokenizer: Tokenizer) -> None:
    if read_facts(tokenizer.data).type == ModelType.BPE:
        (row,) = cut(tokenizer, ["cats"], SamplingConfig(bpe_dropout=1.0))
        assert tokenizer.pieces(np.array(row)) == ["\u2581", "c", "a", "t", "s"]


def test_words_with_unknown_letters_and_tags_stay_as_they_are(tokenizer: Tokenizer) -> None:
    text = "the smallest \u4f60 cat\u597d cats"
    ids, _ = ragged(tokenizer, [text])
    drawn = [cut(tokenizer, [text], SamplingConfig(bpe_dropout=0.5, unigram_alpha=0.0), p)[0] for p in range(10)]
    unusual = [i for i in ids.tolist() if not _is_normal(tokenizer, i)]
    assert unusual
    assert all([i for i in row if not _is_normal(tokenizer, i)] == unusual for row in drawn)


def _is_normal(tokenizer: Tokenizer, number: int) -> bool:
    return read_facts(tokenizer.data).pieces[number].kind == 1


def test_cuts_of_a_unigram_model_come_as_often_as_their_probability_says() -> None:
    tokenizer = Tokenizer(
        train(iter(TEXTS[:-1] * 20), TokenizerConfig(vocabulary_size=48, type="unigram", byte_fallback=False))
    )
    facts, alpha, times = read_facts(tokenizer.data), 0.5, 4000
    ids, _ = ragged(tokenizer, ["cats"])
    keys = keys_of_rows(3, 0, np.arange(times), np.zeros(times, np.int64))
    sampler = Resegmenter(tokenizer, SamplingConfig(unigram_alpha=alpha))
    found, counts = sampler.cut(np.tile(ids, times), np.full(times, len(ids)), keys)
    seen = Counter(tuple(part.tolist()) for part in np.split(found, np.cumsum(counts)[:-1]))
    masses = {row: math.exp(alpha * sum(facts.pieces[i].score for i in row)) for row in _cuts(facts, "\u2581cats")}
    total = sum(masses.values())
    assert set(seen) <= set(masses)
    for row, mass in masses.items():
        expected = mass / total
        assert seen[row] / times == pytest.approx(expected, abs=4 * math.sqrt(expected / times) + 1e-3)


def _cuts(facts: object, text: str) -> list[tuple[int, ...]]:
    if not text:
        return [()]
    known = {piece.text: i for i, piece in enumerate(facts.pieces) if piece.kind == 1}  # type: ignore[attr-defined]
    heads = [end for end in range(1, len(text) + 1) if text[:end] in known]
    return [(known[text[:end]], *rest) for end in heads for rest in _cuts(facts, text[end:])]


def test_pieces_that_reach_over_words_are_refused() -> None:
    config = TokenizerConfig(vocabulary_size=330, type="bpe")
    data = train(iter(TEXTS[:-1] * 20), config)
    broken = data.replace("\u2581cat".encode(), "t\u2581at".encode())
    assert broken != data
    with pytest.raises(TokenizerError, match="reach over words"):
        Resegmenter(Tokenizer(broken), SamplingConfig())
