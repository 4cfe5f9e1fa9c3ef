"""A batch that is computed in; where memory runs out, an error that says how large it was and what to lower, out."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch

from seq2seq_core.data.batch import Batch
from seq2seq_core.errors import TrainingError

_ON_CPU = ("can't allocate memory", "not enough memory")


@contextlib.contextmanager
def named_shortage(batch: Batch, passes: int) -> Iterator[None]:
    """Say which batch it was that memory did not suffice for.

    Raises:
        TrainingError: Memory ran out.
    """
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and not is_shortage(error):
            raise
        sides = (batch.source_BS.shape[1], batch.target_out_BT.shape[1])
        tokens = len(batch) * max(sides) * passes
        raise TrainingError(
            "memory ran out while a batch was computed",
            where="loader.max_tokens_per_device",
            found=f"{len(batch)} rows of {sides[0]} source and {sides[1]} target positions"
            + (f", computed {passes} times" if passes > 1 else "")
            + f": {tokens} padded tokens",
            expected=str(error).partition("\n")[0][:200],
            advice=f"Set loader.max_tokens_per_device to {max(tokens // 2, 1)} or less, which changes no global batch; "
            "or lower data.max_source_tokens and data.max_target_tokens, which leaves out the longest rows.",
        ) from error


def is_shortage(error: BaseException) -> bool:
    """Whether an error says that there is too little memory."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or any(text in str(error) for text in _ON_CPU)
