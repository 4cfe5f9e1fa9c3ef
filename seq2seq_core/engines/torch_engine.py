"""Piece ids in, hypotheses out, by a model of this project on PyTorch."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from seq2seq_core.decoding.batched import generate
from seq2seq_core.decoding.hypothesis import Hypothesis, SearchConfig
from seq2seq_core.engines.config import TorchEngineConfig
from seq2seq_core.engines.interface import TokenIds
from seq2seq_core.models.folder import LoadedModel, load_model

# On CPU larger batches leave the caches (measured: 4096 to 16384 within 10%, 32768 is slower); a GPU wants them, and
# halves what its memory does not hold.
_CPU_BATCH_TOKENS, _GPU_BATCH_TOKENS = 8192, 131_072


class TorchEngine:
    """The reference engine: every architecture, on CPU and GPU."""

    def __init__(self, loaded: LoadedModel, config: TorchEngineConfig) -> None:
        """Take over a model; its weights change to the precision asked for.

        The number of threads holds for the whole process, as PyTorch knows no other.
        """
        if config.threads is not None:
            torch.set_num_threads(config.threads)
        self._model = loaded.model.to(dtype=getattr(torch, config.precision)).eval()
        on_cpu = next(self._model.parameters()).device.type == "cpu"
        self._max_batch_tokens = config.max_batch_tokens or (_CPU_BATCH_TOKENS if on_cpu else _GPU_BATCH_TOKENS)

    def generate(self, sequences: Sequence[TokenIds], options: SearchConfig) -> list[list[Hypothesis]]:
        """See `Engine.generate`; a ModelError when the model's output is not a number."""
        return generate(self._model, sequences, options, self._max_batch_tokens)


def load(config: TorchEngineConfig, model_root: str) -> tuple[TorchEngine, LoadedModel]:
    """Read a model folder onto the device asked for; see `load_model` for the errors."""
    device = config.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    loaded = load_model(model_root, device)
    return TorchEngine(loaded, config), loaded
