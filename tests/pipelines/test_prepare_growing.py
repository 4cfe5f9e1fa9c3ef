"""`seq2seq prepare` again and again on a folder that fills: nothing twice, nothing mixed, wherever it was killed."""

from __future__ import annotations

import contextlib
import logging
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import pytest

from pipelines.commands import prepare
from pipelines.graphs import failures
from seq2seq_core import config as configuration
from seq2seq_core import storage
from seq2seq_core.dataset.manifest import MANIFEST_NAME, load_manifest
from seq2seq_core.dataset.reader import Dataset
from seq2seq_core.dataset.verify import verify
from seq2seq_core.errors import DatasetError, StorageError
from seq2seq_core.report.inspection import describe
from tests.processes import tree

WORDS = ("man", "woman", "dog", "runs", "sleeps", "in", "on", "park", "street", "red", "green", "under", "bridge")
Rows = list[tuple[str, str]]

COMMIT_AND_DIE = """
import os, signal, sys
from pipelines.commands import prepare
from seq2seq_core import config, storage
from seq2seq_core.dataset import generations

def deadly(root, manifest):
    os.kill(os.getpid(), signal.SIGKILL)

generations.publish_newest = deadly
prepare.run(config.load(prepare.PrepareConfig, sys.argv[1]))
"""

# Imports once, then forks for every number of writes after which it is to die.
DIE_AFTER_WRITES = """
import contextlib, os, signal, sys
from pipelines.commands import prepare
from seq2seq_core import config, storage
from seq2seq_core.dataset.verify import verify
import apache_beam.runners.portability.fn_api_runner

left = 0
publish, create = storage.publish, storage.create_exclusively

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

storage.publish, storage.create_exclusively = deadly_publish, deadly_create
options = config.load(prepare.PrepareConfig, sys.argv[1])
for writes in sys.argv[2:]:
    left = int(writes)
    child = os.fork()
    if not child:
        prepare.run(options)
        os._exit(0)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    assert verify(options.output).unlisted or writes == "1"
os.kill(os.getpid(), signal.SIGKILL)
"""

RUN = """
import sys
from pipelines.commands import prepare
from seq2seq_core import config
prepare.run(config.load(prepare.PrepareConfig, sys.argv[1]))
"""


def sentences(count: int, seed: int = 0) -> Rows:
    draw = random.Random(seed)
    sources = list(dict.fromkeys(" ".join(draw.choices(WORDS, k=draw.randint(5, 9))) for _ in range(2 * count)))
    return [(source, source[::-1]) for source in sources[:count]]


def land(folder: Path, name: str, rows: Rows) -> None:
    folder.mkdir(exist_ok=True, parents=True)
    for suffix, side in (("en", 0), ("de", 1)):
        (folder / f"{name}.{suffix}").write_text("".join(f"{row[side]}\n" for row in rows))


def config_for(landing: Path, output: Path, **values: Any) -> prepare.PrepareConfig:
    settings: dict[str, Any] = {
        "source": str(landing / "*.en"),
        "target": str(landing / "*.de"),
        "validation": {"share": 0.05},
        "output": str(output),
        "shards": 2,
        "unit_rows": 80,
        "tokenizer": {"vocabulary_size": 320, "type": "bpe"},
        "report": False,
    }
    return configuration.build(prepare.PrepareConfig, settings | values)


@pytest.fixture(scope="module")
def parts() -> dict[str, Rows]:
    """What lands, in this order; each file repeats some rows of the one before."""
    rows = sentences(500)
    return {"m": rows[:250], "z": rows[200:400], "a": rows[380:]}


@pytest.fixture
def config(tmp_path: Path, parts: dict[str, Rows]) -> prepare.PrepareConfig:
    """Of a dataset with one generation; the files of the second have landed."""
    config = config_for(tmp_path / "in", tmp_path / "out")
    land(tmp_path / "in", "m", parts["m"])
    prepare.run(config)
    land(tmp_path / "in", "z", parts["z"])
    return config


@pytest.fixture(scope="module")
def grown(parts: dict[str, Rows], tmp_path_factory: pytest.TempPathFactory) -> dict[int, dict[str, bytes]]:
    """The dataset after each landing, by number of generations, undisturbed; manifests aside, which name the folder."""
    folder = tmp_path_factory.mktemp("grown")
    found = {}
    for number, (name, rows) in enumerate(parts.items(), 1):
        land(folder / "in", name, rows)
        manifest = prepare.run(config_for(folder / "in", folder / "out"))
        assert len(manifest.generations) == number
        found[number] = data_of(folder / "out")
    assert manifest.ledger.balance == 0
    assert manifest.ledger.duplicates > 0
    assert verify(str(folder / "out")).unlisted == ()
    return found


def data_of(output: Path) -> dict[str, bytes]:
    return {path: data for path, data in tree(output).items() if not path.endswith((".json", ".digests"))}


def kill_while_running(script: str, config: prepare.PrepareConfig, folder: Path, *words: str) -> None:
    (folder / "prepare.yaml").write_text(configuration.to_yaml(config))
    command = [sys.executable, "-c", script, str(folder / "prepare.yaml"), *words]
    ended = subprocess.run(command, capture_output=True, check=False, timeout=120)
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()


def test_a_second_run_with_nothing_new_touches_nothing(tmp_path: Path, parts: dict[str, Rows]) -> None:
    config = config_for(tmp_path / "in", tmp_path / "out", report=True)
    land(tmp_path / "in", "m", parts["m"])
    prepare.run(config)
    land(tmp_path / "in", "z", parts["z"])
    second = prepare.run(config)
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*") if path.is_file()}
    for suffix in ("en", "de"):
        (tmp_path / "in" / f"m.{suffix}").rename(tmp_path / "in" / f"renamed.{suffix}")
    assert prepare.run(config) == second
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*") if path.is_file()} == times
    page = describe(str(tmp_path / "out"))
    assert "generations" in page


def test_replays_change_no_byte(tmp_path: Path, parts: dict[str, Rows], grown: dict[int, dict[str, bytes]]) -> None:
    config = config_for(tmp_path / "in", tmp_path / "out")
    for name, rows in parts.items():
        land(tmp_path / "in", name, rows)
        prepare.run(config, ["--direct_runner_bundle_repeat=1"])
    assert data_of(tmp_path / "out") == grown[3]


def test_killed_again_and_again_a_generation_ends_in_the_same_bytes(
    config: prepare.PrepareConfig, tmp_path: Path, grown: dict[int, dict[str, bytes]]
) -> None:
    shown = (tmp_path / "out" / MANIFEST_NAME).read_bytes()
    draw = random.Random(3)
    kills = [1, *(draw.randint(2, 9) for _ in range(6))]
    kill_while_running(DIE_AFTER_WRITES, config, tmp_path, *map(str, kills))
    assert (tmp_path / "out" / MANIFEST_NAME).read_bytes() == shown
    prepare.run(config)
    assert data_of(tmp_path / "out") == grown[2]
    assert not (tmp_path / "out" / "_work").exists()


def test_killed_between_commit_and_manifest_the_next_run_shows_it(
    tmp_path: Path, parts: dict[str, Rows], grown: dict[int, dict[str, bytes]]
) -> None:
    config = config_for(tmp_path / "in", tmp_path / "out")
    land(tmp_path / "in", "m", parts["m"])
    kill_while_running(COMMIT_AND_DIE, config, tmp_path)
    assert not (tmp_path / "out" / MANIFEST_NAME).exists()
    assert (tmp_path / "out" / "generations" / "00000.json").exists()
    land(tmp_path / "in", "z", parts["z"])
    kill_while_running(
        COMMIT_AND_DIE.replace("def deadly", "publish = generations.publish_newest\ndef deadly").replace(
            "    os.kill", "    if len(manifest.generations) == 1: return publish(root, manifest)\n    os.kill"
        ),
        config,
        tmp_path,
    )
    assert len(load_manifest(str(tmp_path / "out")).generations) == 1
    assert len(prepare.run(config).generations) == 2
    assert data_of(tmp_path / "out") == grown[2]
    assert not (tmp_path / "out" / "_work").exists()


def test_what_a_killed_run_began_comes_first_then_what_landed_since(
    config: prepare.PrepareConfig, tmp_path: Path, parts: dict[str, Rows], grown: dict[int, dict[str, bytes]]
) -> None:
    kill_while_running(DIE_AFTER_WRITES, config, tmp_path, "7")
    land(tmp_path / "in", "a", parts["a"])
    manifest = prepare.run(config)
    assert [[source.origin for source in entry.inputs] for entry in manifest.generations] == [
        ["m.en"],
        ["z.en"],
        ["a.en"],
    ]
    assert data_of(tmp_path / "out") == grown[3]
    assert not (tmp_path / "out" / "_work").exists()


def race(folder: Path, *configs: prepare.PrepareConfig) -> list[subprocess.CompletedProcess[str]]:
    """Run them at the same time, each in a process of its own."""
    processes = []
    for number, config in enumerate(configs):
        path = folder / f"race-{number}.yaml"
        path.write_text(configuration.to_yaml(config))
        command = [sys.executable, "-c", RUN, str(path)]
        processes.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
    ended = [(process, *process.communicate(timeout=300)) for process in processes]
    return [subprocess.CompletedProcess(process.args, process.returncode, *texts) for process, *texts in ended]


def test_two_runs_with_the_same_new_inputs_do_the_same(
    config: prepare.PrepareConfig, tmp_path: Path, grown: dict[int, dict[str, bytes]]
) -> None:
    ended = race(tmp_path, config, config)
    assert [process.returncode for process in ended] == [0, 0], [process.stderr[-3000:] for process in ended]
    assert data_of(tmp_path / "out") == grown[2]
    assert not (tmp_path / "out" / "_work").exists()


def test_two_runs_with_different_new_inputs_never_mix_them(tmp_path: Path, parts: dict[str, Rows]) -> None:
    """They see different folders, so neither can finish what the other has begun: one may have to come again."""
    output = tmp_path / "out"
    for name in ("one", "two"):
        land(tmp_path / name, "m", parts["m"])
    prepare.run(config_for(tmp_path / "one", output))
    land(tmp_path / "one", "z", parts["z"])
    land(tmp_path / "two", "a", parts["a"])
    configs = [config_for(tmp_path / name, output) for name in ("one", "two")]
    ended = race(tmp_path, *configs)
    assert 0 in [process.returncode for process in ended]
    for process, config in zip(ended, configs, strict=True):
        if process.returncode:
            assert "a preparation of other inputs is under way here" in process.stderr
            assert len(load_manifest(str(output)).generations) == 2
            prepare.run(config)
    manifest = load_manifest(str(output))
    assert sorted(len(entry.inputs) for entry in manifest.generations) == [1, 1, 1]
    assert {entry.inputs[0].origin for entry in manifest.generations} == {"m.en", "z.en", "a.en"}
    assert verify(str(output)).unlisted == ()
    dataset = Dataset.open(str(output))
    ids = [i for shard in dataset.split("train").shards for i in dataset.read_shard(shard, ["id"])["id"].to_pylist()]
    assert len(ids) == len(set(ids))
    rows = {row for part in parts.values() for row in part}
    held_out = manifest.ledger.rejected.get("held_out", 0) + manifest.ledger.kept["valid"]
    assert len(rows) - held_out <= len(ids) < len(rows)


def test_a_run_that_sees_more_joins_in_and_goes_on(
    config: prepare.PrepareConfig,
    tmp_path: Path,
    parts: dict[str, Rows],
    grown: dict[int, dict[str, bytes]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """While one run builds the shards of a generation, a file lands and another run starts."""
    at_shard(monkeypatch, lambda: (land(tmp_path / "in", "a", parts["a"]), prepare.run(config)))
    prepare.run(config)
    assert len(load_manifest(str(tmp_path / "out")).generations) == 3
    assert data_of(tmp_path / "out") == grown[3]
    assert not (tmp_path / "out" / "_work").exists()


def at_shard(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Act once, when a shard has been written and before it appears."""
    publish = storage.publish

    @contextlib.contextmanager
    def late(url: str, **how: bool) -> Iterator[IO[bytes]]:
        with publish(url, **how) as out:
            yield out
            if "/train/" in url:
                monkeypatch.setattr(storage, "publish", publish)
                act()

    monkeypatch.setattr(storage, "publish", late)


def test_an_orderly_failure_gives_the_next_generation_free(
    config: prepare.PrepareConfig, tmp_path: Path, parts: dict[str, Rows], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = load_manifest(config.output)

    def fail() -> None:
        raise StorageError("the disk is full")

    at_shard(monkeypatch, fail)
    with pytest.raises(StorageError, match="the disk is full"):
        prepare.run(config)
    assert load_manifest(str(tmp_path / "out")) == first
    for suffix in ("en", "de"):
        (tmp_path / "in" / f"z.{suffix}").unlink()
    land(tmp_path / "in", "a", parts["a"])
    assert [entry.inputs[0].origin for entry in prepare.run(config).generations] == ["m.en", "a.en"]
    assert not (tmp_path / "out" / "_work").exists()


def test_an_error_that_another_run_explains_is_not_the_last_word(
    config: prepare.PrepareConfig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    run = failures.run

    def overtaken(pipeline: object) -> None:
        monkeypatch.setattr(failures, "run", run)
        prepare.run(config)
        raise DatasetError("a preparation of other inputs is under way here")

    monkeypatch.setattr(failures, "run", overtaken)
    with caplog.at_level(logging.INFO):
        assert len(prepare.run(config).generations) == 2
    assert "looking again" in caplog.text


def test_another_tokenizer_is_refused_with_both_digests(tmp_path: Path, parts: dict[str, Rows]) -> None:
    land(tmp_path / "in", "m", parts["m"])
    trained = prepare.run(config_for(tmp_path / "in", tmp_path / "trained")).source_tokenizer
    other = prepare.run(
        config_for(tmp_path / "in", tmp_path / "other", tokenizer={"vocabulary_size": 300, "type": "bpe"})
    ).source_tokenizer
    given = {"model": str(tmp_path / "given.model")}
    (tmp_path / "given.model").write_bytes((tmp_path / "trained" / trained.path).read_bytes())
    prepare.run(config_for(tmp_path / "in", tmp_path / "out", tokenizer=given))
    before = tree(tmp_path / "out")
    (tmp_path / "given.model").write_bytes((tmp_path / "other" / other.path).read_bytes())
    land(tmp_path / "in", "z", parts["z"])
    message = rf"another tokenizer; found digest {trained.digest}; expected digest {other.digest}.*new output folder"
    with pytest.raises(DatasetError, match=message):
        prepare.run(config_for(tmp_path / "in", tmp_path / "out", tokenizer=given))
    assert tree(tmp_path / "out") == before
