"""Batches on disk and orders on standard input in; what each order took, as JSON lines, out. Every contender has it.

Needs nothing of this project, as contenders run in interpreters of their own.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

PAD, BOS = 0, 2
SMOOTHING, CLIP = 0.1, 1.0


@dataclass(frozen=True)
class Piece:
    """Rows of one length or nearly, padded: sources with EOS, what the decoder reads, and what it should say."""

    source: torch.Tensor
    read: torch.Tensor
    target: torch.Tensor


def arguments() -> argparse.Namespace:
    """What the benchmark tells a contender."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--batches", required=True)
    parser.add_argument("--shape", type=json.loads, required=True)
    parser.add_argument("--dataset")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--rank", type=int, default=0)
    parser.add_argument("--world", type=int, default=1)
    parser.add_argument("--port", type=int, default=0)
    found = parser.parse_args()
    torch.set_num_threads(found.threads)
    return found


def batches(path: str, rank: int, world: int) -> list[list[Piece]]:
    """The global batches, each as the pieces of one rank: whole ones where all get as many, else a share of each."""
    with np.load(path) as arrays:
        return [_pieces(arrays, number, rank, world) for number in range(int(arrays["count"]))]


def target_tokens(path: str) -> list[int]:
    """Of the whole global batches."""
    pieces = batches(path, 0, 1)
    return [sum(int((piece.target != PAD).sum()) for piece in batch) for batch in pieces]


def _pieces(arrays: Any, number: int, rank: int, world: int) -> list[Piece]:
    count = int(arrays[f"{number}.pieces"])
    is_even = count % world == 0
    own = range(rank, count, world) if is_even else range(count)
    rows = slice(None) if is_even else slice(rank, None, world)
    found = []
    for piece in own:
        source, read, target = (
            torch.from_numpy(arrays[f"{number}.{piece}.{name}"][rows].astype(np.int64))
            for name in ("source", "read", "target")
        )
        source = source[:, : int((source != PAD).sum(1).max())]
        width = int((target != PAD).sum(1).max())
        found.append(Piece(source, read[:, :width], target[:, :width]))
    return found


def orders() -> Iterator[tuple[int, int]]:
    """Positions from one on up to another, as they are asked for."""
    for line in sys.stdin:
        begin, end = map(int, line.split())
        yield begin, end


def take_turns(step: Callable[[int], float], **facts: Any) -> None:
    """Say what is known, then do the steps that are asked for; `step` gives the loss a token, or another
    number, of which that of the last step is told.
    """
    _say(facts)
    for begin, end in orders():
        seconds, processor = time.perf_counter(), time.process_time()
        losses = [step(position) for position in range(begin, end)]
        _say(
            {
                "seconds": time.perf_counter() - seconds,
                "processor": time.process_time() - processor,
                "loss": losses[-1],
                **({"waited": facts["waited"]()} if callable(facts.get("waited")) else {}),
            }
        )


def _say(values: dict[str, Any]) -> None:
    print(json.dumps({name: value for name, value in values.items() if not callable(value)}), flush=True)
