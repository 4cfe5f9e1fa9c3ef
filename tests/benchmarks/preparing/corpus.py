"""Real pairs in, a corpus of any size out: halves of different pairs joined, with as many duplicates as there were."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from seq2seq_core.tokenizer.training import TokenizerConfig, train

Pair = tuple[str, str]
_BLOCK = 100_000
_TRAINING_PAIRS = 100_000


def read_pairs(paths: Sequence[Path]) -> list[Pair]:
    """The pairs of two files of one text a line, plain or gzip."""
    sides = []
    for path in paths:
        octets = path.read_bytes()
        sides.append((gzip.decompress(octets) if path.suffix == ".gz" else octets).decode().split("\n")[:-1])
    return list(zip(*sides, strict=True))


def recombine(pairs: Sequence[Pair], count: int, seed: int = 1) -> Iterator[Pair]:
    """The first half of one pair with the last half of another, drawn at random: `count` of them, in no order.

    They have the lengths and words of the original, and its share of duplicates: others are drawn anew.
    """
    halves = [tuple(map(_halve, pair)) for pair in pairs]
    draw = np.random.default_rng(seed)
    repeated = 1 - len(set(pairs)) / len(pairs)
    seen: set[int] = set()
    last: Pair | None = None
    left = count
    while left:
        chosen = draw.integers(len(pairs), size=(_BLOCK, 2)).tolist()
        repeats = (draw.random(_BLOCK) < repeated).tolist()
        for (first, second), repeat in zip(chosen, repeats, strict=True):
            pair = (halves[first][0][0] + halves[second][0][1], halves[first][1][0] + halves[second][1][1])
            if repeat and last is not None:
                pair = last
            elif hash(pair) in seen:
                continue
            seen.add(hash(pair))
            last = pair
            yield pair
            left -= 1
            if not left:
                return


def write_corpus(pairs: Iterator[Pair], folder: Path, sizes: Sequence[int]) -> dict[int, tuple[Path, Path]]:
    """Moses pairs of the first so many pairs: the two files of each size."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {size: (folder / f"{size}.source", folder / f"{size}.target") for size in sorted(set(sizes))}
    sides = [[open(paths[side], "w", encoding="utf-8") for side in (0, 1)] for paths in files.values()]  # noqa: PTH123,SIM115
    for position, pair in enumerate(pairs):
        for size, outs in zip(files, sides, strict=True):
            if position < size:
                for out, text in zip(outs, pair, strict=True):
                    out.write(f"{text}\n")
    for outs in sides:
        for out in outs:
            out.close()
    return files


def write_for_peers(files: tuple[Path, Path], folder: Path) -> tuple[Path, Path]:
    """The same pairs as one TSV file, and as a folder of two JSONL files with every text a document."""
    pairs = read_pairs(files)
    table, documents = folder / "pairs.tsv", folder / "documents"
    rows = ("\t".join(side.replace("\t", " ") for side in pair) for pair in pairs)
    table.write_text("".join(f"{row}\n" for row in rows))
    documents.mkdir()
    for part in (0, 1):
        rows = [json.dumps({"text": text}) for pair in pairs[part::2] for text in pair]
        (documents / f"{part}.jsonl").write_text("\n".join(rows) + "\n")
    return table, documents


def train_model(files: tuple[Path, Path], pieces: int) -> bytes:
    """The model that `seq2seq prepare` would train on some of the pairs."""
    texts = [text for pair in read_pairs(files)[:_TRAINING_PAIRS] for text in pair]
    return train(iter(texts), TokenizerConfig(vocabulary_size=pieces))


def _halve(text: str) -> tuple[str, str]:
    """A text cut before its middle word; the space stays with the first half."""
    words = text.split(" ")
    middle = len(words) // 2
    return " ".join(words[:middle]) + (" " if middle else ""), " ".join(words[middle:])
