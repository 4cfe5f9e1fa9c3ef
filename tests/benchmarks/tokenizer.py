"""How many texts a second one core turns into piece ids, beside SentencePiece called with the same batches.

    python tests/benchmarks/tokenizer.py TEXTS... [--rows 200000] [--pieces 8000]

TEXTS are files of one text a line, compressed or not (`train.en.gz train.de.gz`); the models are trained on them.
Seconds are processor seconds, so that other work on the machine does not count. Both ways begin with a column of texts
and end with a column of ids; SentencePiece's encodes each row, in one call a batch.
"""

from __future__ import annotations

import argparse
import itertools
import os
import time
from collections.abc import Callable

os.environ.setdefault("OMP_NUM_THREADS", "1")

import pyarrow as pa

from seq2seq_core.tokenizer.model import Tokenizer
from seq2seq_core.tokenizer.training import TokenizerConfig, train

BATCH_ROWS = 16_384
REPEATS = 3


def main() -> None:
    """Run all measurements and print them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("texts", nargs="+")
    parser.add_argument("--rows", type=int, default=200_000, help="most rows of each file")
    parser.add_argument("--pieces", type=int, default=8000)
    arguments = parser.parse_args()
    pa.set_cpu_count(1)
    rows = [row for path in arguments.texts for row in itertools.islice(lines(path), arguments.rows)]
    print(f"{len(rows):,} rows, {arguments.pieces} pieces, batches of {BATCH_ROWS}")
    print(f"{'model':24}{'SentencePiece':>16}{'encode_column':>16}{'ratio':>8}   rows that differ")
    for kind, split in itertools.product(("unigram", "bpe"), (False, True)):
        values = {"type": kind, "vocabulary_size": arguments.pieces, "split_digits": split}
        model = Tokenizer(train(iter(rows), TokenizerConfig.model_validate(values)))
        report(f"{kind}{', digits apart' if split else ''}", model, rows)


def lines(path: str) -> list[str]:
    """The lines of a file."""
    with pa.input_stream(path) as stream:
        texts: list[str] = stream.read().decode().split("\n")[:-1]
    return texts


def report(name: str, model: Tokenizer, rows: list[str]) -> None:
    """Measure one model, and print a line of the table."""
    batches = [pa.array(rows[begin : begin + BATCH_ROWS]) for begin in range(0, len(rows), BATCH_ROWS)]
    plain, expected = measure(model._encode_each, batches)
    by_words, found = measure(model.encode_column, batches)
    differ = sum(a != b for a, b in zip(expected.to_pylist(), found.to_pylist(), strict=True))
    rates = len(rows) / plain, len(rows) / by_words
    print(f"{name:24}{rates[0]:>16,.0f}{rates[1]:>16,.0f}{plain / by_words:>8.2f}   {differ}")


def measure(encode: Callable[[pa.StringArray], pa.ListArray], batches: list[pa.Array]) -> tuple[float, pa.ChunkedArray]:
    """Processor seconds of the fastest pass over all batches, and what it gave."""
    seconds = []
    for _ in range(REPEATS):
        begin = time.process_time()
        columns = [encode(batch) for batch in batches]
        seconds.append(time.process_time() - begin)
    return min(seconds), pa.chunked_array(columns)


if __name__ == "__main__":
    main()
