"""JoeyNMT's search with a model of random weights: `turns` says how it is asked."""

from __future__ import annotations

import logging

import torch
from joeynmt.model import build_model
from joeynmt.search import beam_search, greedy

from tests.benchmarks.training import turns
from tests.benchmarks.training.joeynmt_model import config_of, vocabulary_of


def main() -> None:
    """Take turns."""
    logging.disable(logging.INFO)
    asked = turns.arguments()
    torch.manual_seed(1)
    vocabulary = vocabulary_of(asked.shape["vocabulary"])
    model = build_model(config_of(asked.shape), vocabulary, vocabulary).eval()
    rows = turns.batches(asked.batches, asked.rank, asked.world)
    is_half = asked.shape["precision"] == "bfloat16"
    beam, length = asked.shape["beam"], asked.shape["length"]

    def decode(position: int) -> int:
        said = 0
        for piece in rows[position]:
            lengths = (piece.source != turns.PAD).sum(1)
            order = lengths.argsort(descending=True)
            source = piece.source[order]
            mask = (source != turns.PAD).unsqueeze(1)
            told = {"src": source, "src_length": lengths[order], "src_mask": mask}
            with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=is_half):
                states, last, _, _ = model(return_type="encode", **told)
                how = {"min_output_length": length, "max_output_length": length, "model": model}
                how["autocast"] = {"device_type": "cpu", "dtype": torch.bfloat16, "enabled": is_half}
                memory = {"encoder_output": states, "encoder_hidden": last, "src_mask": mask}
                if beam == 1:
                    found, _, _ = greedy(**how, **memory)
                else:
                    found, _, _ = beam_search(**how, **memory, beam_size=beam, alpha=1.0)
            said += int((torch.as_tensor(found) != turns.PAD).sum())
        return said

    turns.take_turns(decode)


if __name__ == "__main__":
    main()
