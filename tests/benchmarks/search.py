"""Tokens a second that a beam search says, beside JoeyNMT's, in one run.

    python tests/benchmarks/search.py --dataset data/multi30k-en-de --peers-python PYTHON [--shapes lstm small wide]

Both have models of the same shape (those of `train.py`) with random weights, and the same batches of sources; every
output has as many tokens, and no search ends before. Contenders are processes of one thread that take turns, as in
`train.py`; the table has medians, and those of the ratios to JoeyNMT in float32 of the same round. `--peers-python` is
an interpreter that has torch and joeynmt.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.benchmarks.train import SHAPES, Contender, model_of, write_batches

BATCHES = 60
OURS = "searching/ours"


def main() -> None:
    """A table for each beam."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", required=True, help="a dataset folder with one vocabulary of both sides")
    parser.add_argument("--peers-python", default=sys.executable, help="an interpreter that has the peer")
    parser.add_argument("--shapes", nargs="+", choices=SHAPES, default=["lstm"])
    parser.add_argument("--beams", type=int, nargs="+", default=[5, 1])
    parser.add_argument("--length", type=int, default=15, help="tokens of an output")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--batches", type=int, default=2, help="of a turn; each has some hundred sentences")
    asked = parser.parse_args()
    data = {"batch_tokens": 2048, "bins_per_batch": 2, "max_source_tokens": 128, "max_target_tokens": 128}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "batches.npz"
        _, _, vocabulary = write_batches({"data": data}, asked.dataset, BATCHES, path)
        with np.load(path) as arrays:
            sentences = [
                sum(len(arrays[f"{number}.{piece}.source"]) for piece in range(int(arrays[f"{number}.pieces"])))
                for number in range(BATCHES)
            ]
        for name, beam in itertools.product(asked.shapes, asked.beams):
            shape = SHAPES[name]
            told = {**shape, "model": model_of(shape), "vocabulary": vocabulary, "beam": beam, "length": asked.length}
            contenders = [
                Contender("JoeyNMT", "searching/joey", 1, 1),
                Contender("JoeyNMT, bfloat16", "searching/joey", 1, 1, "bfloat16"),
                Contender("seq2seq", OURS, 1, 1),
                Contender("seq2seq, bfloat16", OURS, 1, 1, "bfloat16"),
            ]
            _measure(contenders, told, path, sentences, asked)
            sizes = f"outputs of {asked.length} tokens, {statistics.mean(sentences):.0f} sentences a batch"
            print(f"\n{name}, beam {beam}, {sizes}")
            _print(contenders)


def _measure(
    contenders: list[Contender], told: dict[str, Any], batches: Path, sentences: list[int], asked: argparse.Namespace
) -> None:
    for contender in contenders:
        words = ["--batches", str(batches), "--shape", json.dumps(told | {"precision": contender.precision})]
        contender.start(sys.executable if contender.script == OURS else asked.peers_python, words)
    for number in range(asked.rounds + 1):  # the first warms all up
        begin = number * asked.batches % (BATCHES - asked.batches)
        tokens = sum(sentences[begin : begin + asked.batches]) * asked.length
        for contender in contenders:
            contender.turn(begin, begin + asked.batches, tokens)
            said, expected = contender.turns[-1]["loss"], sentences[begin + asked.batches - 1] * asked.length
            if said != expected:
                raise SystemExit(f"{contender.name} said {said:.0f} tokens in a batch of {expected}")
    for contender in contenders:
        contender.stop()


def _print(contenders: list[Contender]) -> None:
    print(f"{'':20}{'tokens/s':>10}{'/cpu s':>10}{'x JoeyNMT':>11}{'by cpu':>8}")
    peer = contenders[0].turns[1:]
    for contender in contenders:
        turns = contender.turns[1:]
        rates = [statistics.median(turn[key] for turn in turns) for key in ("rate", "processor")]
        ratios = [
            statistics.median(turn[key] / other[key] for turn, other in zip(turns, peer, strict=True))
            for key in ("rate", "processor")
        ]
        print(f"{contender.name:20}{rates[0]:>10,.0f}{rates[1]:>10,.0f}{ratios[0]:>11.2f}{ratios[1]:>8.2f}")


if __name__ == "__main__":
    main()
