"""JoeyNMT's model and loss, in the steps of its own trainer: `turns` says how it is asked."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import torch
import turns
from joeynmt.model import build_model
from joeynmt.vocabulary import Vocabulary


def main() -> None:
    """One process: it spreads over several on GPUs alone."""
    logging.disable(logging.INFO)
    asked = turns.arguments()
    torch.manual_seed(1)
    vocabulary = _vocabulary(asked.shape["vocabulary"])
    model = build_model(_config(asked.shape), vocabulary, vocabulary).train()
    model.loss_function = ("crossentropy", turns.SMOOTHING)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-4, betas=(0.9, 0.98), eps=1e-9, fused=True)
    rows = turns.batches(asked.batches, asked.rank, asked.world)

    def step(position: int) -> float:
        total = 0.0
        tokens = sum(int((piece.target != turns.PAD).sum()) for piece in rows[position])
        for piece in rows[position]:
            loss, _, _, correct = model(return_type="loss", **_given(piece))
            (loss / tokens).backward()
            total += loss.item()
            correct.item()
        torch.nn.utils.clip_grad_norm_(model.parameters(), turns.CLIP)
        optimizer.step()
        optimizer.zero_grad()
        return total / tokens

    turns.take_turns(step)


def _vocabulary(size: int) -> Vocabulary:
    """With the ids of the dataset's special pieces."""
    names = {"pad_token": "<pad>", "unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>", "sep_token": None}
    ids = {"pad_id": turns.PAD, "unk_id": 1, "bos_id": turns.BOS, "eos_id": 3, "sep_id": None}

    class Ordered(Vocabulary):
        def add_tokens(self, tokens: list[str]) -> None:
            """Specials in the order of their ids."""
            super().add_tokens(["<pad>", "<unk>", "<s>", "</s>", *(t for t in tokens if not t.startswith("<"))])

    return Ordered([f"p{i}" for i in range(size - 4)], SimpleNamespace(**names, **ids, lang_tags=[]))


def _given(piece: turns.Piece) -> dict[str, Any]:
    lengths = (piece.source != turns.PAD).sum(1)
    order = lengths.argsort(descending=True)
    return {
        "src": piece.source[order],
        "src_length": lengths[order],
        "src_mask": (piece.source[order] != turns.PAD).unsqueeze(1),
        "trg_input": piece.read[order],
        "trg": piece.target[order],
        "trg_mask": (piece.target[order] != turns.PAD).unsqueeze(1),
        "trg_prompt_mask": None,
    }


def _config(shape: dict[str, Any]) -> dict[str, Any]:
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


if __name__ == "__main__":
    main()
