"""SentencePiece on lists in memory: a model and two files in, seconds and processor seconds of each way to call it out.

    python sentencepiece_alone.py MODEL SOURCE TARGET PAIRS

Nothing is read, cleaned or written in the time; a call gets 16,384 texts and gives lists of ids.
"""

from __future__ import annotations

import itertools
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import sentencepiece

BATCH_ROWS = 16_384


def main() -> None:
    """Measure one thread, two Python threads with a batch each, and SentencePiece's own two threads."""
    model, *files, pairs = sys.argv[1:]
    processor = sentencepiece.SentencePieceProcessor(model_file=model)
    batches = []
    for file in files:
        with Path(file).open(encoding="utf-8", newline="\n") as lines:
            texts = [line.rstrip("\n") for line in itertools.islice(lines, int(pairs))]
        batches += [texts[begin : begin + BATCH_ROWS] for begin in range(0, len(texts), BATCH_ROWS)]

    def encode(batch: list[str], threads: int = 1) -> None:
        processor.encode(batch, out_type=int, num_threads=threads)

    seconds = {}
    for name, run in {
        "one thread": lambda: [encode(batch) for batch in batches],
        "its own two threads": lambda: [encode(batch, 2) for batch in batches],
        "two Python threads": lambda: list(ThreadPoolExecutor(2).map(encode, batches)),
    }.items():
        begin, used = time.monotonic(), time.process_time()
        run()
        seconds[name] = time.monotonic() - begin, time.process_time() - used
    print(json.dumps(seconds))


if __name__ == "__main__":
    main()
