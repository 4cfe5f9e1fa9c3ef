"""A tokenizer in; a whole model folder without a network out, for what looks at the folder alone, and without torch."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

from seq2seq_core.models.card import Lineage, ModelCard, as_json
from seq2seq_core.models.publishing import LINEAGE_NAME, WEIGHTS_NAME, Content, publish_model, tokenizer_names
from seq2seq_core.tokenizer.model import Tokenizer


def weights(step: int = 1, header: dict[str, Any] | None = None) -> bytes:
    """A safetensors file with a header alone."""
    text = json.dumps({"__metadata__": {"step": str(step)}} | (header or {})).encode()
    return struct.pack("<Q", len(text)) + text


def write_model_folder(folder: Path | str, tokenizer: bytes, step: int = 1, **facts: Any) -> ModelCard:
    """Another step is another model, with another digest; `facts` go into the card."""
    size = Tokenizer(tokenizer).vocabulary_size
    known = {"architecture": {"family": "none"}, "source_vocabulary": size, "target_vocabulary": size}
    lineage = Lineage(
        run="r", step=step, averaged_steps=(step,), dataset_digest="x", dataset="d", metrics={"bleu": 1.0}
    )
    names = tokenizer_names(is_joint=True)
    contents = {
        "weights": Content(WEIGHTS_NAME, weights(step)),
        "source_tokenizer": Content(names["source"], tokenizer),
        "target_tokenizer": Content(names["target"], tokenizer),
        "lineage": Content(LINEAGE_NAME, as_json(lineage)),
    }
    return publish_model(str(folder), known | facts, contents)
