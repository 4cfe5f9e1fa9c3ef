"""A folder in; files of numbers whose words stand the other way round in the target, aligned so, and a dataset, out."""

from __future__ import annotations

import random
from pathlib import Path

from seq2seq_core.corpora.config import CorpusConfig
from seq2seq_core.dataset.reader import Dataset
from seq2seq_core.preparation.planning.inputs import make_job
from seq2seq_core.preparation.steps import run_inline
from seq2seq_core.preparation.terms.messages import Job
from seq2seq_core.preparation.terms.recipe import Recipe

ENGLISH = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
GERMAN = ("eins", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun", "zehn")


def aligned_lines(count: int, seed: int = 0) -> list[str]:
    """Source, target and alignment between tabs, of 2 to 8 numbers each."""
    draw = random.Random(seed)
    drawn = [[draw.randrange(10) for _ in range(draw.randint(2, 8))] for _ in range(count)]
    return [
        "\t".join(
            (
                " ".join(ENGLISH[number] for number in row),
                " ".join(GERMAN[number] for number in reversed(row)),
                " ".join(f"{place}-{len(row) - 1 - place}" for place in range(len(row))),
            )
        )
        for row in drawn
    ]


def aligned_job(folder: Path, pattern: str = "*.tsv") -> Job:
    """The preparation of such files, with a validation split."""
    settings = {"tokenizer": {"vocabulary_size": 320, "type": "bpe"}, "shards": 2, "keep_alignments": True}
    settings["protection"] = {"ngram_words": None}
    corpus = CorpusConfig(name="numbers", path=str(folder / pattern), alignment_field=3)
    recipe = Recipe.model_validate(settings)
    return make_job(str(folder / "dataset"), recipe, [("train", corpus)], {"valid": 0.1}, settings)


def publish_aligned(folder: Path, count: int = 300) -> Dataset:
    """A dataset of one file."""
    (folder / "numbers.tsv").write_text("\n".join(aligned_lines(count)) + "\n", encoding="utf-8")
    job = aligned_job(folder)
    run_inline(job)
    return Dataset.open(job.output)
