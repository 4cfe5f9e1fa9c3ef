"""Serialized models: what is read of them is what SentencePiece reads, and rounding changes the scores alone."""

from __future__ import annotations

import io
from typing import Any

import pytest
import sentencepiece

from seq2seq_core.tokenizer.proto import ModelFacts, ModelType, Piece, PieceKind, read_facts, round_scores

DEFAULTS = {"vocab_size": 40, "hard_vocab_limit": False, "minloglevel": 2, "num_threads": 1}


def model(**values: Any) -> bytes:
    out = io.BytesIO()
    texts = iter(["the man in the old house", "über the house"] * 20)
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=texts, model_writer=out, **DEFAULTS | values)
    return out.getvalue()


def flags(facts: ModelFacts) -> tuple[int, bool, bool, bool, bool]:
    return facts.type, facts.rewrites, facts.dummy_prefix, facts.escapes_spaces, facts.space_as_suffix


def pieces(processor: sentencepiece.SentencePieceProcessor) -> list[tuple[str, float]]:
    return [(processor.id_to_piece(i), processor.get_score(i)) for i in range(processor.get_piece_size())]


def loaded(data: bytes) -> sentencepiece.SentencePieceProcessor:
    processor = sentencepiece.SentencePieceProcessor()
    processor.LoadFromSerializedProto(data)
    return processor


def test_the_switches_of_a_model() -> None:
    assert flags(read_facts(model())) == (ModelType.UNIGRAM, True, True, True, False)
    other = model(
        model_type="bpe",
        normalization_rule_name="identity",
        add_dummy_prefix=False,
        treat_whitespace_as_suffix=True,
    )
    assert flags(read_facts(other)) == (ModelType.BPE, False, False, True, True)
    assert read_facts(model(model_type="word")).type not in list(ModelType)


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
def test_the_pieces_of_a_model(kind: str) -> None:
    data = model(model_type=kind, byte_fallback=True, vocab_size=300, user_defined_symbols=["<2de>"])
    facts, processor = read_facts(data), loaded(data)
    assert [(piece.text, piece.score) for piece in facts.pieces] == pieces(processor)
    for i, piece in enumerate(facts.pieces):
        assert (piece.kind == PieceKind.UNKNOWN) == processor.is_unknown(i)
        assert (piece.kind == PieceKind.CONTROL) == processor.is_control(i)
        assert (piece.kind == PieceKind.BYTE) == processor.is_byte(i)
        assert (piece.kind == PieceKind.USER_DEFINED) == (piece.text == "<2de>")


def test_what_is_left_out_has_its_default() -> None:
    facts = read_facts(b"\x0a\x03\x0a\x01a")
    assert facts.pieces == (Piece("a", 0.0, PieceKind.NORMAL),)
    assert flags(facts) == (ModelType.UNIGRAM, False, True, True, False)


def test_fields_of_any_kind_are_passed_over() -> None:
    unknown = [b"\x48\xac\x02", b"\x51" + bytes(8), b"\x5d" + bytes(4), b"\x62\x02hi"]
    data = b"".join(unknown) + b"\x0a\x03\x0a\x01a" + b"".join(unknown)
    assert read_facts(data).pieces == (Piece("a", 0.0, PieceKind.NORMAL),)


def test_rounding_moves_each_score_by_half_a_step_at_most() -> None:
    data = model()
    rounded = round_scores(data, 0.25)
    before, after = pieces(loaded(data)), pieces(loaded(rounded))
    assert [text for text, _ in before] == [text for text, _ in after]
    assert all(score % 0.25 == 0 for _, score in after)
    assert all(abs(old - new) <= 0.125 for (_, old), (_, new) in zip(before, after, strict=True))
    assert before != after
    assert round_scores(rounded, 0.25) == rounded
    assert len(rounded) == len(data)


def test_ranks_of_bpe_are_round_already() -> None:
    data = model(model_type="bpe")
    assert round_scores(data, 2.0**-8) == data
