"""How soon what lands is published or answered, how much passes through, and what a burst of files takes.

    python tests/benchmarks/follow.py landing [--files 200] [--seconds 100] [--interval 5] [-- BEAM OPTIONS]
    python tests/benchmarks/follow.py rate [--files 400] [--rows 5000] [-- BEAM OPTIONS]
    python tests/benchmarks/follow.py burst [--files 10000]
    python tests/benchmarks/follow.py answers --model FOLDER [--engine torch] [--files 40]

`landing`: seconds from when a file stands in its zone until a reader of dataset.json sees its generation (median, 95th
percentile, most). `rate`: rows a second of following a zone that is full from the start, beside one batch run over the
same files, both without their start-up. `burst`: the same for many small files that land at once, with the time of the
first and the last generation and the most memory. `answers`: seconds from landing to the answer, beside those that the
model itself takes in the same process. Every number is one of this machine while nothing else ran, or none at all.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).parents[2]))

from pipelines.commands import prepare, translate
from pipelines.commands.follow.translate import FollowTranslateConfig, Translating
from seq2seq_core import config as configuration
from seq2seq_core import storage
from seq2seq_core.dataset.manifest import load_manifest
from seq2seq_core.inference.answering import answer
from seq2seq_core.landing.ledger import Ledger
from tests import river
from tests.landing import batch, land, rows_of
from tests.processes import Process


def main() -> None:
    """Measure and print."""
    words = sys.argv[1:]
    engine = words[words.index("--") + 1 :] if "--" in words else []
    arguments = read_arguments(words[: words.index("--")] if engine else words)
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        for line in MEASURES[arguments.what](arguments, Path(folder), engine):
            print(line, flush=True)


def read_arguments(words: Sequence[str]) -> argparse.Namespace:
    """The words of the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=list(MEASURES))
    parser.add_argument("--files", type=int)
    parser.add_argument("--rows", type=int)
    parser.add_argument("--seconds", type=float, default=100.0)
    parser.add_argument("--interval", type=float, default=5.0)
    parser.add_argument("--model")
    parser.add_argument("--engine", default="torch")
    parser.add_argument("--folder")
    return parser.parse_args(words)


class Watch(threading.Thread):
    """When a reader of a dataset first sees each file of it, by its number."""

    def __init__(self, output: Path) -> None:
        super().__init__(daemon=True)
        self._output, self._known = output, -1
        self._ended = threading.Event()
        self.seen: dict[int, float] = {}

    def run(self) -> None:
        """See Thread."""
        while not self._ended.wait(0.05):
            if (self._output / "dataset.json").exists():
                generations = load_manifest(str(self._output)).generations
                now = time.time()
                for generation in generations:
                    if generation.index > self._known:
                        for entry in generation.inputs:
                            self.seen.setdefault(int(Path(entry.files[0].url).stem), now)
                self._known = generations[-1].index

    def end(self) -> None:
        """The last look is over when this returns."""
        self._ended.set()
        self.join()


def landing(arguments: argparse.Namespace, folder: Path, engine: Sequence[str]) -> Iterator[str]:
    """From landing to a published generation."""
    files, zone, output = arguments.files or 200, folder / "in", folder / "out"
    process = follow(folder, [f"--interval_seconds={arguments.interval}"], engine)
    land(zone, "999999", rows_of(999_999, 1000))
    process.await_((output / "dataset.json").exists, "the first generation stands", 300)
    watch, feeder = Watch(output), river.Feeder(str(zone), files, arguments.seconds, arguments.rows or 200)
    watch.start()
    feeder.start()
    feeder.join()
    process.await_(lambda: len(watch.seen) > files, "all files are published", 300)
    watch.end()
    process.stop()
    yield f"{files} files in {arguments.seconds:.0f} s, a generation every {arguments.interval:g} s"
    yield told("from landing to published", [watch.seen[number] - at for number, at in feeder.landed.items()])


def rate(arguments: argparse.Namespace, folder: Path, engine: Sequence[str]) -> Iterator[str]:
    """Rows a second, following and in one batch."""
    files, rows = arguments.files or 400, arguments.rows or 5000
    land(folder / "in", "999999", rows_of(999_999, 1000))
    config = batch(folder / "in", folder / "whole")
    prepare.run(config)  # what is imported once, and the tokenizer
    process = follow(folder, ["--interval_seconds=1", f"--generation_rows={20 * rows}"], engine)
    process.await_((folder / "out" / "dataset.json").exists, "the first generation stands", 300)
    hidden = folder / ".landing"
    for number in range(files):
        land(hidden, f"{number:06d}", rows_of(number, rows))
    began = time.time()
    for file in sorted(hidden.iterdir()):
        file.rename(folder / "in" / file.name)
    process.await_(lambda: len(Ledger(str(folder / "out")).refresh().files) > files, "all is published", 3600)
    following = time.time() - began
    process.stop()
    began = time.time()
    prepare.run(config, engine)
    whole = time.time() - began
    total = files * rows
    yield f"{total:,} rows in {files} files"
    yield f"following {total / following:,.0f} rows/s, batch {total / whole:,.0f} rows/s: {whole / following:.2f}"


def burst(arguments: argparse.Namespace, folder: Path, engine: Sequence[str]) -> Iterator[str]:
    """Many files at once."""
    files, hidden = arguments.files or 10_000, folder / ".landing"
    process = follow(folder, ["--interval_seconds=5"], engine)
    land(folder / "in", "999999", rows_of(999_999, 1000))
    process.await_((folder / "out" / "dataset.json").exists, "the first generation stands", 300)
    for number in range(files):
        land(hidden, f"{number:06d}", rows_of(number, arguments.rows or 20))
    watch = Watch(folder / "out")
    watch.start()
    before, began, most = memory(process), time.time(), 0
    for file in sorted(hidden.iterdir()):
        file.rename(folder / "in" / file.name)
    while len(watch.seen) <= files:
        most = max(most, memory(process))
        time.sleep(0.2)
    watch.end()
    process.stop()
    moments = sorted({seen - began for seen in watch.seen.values()} - {0.0})
    yield f"{files:,} files at once: {len(moments) - 1} generations, the first {moments[1]:.1f} s, the last "
    yield f"{moments[-1]:.1f} s later; memory {before >> 20} MiB before, {most >> 20} MiB at most"


def answers(arguments: argparse.Namespace, folder: Path, engine: Sequence[str]) -> Iterator[str]:
    """From landing to an answer, beyond what the model takes."""
    del engine
    values = {"model": arguments.model, "input": [str(folder / "in")], "output": str(folder / "out")}
    values |= {"engine": {"kind": arguments.engine}, "landing": {"whole": "renamed"}}
    config = configuration.build(FollowTranslateConfig, values)
    words = ["translate", "--follow", "--model", arguments.model, "--input", str(folder / "in")]
    words += ["--output", str(folder / "out"), f"--engine.kind={arguments.engine}", "--landing.whole=renamed"]
    process = river.command(words, folder / "log")
    took, model = [], []
    here = Translating(config)
    for number in range(-1, arguments.files or 40):
        name = f"{number:06d}.txt"
        text = "\n".join(source for source, _ in rows_of(number, arguments.rows or 10))
        storage.publish_text(str(folder / "in" / name), text)
        landed = time.time()
        done = folder / "out" / name / "output.json"
        process.await_(done.exists, "it is answered", 300)
        took.append(done.stat().st_mtime - landed)
        places = {"input": (str(folder / "in" / name),), "output": str(folder / "alone" / name)}
        job = translate.make_job(here._config.model_copy(update=places))
        translator = here._translator(job)
        began = time.time()
        list(answer(job, translator))
        model.append(time.time() - began)
    process.stop()
    yield told("from landing to answered", took[1:])
    yield told("the model alone", model[1:])
    yield told("beyond the model", [beyond - own for beyond, own in zip(took[1:], model[1:], strict=True)])


def follow(folder: Path, settings: Sequence[str], engine: Sequence[str]) -> Process:
    """The command, started."""
    words = [word for word in river.words(str(folder / "in"), str(folder / "out")) if "interval" not in word]
    words = [word for word in words if "generation_files" not in word]
    more = ["--", *engine] if engine else []
    return river.command([*words, *settings, *more], folder / "log")


def memory(process: Process) -> int:
    """Bytes of a process and those that it has started."""
    found = psutil.Process(process.number)
    return sum(one.memory_info().rss for one in [found, *found.children(recursive=True)])


def told(what: str, seconds: Sequence[float]) -> str:
    """A line of the table."""
    ordered = sorted(seconds)
    high = ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]
    return f"{what}: median {statistics.median(ordered):.2f} s, 95th percentile {high:.2f} s, most {ordered[-1]:.2f} s"


MEASURES = {"landing": landing, "rate": rate, "burst": burst, "answers": answers}

if __name__ == "__main__":
    main()
