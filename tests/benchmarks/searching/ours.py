"""This project's search with a model of random weights: `turns` says how it is asked."""

from __future__ import annotations

from typing import Any

import torch

from seq2seq_core.decoding.hypothesis import SearchConfig
from seq2seq_core.decoding.search import search
from seq2seq_core.modalities.base import Symbols
from seq2seq_core.models.registry import build_model
from seq2seq_core.models.rnn import RnnConfig
from seq2seq_core.models.transformer import TransformerConfig
from seq2seq_core.tokenizer.vocabulary import EOS_ID
from tests.benchmarks.training import turns


def main() -> None:
    """Take turns."""
    asked = turns.arguments()
    torch.manual_seed(1)
    size = asked.shape["vocabulary"]
    family = RnnConfig if asked.shape["kind"] == "lstm" else TransformerConfig
    model = build_model(family.model_validate(asked.shape["model"]), Symbols(size), size).eval()
    model = model.to(getattr(torch, asked.shape["precision"]))
    step = model.step

    def endless(*arguments: Any) -> Any:
        found = step(*arguments)
        found.logits_NV[:, EOS_ID] = -1000
        return found

    model.step = endless  # type: ignore[method-assign]
    rows = turns.batches(asked.batches, asked.rank, asked.world)
    beam, length = asked.shape["beam"], asked.shape["length"]
    options = SearchConfig(beam=beam, max_length_ratio=1e-9, max_length_extra=length).unscored()

    def decode(position: int) -> int:
        said = 0
        for piece in rows[position]:
            found = search(model, piece.source, (piece.source != turns.PAD).sum(1), options)
            said += sum(len(best.tokens) for best, *_ in found)
        return said

    turns.take_turns(decode)


if __name__ == "__main__":
    main()
