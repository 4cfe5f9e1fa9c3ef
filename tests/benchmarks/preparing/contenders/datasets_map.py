"""Hugging Face `datasets`: two text files in, Parquet of ids out, by a batched `map` in two processes.

    python datasets_map.py TOKENIZER.json SOURCE TARGET OUTPUT

The tokenizer is a fast one of the same kind with the same pieces. Nothing is cleaned or deduplicated.
"""

from __future__ import annotations

import os
import sys

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_DATASETS_CACHE"] = f"{sys.argv[-1]}/cache"

import datasets
from tokenizers import Tokenizer

TOKENIZER = Tokenizer.from_file(sys.argv[1])


def encode(batch: dict[str, list[str]]) -> dict[str, list[list[int]]]:
    """Ids of both sides."""
    return {side: [found.ids for found in TOKENIZER.encode_batch_fast(texts)] for side, texts in batch.items()}


def main() -> None:
    """Read, encode, write."""
    _, *files, output = sys.argv[1:]
    sides = {
        name: datasets.load_dataset("text", data_files=file, split="train")["text"]
        for name, file in zip(("source", "target"), files, strict=True)
    }
    rows = datasets.Dataset.from_dict({name: list(texts) for name, texts in sides.items()})
    kind = datasets.Features({name: datasets.List(datasets.Value("uint16")) for name in sides})
    rows.map(encode, batched=True, batch_size=10_000, num_proc=2, features=kind).to_parquet(f"{output}/rows.parquet")


if __name__ == "__main__":
    main()
