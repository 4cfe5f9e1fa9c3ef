"""How long normalising a text takes on one core, beside plain Python row by row and ftfy.

    python tests/benchmarks/normalize.py TEXTS... [--rows 200000]

TEXTS are files of one text a line, compressed or not (`train.en.gz train.de.gz`). Seconds are processor seconds, so
that other work on the machine does not count.
"""

from __future__ import annotations

import argparse
import itertools
import time
import unicodedata
from collections.abc import Callable

import ftfy
import pyarrow as pa

from seq2seq_core.preparation.sieves.near.minhash import bands, signatures
from seq2seq_core.preparation.terms.recipe import NearDuplicatesConfig
from seq2seq_core.text.column import TextColumn
from seq2seq_core.text.normalize import NormalizeConfig, normalize

REPEATS = 5
BATCH_ROWS = 16_384
EVERYTHING = NormalizeConfig(accents=True, quotes=True, dashes=True, case="lower")


def main() -> None:
    """Run all measurements and print them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("texts", nargs="+")
    parser.add_argument("--rows", type=int, default=200_000, help="most rows of each file")
    arguments = parser.parse_args()
    pa.set_cpu_count(1)
    ways: dict[str, Callable[[pa.StringArray], object]] = {
        "default": lambda batch: normalize(TextColumn(batch), NormalizeConfig()),
        "everything on": lambda batch: normalize(TextColumn(batch), EVERYTHING),
        "NFKC and split, by row": by_row,
        "the same and ftfy": lambda batch: by_row(pa.array(map(ftfy.fix_encoding, batch.to_pylist()))),
        "MinHash signatures": sign,
    }
    print(f"{'microseconds a text':24}" + "".join(f"{name:>26}" for name in ways))
    for path in arguments.texts:
        rows = list(itertools.islice(lines(path), arguments.rows))
        batches = [pa.array(rows[begin : begin + BATCH_ROWS]) for begin in range(0, len(rows), BATCH_ROWS)]
        seconds = [measure(way, batches) for way in ways.values()]
        print(f"{path[-24:]:24}" + "".join(f"{1e6 * taken / len(rows):>26.2f}" for taken in seconds))


def by_row(batch: pa.StringArray) -> pa.StringArray:
    """Unicode form and white space, one text after the other."""
    return pa.array([" ".join(unicodedata.normalize("NFKC", text).split()) for text in batch.to_pylist()])


def sign(batch: pa.StringArray) -> object:
    """Band hashes of one side with the default settings."""
    config = NearDuplicatesConfig()
    return bands(signatures(batch, config), config)


def lines(path: str) -> list[str]:
    """The lines of a file."""
    with pa.input_stream(path) as stream:
        texts: list[str] = stream.read().decode().split("\n")[:-1]
    return texts


def measure(way: Callable[[pa.StringArray], object], batches: list[pa.StringArray]) -> float:
    """Processor seconds of the fastest pass over all batches."""
    seconds = []
    for _ in range(REPEATS):
        begin = time.process_time()
        for batch in batches:
            way(batch)
        seconds.append(time.process_time() - begin)
    return min(seconds)


if __name__ == "__main__":
    main()
