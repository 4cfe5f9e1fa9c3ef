from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_core.errors import DatasetError
from seq2seq_core.modalities.base import Modality, Ragged, Symbols
from seq2seq_core.modalities.table import USUAL, modality_of
from seq2seq_core.modalities.text import Text
from seq2seq_core.text.normalize import NormalizeConfig
from seq2seq_core.tokenizer.model import Tokenizer
from seq2seq_core.tokenizer.training import TokenizerConfig, train
from seq2seq_core.tokenizer.vocabulary import EOS_ID, PAD_ID

TEXT: Modality = Text()


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    texts = [f"one two three {n} dogs in a park" for n in range(50)]
    return Tokenizer(train(iter(texts), TokenizerConfig(vocabulary_size=35, byte_fallback=False)))


def test_lines_become_padded_rows(tokenizer: Tokenizer) -> None:
    raw = pa.array(["one  two", "three dogs in a park"])
    normalized, text, *_ = TEXT.normalized(raw, NormalizeConfig())
    assert text.column is normalized
    staged = TEXT.staged(normalized)
    assert staged.type == TEXT.staged_type()
    assert TEXT.keys(normalized).to_pylist() == TEXT.keys(staged).to_pylist() == ["one two", "three dogs in a park"]

    content = pa.chunked_array([TEXT.content(staged, tokenizer)])
    assert content.type.value_type == TEXT.content_type(35).value_type
    lengths, flat = TEXT.lengths(content), TEXT.flat(content)
    assert flat.dtype == TEXT.element(35).dtype
    assert len(flat) == lengths.sum()
    padded = TEXT.padded(Ragged(flat, lengths))
    ends = np.cumsum(lengths)
    for row, ids in enumerate(np.split(flat, ends[:-1])):
        rest = padded.values.shape[1] - len(ids) - 1
        assert padded.values[row].tolist() == [*ids.tolist(), EOS_ID, *[PAD_ID] * rest]
    assert padded.lengths.tolist() == (lengths + 1).tolist()


def test_ids_beyond_the_vocabulary_are_found(tokenizer: Tokenizer) -> None:
    content = pa.chunked_array([pa.array([[1, 59], [], [60]], TEXT.content_type(60))])
    assert TEXT.doubt(content, 61) is None
    assert TEXT.doubt(content, 60) == ("largest token id", 60, "less than 60")
    assert TEXT.doubt(content.slice(0, 0), 60) is None


@given(rows=st.lists(st.lists(st.integers(4, 99), max_size=9), max_size=6))
def test_every_row_is_padded_to_the_longest_and_its_end(rows: list[list[int]]) -> None:
    flat = np.array([token for row in rows for token in row], np.uint16)
    padded = TEXT.padded(Ragged(flat, np.array(list(map(len, rows)), np.int64)))
    assert padded.values.shape == (len(rows), max(map(len, rows), default=0) + 1)
    for row, values, length in zip(rows, padded.values.tolist(), padded.lengths.tolist(), strict=True):
        assert values[:length] == [*row, EOS_ID]
        assert set(values[length:]) <= {PAD_ID}


def test_what_an_encoder_is_given() -> None:
    assert TEXT.encoder_input(60) == Symbols(60)
    assert TEXT.element(1 << 17).dtype == np.dtype("<u4")
    for needs_vocabulary in (TEXT.content_type, TEXT.element, TEXT.encoder_input):
        with pytest.raises(TypeError, match="has a tokenizer"):
            needs_vocabulary(None)


def test_the_table() -> None:
    assert modality_of(USUAL) == Text()
    with pytest.raises(DatasetError, match=r"no such modality; found smell; expected one of audio, text"):
        modality_of("smell")
