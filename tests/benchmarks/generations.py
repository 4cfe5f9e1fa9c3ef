"""What a generation costs at the start of a dataset that grows, and at the end, when thousands stand there.

    python tests/benchmarks/generations.py [--generations 2000] [--rows 100] [--near] [--keep]

A file of some rows lands, and the dataset is prepared again, so many times; a tenth of the rows have landed before. A
file that was taken leaves the folder, or with --keep stays: then each run lists all of them. The steps are done in this
process, one after the other, so that no start of Beam or Python counts. Wall and processor seconds are means over a few
dozen generations at a time, what is folded and merged meanwhile included; the first is told apart, as it makes the
tokenizer. In the end all files are verified, and the rows compared with those of one run over all files.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from seq2seq_core import storage
from seq2seq_core.corpora.config import CorpusConfig
from seq2seq_core.dataset.manifest import MANIFEST_NAME, Manifest, load_manifest
from seq2seq_core.dataset.reader import Dataset
from seq2seq_core.dataset.verify import verify
from seq2seq_core.preparation.compaction.compact import keep_few
from seq2seq_core.preparation.compaction.config import CompactionConfig
from seq2seq_core.preparation.planning.inputs import make_job
from seq2seq_core.preparation.steps import run_inline
from seq2seq_core.preparation.terms.recipe import Recipe

WORDS = [f"{a}{b}{c}" for a in "bdfgk" for b in "aeiou" for c in "lmnrst"]
AGAIN = 0.1
SHOWN = 10
CYCLE = 64


class Timed(NamedTuple):
    """Seconds of one generation."""

    wall: float
    processor: float


def main() -> None:
    """Grow a dataset, print what each tenth of it cost, and compare the rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--generations", type=int, default=2000)
    parser.add_argument("--rows", type=int, default=100)
    parser.add_argument("--near", action="store_true", help="look for near-duplicates, too")
    parser.add_argument("--keep", action="store_true", help="files stay where they landed")
    parser.add_argument("--beyond", type=int, default=CompactionConfig().beyond)
    parser.add_argument("--grace", type=float, default=5.0, help="seconds that files of folded generations stay")
    parser.add_argument("--folder", help="where to work; default: a temporary folder")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        recipe = Recipe.model_validate(
            {"tokenizer": {"vocabulary_size": 400}, "near_duplicates": {"bands": 4, "rows": 4} if given.near else False}
        )
        config = CompactionConfig(beyond=given.beyond, grace_seconds=given.grace)
        places = Path(folder, "in"), Path(folder, "in" if given.keep else "taken")
        for place in places:
            place.mkdir(exist_ok=True)
        files = landings(given.generations, given.rows)
        times, most_files = grow(places, recipe, config, files)
        report(times, most_files, Path(folder, "out"))
        compare(Path(folder), recipe)


def grow(
    places: tuple[Path, Path], recipe: Recipe, config: CompactionConfig, files: Iterable[list[tuple[str, str]]]
) -> tuple[list[Timed], int]:
    """Land a file and prepare, again and again: the seconds of each, and the most files that stood there."""
    times, most_files = list[Timed](), 0
    (landed, taken), folder = places, places[0].parent
    for number, pairs in enumerate(files):
        path = landed / f"{number:06d}.tsv"
        path.write_text("".join(f"{source}\t{target}\n" for source, target in pairs))
        wall, processor = time.perf_counter(), time.process_time()
        prepare(folder, "out", recipe, "in/*.tsv")
        keep_few(str(folder / "out"), config)
        times.append(Timed(time.perf_counter() - wall, time.process_time() - processor))
        path.rename(taken / path.name)
        if number % 20 == 19:
            most_files = max(most_files, len(storage.files_below(str(folder / "out"))))
            show_progress(number + 1, times)
    return times, most_files


def prepare(folder: Path, output: str, recipe: Recipe, pattern: str) -> Manifest:
    """One run over all that lies there."""
    corpus = CorpusConfig(name="river", path=str(folder / pattern))
    run_inline(make_job(str(folder / output), recipe, [("train", corpus)], {}, {}))
    return load_manifest(str(folder / output))


def landings(generations: int, rows: int) -> Iterator[list[tuple[str, str]]]:
    """The pairs of each file: new ones, and some that have landed before."""
    draw, known = random.Random(0), list[tuple[str, str]]()
    for _ in range(generations):
        pairs = []
        for _ in range(rows):
            if known and draw.random() < AGAIN:
                pairs.append(draw.choice(known))
            else:
                words = draw.choices(WORDS, k=draw.randint(5, 12))
                known.append((" ".join(words), " ".join(word[::-1] for word in words)))
                pairs.append(known[-1])
        yield pairs


def show_progress(done: int, times: list[Timed]) -> None:
    """A line for who waits."""
    last = statistics.mean(time_.processor for time_ in times[-20:])
    print(f"\r{done} generations, {last:.3f} processor seconds each", end="", file=sys.stderr, flush=True)


def report(times: list[Timed], most_files: int, output: Path) -> None:
    """Print the table."""
    size, later = max(1, min(CYCLE, len(times) // 4)), times[1:]
    print(f"\nthe first, with its tokenizer: {times[0].wall:.2f} s")
    print(f"\n{'generations':>16} {'wall s':>9} {'processor s':>12}")
    edges = [round(place * (len(later) - size) / SHOWN) for place in range(SHOWN + 1)]
    means = []
    for begin in edges:
        chosen = later[begin : begin + size]
        means.append(Timed(*(statistics.mean(values) for values in zip(*chosen, strict=True))))
        print(f"{begin + 1:>7} - {begin + size:>6} {means[-1].wall:>9.3f} {means[-1].processor:>12.3f}")
    ratio = [last / first for first, last in zip(means[0], means[-1], strict=True)]
    print(f"\nlast / first: {ratio[0]:.2f} x wall, {ratio[1]:.2f} x processor")
    files = storage.files_below(str(output))
    print(
        f"files: {len(files)} now, {most_files} at most; dataset.json {(output / MANIFEST_NAME).stat().st_size:,} bytes"
    )


def compare(folder: Path, recipe: Recipe) -> None:
    """Verify the dataset, and compare its rows with those of one run; raise where they differ."""
    output = str(folder / "out")
    found = verify(output)
    print(found.summary())
    grown = load_manifest(output)
    model = recipe.tokenizer.model_copy(
        update={"model": storage.join(output, next(iter(grown.tokenizers.values())).path)}
    )
    whole = prepare(folder, "whole", recipe.model_copy(update={"tokenizer": model}), "[it]*/[0-9]*.tsv")
    rows = [rows_of(str(folder / name)) for name in ("out", "whole")]
    if rows[0] != rows[1] and recipe.near_duplicates is None:
        raise SystemExit(f"the rows differ: {len(rows[0])} and {len(rows[1])}")
    read = {manifest.ledger.read for manifest in (grown, whole)}
    print(f"rows: {sum(rows[0].values()):,}, those of one run over all files: {rows[0] == rows[1]}; read: {read}")


def rows_of(output: str) -> Counter[tuple[bytes, bytes, bytes]]:
    """All training rows: ids and pieces."""
    dataset = Dataset.open(output)
    found: Counter[tuple[bytes, bytes, bytes]] = Counter()
    for shard in dataset.split("train").shards:
        table = dataset.read_shard(shard, ["id", "source", "target"])
        columns = (table.column(name).to_pylist() for name in ("id", "source", "target"))
        found.update(
            (id_, repr(source).encode(), repr(target).encode()) for id_, source, target in zip(*columns, strict=True)
        )
    return found


if __name__ == "__main__":
    main()
