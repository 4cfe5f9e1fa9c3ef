"""JoeyNMT's model and loss, in the steps of its own trainer: `turns` says how it is asked."""

from __future__ import annotations

import logging
from typing import Any

import torch
from joeynmt.model import build_model

from tests.benchmarks.training import turns
from tests.benchmarks.training.joeynmt_model import config_of, vocabulary_of


def main() -> None:
    """One process: it spreads over several on GPUs alone."""
    logging.disable(logging.INFO)
    asked = turns.arguments()
    torch.manual_seed(1)
    vocabulary = vocabulary_of(asked.shape["vocabulary"])
    model = build_model(config_of(asked.shape), vocabulary, vocabulary).train()
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


if __name__ == "__main__":
    main()
