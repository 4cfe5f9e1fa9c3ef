"""What a Flink session cluster makes of a large corpus, beside the same command without one.

    python tests/benchmarks/flink.py [--pairs 10000000]

Needs SEQ2SEQ_FLINK_JAR and SEQ2SEQ_FLINK_HOME, see `tests.engines`. A cluster of one TaskManager with two slots and two
SDK workers is started here, and stopped; it has the jar among its classes, as docs/engines.md advises. The start of a
command, its job and its workers is what a thousand pairs take, and is shown, and left out of the rates.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from preparing import peers
from preparing.corpus import read_pairs, recombine, train_model, write_corpus
from preparing.measure import measure

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.engines import FlinkCluster

FEW_PAIRS, TRAINED_PAIRS = 1000, 100_000


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=10_000_000)
    parser.add_argument("--pieces", type=int, default=8000)
    parser.add_argument("--folder", help="where the temporary folder goes")
    arguments = parser.parse_args()
    data = Path(os.environ.get("SEQ2SEQ_DATA", "../shared/data")) / "multi30k"
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        folder = Path(name)
        pairs = recombine(read_pairs([data / "train.en.gz", data / "train.de.gz"]), arguments.pairs)
        files = write_corpus(pairs, folder / "corpus", [FEW_PAIRS, TRAINED_PAIRS, arguments.pairs])
        model = folder / "joint.model"
        model.write_bytes(train_model(files.pop(TRAINED_PAIRS), arguments.pieces))
        (folder / "flink").mkdir()
        cluster = FlinkCluster(Path(os.environ["SEQ2SEQ_FLINK_HOME"]), folder / "flink")
        try:
            cluster.start_workers()
            cluster.start_task_manager()
            report(files, folder, model, [*cluster.options, "--sdk_worker_parallelism=2"])
        finally:
            cluster.stop()


def report(files: dict[int, peers.Files], folder: Path, model: Path, options: list[str]) -> None:
    """Measure both ways on both sizes; the first run of all warms what is kept, and is left out."""
    few, many = sorted(files)
    print(f"{'':24}{f'{few:,} pairs, s':>18}{f'{many:,} pairs, s':>22}{'pairs/s, start left out':>26}")
    rates = []
    for name, words in (("here", []), ("a session cluster", options)):
        command = peers.ours(model, *words)
        seconds = [
            measure(command(files[size], folder / f"{name}-{turn}")).seconds
            for turn, size in enumerate((few, few, many))
        ]
        rates.append((many - few) / (seconds[2] - seconds[1]))
        print(f"{name:24}{seconds[1]:>18.1f}{seconds[2]:>22.1f}{rates[-1]:>26,.0f}", flush=True)
    print(f"\nThe rate on the cluster is {rates[1] / rates[0]:.2f} x that here.")


if __name__ == "__main__":
    main()
