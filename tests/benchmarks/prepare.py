"""Pairs a second and memory of `seq2seq prepare` from text files to shards, beside SentencePiece alone and its peers.

    python tests/benchmarks/prepare.py [--pairs 1000000] [--scaling] [--peers-python PYTHON | --no-peers]

The corpus is made of the halves of Multi30k's pairs ($SEQ2SEQ_DATA/multi30k, English and German), or of the pairs of
two other files (`--source`, `--target`), joined anew. One unigram model, such as `seq2seq prepare` trains, is given
to everything that is measured. Each row of the table is a process of its own, which counts from the start of the
interpreter to the last file; SentencePiece alone gets lists in memory, neither reads nor writes, and its start-up is
left out. Peers clean little or nothing. Rows are measured in turn, several times; the table has the medians. Engines
named in the environment (SEQ2SEQ_FLINK_JAR, SEQ2SEQ_FLINK_MASTER, SEQ2SEQ_SPARK_ENDPOINT) get a row each.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from preparing import peers
from preparing.corpus import read_pairs, recombine, train_model, write_corpus
from preparing.measure import Measured, measure
from preparing.peers import Contender

FEW_PAIRS = 1000
DEFAULT = "seq2seq prepare"
WORKERS = ("--direct_running_mode=multi_processing", "--direct_num_workers=2")
WAYS_ALONE = 3


def main() -> None:
    """Run all measurements and print them."""
    arguments = read_arguments()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        bench = Bench(Path(folder), arguments)
        print(f"{bench.description}\n")
        if arguments.scaling:
            bench.report_scaling()
        else:
            bench.report_speed()


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=1_000_000)
    parser.add_argument("--alone-pairs", type=int, default=100_000, help="pairs that SentencePiece alone gets")
    parser.add_argument("--pieces", type=int, default=8000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--scaling", action="store_true", help="a tenth of the pairs beside all of them")
    parser.add_argument("--peers-python", type=Path, help="an interpreter that has the peers (else one is set up)")
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--source", type=Path, help="another corpus: a text a line")
    parser.add_argument("--target", type=Path)
    parser.add_argument("--folder", help="where the temporary folder goes")
    arguments = parser.parse_args()
    if arguments.source is None:
        data = Path(os.environ.get("SEQ2SEQ_DATA", "../shared/data")) / "multi30k"
        arguments.source, arguments.target = data / "train.en.gz", data / "train.de.gz"
    return arguments


@dataclass(frozen=True)
class Row:
    """One line of the table: what ran, on how many pairs, and the medians."""

    name: str
    pairs: int
    rate: float
    processor_seconds: float
    peak_bytes: int

    @property
    def cost(self) -> float:
        """Microseconds of all cores for a pair."""
        return self.processor_seconds / self.pairs * 1e6

    def line(self, ours: float) -> str:
        memory = f"{self.peak_bytes / 1e6:,.0f}" if self.peak_bytes else "-"
        rate = f"{self.pairs:>10,}{self.rate:>11,.0f}"
        return f"{self.name:38}{rate}{self.cost:>9.1f}{memory:>9}{ours / self.rate:>8.2f}"


class Bench:
    """A corpus of several sizes and a model on disk, and the measurements on them."""

    def __init__(self, folder: Path, arguments: argparse.Namespace) -> None:
        self.folder = folder
        self.arguments = arguments
        sizes = [FEW_PAIRS, arguments.alone_pairs, arguments.pairs, arguments.pairs // 10]
        original = read_pairs([arguments.source, arguments.target])
        self.files = write_corpus(recombine(original, max(sizes)), folder / "corpus", sizes)
        self.model = folder / "joint.model"
        self.model.write_bytes(train_model(self.files[max(sizes)], arguments.pieces))
        size = sum(path.stat().st_size for path in self.files[arguments.pairs])
        self.description = (
            f"{arguments.pairs:,} pairs ({size / 1e6:.0f} MB) of {len(original):,}, {os.cpu_count()} cores, "
            f"unigram model of {arguments.pieces} pieces, medians of {arguments.repeats}"
        )

    def report_speed(self) -> None:
        """The table."""
        wholes = [
            Contender(DEFAULT, peers.ours(self.model)),
            Contender("one worker", peers.ours(self.model, "--direct_num_workers=1")),
            Contender("Beam's local processes", peers.ours(self.model, *WORKERS)),
            Contender("with report.html", peers.ours(self.model, report=True)),
            *peers.engines(self.model),
            *self.peers(),
        ]
        rows = self.alternate(wholes)
        ours = rows[WAYS_ALONE].rate
        print(f"{'':38}{'pairs':>10}{'pairs/s':>11}{'cpu us':>9}{'peak MB':>9}{'ratio':>8}")
        for row in rows:
            print(row.line(ours))
        best = max(row.rate for row in rows[:WAYS_ALONE])
        cost = min(row.cost for row in rows[:WAYS_ALONE]) / rows[WAYS_ALONE].cost
        print(
            f"\n{DEFAULT} is {ours / best:.2f} x SentencePiece alone at its best ({cost:.2f} x by processor seconds)."
        )
        print("cpu us: microseconds of all cores for a pair; ratio: pairs a second of the first of ours to this row's")

    def alternate(self, wholes: Sequence[Contender]) -> list[Row]:
        """SentencePiece alone and whole runs in turn: first its rows, then theirs."""
        pairs = self.arguments.pairs
        alone: dict[str, list[tuple[float, float]]] = defaultdict(list)
        found: dict[str, list[Measured]] = defaultdict(list)
        for _ in range(self.arguments.repeats):
            self.measure_alone(alone)
            for whole in wholes:
                found[whole.name].append(self.run(whole, pairs))
        return self.rows_alone(alone) + [whole_row(name, pairs, runs) for name, runs in found.items()]

    def measure_alone(self, alone: dict[str, list[tuple[float, float]]]) -> None:
        """Seconds and processor seconds of each way to call SentencePiece, added to those there are."""
        few = self.arguments.alone_pairs
        output = measure(peers.sentencepiece_alone(self.model, self.files[few], few)).output
        for name, cost in json.loads(output).items():
            alone[name].append(cost)

    def rows_alone(self, alone: dict[str, list[tuple[float, float]]]) -> list[Row]:
        """The medians of `measure_alone`."""
        few = self.arguments.alone_pairs
        rows = []
        for name, costs in alone.items():
            seconds, used = map(statistics.median, zip(*costs, strict=True))
            rows.append(Row(f"SentencePiece, {name}", few, few / seconds, used, 0))
        return rows

    def peers(self) -> Iterator[Contender]:
        """What others have for the same job."""
        if not self.arguments.no_peers:
            python = self.arguments.peers_python or peers.make_environment(self.folder / "peers")
            yield from peers.foreign(python, self.model)
            yield peers.rows_in_beam(self.model)

    def report_scaling(self) -> None:
        """Few pairs, a tenth and all of them, in turn."""
        contender = Contender(DEFAULT, peers.ours(self.model))
        sizes = (FEW_PAIRS, self.arguments.pairs // 10, self.arguments.pairs)
        found: dict[int, list[Measured]] = defaultdict(list)
        alone: dict[str, list[tuple[float, float]]] = defaultdict(list)
        for _ in range(self.arguments.repeats):
            self.measure_alone(alone)
            for size in sizes:
                found[size].append(self.run(contender, size))
        best = max(row.rate for row in self.rows_alone(alone))
        print(f"{'pairs':>12}{'seconds':>10}{'cpu s':>9}{'peak MB':>9}{'x SentencePiece alone at its best':>36}")
        for size, runs in found.items():
            seconds, peak = median_seconds(runs), median_peak(runs) / 1e6
            print(
                f"{size:>12,}{seconds:>10.2f}{median_processor(runs):>9.2f}{peak:>9,.0f}{size / seconds / best:>36.2f}"
            )
        few, tenth, whole = (found[size] for size in sizes)
        times = median_seconds(whole) / median_seconds(tenth)
        net, processor = (
            (median(whole) - median(few)) / (median(tenth) - median(few))
            for median in (median_seconds, median_processor)
        )
        print(f"\n10 times the pairs take {times:.1f} times as long,")
        print(f"start-up left out {net:.1f} times, of processor seconds {processor:.1f} times")
        grown = (median_peak(whole) - median_peak(tenth)) / (sizes[2] - sizes[1])
        print(f"peak memory: {median_peak(whole) / sizes[2]:,.0f} bytes a pair, {grown:,.0f} for each pair more")

    def run(self, contender: Contender, pairs: int) -> Measured:
        """One run into a new folder, which is removed."""
        output = Path(tempfile.mkdtemp(dir=self.folder))
        command = contender.command(self.files[pairs], output)
        measured = measure(command)
        shutil.rmtree(output)
        return measured


def whole_row(name: str, pairs: int, runs: Sequence[Measured]) -> Row:
    """The medians of runs on all pairs."""
    return Row(name, pairs, pairs / median_seconds(runs), median_processor(runs), median_peak(runs))


def median_seconds(runs: Sequence[Measured]) -> float:
    return statistics.median(run.seconds for run in runs)


def median_processor(runs: Sequence[Measured]) -> float:
    return statistics.median(run.processor_seconds for run in runs)


def median_peak(runs: Sequence[Measured]) -> int:
    return int(statistics.median(run.peak_bytes for run in runs))


if __name__ == "__main__":
    main()
