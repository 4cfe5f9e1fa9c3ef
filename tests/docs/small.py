"""What the shown commands are run on: a folder with small files in, and a `seq2seq` that keeps its work small.

The words are those of the page. `seq2seq` is a script that sets a few keys more, so that a model is trained in seconds.
"""

from __future__ import annotations

import json
import math
import os
import stat
import sys
from itertools import islice
from pathlib import Path

import numpy as np
import soundfile

from pipelines.demo import corpus
from tests.docs.pages import ROOT

PAIRS, HELD_OUT = 1500, 30
UTTERANCES, HEARD, RATE = 300, 4, 8000

SMALL = {
    "prepare": {"--tokenizer.vocabulary_size": "500"},
    "train": {
        "--model.width": "16",
        "--model.feed_forward_width": "16",
        "--model.heads": "2",
        "--model.encoder_layers": "1",
        "--model.decoder_layers": "1",
        "--limits.max_steps": "4",
        "--report_every_steps": "2",
    },
    "demo": {"--steps": "8", "--pairs": str(PAIRS), "--held_out_pairs": str(HELD_OUT), "--processes": "2"},
}

_SCRIPT = """\
#!{python}
import sys

from pipelines import cli
from tests.docs.small import made_small

if __name__ == "__main__":
    sys.argv[1:] = made_small(sys.argv[1:])
    sys.exit(cli.console())
"""


def made_small(words: list[str]) -> list[str]:
    """The words of a call of `seq2seq` with small sizes in the place of its own, or beside them."""
    if "--dry-run" in words:
        return words
    words = list(words)
    for name, value in SMALL.get(words[0], {}).items():
        if name in words:
            words[words.index(name) + 1] = value
        else:
            words += [name, value]
    return words


def make_script(folder: Path) -> Path:
    """Write `seq2seq` into a folder."""
    script = folder / "seq2seq"
    script.write_text(_SCRIPT.format(python=sys.executable))
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return script


def environment(script: Path, cache: Path) -> dict[str, str]:
    """The variables under which a shell finds the script, and the script this project."""
    path = os.pathsep.join((str(script.parent), str(Path(sys.executable).parent), os.environ["PATH"]))
    return {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "SEQ2SEQ_CACHE": str(cache)}


def make_files(folder: Path) -> None:
    """The files that the pages name: pairs, documents, lines and parts of a corpus, recordings."""
    corpus.generate(str(folder), PAIRS, seed=1, valid=HELD_OUT, test=HELD_OUT)
    (folder / "docs").mkdir()
    (folder / "parts").mkdir()
    with (folder / "test.en").open(encoding="utf-8") as file:
        lines = list(islice(file, HELD_OUT))
    documents = (json.dumps({"id": number, "text": line.rstrip("\n")}) for number, line in enumerate(lines))
    (folder / "docs" / "a.jsonl").write_text("".join(f"{document}\n" for document in documents), "utf-8")
    (folder / "lines.en").write_text("".join(lines[:3]), "utf-8")
    for side in ("en", "de"):
        whole = (folder / f"train.{side}").read_bytes().splitlines(keepends=True)
        (folder / "parts" / f"old.{side}").write_bytes(b"".join(whole[:800]))
        (folder / f"new.{side}").write_bytes(b"".join(whole[800:]))
    (folder / "site").mkdir()
    (folder / "site" / "guide.md").write_text(f"# Guide\n\n{lines[0]}\nUse `it` *now*.\n", "utf-8")
    (folder / "site" / "index.html").write_text(f"<p>{lines[1]}</p>\n", "utf-8")
    _make_recordings(folder)


def _make_recordings(folder: Path) -> None:
    """Manifests of tones with sentences that nobody says, a few of them in `audio/`, and a model for them."""
    for name in ("audio", "tones"):
        (folder / name).mkdir()
    with (folder / "train.en").open(encoding="utf-8") as file:
        texts = [line.rstrip("\n") for line in islice(file, UTTERANCES)]
    rows = [_record(folder, number, text) for number, text in enumerate(texts)]
    for name, some in (("train", rows), ("test", rows[:HEARD])):
        (folder / f"{name}.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in some), "utf-8")
    (folder / "train.yaml").write_text("model: {family: speech}\ndata: {max_source_tokens: 1000}\n")


def _record(folder: Path, number: int, text: str) -> dict[str, object]:
    """A tone as long as the text takes; its row of a manifest."""
    seconds = max(0.5, len(text) / 15)
    tone = 0.2 * np.sin(np.arange(int(seconds * RATE)) * (math.tau * (200 + number) / RATE))
    path = f"{'audio' if number < HEARD else 'tones'}/{number:03d}.flac"
    soundfile.write(folder / path, tone, RATE)
    return {"audio_filepath": path, "text": text, "speaker": f"speaker {number % 60}"}
