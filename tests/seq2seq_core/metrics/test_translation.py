from __future__ import annotations

import json
import sys

import pytest
import sacrebleu
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq_core.errors import ConfigError, InputError
from seq2seq_core.metrics.translation import TOKENIZERS, TranslationMetric, score

HYPOTHESES = ["The cat sits on the mat.", "Ein Hund läuft durch den Schnee.", "hello World", "a b c d e f g"]
REFERENCES = ["The cat sat on the mat.", "Ein Hund läuft durch den Schnee.", "Hello world", "a b c d x f g h"]


@pytest.mark.parametrize("tokenize", ["13a", "intl", "char", "zh", "none"])
@pytest.mark.parametrize("lowercase", [False, True])
def test_scores_are_those_of_sacrebleu(tokenize: str, lowercase: bool) -> None:
    found = score(HYPOTHESES, REFERENCES, tokenize=tokenize, lowercase=lowercase)
    bleu = sacrebleu.metrics.BLEU(tokenize=tokenize, lowercase=lowercase)
    chrf = sacrebleu.metrics.CHRF(lowercase=lowercase)
    expected = bleu.corpus_score(HYPOTHESES, [REFERENCES])
    assert (found.bleu, found.brevity_penalty) == (expected.score, expected.bp)
    assert list(found.precisions) == expected.precisions
    assert found.chrf == chrf.corpus_score(HYPOTHESES, [REFERENCES]).score
    assert found.bleu_signature == str(bleu.get_signature())
    assert found.chrf_signature == str(chrf.get_signature())
    assert (found.exact_match, found.segments) == (0.25, 4)


def test_the_default_is_cased_13a() -> None:
    signature = score(HYPOTHESES, REFERENCES).bleu_signature
    assert "case:mixed" in signature
    assert "tok:13a" in signature
    assert "nrefs:1" in signature


def test_perfect_and_empty_outputs() -> None:
    perfect = score(REFERENCES, REFERENCES)
    assert (round(perfect.bleu, 6), round(perfect.chrf, 6), perfect.exact_match) == (100, 100, 1)
    nothing = score([""] * 4, REFERENCES)
    assert (nothing.bleu, nothing.exact_match) == (0, 0)


SENTENCES = st.lists(st.tuples(*[st.text("ab c.", max_size=12)] * 2), min_size=1, max_size=8)


@settings(deadline=None, max_examples=50)
@given(SENTENCES, st.integers(1, 5))
def test_sums_of_parts_are_the_sums_of_the_whole(pairs: list[tuple[str, str]], parts: int) -> None:
    hypotheses, references = ([pair[side] for pair in pairs] for side in (0, 1))
    metric = TranslationMetric()
    total = sum(metric.sums(hypotheses[i::parts], references[i::parts]) for i in range(parts))
    assert metric.scores(total) == score(hypotheses, references)


def test_unequal_counts_and_empty_corpora_are_errors() -> None:
    with pytest.raises(InputError, match="do not match; found 1 hypotheses; expected 4, one a reference"):
        score(["x"], REFERENCES)
    with pytest.raises(InputError, match="there is nothing to score"):
        score([], [])


def test_an_unknown_tokenization_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"unknown tokenization for BLEU; found 14a; expected 13a, intl"):
        score(["x"], ["x"], tokenize="14a")


@pytest.mark.parametrize("tokenize", [name for name in TOKENIZERS if name.endswith("mecab")])
def test_a_tokenization_that_is_not_installed_says_what_to_install(
    tokenize: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "MeCab", None)
    monkeypatch.setitem(sys.modules, "mecab_ko", None)
    with pytest.raises(ConfigError, match=rf"{tokenize} is not installed.*sacrebleu\[{tokenize[:2]}\]"):
        score(["x"], ["x"], tokenize=tokenize)


def test_output_for_people_and_programs() -> None:
    scores = score(HYPOTHESES, REFERENCES)
    assert json.loads(json.dumps(scores.to_json()))["bleu"] == scores.bleu
    bleu, chrf, exact = scores.table().splitlines()
    assert f"{scores.bleu:.2f}" in bleu
    assert scores.bleu_signature in bleu
    assert scores.chrf_signature in chrf
    assert "25.00  % of 4 segments" in exact
