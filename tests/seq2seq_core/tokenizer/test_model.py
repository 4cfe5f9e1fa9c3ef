"""Encoding columns: SentencePiece's very ids whatever the model and the text, and word by word where that is safe."""

from __future__ import annotations

import gzip
import io
import random
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import sentencepiece
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq_core.errors import TokenizerError
from seq2seq_core.tokenizer import proto
from seq2seq_core.tokenizer.model import Tokenizer
from seq2seq_core.tokenizer.proto import PieceKind, read_facts
from seq2seq_core.tokenizer.training import TokenizerConfig, train
from seq2seq_core.tokenizer.words import longest_cut

TEXTS = [
    f"{a} {b} aa aaa aaaa.. ab abab 2000  100 {b}{a}, über a b ... ▁x ▁▁ y" * 2
    for a in ("man", "dog", "the", "aab", "ba")
    for b in ("house", "street", "hats", "im Haus", "baba!", "...")
]
SPECIAL = {"pad_id": 0, "unk_id": 1, "bos_id": 2, "eos_id": 3}


def given_model(**values: Any) -> Tokenizer:
    """A model that the user trained, in SentencePiece's own way unless `values` say otherwise."""
    out = io.BytesIO()
    options = {"vocab_size": 90, "hard_vocab_limit": False, "minloglevel": 2, "num_threads": 1} | SPECIAL | values
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(TEXTS), model_writer=out, **options)
    return Tokenizer(out.getvalue())


def nearly_tied(data: bytes, share: float = 1.0) -> Tokenizer:
    """The same model, but that a share of the pieces score what their letters do together, give or take a little."""
    letters = {piece.text: piece.score for piece in read_facts(data).pieces if piece.kind == PieceKind.NORMAL}
    draw = random.Random(0)
    model = bytearray(data)
    for field, _, begin, end in proto._fields(data, 0, len(data)):
        piece = proto._piece(data, begin, end) if field == proto._PIECES else None
        spelt = piece is not None and len(piece.text) > 1 and all(letter in letters for letter in piece.text)
        if piece is not None and spelt and draw.random() < share:
            score = sum(letters[letter] for letter in piece.text) + draw.choice([-1, 0, 1]) * 2.0 ** -draw.randint(
                9, 22
            )
            (at,) = (at for inner, _, at, _ in proto._fields(data, begin, end) if inner == proto._PIECE_SCORE)
            struct.pack_into("<f", model, at, min(score, 0.0))
    return Tokenizer(bytes(model))


def trained(**values: Any) -> Tokenizer:
    """A model of this project's."""
    return Tokenizer(train(iter(TEXTS), TokenizerConfig(**({"vocabulary_size": 300} | values))))


IDENTITY = {"normalization_rule_name": "identity", "model_type": "bpe", "vocab_size": 60}
WORD_BY_WORD = {
    "unigram": trained(),
    "unigram, finer scores": given_model(normalization_rule_name="identity", remove_extra_whitespaces=False),
    "unigram, digits apart": trained(split_digits=True),
    "unigram, unknown pieces": trained(vocabulary_size=40, byte_fallback=False, character_coverage=0.98),
    "bpe": trained(type="bpe"),
    "bpe, unknown pieces": trained(type="bpe", vocabulary_size=40, byte_fallback=False, character_coverage=0.98),
    "bpe, extra white space removed": given_model(**IDENTITY),
    "bpe, control symbols": given_model(**IDENTITY, control_symbols=["<a>", "a b"]),
    "bpe, pieces of white space": given_model(
        **IDENTITY, remove_extra_whitespaces=False, allow_whitespace_only_pieces=True
    ),
}
ROW_BY_ROW = {
    "other normalisation": given_model(**IDENTITY | {"normalization_rule_name": "nmt_nfkc"}),
    "pieces of several words": given_model(**IDENTITY | {"vocab_size": 200}, split_by_whitespace=False),
    "no mark before the text": given_model(**IDENTITY, add_dummy_prefix=False),
    "marks behind words": given_model(**IDENTITY, treat_whitespace_as_suffix=True),
    "symbols of the user's": given_model(**IDENTITY, user_defined_symbols=["a b", "b ", "im Haus"]),
    "words": given_model(normalization_rule_name="identity", model_type="word"),
    "characters": given_model(normalization_rule_name="identity", model_type="char"),
}
MODELS = WORD_BY_WORD | ROW_BY_ROW | {"row by row where words are doubtful": nearly_tied(trained().data)}
OURS = WORD_BY_WORD["unigram"]

# Repeated letters have many segmentations of equal score; the rest is white space of all kinds, marks, control
# characters, characters outside every vocabulary, and names of pieces.
PARTS = [*"aaabbbt.20 ", "  ", " a", "a ", "▁", "▁ ", " ▁", "\t", "\n", "\r", "\0", "\x01", "\x85", "\xa0", "\u2028"]
PARTS += [
    "\u3000",
    "\u200b",
    "\ufeff",
    "\ufffd",
    "\u0441",
    "界",
    "é",
    "e\u0301",
    "🙂",
    "ﬁ",
    "the ",
    " man",
    "im Haus",
    "<s>",
]
PARTS += ["<0x41>", "<unk>", "<a>", "aab ab. "]
adversarial = st.lists(st.sampled_from(PARTS), max_size=30).map("".join)
anything = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
long_words = st.builds(str.__mul__, st.sampled_from(["a", "ab", "aab ", "界", "the man "]), st.integers(0, 1500))


def plain(model: Tokenizer, texts: list[str]) -> list[list[int]]:
    """The ids of each whole text, from SentencePiece alone."""
    processor = sentencepiece.SentencePieceProcessor()
    processor.LoadFromSerializedProto(model.data)
    ids: list[list[int]] = processor.encode(texts, out_type=int, num_threads=1)
    return ids


@pytest.mark.parametrize("name", MODELS)
@settings(deadline=None)
@given(texts=st.lists(adversarial | anything | long_words, max_size=12))
def test_ids_are_those_of_the_whole_text(name: str, texts: list[str]) -> None:
    column = MODELS[name].encode_column(pa.array(texts, pa.string()))
    column.validate(full=True)
    assert column.to_pylist() == plain(MODELS[name], texts)


@pytest.mark.parametrize("name", [*WORD_BY_WORD, *ROW_BY_ROW])
def test_words_are_encoded_one_by_one_where_that_is_safe(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    encode_each = Tokenizer._encode_each

    def watched(self: Tokenizer, texts: pa.StringArray) -> pa.ListArray:
        seen.extend(texts.to_pylist())
        return encode_each(self, texts)

    monkeypatch.setattr(Tokenizer, "_encode_each", watched)
    Tokenizer(MODELS[name].data).encode_column(pa.array(["the man", "man the", ""]))
    assert sorted(seen) == (["", "man", "the"] if name in WORD_BY_WORD else ["", "man the", "the man"])


@pytest.mark.parametrize(("kind", "pieces"), [("unigram", 8000), ("unigram", 4000), ("bpe", 4000)])
def test_ids_are_those_of_the_whole_text_on_real_sentences(kind: str, pieces: int, multi30k: Path) -> None:
    files = [multi30k / f"train.{language}.gz" for language in ("en", "de")]
    rows = [row for file in files for row in gzip.decompress(file.read_bytes()).decode().split("\n")[:-1]]
    assert len(rows) == 58_000
    model = Tokenizer(train(iter(rows), TokenizerConfig.model_validate({"type": kind, "vocabulary_size": pieces})))
    assert longest_cut(read_facts(model.data)) > max(len(row.encode()) for row in rows)
    assert model.encode_column(pa.array(rows)).to_pylist() == plain(model, rows)


def test_few_rows_stay_whole_where_scores_are_too_fine(multi30k: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = gzip.decompress((multi30k / "train.de.gz").read_bytes()).decode().split("\n")[:-1]
    options = {"normalization_rule_name": "identity", "vocab_size": 4000, "num_threads": 4, "minloglevel": 2} | SPECIAL
    out = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(rows), model_writer=out, **options)
    assert longest_cut(read_facts(out.getvalue())) == 0
    expected = plain(Tokenizer(out.getvalue()), rows)
    asked: list[str] = []
    encode_each = Tokenizer._encode_each

    def watched(self: Tokenizer, texts: pa.StringArray) -> pa.ListArray:
        asked.extend(text for text in texts.to_pylist() if " " in text)
        return encode_each(self, texts)

    monkeypatch.setattr(Tokenizer, "_encode_each", watched)
    assert Tokenizer(out.getvalue()).encode_column(pa.array(rows)).to_pylist() == expected
    assert len(asked) < len(rows) / 10
    tied = nearly_tied(out.getvalue(), share=0.2)
    for texts in (rows, [" ".join(rows[begin : begin + 12]) for begin in range(0, 12_000, 12)]):
        assert tied.encode_column(pa.array(texts)).to_pylist() == plain(tied, texts)


def test_slices_of_a_column_are_encoded_alone() -> None:
    texts = ["the man", "", "a dog  in the house", "über", " "]
    column = pa.array(texts)
    for begin in range(len(texts) + 1):
        for end in range(begin, len(texts) + 1):
            ids = OURS.encode_column(column[begin:end])
            assert ids.to_pylist() == plain(OURS, texts[begin:end])


def test_ids_have_the_smallest_type_that_holds_the_vocabulary() -> None:
    item = pa.field("item", pa.uint16(), nullable=False)
    for model in (OURS, ROW_BY_ROW["characters"]):
        assert model.encode_column(pa.array(["the man"])).type == pa.list_(item)
        assert model.encode_column(pa.array([], pa.string())).type == pa.list_(item)


def test_texts_and_ids_come_and_go() -> None:
    texts = ["the man", "", "a  dog "]
    ids = OURS.encode(texts)
    assert [array.dtype for array in ids] == [np.int32] * 3
    assert OURS.decode(ids) == texts
    assert "".join(OURS.pieces(ids[0])) == "▁the▁man"
    assert OURS.encode([]) == []


def test_what_is_no_model_is_refused() -> None:
    with pytest.raises(TokenizerError, match="not a SentencePiece model"):
        Tokenizer(b"something else", where="a.model")
    with pytest.raises(TokenizerError, match="special ids differ"):
        given_model(pad_id=-1, unk_id=0, bos_id=1, eos_id=2)
