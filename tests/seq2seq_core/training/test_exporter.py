from __future__ import annotations

from typing import Any

import pytest

from seq2seq_core.dataset.ledger import Ledger
from seq2seq_core.dataset.manifest import Manifest, SplitEntry, TokenizerEntry
from seq2seq_core.errors import ConfigError
from seq2seq_core.text.normalize import NormalizeConfig
from seq2seq_core.training.exporter import source_text


def manifest(source_lengths: tuple[int, ...], **configuration: Any) -> Manifest:
    tokenizer = TokenizerEntry(path="tokenizer/joint.model", digest="t", vocabulary_size=100)
    return Manifest(
        fingerprint="f",
        source_tokenizer=tokenizer,
        target_tokenizer=tokenizer,
        splits={"train": SplitEntry(shards=(), source_lengths=source_lengths, target_lengths=())},
        rejected=(),
        ledger=Ledger(read=0, kept={}, duplicates=0, rejected={}),
        inputs=(),
        configuration={"normalize": {"unicode": "nfc", "whitespace": False}, **configuration},
        software={},
    )


@pytest.mark.parametrize(
    ("lengths", "longest"), [((0, 5, 0, 2, 0), 3), ((0, 5, 0, 2, 0, 0, 1), 4), ((7,), None), ((), None)]
)
def test_the_model_learns_of_normalisation_and_the_longest_source(
    lengths: tuple[int, ...], longest: int | None
) -> None:
    text = source_text(manifest(lengths), max_source_tokens=4)
    assert text.longest == longest
    assert text.normalize == NormalizeConfig(unicode="nfc", whitespace=False)


def test_what_a_corpus_was_normalised_with_reaches_the_model() -> None:
    corpora = [{"source": "a", "normalize": {"case": "lower"}}, {"path": "b", "normalize": {"case": "lower"}}]
    found = source_text(manifest((), corpora=corpora), max_source_tokens=4).normalize
    assert found == NormalizeConfig(unicode="nfc", whitespace=False, case="lower")


def test_corpora_that_were_normalised_in_different_ways_need_a_choice() -> None:
    of_two = manifest((), corpora=[{"source": "a", "normalize": {"case": "lower"}}, {"source": "b"}])
    with pytest.raises(ConfigError, match=r"case: lower \(corpora.0\), none \(corpora.1\)"):
        source_text(of_two, max_source_tokens=4)
    chosen = NormalizeConfig(unicode="nfc", whitespace=False, case="none")
    assert source_text(of_two, 4, chosen).normalize == chosen
