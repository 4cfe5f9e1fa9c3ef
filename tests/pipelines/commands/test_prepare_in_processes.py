"""`seq2seq prepare` with processes beside it: the same bytes, the same errors, and one process that decides."""

from __future__ import annotations

import gzip
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines import cli
from seq2seq_core import storage
from seq2seq_core.dataset.manifest import load_manifest
from tests.small_corpus import Tree, publish_corpus, words
from tests.stores import Store

# Small as it is, the corpus is divided among processes. Who logs is told beside what.
SCRIPT = """
import os, signal, sys, threading, time
from pathlib import Path
from pipelines import cli
from pipelines.commands import prepare

what, *sys.argv[1:] = sys.argv[1:]
first = os.getpid()

def end_when_there_is(pattern, number):
    def end():
        while not any(output.glob(pattern)):
            time.sleep(0.01)
        os.kill(first, number)
    output = Path(sys.argv[sys.argv.index("--output") + 1])
    threading.Thread(target=end, daemon=True).start()

prepare._SMALL_BYTES = 0
prepare.usable_cores = lambda: 3
signal.signal(signal.SIGINT, signal.default_int_handler)
exec(what)
sys.exit(cli.console())
"""
TELL_WHO = """
import logging
logging.basicConfig(level=logging.ERROR, stream=sys.stderr, format="%(process)d %(message)s")
print(first, file=sys.stderr)
"""
DIE, INTERRUPT = (f"end_when_there_is('_work/**/staged/*.json', signal.{name})" for name in ("SIGKILL", "SIGINT"))
INTERRUPT_AT_ONCE = "threading.Timer(0.2, os.kill, (first, signal.SIGINT)).start()"
UNITS, SPLITS_AND_SHARDS = 6, 5
BUILT = f"building shards: shards {SPLITS_AND_SHARDS}/{SPLITS_AND_SHARDS}"
# However fast the work is: the dataset is published when this has been told, or by this time at the latest.
PUBLISH_WHEN_TOLD = f"""
import logging, threading
from pipelines.local import watch
from seq2seq_core.preparation import steps

class Heard(logging.Handler):
    def emit(self, record):
        if {BUILT!r} in record.getMessage():
            built.set()

def publish_when_told(*reports):
    built.wait(60)
    return publish(*reports)

built, publish, steps.finish = threading.Event(), steps.finish, publish_when_told
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
    script = [sys.executable, "-c", SCRIPT, what, *command]
    return subprocess.run(script, capture_output=True, text=True, check=False, timeout=120)


def who_told(ended: subprocess.CompletedProcess[str], what: str) -> tuple[int, bool]:
    """How often something was told, and whether that was ever the first process."""
    first, *lines = [line.partition(" ") for line in ended.stderr.splitlines()]
    tellers = [teller for teller, _, said in lines if said.startswith(what)]
    return len(tellers), first[0] in tellers


def test_processes_do_everything_once_and_the_bytes_are_the_same(fresh: Store, undisturbed: Tree) -> None:
    ended = run(fresh, words(fresh), TELL_WHO)
    assert ended.returncode == 0, ended.stderr
    assert fresh.tree("out") == undisturbed
    assert who_told(ended, "unit ") == (UNITS, False)
    assert who_told(ended, "shard ") == (SPLITS_AND_SHARDS, False)
    assert "unit 1 of 6 (train.en): 150 rows read, 2 rejected" in ended.stderr


def test_the_progress_is_seen(fresh: Store) -> None:
    ended = run(fresh, words(fresh), PUBLISH_WHEN_TOLD)
    assert ended.returncode == 0, ended.stderr
    assert BUILT in ended.stderr
    assert "prepared: rows 900/900" in ended.stderr


def test_with_options_that_say_who_does_it_there_are_no_processes(fresh: Store, undisturbed: Tree) -> None:
    ended = run(fresh, [*words(fresh), "--", "--direct_num_workers=1"], TELL_WHO)
    assert ended.returncode == 0, ended.stderr
    assert fresh.tree("out") == undisturbed
    assert who_told(ended, "unit ") == (UNITS, True)
    assert who_told(ended, "shard ") == (SPLITS_AND_SHARDS, True)


def test_what_is_read_as_one_stream_is_told_once(fresh: Store) -> None:
    """By the process that does everything, and again where others do."""
    for side in ("en", "de"):
        text = storage.read_bytes(fresh.url(f"in/train.{side}"))
        storage.publish_bytes(fresh.url(f"in/train.{side}.gz"), gzip.compress(text))
    packed = [word.replace("train.en", "train.en.gz").replace("train.de", "train.de.gz") for word in words(fresh)]
    ended = run(fresh, packed, "from seq2seq_core.corpora import cutting; cutting._LARGE_BYTES = 0")
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr.count("are read by one worker as one stream") == 1


def test_given_sets_are_staged_first_and_held_out(fresh: Store) -> None:
    """Without processes and with them; the validation set is the first rows of the corpus."""
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


def test_killed_while_processes_stage_the_same_command_carries_on(fresh: Store, undisturbed: Tree) -> None:
    assert run(fresh, words(fresh), DIE).returncode == -signal.SIGKILL
    assert run(fresh, words(fresh)).returncode == 0
    assert fresh.tree("out") == undisturbed


@pytest.mark.parametrize("what", [INTERRUPT_AT_ONCE, INTERRUPT])
def test_interrupted_at_any_time_another_configuration_may_be_tried(fresh: Store, what: str) -> None:
    ended = run(fresh, words(fresh), what)
    assert ended.returncode == cli.EXIT_INTERRUPTED, ended.stderr
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
    assert "unit " not in again.stderr
