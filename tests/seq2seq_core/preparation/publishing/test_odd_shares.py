"""A split that is far from the share that was asked for is told of, where that is no chance."""

from __future__ import annotations

import logging

import pytest

from seq2seq_core.dataset.ledger import Ledger
from seq2seq_core.preparation.publishing.publish import _tell_of_odd_shares
from seq2seq_core.preparation.terms.messages import Head
from seq2seq_core.preparation.terms.recipe import Recipe


@pytest.mark.parametrize(
    ("train", "valid", "generation", "told"),
    [
        (800, 200, 0, None),
        (700, 300, 0, None),
        (500, 500, 0, "valid has 50.0 % of the rows, not 20.0 %"),
        (1000, 0, 0, "valid has 0.0 % of the rows, not 20.0 %"),
        (20, 0, 0, None),
        (0, 0, 0, None),
        (1000, 0, 1, None),
    ],
)
def test_shares_far_from_what_was_asked_for(
    train: int, valid: int, generation: int, told: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    head = Head(
        output="out",
        recipe=Recipe(),
        corpora=(),
        shares={"valid": 0.2},
        tokenizer_digests=(),
        generation=generation,
        fingerprint="",
        work="",
        units=1,
        dealt={"train": 2, "valid": 1},
    )
    with caplog.at_level(logging.WARNING):
        _tell_of_odd_shares(
            head, Ledger(read=train + valid, kept={"train": train, "valid": valid}, duplicates=0, rejected={})
        )
    assert [record.getMessage().split(":")[0] for record in caplog.records] == ([told] if told else [])
