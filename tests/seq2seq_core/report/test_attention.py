from __future__ import annotations

import numpy as np

from seq2seq_core.engines.echo import EchoEngine, EchoEngineConfig
from seq2seq_core.engines.interface import LoadedEngine
from seq2seq_core.modalities.base import SIDES
from seq2seq_core.report.attention import attention_map
from seq2seq_core.report.data import Example
from seq2seq_core.text.source_text import SourceText
from seq2seq_core.tokenizer.model import Tokenizer
from seq2seq_core.tokenizer.training import TokenizerConfig, train


def test_the_longest_exact_example_that_fits_is_shown() -> None:
    corpus = ["a small cat sat.", "the dog ran fast!"] * 5
    tokenizer = Tokenizer(train(iter(corpus), TokenizerConfig(vocabulary_size=310, type="bpe")))
    rows = [Example(text, text, text) for text in ("a cat", "a small cat sat.", "the dog " * 40)]
    rows.append(Example("the dog ran fast! a", "wrong", "right"))
    engine = LoadedEngine(EchoEngine(EchoEngineConfig()), dict.fromkeys(SIDES, tokenizer), "digest", SourceText())
    found = attention_map(engine, rows)
    assert found is not None
    pieces = tokenizer.encode(["a small cat sat."])[0]
    assert found.source_pieces == found.target_pieces == tuple(tokenizer.pieces(np.append(pieces, 3)))
    assert found.weights.shape == (len(pieces) + 1, len(pieces) + 1)
    assert attention_map(engine, rows[2:3]) is None
