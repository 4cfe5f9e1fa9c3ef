"""`seq2seq prepare --follow`: generations hold the rows of one batch run, each once, whatever lands and however."""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from pipelines import cli
from pipelines.commands import prepare
from pipelines.commands.follow import prepare as command
from pipelines.graphs import prepare as graph
from seq2seq_core.dataset.manifest import load_manifest
from seq2seq_core.dataset.verify import verify
from seq2seq_core.errors import ClaimError, ConfigError, DatasetError, InputError
from seq2seq_core.landing.ledger import Ledger, history
from tests.landing import batch, following, ids, land, rows_of
from tests.processes import tree

COLUMNS = ("id", "source", "target")

DIE_AFTER_WRITES = """
import contextlib, os, signal, sys
from pathlib import Path
from pipelines.commands.follow import prepare
from seq2seq_core import storage
from tests.landing import following
import pipelines.graphs.prepare, apache_beam.runners.portability.fn_api_runner

publish, create, remove = storage.publish, storage.create_exclusively, storage.remove
left = 0

def count():
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)

@contextlib.contextmanager
def deadly_publish(url, **how):
    count()
    with publish(url, **how) as out:
        yield out
    count()

def deadly_create(url, data):
    count()
    created = create(url, data)
    count()
    return created

def deadly_remove(url):
    remove(url)
    count()

storage.publish, storage.create_exclusively, storage.remove = deadly_publish, deadly_create, deadly_remove
config = following(Path(sys.argv[1]), Path(sys.argv[2]), generation_files=2)
for writes in map(int, sys.argv[3:]):
    child = os.fork()
    if not child:
        left = writes
        prepare.run(config)
        os._exit(0)
    os.waitpid(child, 0)
left = -1
prepare.run(config)
os._exit(0)
"""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six tables in `in`, and the dataset that one batch run makes of them, in `out`."""
    root = tmp_path_factory.mktemp("whole")
    for number in range(6):
        land(root / "in", f"{number}", rows_of(number))
    prepare.run(batch(root / "in", root / "out"))
    return root


def generations(output: Path) -> int:
    return len(load_manifest(str(output)).generations)


def test_generations_together_are_what_one_batch_run_makes(whole: Path, tmp_path: Path) -> None:
    model = {"model": str(whole / "out" / "tokenizer" / "joint.model")}
    config = following(tmp_path / "in", tmp_path / "out", generation_files=2, tokenizer=model)
    for numbers in ((0, 1, 2), (3,), (), (4, 5)):
        for number in numbers:
            land(tmp_path / "in", f"{number}", rows_of(number))
        command.run(config)
    assert generations(tmp_path / "out") == 4
    assert ids(tmp_path / "out", COLUMNS) == ids(whole / "out", COLUMNS)
    assert len(set(ids(tmp_path / "out"))) == len(ids(tmp_path / "out"))
    one, other = (load_manifest(str(root / "out")).ledger for root in (whole, tmp_path))
    assert (one.read, one.kept, one.duplicates) == (other.read, other.kept, other.duplicates)
    assert verify(str(tmp_path / "out")).unlisted == ()


def test_nothing_new_changes_nothing(whole: Path, tmp_path: Path) -> None:
    config = following(whole / "in", tmp_path / "out")
    command.run(config)
    before = tree(tmp_path / "out")
    command.run(config)
    assert tree(tmp_path / "out") == before
    assert generations(tmp_path / "out") == 1


def test_a_batch_dataset_goes_on_by_following_and_back(whole: Path, tmp_path: Path) -> None:
    for number in (0, 1):
        land(tmp_path / "in", f"{number}", rows_of(number))
    prepare.run(batch(tmp_path / "in", tmp_path / "out"))
    for number in (2, 3):
        land(tmp_path / "in", f"{number}", rows_of(number))
    command.run(following(tmp_path / "in", tmp_path / "out"))
    for number in (4, 5):
        land(tmp_path / "in", f"{number}", rows_of(number))
    prepare.run(batch(tmp_path / "in", tmp_path / "out"))
    assert generations(tmp_path / "out") == 3
    assert ids(tmp_path / "out") == ids(whole / "out")


def test_corpora_land_each_in_its_zone_and_none_has_to_wait_for_another(tmp_path: Path) -> None:
    def corpora() -> list[dict[str, str]]:
        sides = {"source": str(tmp_path / "pairs" / "*.en"), "target": str(tmp_path / "pairs" / "*.de")}
        return [{"name": "tables", "path": str(tmp_path / "in" / "*.tsv")}, {"name": "pairs", **sides}]

    valid = land(tmp_path / "valid", "valid", rows_of(9))
    more = {"path": None, "corpora": corpora(), "validation": {"path": str(valid)}}
    config = following(tmp_path / "in", tmp_path / "out", **more)
    land(tmp_path / "in", "0", rows_of(0))
    command.run(config)
    (tmp_path / "pairs").mkdir()
    for side, suffix in enumerate(("en", "de")):
        (tmp_path / "pairs" / f"a.{suffix}").write_text("".join(f"{row[side]}\n" for row in rows_of(1)))
        command.run(config)  # half a pair is none
        assert generations(tmp_path / "out") == 1 + side
    prepare.run(batch(tmp_path / "in", tmp_path / "whole", **more))
    assert ids(tmp_path / "out") == ids(tmp_path / "whole")


def test_files_that_cannot_be_read_are_left_out_and_told_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    land(tmp_path / "in", "0", rows_of(0))
    (tmp_path / "in" / "packed.tsv").write_bytes(b"")
    (tmp_path / "in" / "damaged.tsv.gz").write_bytes(b"no archive")
    config = following(tmp_path / "in", tmp_path / "out", path=str(tmp_path / "in" / "*"), format="tsv")
    with caplog.at_level(logging.WARNING):
        command.run(config)
    assert generations(tmp_path / "out") == 1
    assert len(ids(tmp_path / "out")) == len(set(rows_of(0)))
    found = {Path(record.key).name: record for record in history(str(tmp_path / "out"))}
    assert {name: record.state for name, record in found.items()} == {
        "0.tsv": "taken",
        "damaged.tsv.gz": "failed",
        "packed.tsv": "taken",
    }
    assert "damaged.tsv.gz" in str(found["damaged.tsv.gz"].reason)
    assert "damaged.tsv.gz: left out: " in caplog.text


def test_a_batch_of_bad_files_alone_is_no_generation(tmp_path: Path) -> None:
    land(tmp_path / "in", "0", rows_of(0))
    config = following(tmp_path / "in", tmp_path / "out", path=str(tmp_path / "in" / "*"), format="tsv")
    command.run(config)
    (tmp_path / "in" / "damaged.tsv.gz").write_bytes(b"no archive")
    command.run(config)
    assert generations(tmp_path / "out") == 1
    assert Ledger(str(tmp_path / "out")).refresh().sums.last_batch == 2


def test_other_content_under_a_known_name_adds_what_is_new(tmp_path: Path) -> None:
    file = land(tmp_path / "in", "0", rows_of(0))
    config = following(tmp_path / "in", tmp_path / "out")
    command.run(config)
    file.touch()
    command.run(config)
    assert generations(tmp_path / "out") == 1
    land(tmp_path / "in", "0", [*rows_of(0), *rows_of(3)])
    command.run(config)
    assert generations(tmp_path / "out") == 2
    assert len(ids(tmp_path / "out")) == len({*rows_of(0), *rows_of(3)})
    land(tmp_path / "in", "0", rows_of(4))
    refusing = following(tmp_path / "in", tmp_path / "out", landing={"settle_seconds": 0, "changed": "error"})
    with pytest.raises(InputError, match="has other content now"):
        command.run(refusing)


def test_the_first_generation_waits_for_enough_rows(tmp_path: Path) -> None:
    land(tmp_path / "in", "0", rows_of(0))
    config = following(tmp_path / "in", tmp_path / "out", first_rows=100, idle_seconds=0.1)
    stop = threading.Timer(0.5, lambda: [land(tmp_path / "in", f"{n}", rows_of(n)) for n in (1, 2)])
    stop.start()
    command.run(config)
    stop.join()
    assert generations(tmp_path / "out") == 1
    assert len(ids(tmp_path / "out")) == len({*rows_of(0), *rows_of(1), *rows_of(2)})


def test_a_failed_generation_that_is_no_files_fault_ends_it_and_goes_on(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = following(whole / "in", tmp_path / "out")
    with monkeypatch.context() as patch:

        def fail(*given: object, **how: object) -> bool:
            raise DatasetError("the disk is full")

        patch.setattr(graph, "run", fail)
        with pytest.raises(DatasetError, match="the disk is full"):
            command.run(config)
    assert Ledger(str(tmp_path / "out")).opened() is not None
    command.run(config)
    assert ids(tmp_path / "out") == ids(whole / "out")


def test_one_follows_at_a_time(whole: Path, tmp_path: Path) -> None:
    config = following(whole / "in", tmp_path / "out", idle_seconds=3)
    first = threading.Thread(target=command.run, args=(config,))
    first.start()
    time.sleep(0.3)
    with pytest.raises(ClaimError, match="another preparation is under way here"):
        command.run(config)
    first.join()


def test_what_is_no_landing_zone_is_told(tmp_path: Path) -> None:
    wrong = following(tmp_path / "in", tmp_path / "out", path=str(tmp_path / "in"), format="kaldi")
    with pytest.raises(ConfigError, match="does not grow by files that land"):
        command.run(wrong)


def test_the_command_line(whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--follow", "--path", str(whole / "in" / "*.tsv"), "--output", str(tmp_path / "out")]
    words += ["--tokenizer.vocabulary_size", "300", "--tokenizer.type", "bpe", "--idle_seconds", "0"]
    words += ["--landing.settle_seconds", "0", "--interval_seconds", "1"]
    assert cli.main(["prepare", *words]) == 0
    assert ids(tmp_path / "out") == ids(whole / "out")
    assert cli.main(["prepare", "--follow", "--help"]) == 0
    assert "--interval_seconds" in capsys.readouterr().out
    assert cli.main(["prepare", "--help"]) == 0
    assert "--interval_seconds" not in capsys.readouterr().out


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_stopped_and_started_again(number: signal.Signals, code: int, whole: Path, tmp_path: Path) -> None:
    words = ["prepare", "--follow", "--path", str(tmp_path / "in" / "*.tsv"), "--output", str(tmp_path / "out")]
    words += ["--tokenizer.vocabulary_size", "300", "--tokenizer.type", "bpe", "--shards", "2"]
    words += ["--landing.settle_seconds", "0", "--interval_seconds", "0.01", "--landing.look_seconds", "0.05"]
    with subprocess.Popen(
        [sys.executable, "-m", "pipelines.cli", *words], stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        while "following" not in process.stderr.readline():
            assert process.poll() is None
        for one in range(6):
            land(tmp_path / "in", f"{one}", rows_of(one))
        while not (tmp_path / "out" / ".follow" / "open.json").exists():
            time.sleep(0.01)
        time.sleep(0.2)  # in the middle of it
        process.send_signal(number)
        told = process.communicate()[1]
    assert process.returncode == code
    assert "Traceback" not in told
    command.run(following(tmp_path / "in", tmp_path / "out"))
    assert ids(tmp_path / "out") == ids(whole / "out")


def killed(whole: Path, root: Path, moments: range) -> None:
    """Follow, killed behind each of these writes, and then to the end: what one batch run makes."""
    words = [str(whole / "in"), str(root / "out"), *map(str, moments)]
    done = subprocess.run([sys.executable, "-c", DIE_AFTER_WRITES, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert ids(root / "out") == ids(whole / "out")
    assert verify(str(root / "out")).unlisted == ()
    ledger = Ledger(str(root / "out")).refresh()
    assert {record.state for record in ledger.files.values()} == {"taken"}
    assert len(ledger.files) == 6


def test_killed_behind_some_writes(whole: Path, tmp_path: Path) -> None:
    killed(whole, tmp_path, range(1, 60, 12))


@pytest.mark.follow
@pytest.mark.parametrize("start", range(10))
def test_killed_behind_every_write(start: int, whole: Path, tmp_path: Path) -> None:
    killed(whole, tmp_path, range(1 + start, 200, 10))


@pytest.mark.slow
def test_workers_of_beam_itself_make_the_same(whole: Path, tmp_path: Path) -> None:
    command.run(following(whole / "in", tmp_path / "out"), ["--direct_running_mode=multi_threading"])
    assert ids(tmp_path / "out") == ids(whole / "out")
