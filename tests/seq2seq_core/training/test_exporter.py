from __future__ import annotations

import pytest

from seq2seq_core.shards.manifest import Ledger, Manifest, SplitEntry, TokenizerEntry
from seq2seq_core.text.normalize import NormalizeConfig
from seq2seq_core.training.exporter import source_text


def manifest(source_lengths: tuple[int, ...]) -> Manifest:
    tokenizer = TokenizerEntry(path="tokenizer/joint.model", digest="t", vocabulary_size=100)
    return Manifest(
        fingerprint="f",
        source_tokenizer=tokenizer,
        target_tokenizer=tokenizer,
        splits={"train": SplitEntry(shards=(), source_lengths=source_lengths, target_lengths=())},
        rejected=(),
        ledger=Ledger(read=0, kept={}, duplicates=0, rejected={}),
        inputs=(),
        configuration={"normalize": {"unicode": "nfc", "whitespace": False}},
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
