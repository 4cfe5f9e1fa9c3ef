"""BLEU on validation after minutes of training, beside JoeyNMT, one after the other on all cores.

    python tests/benchmarks/time_to_quality.py --corpus CORPORA/multi30k --dataset data/multi30k-en-de \\
        --peers-python PYTHON [--minutes 60] [--contenders ours joey joey_small]

The clock of a contender starts with its process, so that starting and validating count. All are scored by themselves:
sacreBLEU, cased, 13a, of a greedy search on the validation set. `joey` is a Transformer that JoeyNMT has been
configured with for IWSLT 2014 (its configs/transformer_iwslt14_deen_sp.yaml at 678fe7d: 6 + 6 layers of 256, Adam at
0.0003 that falls on a plateau), in batches that two cores can take; `joey_small` has the shape, the dropout and the
learning rate of quick.yaml. Both read the text that the dataset was made of, with the dataset's own tokenizer.
`--peers-python` is an interpreter that has torch, joeynmt and sentencepiece 0.2.0, as JoeyNMT 2.3 calls what later ones
do not have. It also tells PyTorch's plateau to be verbose, which PyTorch of today has no word for: that is left out.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import sentencepiece
import yaml

REPOSITORY = Path(__file__).parents[2]
TOLD = (5, 10, 20, 40, 60, 90, 120)
JOEY = """
import runpy, torch
class Plateau(torch.optim.lr_scheduler.ReduceLROnPlateau):
    def __init__(self, *args, verbose=False, **options):
        super().__init__(*args, **options)
torch.optim.lr_scheduler.ReduceLROnPlateau = Plateau
runpy.run_module("joeynmt", run_name="__main__", alter_sys=True)
"""
Curve = list[tuple[float, float]]
"""Minutes since the start, and BLEU."""


def main() -> None:
    """A table: a contender a row, minutes for columns."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True, help="a folder with train and val, a .gz a language")
    parser.add_argument("--languages", nargs=2, default=["en", "de"])
    parser.add_argument("--dataset", type=Path, required=True, help="what `seq2seq prepare` made of that corpus")
    parser.add_argument("--config", type=Path, default=REPOSITORY / "pipelines/recipes/multi30k/quick.yaml")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--contenders", nargs="+", choices=["ours", "joey", "joey_small"], default=["ours", "joey"])
    parser.add_argument("--joey-batch-tokens", type=int, default=2048, help="padded tokens of the longer side")
    parser.add_argument("--peers-python", default=sys.executable)
    asked = parser.parse_args()
    print(f"{'minutes':36}" + "".join(f"{minutes:>7}" for minutes in _columns(asked.minutes)) + f"{'last':>7}{'at':>7}")
    for name in asked.contenders:
        with tempfile.TemporaryDirectory() as folder:
            curve = _ours(asked, Path(folder)) if name == "ours" else _joey(name, asked, Path(folder))
            tell(name, curve, asked.minutes)


def tell(name: str, curve: Curve, minutes: float) -> None:
    """What the validation before each column's minute found."""
    cells = []
    for column in _columns(minutes):
        before = [bleu for at, bleu in curve if at <= column]
        cells.append(f"{before[-1]:>7.1f}" if before else f"{'-':>7}")
    last = f"{curve[-1][1]:>7.1f}{curve[-1][0]:>7.1f}" if curve else f"{'-':>7}{'-':>7}"
    print(f"{name:36}{''.join(cells)}{last}", flush=True)


def _columns(minutes: float) -> list[int]:
    return [column for column in TOLD if column <= minutes]


def _ours(asked: argparse.Namespace, folder: Path) -> Curve:
    command = [sys.executable, "-m", "pipelines.cli", "train", "--config", str(asked.config)]
    command += ["--dataset", str(asked.dataset), "--output", str(folder / "run")]
    cores = len(os.sched_getaffinity(0))

    def scores(text: str) -> list[float]:
        found = (json.loads(line) for line in text.splitlines())
        return [record["bleu"] for record in found if record["kind"] == "validation"]

    return watched([*command, "--processes", str(cores)], folder / "run" / "metrics.jsonl", scores, asked.minutes, 1)


def _joey(name: str, asked: argparse.Namespace, folder: Path) -> Curve:
    for split in ("train", "val"):
        for language in asked.languages:
            packed = (asked.corpus / f"{split}.{language}.gz").read_bytes()
            (folder / f"{split}.{language}").write_bytes(gzip.decompress(packed))
    (model,) = (asked.dataset / "tokenizer").glob("*.model")
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(model))
    usual = [pieces.id_to_piece(i) for i in range(len(pieces)) if not pieces.is_control(i) and not pieces.is_unknown(i)]
    (folder / "vocabulary.txt").write_text("\n".join(usual) + "\n")
    config = folder / "joey.yaml"
    config.write_text(yaml.safe_dump(joey_settings(name, asked, folder, model)))
    command = [asked.peers_python, "-c", JOEY, "train", str(config), "--skip-test"]

    def scores(text: str) -> list[float]:
        return [float(found) for found in re.findall(r"\bbleu: ([0-9.]+)", text)]

    cores = len(os.sched_getaffinity(0))
    return watched(command, folder / "run" / "validations.txt", scores, asked.minutes, cores)


def joey_settings(name: str, asked: argparse.Namespace, folder: Path, model: Path) -> dict[str, Any]:
    """Its own for such data, or with the shape, dropout and rate of quick.yaml."""
    own = name == "joey"
    layers, width, feed_forward, dropout = (6, 256, 1024, 0.3) if own else (4, 128, 256, 0.2)
    side = {"max_length": 128, "lowercase": False, "level": "bpe", "voc_file": str(folder / "vocabulary.txt")}
    side |= {"tokenizer_type": "sentencepiece", "tokenizer_cfg": {"model_file": str(model)}}
    stack = {"type": "transformer", "num_layers": layers, "num_heads": 4, "hidden_size": width, "dropout": dropout}
    stack |= {"layer_norm": "pre"}  # as it was for all when that configuration was written; later not for decoders
    stack |= {"ff_size": feed_forward, "embeddings": {"embedding_dim": width, "scale": True, "dropout": 0.0}}
    plateau = {"scheduling": "plateau", "patience": 5, "decrease_factor": 0.7, "learning_rate": 3e-4}
    warm = {"scheduling": "warmupinversesquareroot", "learning_rate_warmup": 1000, "learning_rate": 5e-3}
    return {
        "name": name,
        "joeynmt_version": "2.3.0",
        "model_dir": str(folder / "run"),
        "use_cuda": False,
        "random_seed": 42,
        "data": {
            "train": str(folder / "train"),
            "dev": str(folder / "val"),
            "dataset_type": "plain",
            "src": side | {"lang": asked.languages[0]},
            "trg": side | {"lang": asked.languages[1]},
        },
        "testing": {"beam_size": 1, "batch_size": 4096, "batch_type": "token", "eval_metrics": ["bleu"]}
        | {"max_output_length": 100, "sacrebleu_cfg": {"tokenize": "13a", "lowercase": False}},
        "training": {
            **(plateau if own else warm),
            "optimizer": "adam",
            "adam_betas": [0.9, 0.999 if own else 0.98],
            "normalization": "tokens",
            "label_smoothing": 0.1,
            "learning_rate_min": 1e-8,
            "batch_size": asked.joey_batch_tokens,
            "batch_type": "token",
            "early_stopping_metric": "bleu",
            "epochs": 1000,
            "validation_freq": 1000 if own else 500,
            "logging_freq": 100,
            "keep_best_ckpts": 1,
        },
        "model": {
            "initializer": "xavier_uniform",
            "embed_initializer": "xavier_uniform",
            "bias_initializer": "zeros",
            "tied_embeddings": True,
            "tied_softmax": True,
            "encoder": dict(stack),
            "decoder": dict(stack),
        },
    }


def watched(
    command: Sequence[str], scored: Path, scores: Callable[[str], list[float]], minutes: float, threads: int
) -> Curve:
    """Let a trainer run for so long; a score's time is when the trainer wrote it, within a second."""
    curve: Curve = []
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": str(threads)}
    begin = time.monotonic()
    with tempfile.TemporaryFile("w+") as said:
        running = subprocess.Popen(command, stdout=said, stderr=said, env=environment, start_new_session=True)
        try:
            while running.poll() is None and time.monotonic() - begin < 60 * minutes:
                time.sleep(1)
                written = scored.read_text() if scored.exists() else ""
                found = scores(written[: written.rfind("\n") + 1])
                curve += [((time.monotonic() - begin) / 60, bleu) for bleu in found[len(curve) :]]
        finally:
            if is_late := running.poll() is None:
                os.killpg(running.pid, signal.SIGKILL)
        if running.wait() and not is_late:
            said.seek(0)
            raise SystemExit(f"{' '.join(command)} ended with {running.returncode}\n{said.read()[-3000:]}")
    return curve


if __name__ == "__main__":
    main()
