"""`seq2seq prepare` with workers beside it, which begin before Beam is there: the same bytes, and the same errors."""

from __future__ import annotations

import gzip
import shutil
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from pipelines import cli
from seq2seq_core import storage
from seq2seq_core.dataset.manifest import load_manifest
from tests.small_corpus import Tree, publish_corpus, words
from tests.stores import Store

# Small as it is, the corpus is divided among workers. Whether the first process does what is done is told in a file.
SCRIPT = """
import os, signal, sys, time
from pipelines import cli, commands, head_start, prepare_job
from seq2seq_core.preparation.building import build
from seq2seq_core.preparation.staging import stage

log, what, *sys.argv[1:] = sys.argv[1:]
first = os.getpid()

def tell_of(module, name):
    function = getattr(module, name)
    def told(*arguments):
        with open(log, "a") as out:
            out.write(f"{name} {os.getpid() == first}\\n")
        return function(*arguments)
    setattr(module, name, told)

def import_and_end(number):
    import_beam()
    while not os.path.exists(log):
        time.sleep(0.01)
    os.kill(first, number)

tell_of(stage, "_stage")
tell_of(build, "gather")
prepare_job._SMALL_BYTES = 0
prepare_job.usable_cores = lambda: 3
import_beam = commands._import_beam
signal.signal(signal.SIGINT, signal.default_int_handler)
exec(what)
sys.exit(cli.console())
"""
DIE = "commands._import_beam = lambda: import_and_end(signal.SIGKILL)"
INTERRUPT = "commands._import_beam = lambda: import_and_end(signal.SIGINT)"
UNITS, SPLITS_AND_SHARDS = 6, 5
BUILT = f"building shards: shards {SPLITS_AND_SHARDS}/{SPLITS_AND_SHARDS}"
# However fast the work is: the dataset is published when this has been told, or by this time at the latest.
PUBLISH_WHEN_TOLD = f"""
import logging, threading
from pipelines.running import watch
from seq2seq_core.preparation.publishing import publish as publishing

class Heard(logging.Handler):
    def emit(self, record):
        if {BUILT!r} in record.getMessage():
            built.set()

def publish_when_told(*reports):
    built.wait(60)
    return finish(*reports)

built, finish, publishing.finish = threading.Event(), publishing.finish, publish_when_told
watch._LOOK_SECONDS = watch._LOG_SECONDS = 0.001
logging.getLogger(watch.__name__).addHandler(Heard())
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = Store(str(tmp_path_factory.mktemp("corpus")), {})
    publish_corpus(store)
    return store


@pytest.fixture(scope="module")
def undisturbed(store: Store) -> Tree:
    assert cli.main(words(store)) == 0
    return store.tree("out")


@pytest.fixture
def fresh(store: Store, tmp_path: Path) -> Store:
    """The same corpus, and no dataset."""
    shutil.copytree(f"{store.root}/in", tmp_path / "in")
    return Store(str(tmp_path), {})


def run(store: Store, command: list[str], what: str = "") -> subprocess.CompletedProcess[str]:
    script = [sys.executable, "-c", SCRIPT, f"{store.root}/log", what, *command]
    return subprocess.run(script, capture_output=True, text=True, check=False, timeout=120)


def told(store: Store) -> Counter[str]:
    return Counter(Path(f"{store.root}/log").read_text().splitlines())


def test_workers_do_everything_once_and_the_bytes_are_the_same(fresh: Store, undisturbed: Tree) -> None:
    ended = run(fresh, words(fresh))
    assert ended.returncode == 0, ended.stderr
    assert fresh.tree("out") == undisturbed
    assert told(fresh) == {"_stage False": UNITS, "gather False": SPLITS_AND_SHARDS}
    assert "unit 1 of 6 (train.en): 150 rows read, 2 rejected" in ended.stderr


def test_the_progress_is_seen(fresh: Store) -> None:
    ended = run(fresh, words(fresh), PUBLISH_WHEN_TOLD)
    assert ended.returncode == 0, ended.stderr
    assert BUILT in ended.stderr
    assert "prepared: rows 900/900" in ended.stderr


def test_what_is_read_as_one_stream_is_told_once(fresh: Store) -> None:
    what = "from seq2seq_core.corpora import cutting; cutting._LARGE_BYTES = 0"
    for side in ("en", "de"):
        text = storage.read_bytes(fresh.url(f"in/train.{side}"))
        storage.publish_bytes(fresh.url(f"in/train.{side}.gz"), gzip.compress(text))
    ended = run(
        fresh,
        [word.replace("train.en", "train.en.gz").replace("train.de", "train.de.gz") for word in words(fresh)],
        what,
    )
    assert ended.returncode == 0
    assert ended.stderr.count("are read by one worker as one stream") == 1


def test_with_options_for_beam_there_are_no_workers(fresh: Store, undisturbed: Tree) -> None:
    assert run(fresh, [*words(fresh), "--", "--direct_num_workers=1"]).returncode == 0
    assert fresh.tree("out") == undisturbed
    assert told(fresh) == {"_stage True": UNITS, "gather True": SPLITS_AND_SHARDS}


def test_given_sets_are_staged_first_and_held_out(fresh: Store) -> None:
    """Without workers and with them; the validation set is the first rows of the corpus."""
    for side in ("en", "de"):
        lines = storage.read_text(fresh.url(f"in/train.{side}")).splitlines(keepends=True)
        storage.publish_text(fresh.url(f"in/valid.{side}"), "".join(lines[10:40]))
    settings = "--shards=2 --unit_rows=150 --tokenizer.vocabulary_size=300 --report=false"
    sides = [f"--validation.source={fresh.url('in/valid.en')}", f"--validation.target={fresh.url('in/valid.de')}"]
    command = [*words(fresh, settings), *sides]
    assert cli.main(command) == 0
    expected = fresh.tree("out")
    storage.remove(fresh.url("out"))
    assert run(fresh, command).returncode == 0
    assert fresh.tree("out") == expected
    assert load_manifest(fresh.url("out")).ledger.rejected["held_out"] >= 30


def test_what_is_wrong_with_the_files_is_told_once(fresh: Store) -> None:
    storage.publish_text(fresh.url("in/train.de"), "one line\n")
    ended = run(fresh, words(fresh))
    assert ended.returncode == cli.EXIT_FAILED
    assert ended.stderr.count("the two sides of a corpus differ in length") == len(ended.stderr.splitlines()) == 1
    assert not list(Path(fresh.root).glob("out/_work/claim-*"))


def test_killed_before_beam_is_there_the_same_command_carries_on(fresh: Store, undisturbed: Tree) -> None:
    assert run(fresh, words(fresh), DIE).returncode == -signal.SIGKILL
    assert run(fresh, words(fresh)).returncode == 0
    assert fresh.tree("out") == undisturbed


def test_interrupted_before_beam_is_there_another_configuration_may_be_tried(fresh: Store) -> None:
    ended = run(fresh, words(fresh), INTERRUPT)
    assert ended.returncode == cli.EXIT_INTERRUPTED
    assert ended.stderr.splitlines()[-1] == "seq2seq: interrupted; the same command carries on from what is finished"
    assert "Traceback" not in ended.stderr
    assert run(fresh, [*words(fresh), "--deduplicate=none"]).returncode == 0
    assert not storage.exists(fresh.url("out/_work"))


def test_a_dataset_of_another_configuration_stays_as_it_is(fresh: Store, undisturbed: Tree) -> None:
    assert run(fresh, words(fresh)).returncode == 0
    ended = run(fresh, [*words(fresh), "--deduplicate=none"])
    assert ended.returncode == cli.EXIT_FAILED
    assert "Choose a new" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1
    again = run(fresh, words(fresh))
    assert again.returncode == 0
    assert fresh.tree("out") == undisturbed
    assert told(fresh) == {"_stage False": UNITS, "gather False": SPLITS_AND_SHARDS}
