"""A store in; a corpus of 900 rows there, and the words of `seq2seq prepare` that make a small dataset of it, out."""

from __future__ import annotations

import random

from seq2seq_core import storage
from tests.stores import Store

Tree = dict[str, bytes]

SHARDS = 3
SETTINGS = (
    f"--shards={SHARDS} --unit_rows=150 --tokenizer.vocabulary_size=300 --validation.share=0.05 --test.share=0.02 "
    "--report=false"
)
_WORDS = ("man", "woman", "dog", "runs", "sleeps", "in", "on", "park", "street", "red", "green", "under", "bridge")
_ROWS = 900


def publish_corpus(store: Store) -> None:
    """`in/train.en` and `in/train.de`: 900 rows, two of them without text."""
    draw = random.Random(1)
    rows = [" ".join(draw.choices(_WORDS, k=draw.randint(4, 9))) for _ in range(_ROWS)]
    rows[5] = rows[6] = ""
    storage.publish_text(store.url("in/train.en"), "".join(f"{row}\n" for row in rows))
    storage.publish_text(store.url("in/train.de"), "".join(f"{row[::-1]}\n" for row in rows))


def words(store: Store, settings: str = SETTINGS) -> list[str]:
    """The words after `seq2seq`: from `in` to `out` of the store."""
    sides = ["--source", store.url("in/train.en"), "--target", store.url("in/train.de")]
    return ["prepare", *sides, "--output", store.url("out"), *settings.split()]
