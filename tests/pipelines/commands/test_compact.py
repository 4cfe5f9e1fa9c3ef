"""`seq2seq compact` at the command line, and killed at every write: the same rows at any moment."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines import cli
from seq2seq_core.corpora.config import CorpusConfig
from seq2seq_core.dataset.manifest import load_manifest
from seq2seq_core.dataset.verify import verify
from seq2seq_core.preparation.compaction.compact import compact
from seq2seq_core.preparation.planning.inputs import make_job
from seq2seq_core.preparation.steps import run_inline
from seq2seq_core.preparation.terms.recipe import Recipe
from tests.growing import rows_of, tree

GENERATIONS, LEAST_KILLS = 3, 8

# A fork for every number of writes and removals after which it dies, until one lives.
KILLED_AT_EVERY_WRITE = """
import contextlib, json, os, signal, sys
from seq2seq_core import storage
from seq2seq_core.dataset.manifest import load_manifest
from seq2seq_core.dataset.verify import verify
from seq2seq_core.preparation.compaction.compact import compact
from tests.growing import rows_of

output = sys.argv[1]
left = 0
publish, create, remove = storage.publish, storage.create_exclusively, storage.remove

def count():
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)

@contextlib.contextmanager
def deadly_publish(url, **how):
    with publish(url, **how) as out:
        yield out
        count()
    count()

def deadly_create(url, data):
    count()
    created = create(url, data)
    count()
    return created

def deadly_remove(url):
    remove(url)
    count()

def rows():
    return [row["id"].hex() for row in rows_of(output, load_manifest(output))]

storage.publish, storage.create_exclusively, storage.remove = deadly_publish, deadly_create, deadly_remove
before, kills, status = rows(), 0, signal.SIGKILL
while status == signal.SIGKILL:
    left = kills + 1
    child = os.fork()
    if not child:
        compact(output, grace_seconds=0)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    assert rows() == before
    verify(output)
    kills += status == signal.SIGKILL
assert status == 0, status
print(json.dumps({"kills": kills}))
"""


def land(folder: Path, number: int, count: int = 40) -> None:
    lines = (f"word{number}{row % 7} line{row} here\tda{row} drow{row % 7}\n" for row in range(count))
    (folder / f"{number}.tsv").write_text("".join(lines))


@pytest.fixture
def grown(tmp_path: Path) -> str:
    """A dataset of some generations."""
    output, landing = str(tmp_path / "dataset"), tmp_path / "in"
    landing.mkdir()
    recipe = Recipe.model_validate({"tokenizer": {"vocabulary_size": 300, "type": "bpe"}})
    for number in range(GENERATIONS):
        land(landing, number)
        corpus = CorpusConfig(name="river", path=f"{landing}/*.tsv")
        run_inline(make_job(output, recipe, [("train", corpus)], {}, {}))
    return output


def test_the_command_folds_and_says_what_stands(grown: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = rows_of(grown, load_manifest(grown))
    assert len(load_manifest(grown).spans) == GENERATIONS
    assert cli.main(["compact", grown]) == 0
    assert f"{len(before):,}" in capsys.readouterr().out
    manifest = load_manifest(grown)
    assert manifest.spans == [(0, GENERATIONS - 1)]
    assert rows_of(grown, manifest) == before
    standing = set(tree(grown))
    assert cli.main(["compact", grown, "--grace_seconds", "0"]) == 0
    assert set(tree(grown)) < standing
    assert verify(grown).unlisted == ()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "a path is missing"),
        (["DATASET", "--grace_seconds", "-1"], "grace_seconds"),
        (["nowhere"], "no dataset stands here"),
    ],
)
def test_what_cannot_be_folded_is_told(
    words: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["compact", *words]) != 0
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_killed_at_every_write_a_reader_has_the_same_rows(grown: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", KILLED_AT_EVERY_WRITE, grown], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr[-4000:]
    assert json.loads(ended.stdout)["kills"] > LEAST_KILLS
    assert load_manifest(grown).spans == [(0, GENERATIONS - 1)]
    compact(grown, grace_seconds=0)
    assert verify(grown).unlisted == ()
