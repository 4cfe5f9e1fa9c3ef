"""How many pairs a second are read from each format, after the one pass that indexes a file.

    python tests/benchmarks/reading.py SOURCE TARGET [--repeat 35]

SOURCE and TARGET are files of one segment a line, compressed or not (`train.en.gz train.de.gz`); they are repeated and
written in every format to a temporary folder. Seconds are processor seconds (all threads), so that other work on the
machine does not count; the best of three runs is shown.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import pyarrow as pa
import pyarrow.parquet as pq

from seq2seq_core.corpora.config import CorpusConfig
from seq2seq_core.corpora.cutting import cut, index_source
from seq2seq_core.corpora.reading import read_part
from seq2seq_core.files.segments import read_segments

Pairs = list[tuple[str, str]]
MAX_BYTES, UNIT_ROWS, RUNS = 1 << 20, 500_000, 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source")
    parser.add_argument("target")
    parser.add_argument("--repeat", type=int, default=35)
    arguments = parser.parse_args()
    sides = [read_segments([arguments.source]), read_segments([arguments.target])]
    pairs = list(zip(*sides, strict=True)) * arguments.repeat
    print(f"{'format':8} {'pairs':>9} {'MB':>6} {'indexed, MB/s':>14} {'read, pairs/s':>14}")
    with tempfile.TemporaryDirectory() as folder:
        for name, values in write(Path(folder), pairs):
            report(name, CorpusConfig.model_validate(values))


def write(folder: Path, pairs: Pairs) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each format with the configuration that reads it."""
    text: dict[str, Callable[[str, str], str]] = {
        "c.en": lambda source, _: f"{source}\n",
        "c.de": lambda _, target: f"{target}\n",
        "c.tsv": lambda source, target: f"{source}\t{target}\n",
        "c.jsonl": lambda source, target: json.dumps({"source": source, "target": target}) + "\n",
    }
    for name, render in text.items():
        (folder / name).write_bytes("".join(render(*pair) for pair in pairs).encode())
    yield "moses", {"source": str(folder / "c.en"), "target": str(folder / "c.de")}
    yield "text", {"text": str(folder / "c.en")}
    yield "tsv", {"path": str(folder / "c.tsv")}
    yield "jsonl", {"path": str(folder / "c.jsonl")}
    table = pa.table({side: [pair[position] for pair in pairs] for position, side in enumerate(("source", "target"))})
    pq.write_table(table, folder / "c.parquet", row_group_size=100_000, compression="zstd")
    yield "parquet", {"path": str(folder / "c.parquet")}
    with pa.OSFile(str(folder / "c.arrow"), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as out:
        out.write_table(table, max_chunksize=1000)
    yield "arrow", {"path": str(folder / "c.arrow")}
    unit = '<tu><tuv xml:lang="en"><seg>{}</seg></tuv><tuv xml:lang="de"><seg>{}</seg></tuv></tu>\n'
    body = "".join(unit.format(escape(source), escape(target)) for source, target in pairs[:100_000])
    (folder / "c.tmx").write_bytes(f"<tmx><body>{body}</body></tmx>".encode())
    yield "tmx", {"path": str(folder / "c.tmx"), "source_language": "en", "target_language": "de"}


def report(name: str, config: CorpusConfig) -> None:
    index_seconds, read_seconds = [], []
    for _ in range(RUNS):
        begin = time.process_time()
        (source,) = config.sources()
        indexes = index_source(source, UNIT_ROWS, MAX_BYTES)
        index_seconds.append(time.process_time() - begin)
        begin = time.process_time()
        rows = sum(sifted.read for part in cut(source, indexes) for sifted in read_part(part, MAX_BYTES))
        read_seconds.append(time.process_time() - begin)
    size = sum(index.bytes for index in indexes) / 1e6
    rates = size / min(index_seconds), rows / min(read_seconds)
    print(f"{name:8} {rows:9,} {size:6.0f} {rates[0]:14,.0f} {rates[1]:14,.0f}")


if __name__ == "__main__":
    main()
