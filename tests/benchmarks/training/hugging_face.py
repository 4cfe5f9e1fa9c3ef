"""Marian of Hugging Face in a loop that leaves out all that costs time: `turns` says how it is asked."""

from __future__ import annotations

import contextlib

import torch
import torch.distributed as dist
from torch.nn.functional import cross_entropy
from torch.nn.parallel import DistributedDataParallel
from transformers import MarianConfig, MarianMTModel

from tests.benchmarks.training import turns


def main() -> None:
    """The faster attention, Adam in one kernel, no trainer around it.

    `scaled_dot_product_attention` is the faster one in float32 on a CPU, and in bfloat16 the whole is slower with it.
    """
    asked = turns.arguments()
    shape = asked.shape
    is_half = shape["train"]["precision"] == "bfloat16"
    config = MarianConfig(
        vocab_size=shape["vocabulary"],
        d_model=shape["width"],
        encoder_layers=shape["layers"],
        decoder_layers=shape["layers"],
        encoder_attention_heads=shape["heads"],
        decoder_attention_heads=shape["heads"],
        encoder_ffn_dim=shape["feed_forward"],
        decoder_ffn_dim=shape["feed_forward"],
        activation_function="relu",
        dropout=shape["dropout"],
        attention_dropout=0.0,
        activation_dropout=0.0,
        max_position_embeddings=256,
        pad_token_id=turns.PAD,
        eos_token_id=3,
        decoder_start_token_id=turns.BOS,
        use_cache=False,
        attn_implementation="eager" if is_half else "sdpa",
    )
    torch.manual_seed(1)
    model = MarianMTModel(config).train()
    parallel = model
    if asked.world > 1:
        dist.init_process_group(
            "gloo", init_method=f"tcp://127.0.0.1:{asked.port}", rank=asked.rank, world_size=asked.world
        )
        parallel = DistributedDataParallel(model)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-4, betas=(0.9, 0.98), eps=1e-9, fused=True)
    rows = turns.batches(asked.batches, asked.rank, asked.world)
    counts = turns.target_tokens(asked.batches)
    weights = [weight for weight in model.parameters() if weight.requires_grad]

    def step(position: int) -> float:
        pieces, total = rows[position], 0.0
        tokens = counts[position] / asked.world  # gradients are means over processes
        for number, piece in enumerate(pieces):
            is_last = number == len(pieces) - 1
            with contextlib.nullcontext() if is_last or asked.world == 1 else parallel.no_sync():
                given = {"input_ids": piece.source, "attention_mask": piece.source != turns.PAD}
                with torch.autocast("cpu", torch.bfloat16, enabled=is_half):
                    logits = parallel(**given, decoder_input_ids=piece.read).logits
                    loss = cross_entropy(
                        logits.flatten(0, 1),
                        piece.target.flatten(),
                        ignore_index=turns.PAD,
                        label_smoothing=turns.SMOOTHING,
                        reduction="sum",
                    )
                (loss / tokens).backward()
                total += loss.item()
        torch.nn.utils.clip_grad_norm_(weights, turns.CLIP, foreach=True)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return total / counts[position]

    turns.take_turns(step)


if __name__ == "__main__":
    main()
