"""How many tokens a second a search gives on one core, and what each step processor costs beside none.

    python tests/benchmarks/decoding.py [--pieces 5000] [--positions 250] [--sentences 32] [--beam 5]

The model is a Transformer of random weights whose encoder gives 250 states a source, as ten seconds of speech are at 40
milliseconds a state; its frame scores are a projection of them. All outputs are cut after 40 tokens, so every search
takes the same steps. Seconds are processor seconds, so that other work on the machine does not count.
"""

from __future__ import annotations

import argparse
import os
import time
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch

from seq2seq_core.decoding.batched import generate, pad
from seq2seq_core.decoding.hypothesis import SearchConfig
from seq2seq_core.decoding.steps.fusion import Fusion
from seq2seq_core.decoding.steps.processor import Processing
from seq2seq_core.modalities.base import Symbols
from seq2seq_core.modalities.text import Text
from seq2seq_core.models.interface import Memory, Seq2Seq
from seq2seq_core.models.registry import build_model
from seq2seq_core.models.transformer import TransformerConfig
from seq2seq_core.tokenizer.vocabulary import EOS_ID

TOKENS = 40
REPEATS = 3
WIDTH = 256
VARIANTS: dict[str, dict[str, Any]] = {
    "none": {},
    "no_repeat_ngram 3": {"no_repeat_ngram": 3},
    "length_reward 0.5": {"length_penalty": 0.0, "length_reward": 0.5},
    "fusion": {},
    "ctc_weight 0.3": {"ctc_weight": 0.3},
    "ctc_weight 1": {"ctc_weight": 1.0},
    "align": {"align": True},
}


def main() -> None:
    """Run all measurements and print them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pieces", type=int, default=5000)
    parser.add_argument("--positions", type=int, default=250)
    parser.add_argument("--sentences", type=int, default=32)
    parser.add_argument("--beam", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    model = build(arguments.pieces, layers=4)
    language_model = build(arguments.pieces, layers=2)
    drawn = np.random.default_rng(0).integers(4, arguments.pieces, (arguments.sentences, arguments.positions - 1))
    sources = list(drawn.astype(np.int32))
    print(f"{arguments.sentences} sources of {arguments.positions} states, beam {arguments.beam}, {TOKENS} tokens each")
    print(f"{'step processors':20}{'seconds':>10}{'tokens/s':>10}{'beside none':>13}")
    plain = 0.0
    for name, keys in VARIANTS.items():
        fusion = [Fusion(language_model, *pad(Text(), [sources[0][:0]]), 0.3)] if name == "fusion" else []
        seconds = measure(model, sources, keys | {"beam": arguments.beam}, fusion)
        plain = plain or seconds
        rate = arguments.sentences * TOKENS / seconds
        print(f"{name:20}{seconds:>10.2f}{rate:>10,.0f}{seconds / plain:>13.2f}")


def build(pieces: int, layers: int) -> Seq2Seq:
    """A model that never ends by itself."""
    torch.manual_seed(layers)
    config = TransformerConfig(
        width=WIDTH, feed_forward_width=4 * WIDTH, heads=4, encoder_layers=layers, decoder_layers=layers
    )
    model = build_model(config, Symbols(pieces), pieces).eval()
    head, step = torch.nn.Linear(WIDTH, pieces), model.step

    def endless(*arguments: Any) -> Any:
        found = step(*arguments)
        found.logits_NV[:, EOS_ID] = -1000
        return found

    def frame_scores(memory: Memory) -> torch.Tensor:
        scores_BSV: torch.Tensor = head(memory.states_BSD).log_softmax(2)
        return scores_BSV

    model.step, model.frame_scores = endless, frame_scores  # type: ignore[method-assign]
    return model


def measure(model: Seq2Seq, sources: list[Any], keys: dict[str, Any], processing: list[Processing]) -> float:
    """Processor seconds of the fastest of some passes."""
    options = SearchConfig.model_validate({"max_length_ratio": 1e-9, "max_length_extra": TOKENS, **keys})
    seconds = []
    for _ in range(REPEATS):
        begin = time.process_time()
        generate(model, Text(), sources, options, 8192, processing=processing)
        seconds.append(time.process_time() - begin)
    return min(seconds)


if __name__ == "__main__":
    main()
