"""A Beam pipeline as one writes it first, a row an element: a TSV file in, Parquet of piece ids out.

    python rows_in_beam.py MODEL PAIRS.tsv OUTPUT [BEAM OPTIONS]

It splits, filters by the same kind of rules, drops duplicates by hash, encodes and writes.
"""

from __future__ import annotations

import os
import sys
import unicodedata
from collections.abc import Iterable
from pathlib import Path

import apache_beam as beam
import pyarrow as pa
import sentencepiece
import xxhash
from apache_beam.options.pipeline_options import PipelineOptions

IDS = pa.list_(pa.uint16())
SCHEMA = pa.schema([("id", pa.binary()), ("source", IDS), ("target", IDS)])
Pair = tuple[str, str]


def split(line: str) -> Pair:
    """The two sides, normalised."""
    source, target = (" ".join(unicodedata.normalize("NFKC", side).split()) for side in line.split("\t"))
    return source, target


def is_clean(pair: Pair) -> bool:
    """The default rules of `seq2seq prepare`."""
    words = [len(side.split()) for side in pair]
    letters = [len(side) for side in pair]
    if min(words) < 1 or max(words) > 150 or max(letters) > 1024:
        return False
    return max(letters) <= 9 * min(letters) and pair[0] != pair[1]


def keyed(pair: Pair) -> tuple[bytes, Pair]:
    """A pair behind its digest."""
    return xxhash.xxh3_128_digest("\t".join(pair).encode()), pair


class Encode(beam.DoFn):  # type: ignore[misc]
    """A pair with its digest -> a row of ids."""

    def __init__(self, model: str) -> None:
        self._model = model

    def setup(self) -> None:
        self._processor = sentencepiece.SentencePieceProcessor(model_file=self._model)

    def process(self, element: tuple[bytes, Iterable[Pair]]) -> Iterable[dict[str, object]]:
        key, pairs = element
        source, target = next(iter(pairs))
        yield {"id": key, "source": self._processor.encode(source), "target": self._processor.encode(target)}


def main() -> None:
    """Run it on the local runner."""
    model, table, output, *options = sys.argv[1:]
    with beam.Pipeline(options=PipelineOptions(["--runner=FnApiRunner", *options])) as root:
        (
            root
            | "Read" >> beam.io.ReadFromText(table)
            | "Split" >> beam.Map(split)
            | "Clean" >> beam.Filter(is_clean)
            | "Key" >> beam.Map(keyed)
            | "Group" >> beam.GroupByKey()
            | "Encode" >> beam.ParDo(Encode(model))
            | "Write" >> beam.io.WriteToParquet(f"{output}/part", SCHEMA, num_shards=2, file_name_suffix=".parquet")
        )


if __name__ == "__main__":
    # Beam's workers find nothing that lies in __main__.
    os.environ["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    from rows_in_beam import main as importable_main

    importable_main()
