"""A shape in, the folder of a small random Transformer, whose outputs end now and then, out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from seq2seq_core.modalities.base import Symbols
from seq2seq_core.models.card import Lineage
from seq2seq_core.models.folder import save_model
from seq2seq_core.models.interface import ArchitectureConfig
from seq2seq_core.models.registry import build_model
from seq2seq_core.models.transformer import TransformerConfig
from seq2seq_core.text.source_text import SourceText
from seq2seq_core.tokenizer.model import Tokenizer
from seq2seq_core.tokenizer.training import TokenizerConfig, train
from seq2seq_core.tokenizer.vocabulary import BOS_ID, EOS_ID, PAD_ID

CORPUS = ["a small cat sat.", "the dog ran fast!", "one, two and three?", "Fünf Bücher und ein Hund"] * 5
_SHAPE = {"width": 32, "feed_forward_width": 64, "heads": 4, "encoder_layers": 2, "decoder_layers": 2}


def small_model(folder: Path | str, seed: int = 0, **shape: Any) -> str:
    """A Transformer that has learnt nothing, whose weights are large enough for texts of many kinds."""
    return save_random(folder, TransformerConfig(**{**_SHAPE, "tie_embeddings": "target", **shape}), seed)


def save_random(folder: Path | str, architecture: ArchitectureConfig, seed: int = 0) -> str:
    tokenizer = Tokenizer(train(iter(CORPUS), TokenizerConfig(vocabulary_size=340, type="bpe")))
    torch.manual_seed(seed)
    model = build_model(architecture, Symbols(tokenizer.vocabulary_size), tokenizer.vocabulary_size)
    with torch.no_grad():
        for weight in model.parameters():
            weight.copy_(weight * 1.5 + 0.05 * torch.randn_like(weight))
        bias: Any = model.embeddings.output_bias
        bias[EOS_ID] += 3.0
        bias[[PAD_ID, BOS_ID]] = -30.0  # as in training, where nobody ever said them
    lineage = Lineage(run="r", step=1, dataset_digest="", dataset="")
    save_model(str(folder), model, architecture, tokenizer, tokenizer, lineage, SourceText(longest=30))
    return str(folder)
