"""The shape of a benchmark in; a configuration of JoeyNMT, and a vocabulary, out."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from joeynmt.vocabulary import Vocabulary

from tests.benchmarks.training import turns


def vocabulary_of(size: int) -> Vocabulary:
    """With the ids of the dataset's special pieces."""
    names = {"pad_token": "<pad>", "unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>", "sep_token": None}
    ids = {"pad_id": turns.PAD, "unk_id": 1, "bos_id": turns.BOS, "eos_id": 3, "sep_id": None}

    class Ordered(Vocabulary):
        def add_tokens(self, tokens: list[str]) -> None:
            """Specials in the order of their ids."""
            super().add_tokens(["<pad>", "<unk>", "<s>", "</s>", *(t for t in tokens if not t.startswith("<"))])

    return Ordered([f"p{i}" for i in range(size - 4)], SimpleNamespace(**names, **ids, lang_tags=[]))


def config_of(shape: dict[str, Any]) -> dict[str, Any]:
    """Of its `model`."""
    embeddings = {"embedding_dim": shape["width"], "scale": shape["kind"] == "transformer"}
    half = {"hidden_size": shape["width"], "num_layers": shape["layers"], "dropout": shape["dropout"]}
    tied = {"tied_embeddings": True, "tied_softmax": True, "initializer": "xavier_uniform"}
    if shape["kind"] == "transformer":
        half |= {"type": "transformer", "num_heads": shape["heads"], "ff_size": shape["feed_forward"]}
        half |= {"layer_norm": "pre", "embeddings": embeddings}
        return {**tied, "encoder": half, "decoder": half}
    half |= {"type": "recurrent", "rnn_type": "lstm", "embeddings": embeddings}
    encoder = {**half, "bidirectional": True, "hidden_size": shape["width"] // 2}
    decoder = {**half, "attention": "luong", "input_feeding": True, "init_hidden": "bridge"}
    return {**tied, "encoder": encoder, "decoder": decoder}
