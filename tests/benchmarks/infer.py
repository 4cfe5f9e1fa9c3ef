"""Segments and tokens a second of bulk translation, beside CTranslate2 alone, Hugging Face and RunInference.

    python tests/benchmarks/infer.py --model runs/multi30k-en-de/best $SEQ2SEQ_DATA/multi30k/train.en.gz

All contenders have the same weights and the same segments, of which each is different, and take turns in processes of
their own. CTranslate2 alone and Hugging Face get the texts in a list, and give texts; `seq2seq translate` reads files,
cuts, finds what is repeated, runs, joins and writes. The start of a process (imports, loading) is measured by a run of
a few segments and left out, and shown beside. Slow contenders, and those on one core, get the first part of the
segments only. Speeds are the best of all rounds; the ratio to the first contender is the median over rounds of the
ratio within a round, so that what else the machine does falls on both.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
FEW = 8


@dataclass(frozen=True)
class Contender:
    """What is measured: its name, its words for `contender`, the share of the segments that it gets, and its cores."""

    name: str
    words: tuple[str, ...]
    share: float = 1.0
    cores: int | None = None


ALONE = tuple(
    Contender(f"CTranslate2 alone, {workers} x {threads} threads, {order}", ("alone", workers, threads, order))
    for workers, threads in (("2", "1"), ("1", "2"))
    for order in ("sorted", "default")
)
OURS = tuple(
    Contender(f"seq2seq translate, {kind}", ("translate", kind), share)
    for kind, share in (("ctranslate2", 1.0), ("torch", 0.3))
)
OTHERS = (
    Contender("Hugging Face generate()", ("generate",), 0.1),
    Contender("RunInference, a sentence at a time", ("one_by_one",), 0.1),
)
ON_ONE = (
    Contender("one core: CTranslate2 alone, 1 x 1 threads, sorted", ("alone", "1", "1", "sorted"), 0.3, 1),
    Contender("one core: seq2seq translate, torch", ("translate", "torch"), 0.3, 1),
    Contender("one core: Hugging Face generate()", ("generate",), 0.1, 1),
)


def main() -> None:
    """Run all contenders and print a table a beam."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("texts", type=Path)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--segments", type=int, default=29_000)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--beams", type=int, nargs="+", default=[5, 1])
    parser.add_argument("--only", nargs="+", default=[""], help="those whose names hold one of these")
    arguments = parser.parse_args()
    with gzip.open(arguments.texts, "rt", encoding="utf-8") as lines:
        texts = list(dict.fromkeys(line.strip() for line in lines))[: arguments.segments]
    contenders = [each for each in (*ALONE, *OURS, *OTHERS, *ON_ONE) if _is_in(each.name, arguments.only)]
    with tempfile.TemporaryDirectory() as place:
        _run(
            ALONE[0], arguments.model, texts[:FEW], 1, Path(place)
        )  # converts the model, which is no start of anybody's
        for beam in arguments.beams:
            print(f"\nbeam {beam}: {len(texts):,} segments of {arguments.texts.name}")
            print(f"{'':52}{'segments/s':>11}{'tokens/s':>10}{'peak MB':>9}{'start s':>9}{'x first':>9}")
            rounds = [_round(contenders, arguments.model, texts, beam, Path(place)) for _ in range(arguments.repeats)]
            for number, contender in enumerate(contenders):
                best = max((some[number] for some in rounds), key=lambda found: found[0])
                ratio = statistics.median(some[number][0] / some[0][0] for some in rounds)
                cells = f"{best[0]:>11.1f}{best[1]:>10.0f}{best[2]:>9.0f}{best[3]:>9.1f}{ratio:>9.2f}"
                print(f"{contender.name:52}{cells}", flush=True)


def _is_in(name: str, words: Sequence[str]) -> bool:
    return any(word in name for word in words)


Figures = tuple[float, float, float, float]
"""Segments and tokens a second, peak megabytes of all processes, seconds to start."""


def _round(contenders: Sequence[Contender], model: Path, texts: list[str], beam: int, place: Path) -> list[Figures]:
    return [_measure(contender, model, texts, beam, place) for contender in contenders]


def _measure(contender: Contender, model: Path, texts: list[str], beam: int, place: Path) -> Figures:
    count = max(FEW, int(len(texts) * contender.share))
    start, _, _ = _run(contender, model, texts[:FEW], beam, place)
    seconds, tokens, peak = _run(contender, model, texts[:count], beam, place)
    working = max(1e-9, seconds - start)
    return count / working, tokens / working, peak, start


def _run(contender: Contender, model: Path, texts: list[str], beam: int, place: Path) -> tuple[float, int, float]:
    """Seconds from the start of a process to its end, output tokens, and its peak megabytes with its children."""
    source = place / "texts.txt"
    source.write_text("".join(f"{text}\n" for text in texts), "utf-8")
    command = [sys.executable, "-m", "tests.benchmarks.inferring.contender", *contender.words]
    command += ["--model", str(model), "--texts", str(source), "--beam", str(beam), "--place", str(place)]
    command += ["--cores", str(contender.cores)] if contender.cores else []
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    begin = time.perf_counter()
    done = subprocess.run(command, check=False, env=environment, capture_output=True, text=True)
    seconds = time.perf_counter() - begin
    if done.returncode:
        raise SystemExit(f"{contender.name}:\n{done.stderr}")
    told = json.loads(done.stdout.splitlines()[-1])
    return seconds - told["unmeasured"], told["tokens"], told["peak"]


if __name__ == "__main__":
    main()
