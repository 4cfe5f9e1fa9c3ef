"""A folder in; all that a night of work needs there, small, and a program that is called `seq2seq`, out."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import yaml

from tests.deploy.validators import DEPLOY, ROOT

WORDS = ("a", "the", "small", "old", "red", "green", "dog", "cat", "man", "woman", "runs", "sleeps", "jumps", "reads")

_SMALL = {
    "prepare": {"shards": 2, "tokenizer": {"vocabulary_size": 300}, "validation": {"share": 0.05}, "report": False},
    "train": {
        "model": {"family": "rnn", "width": 16, "embedding_width": 16},
        "data": {"batch_tokens": 2048},
        "limits": {"max_steps": 3},
        "validation": {"every_steps": 3},
    },
    "evaluate": {"search": {"beam": 1}},
    "translate": {"search": {"beam": 1}},
}


def make_small_night(folder: Path) -> dict[str, str]:
    """The variables with which `nightly.sh` works there; corpora, a test set, and documents."""
    for name, first, rows in (("corpus/a", 0, 400), ("test/test", 1000, 8), ("documents/news", 2000, 5)):
        path = folder / name
        path.parent.mkdir(parents=True)
        path.with_suffix(".en").write_text("".join(f"{_row(i)}.\n" for i in range(first, first + rows)))
        if not name.startswith("documents"):
            path.with_suffix(".de").write_text("".join(f"{_row(i)[::-1]}.\n" for i in range(first, first + rows)))
    config = folder / "config"
    config.mkdir()
    for command, values in _SMALL.items():
        whole = yaml.safe_load((DEPLOY / "config" / f"{command}.yaml").read_text())
        (config / f"{command}.yaml").write_text(yaml.safe_dump(whole | values))
    program = folder / "bin" / "seq2seq"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m pipelines.cli "$@"\n')
    program.chmod(0o755)
    path = f"{program.parent}:{Path(sys.executable).parent}:/usr/bin:/bin"
    return {
        "ROOT": str(folder),
        "CONFIG": str(config),
        "RUN": "first",
        "PATH": path,
        "SEQ2SEQ_CACHE": str(folder / "cache"),
        "OMP_NUM_THREADS": "1",
    }


def _row(number: int) -> str:
    return " ".join((WORDS[number % 11], WORDS[number % 7], WORDS[number % 13], str(number)))


def clear_answers(folder: Path) -> None:
    """Let the documents be translated anew."""
    shutil.rmtree(folder / "translated", ignore_errors=True)
