"""Tokens a second of training, beside a Marian of Hugging Face and JoeyNMT, in one run.

    python tests/benchmarks/train.py --dataset data/multi30k-en-de [--peers-python PYTHON] [--shapes small wide lstm] \
        [--precision bfloat16]

All contenders train on the same global batches, which are those of `seq2seq train`; peers have them in memory, ours
reads them. A contender is a process, or several, that keeps its model; contenders take turns of a few steps each, many
times, and the table has medians of the ratios to ours of the same round, so that what else the machine does falls on
all. Tokens are those of source and target, EOS included, without padding. Processor seconds count what all processes of
a contender did, whatever ran beside them. In bfloat16 products are, for ours and for Hugging Face; ours in float32 is
a contender then as well. `--peers-python` is an interpreter that has torch, transformers and joeynmt.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from seq2seq_core import config as configuration
from seq2seq_core.training.config import TrainConfig
from seq2seq_core.training.opening import open_run
from seq2seq_core.training.processes.distributed import joined

SCRIPTS = Path(__file__).parent
OURS = "training/ours"
REPOSITORY = Path(__file__).parents[2]
SHAPES: dict[str, dict[str, Any]] = {
    "small": {"kind": "transformer", "layers": 4, "width": 128, "feed_forward": 256, "heads": 4, "dropout": 0.2},
    "wide": {"kind": "transformer", "layers": 6, "width": 512, "feed_forward": 2048, "heads": 8, "dropout": 0.2},
    "lstm": {"kind": "lstm", "layers": 2, "width": 512, "dropout": 0.2},
}


def model_of(shape: dict[str, Any]) -> dict[str, Any]:
    """The keys of `train.yaml` for a shape."""
    common = {"width": shape["width"], "dropout": shape["dropout"], "tie_embeddings": "all"}
    layers = {"encoder_layers": shape["layers"], "decoder_layers": shape["layers"]}
    if shape["kind"] == "lstm":
        return {"family": "rnn", "cell": "lstm", "embedding_width": shape["width"], **common, **layers}
    widths = {"feed_forward_width": shape["feed_forward"], "heads": shape["heads"]}
    return {"family": "transformer", **common, **layers, **widths}


@dataclass
class Contender:
    """Processes that train one model together, and what their turns took."""

    name: str
    script: str
    processes: int
    threads: int
    precision: str = "float32"
    turns: list[dict[str, float]] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    running: list[subprocess.Popen[str]] = field(default_factory=list)

    def start(self, python: str, words: Sequence[str]) -> None:
        """Start the processes; they answer when their models are made."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        for rank in range(self.processes):
            places = {"threads": self.threads, "rank": rank, "world": self.processes, "port": port}
            command = [python, str(SCRIPTS / f"{self.script}.py"), *words]
            command += [word for name, value in places.items() for word in (f"--{name}", str(value))]
            environment = os.environ | {"PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": str(self.threads)}
            self.running.append(
                subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
            )
        self.facts = self._answers()[0]

    def turn(self, begin: int, end: int, tokens: int) -> None:
        """Let it do some steps."""
        for process in self.running:
            assert process.stdin is not None
            process.stdin.write(f"{begin} {end}\n")
            process.stdin.flush()
        answers = self._answers()
        self.turns.append(
            {
                "rate": tokens / max(answer["seconds"] for answer in answers),
                "processor": tokens / sum(answer["processor"] for answer in answers),
                "waited": answers[0].get("waited", 0.0),
                "seconds": answers[0]["seconds"],
                "loss": sum(answer["loss"] for answer in answers) if self.script != OURS else answers[0]["loss"],
            }
        )

    def stop(self) -> None:
        """End the processes."""
        for process in self.running:
            process.communicate()

    def _answers(self) -> list[dict[str, Any]]:
        lines = [process.stdout.readline() for process in self.running if process.stdout is not None]
        if not all(lines):
            raise SystemExit(f"{self.name} ended")
        return [json.loads(line) for line in lines]


def main() -> None:
    """A table for each shape."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", required=True, help="a dataset folder with one vocabulary of both sides")
    parser.add_argument("--shapes", nargs="+", choices=SHAPES, default=list(SHAPES))
    parser.add_argument("--batch-tokens", type=int, default=2048)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=4.0, help="that a turn of the slowest takes, more or less")
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2], help="ways to use the cores")
    parser.add_argument("--peers-python", default=sys.executable, help="an interpreter that has the peers")
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--no-joey", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for name in asked.shapes:
            measure(name, SHAPES[name], asked, Path(folder))


def measure(name: str, shape: dict[str, Any], asked: argparse.Namespace, folder: Path) -> None:
    """Let all contenders train a shape in turn, and print its table."""
    data = {"batch_tokens": asked.batch_tokens, "bins_per_batch": max(1, asked.batch_tokens // 1024)}
    train = {"model": model_of(shape), "data": data | {"max_source_tokens": 128, "max_target_tokens": 128}}
    steps = 400
    tokens, padding, vocabulary = write_batches(train, asked.dataset, steps, folder / "batches.npz")
    contenders = []
    for contender in contenders_of(shape, asked):
        told = {**shape, "train": train | {"precision": contender.precision}, "vocabulary": vocabulary}
        words = ["--batches", str(folder / "batches.npz"), "--shape", json.dumps(told), "--dataset", asked.dataset]
        contender.start(sys.executable if contender.script == OURS else asked.peers_python, words)
        contenders.append(contender)
    begin = 0
    count = 2
    for number in range(asked.rounds + 1):
        for contender in contenders:
            contender.turn(begin, begin + count, sum(tokens[begin : begin + count]))
        begin += count
        if number == 0:  # which warms all up, and shows how long a turn may be
            slowest = max(contender.turns[0]["seconds"] for contender in contenders)
            count = max(1, min(round(asked.seconds * count / slowest), (steps - begin) // max(1, asked.rounds)))
    for contender in contenders:
        contender.stop()
    print(f"\n{name}: {shape}, batches of {statistics.mean(tokens):,.0f} tokens, {padding:.1%} padding")
    print_table(contenders)


def contenders_of(shape: dict[str, Any], asked: argparse.Namespace) -> list[Contender]:
    """Ours first."""
    cores = len(os.sched_getaffinity(0))
    ways = [(processes, max(1, cores // processes)) for processes in asked.processes]
    kind = asked.precision
    found = [Contender(f"seq2seq train, {p} x {t}, {kind}", OURS, p, t, kind) for p, t in ways]
    if kind != "float32":
        found += [Contender(f"seq2seq train, {p} x {t}, float32", OURS, p, t) for p, t in ways]
    if shape["kind"] == "transformer":
        found += [
            Contender(f"Hugging Face Marian, {p} x {t}, {kind}", "training/hugging_face", p, t, kind) for p, t in ways
        ]
    if not asked.no_joey:
        found.append(Contender(f"JoeyNMT, 1 x {cores}", "training/joey", 1, cores))
    return found


def print_table(contenders: list[Contender]) -> None:
    """Medians, and ratios of the better of our ways to the better of theirs, round by round."""
    print(f"{'':36}{'tokens/s':>10}{'/cpu s':>9}{'x slower':>10}{'by cpu':>8}{'last loss':>11}")
    first = contenders[0]
    ours = [c for c in contenders if (c.script, c.precision) == (first.script, first.precision)]
    for contender in contenders:
        turns = contender.turns[1:]
        medians = {key: statistics.median(turn[key] for turn in turns) for key in ("rate", "processor")}
        ratios = [_ratio(ours, turns, key) for key in ("rate", "processor")]
        print(
            f"{contender.name:36}{medians['rate']:>10,.0f}{medians['processor']:>9,.0f}{ratios[0]:>10.2f}"
            f"{ratios[1]:>8.2f}{turns[-1]['loss']:>11.4f}"
        )
    seconds = sum(turn["seconds"] for turn in ours[0].turns)
    waited = ours[0].turns[-1]["waited"]
    print(f"ours waited for data {waited / seconds:.2%} of the time; {_share_of_products(ours)}")


def _ratio(ours: list[Contender], turns: list[dict[str, float]], key: str) -> float:
    best = [max(contender.turns[1 + number][key] for contender in ours) for number in range(len(turns))]
    return statistics.median(mine / turn[key] for mine, turn in zip(best, turns, strict=True))


def _share_of_products(ours: list[Contender]) -> str:
    """What of the machine's rate of matrix products goes into those of the model, forth and back."""
    source, target = ours[0].facts["products"]
    a, b = torch.randn(1024, 512), torch.randn(512, 2048)
    best = 0.0
    for _ in range(20):
        begin = time.process_time()
        a @ b
        best = max(best, 2 * 1024 * 512 * 2048 / (time.process_time() - begin))
    rate = max(statistics.median(turn["processor"] for turn in contender.turns[1:]) for contender in ours)
    share = 6 * (source + target) / 2 * rate / best
    return f"{share:.0%} of the {best / 1e9:.0f} GFLOPS that a core gives to large float32 products"


def write_batches(train: dict[str, Any], dataset: str, steps: int, path: Path) -> tuple[list[int], float, int]:
    """Tokens of each global batch, the share of padding, and the size of the vocabulary."""
    config = configuration.build(TrainConfig, train | {"dataset": dataset, "output": "unused"})
    arrays: dict[str, Any] = {"count": steps}
    tokens, positions = [], 0
    with joined("cpu") as world:
        opened = open_run(config, world)
        found = opened.loader.steps(0)
        for number in range(steps):
            step = next(found)
            arrays[f"{number}.pieces"] = len(step.micro_batches)
            tokens.append(step.source_tokens + step.target_tokens)
            for piece, batch in enumerate(step.micro_batches):
                sides = {"source": batch.source_BS, "read": batch.target_in_BT, "target": batch.target_out_BT}
                positions += batch.source_BS.numel() + batch.target_out_BT.numel()
                for side, ids in sides.items():
                    arrays[f"{number}.{piece}.{side}"] = ids.numpy().astype(np.int32)
        found.close()
        vocabulary = opened.materials.dataset.target_tokenizer.vocabulary_size
    np.savez(path, **arrays)
    return tokens, 1 - sum(tokens) / positions, vocabulary


if __name__ == "__main__":
    main()
