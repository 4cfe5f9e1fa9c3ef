"""Hours of speech prepared and transcribed for each hour of computing, beside peers, and beside the parts timed alone.

    python tests/benchmarks/speech.py [--utterances 3000] [--speeds 0.9 1 1.1] [--model RUN/best]
        [--peers-python PYTHON | --no-peers]

The corpus is what espeak-ng says (`pipelines.demo.speech.spoken`), FLAC files of 16,000 samples a second with a
manifest. Every row of the first table is a process of its own, from the start of the interpreter to the last file; what
is prepared are 80 log-mel numbers for each frame of 10 ms, in float16, and ids of a tokenizer that is given to all.
`seq2seq prepare` also measures, filters, deduplicates and shuffles; peers do not. Each has two processes. Rows are
measured in turn, several times; the table has the medians. With `--speeds`, each utterance is given at each of them, as
recipes of peers do it, too: that is how so much audio as training sees is made of it.

With `--model`, its transcription follows: the command in one process with one thread, and each part of its work alone,
over the same files, with what the command takes for a file of a moment left out of both.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import venv
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from preparing.measure import Measured, measure

from pipelines.demo.speech import spoken
from pipelines.local import pool
from seq2seq_core.audio import flac
from seq2seq_core.tokenizer.training import TokenizerConfig, train

PEERS = ("lhotse", "datasets")
SCRIPTS = Path(__file__).with_name("hearing")
ONE_THREAD = {"OMP_NUM_THREADS": "1"}
PARTS = ("decode", "voice", "features", "search")


def main() -> None:
    """Run all measurements and print them."""
    arguments = read_arguments()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        bench = Bench(Path(folder), arguments)
        print(f"{bench.description}\n")
        bench.report_preparation()
        if arguments.model:
            bench.report_transcription(arguments.model)


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--utterances", type=int, default=3000, help="of two to three seconds each")
    parser.add_argument("--speeds", type=float, nargs="+", default=[], help="1 among them")
    parser.add_argument("--corpus", type=Path, help="a folder that has them, or gets them (else they go again)")
    parser.add_argument("--heard", type=int, default=300, help="utterances that are transcribed")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--model", help="a model of 16,000 samples a second, such as run/best of the demo")
    parser.add_argument("--peers-python", type=Path, help="an interpreter that has the peers (else one is set up)")
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--folder", help="where the temporary folder goes")
    return parser.parse_args()


@dataclass(frozen=True)
class Row:
    """What ran, and the medians of what it took for so many hours of audio."""

    name: str
    hours: float
    seconds: float
    processor_seconds: float
    peak_bytes: int

    def line(self, ours: float) -> str:
        rates = [self.hours * 3600 / seconds for seconds in (self.seconds, self.processor_seconds)]
        numbers = f"{self.seconds:>9.1f}{rates[0]:>11,.0f}{rates[1]:>11,.0f}{self.peak_bytes / 1e6:>9,.0f}"
        return f"{self.name:38}{numbers}{self.seconds / ours:>8.2f}"


class Bench:
    """A corpus and a tokenizer on disk, and the measurements on them."""

    def __init__(self, folder: Path, arguments: argparse.Namespace) -> None:
        self.folder, self.arguments = folder, arguments
        self.corpus = arguments.corpus or folder / "corpus"
        self.manifest = self.corpus / "train.jsonl"
        if not self.manifest.exists():
            with pool.started(os.cpu_count() or 1, spoken.WORK) as workers:
                spoken.generate(str(self.corpus), {"train": arguments.utterances}, workers=workers)
        rows = [json.loads(line) for line in self.manifest.read_text("utf-8").splitlines()]
        self.speeds = arguments.speeds or [1.0]
        self.hours = sum(row["duration"] / speed for row in rows for speed in self.speeds) / 3600
        texts = [row["text"].lower() for row in rows]
        self.model = folder / "target.model"
        self.model.write_bytes(
            train(iter(texts), TokenizerConfig(type="bpe", vocabulary_size=100, byte_fallback=False))
        )
        self.description = (
            f"{len(rows):,} utterances at speeds {self.speeds}, {self.hours:.2f} hours, {os.cpu_count()} cores, "
            f"medians of {arguments.repeats}"
        )

    def report_preparation(self) -> None:
        """The first table."""
        rows = self.alternate(dict(self.contenders()))
        print(f"{'':38}{'seconds':>9}{'hours/h':>11}{'hours/cpu-h':>11}{'peak MB':>9}{'ratio':>8}")
        for row in rows:
            print(row.line(rows[0].seconds))
        print("hours/h: hours of audio for each hour; ratio: seconds of this row to those of the first")
        if len(rows) > 2:
            print()
            for row in rows[2:]:
                ratios = [row.seconds / ours.seconds for ours in rows[:2]]
                print(f"seq2seq prepare is {ratios[0]:.2f} x {row.name}, and {ratios[1]:.2f} x with FLAC.")

    def contenders(self) -> Iterator[tuple[str, Callable[[Path], list[str]]]]:
        """Names, and the commands that prepare the manifest into a folder."""
        yield "seq2seq prepare, features", lambda output: self.ours(output, "features")
        yield "seq2seq prepare, FLAC", lambda output: self.ours(output, "flac")
        if not self.arguments.no_peers:
            python = self.arguments.peers_python or make_environment(self.folder / "peers")
            for name, script in (("lhotse, 2 jobs", "lhotse_features"), ("datasets.map, 2 processes", "datasets_map")):
                words = [str(python), str(SCRIPTS / f"{script}.py"), str(self.manifest), str(self.model)]
                speeds = [str(speed) for speed in self.speeds]
                yield name, lambda output, words=words, speeds=speeds: [*words, str(output), *speeds]

    def ours(self, output: Path, store: str) -> list[str]:
        values: dict[str, Any] = {
            "corpora": [{"path": str(self.manifest), "format": "speech_manifest"}],
            "source_modality": {"kind": "audio", "store": store, "speeds": self.arguments.speeds},
            "normalize": {"case": "lower"},
            "tokenizer": {"model": str(self.model)},
            "output": str(output / "dataset"),
            "report": False,
        }
        config = output / "prepare.yaml"
        config.write_text(json.dumps(values))
        return [sys.executable, "-m", "pipelines.cli", "prepare", "--config", str(config)]

    def alternate(self, commands: dict[str, Callable[[Path], list[str]]]) -> list[Row]:
        """All in turn, several times."""
        found: dict[str, list[Measured]] = defaultdict(list)
        for _ in range(self.arguments.repeats):
            for name, command in commands.items():
                found[name].append(self.run(command))
        return [
            Row(
                name,
                self.hours,
                statistics.median(run.seconds for run in runs),
                statistics.median(run.processor_seconds for run in runs),
                int(statistics.median(run.peak_bytes for run in runs)),
            )
            for name, runs in found.items()
        ]

    def run(self, command: Callable[[Path], list[str]]) -> Measured:
        """One run into a new folder, which is removed."""
        output = Path(tempfile.mkdtemp(dir=self.folder))
        measured = measure(command(output))
        shutil.rmtree(output)
        return measured

    def report_transcription(self, model: str) -> None:
        """The second table: the whole command, start-up left out, and the parts of its work."""
        files = sorted(map(str, (self.corpus / "audio").glob("train-*.flac")))[: self.arguments.heard]
        moment = self.folder / "moment.flac"
        moment.write_bytes(flac.encode(np.zeros(1600, np.int16), spoken.RATE))
        (self.folder / "heard").mkdir()
        for file in files:
            os.link(file, self.folder / "heard" / Path(file).name)
        runs: dict[str, list[Any]] = defaultdict(list)
        for _ in range(self.arguments.repeats):
            runs["start"].append(self.run(lambda output: transcription(model, moment, output)))
            runs["whole"].append(self.run(lambda output: transcription(model, self.folder / "heard", output)))
            command = [sys.executable, str(SCRIPTS / "parts.py"), model, "1", *files]
            runs["parts"].append(json.loads(measure(command, ONE_THREAD).output))
        audio = runs["parts"][0]["audio"]
        alone = {name: np.median([found[name] for found in runs["parts"]], axis=0) for name in PARTS}
        start, whole = (
            np.median([[run.seconds, run.processor_seconds] for run in runs[name]], axis=0)
            for name in ("start", "whole")
        )
        total = np.sum(list(alone.values()), axis=0)
        print(f"{len(files)} recordings of {audio / 3600:.2f} hours{'seconds':>14}{'processor':>11}{'hours/h':>11}")
        rows = {**alone, "sum of the parts": total, "seq2seq transcribe": whole, "of that start-up": start}
        for name, (seconds, processor) in rows.items():
            print(f"{name:38}{seconds:>9.1f}{processor:>11.1f}{audio / seconds:>11,.0f}")
        ratios = total / (whole - start)
        print(f"\nseq2seq transcribe, start-up left out, is {ratios[0]:.2f} x as fast as the sum of its parts, and")
        print(f"{ratios[1]:.2f} x by processor seconds, which other work on the machine does not count in.")


def transcription(model: str, files: Path, output: Path) -> list[str]:
    """The command, in one process with one thread."""
    words = ["transcribe", "--model", model, "--input", str(files), "--output", str(output / "out")]
    words += ["--format", "jsonl", "--engine.kind", "torch", "--engine.threads", "1"]
    return [sys.executable, "-m", "pipelines.cli", *words, "--", "--direct_num_workers=1"]


def make_environment(folder: Path) -> Path:
    """A new virtual environment with the peers in it, and what this one has; its interpreter."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    site = next((folder / "lib").glob("python*/site-packages"))
    (site / "ours.pth").write_text(f"{Path(np.__file__).parents[1]}\n")  # torch is large
    subprocess.run([python, "-m", "pip", "install", "--quiet", *PEERS], check=True)
    return python


if __name__ == "__main__":
    main()
