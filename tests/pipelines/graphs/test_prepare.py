"""`prepare` as a Beam job: the same bytes whatever runs it, however often, and wherever it was killed."""

from __future__ import annotations

import logging
import os
import random
import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.metrics import MetricsFilter

from pipelines.commands import prepare
from pipelines.graphs import failures, options
from pipelines.graphs import prepare as graph
from pipelines.local import pool
from pipelines.local.workers import HERE
from seq2seq_core import config as configuration
from seq2seq_core import storage
from seq2seq_core.dataset.manifest import LOOKS_FOLDER, MANIFEST_NAME
from seq2seq_core.errors import ConfigError, DatasetError, InputError, TokenizerError
from seq2seq_core.preparation.planning.planner import make_plan
from seq2seq_core.preparation.steps import PUBLISH, STEPS, run_inline, steps_of

WORDS = ("man", "woman", "dog", "runs", "sleeps", "in", "on", "park", "street", "red", "green", "under", "bridge")
TWO_WORKERS = ["--direct_num_workers=2", "--direct_running_mode=multi_processing"]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """train, valid with a known share of each kind of dirt: 5 duplicates, 3 identical, 2 held out."""
    folder = tmp_path_factory.mktemp("corpus")
    draw = random.Random(1)
    sources = list(dict.fromkeys(" ".join(draw.choices(WORDS, k=draw.randint(4, 9))) for _ in range(700)))[:620]
    rows = [(source, source[::-1]) for source in sources]
    valid, train = rows[:20], rows[20:]
    train = [*train, *train[:5], *[("same", "same")] * 3, *[(source, "other words") for source, _ in valid[:2]]]
    for name, pairs in (("train", train), ("valid", valid)):
        for suffix, side in (("en", 0), ("de", 1)):
            (folder / f"{name}.{suffix}").write_text("".join(f"{pair[side]}\n" for pair in pairs))
    return folder


def config_for(corpus: Path, output: Path, **values: Any) -> prepare.PrepareConfig:
    settings: dict[str, Any] = {
        "source": str(corpus / "train.en"),
        "target": str(corpus / "train.de"),
        "validation": {"source": str(corpus / "valid.en"), "target": str(corpus / "valid.de")},
        "output": str(output),
        "shards": 3,
        "unit_rows": 100,
        "tokenizer": {"vocabulary_size": 320, "type": "bpe"},
    }
    return configuration.build(prepare.PrepareConfig, settings | values)


def digests_of(output: Path) -> dict[str, str]:
    return {
        str(path.relative_to(output)): storage.digest_file(str(path))
        for path in sorted(output.rglob("*"))
        if path.is_file() and path.name != MANIFEST_NAME and path.parent.name != LOOKS_FOLDER
    }


@pytest.fixture(scope="module")
def undisturbed(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    output = tmp_path_factory.mktemp("undisturbed")
    manifest = prepare.run(config_for(corpus, output))
    ledger = manifest.ledger
    assert (ledger.read, ledger.kept, ledger.duplicates) == (630, {"train": 600, "valid": 20}, 5)
    assert ledger.rejected == {"held_out": 2, "identical": 3}
    assert not (output / "_work").exists()
    return digests_of(output)


TWO_THREADS = ["--direct_num_workers=2", "--direct_running_mode=multi_threading"]


@pytest.mark.parametrize("options", [TWO_WORKERS, TWO_THREADS, ["--direct_runner_bundle_repeat=1"]])
def test_workers_and_replays_change_no_byte(
    corpus: Path, tmp_path: Path, undisturbed: dict[str, str], options: list[str]
) -> None:
    prepare.run(config_for(corpus, tmp_path), options)
    assert digests_of(tmp_path) == undisturbed


def test_the_order_in_which_files_are_named_changes_no_byte(corpus: Path, tmp_path: Path) -> None:
    lines = {side: (corpus / f"train.{side}").read_text().splitlines(keepends=True) for side in ("en", "de")}
    for number in range(3):  # both sides of a duplicate lie in different files: the first file in order has to win
        for side in ("en", "de"):
            (tmp_path / f"part-{number}.{side}").write_text("".join(lines[side][number::3]))
        rows = zip(lines["en"][number::3], lines["de"][number::3], strict=True)
        (tmp_path / f"part-{number}.tsv").write_text("".join(f"{s.strip()}\tx {t}" for s, t in rows))
    found = []
    for order in ((0, 1, 2), (2, 0, 1)):
        parts = [str(tmp_path / f"part-{number}") for number in order]
        corpora = [
            {"source": [f"{part}.en" for part in parts], "target": [f"{part}.de" for part in parts]},
            {"path": [f"{part}.tsv" for part in parts]},
        ]
        output = tmp_path / "-".join(map(str, order))
        manifest = prepare.run(config_for(corpus, output, source=None, target=None, corpora=corpora))
        assert manifest.ledger.duplicates == 5 + 7  # in the second corpus "x same" passes, three times
        found.append(digests_of(output))
    assert found[0] == found[1]


KILLED_RUN = """
import contextlib, os, signal, sys
from pathlib import Path
from pipelines.commands import prepare
from seq2seq_core import config, storage

left = int(sys.argv[2])
publish = storage.publish

@contextlib.contextmanager
def deadly(url, **how):
    global left
    left -= 1
    is_last = left == 0  # others publish meanwhile
    with publish(url, **how) as out:
        yield out
        if is_last:
            os.kill(os.getpid(), signal.SIGKILL)

storage.publish = deadly
prepare.run(config.load(prepare.PrepareConfig, sys.argv[1]))
"""


def test_killed_again_and_again_the_same_command_ends_in_the_same_bytes(
    corpus: Path, tmp_path: Path, undisturbed: dict[str, str]
) -> None:
    output = tmp_path / "out"
    config = config_for(corpus, output)
    (tmp_path / "prepare.yaml").write_text(configuration.to_yaml(config))
    for publications in (4, 7, 6, 9):
        command = [sys.executable, "-c", KILLED_RUN, str(tmp_path / "prepare.yaml"), str(publications)]
        ended = subprocess.run(command, capture_output=True, check=False, timeout=120)
        assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()
        assert not (output / MANIFEST_NAME).exists()
    prepare.run(config)
    assert digests_of(output) == undisturbed


@pytest.fixture(scope="module")
def every_step(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What comes of a job that asks for every step, in line."""
    output = tmp_path_factory.mktemp("inline")
    job = prepare.make_job(with_every_step(corpus, output))
    assert steps_of(job) == STEPS
    (outcome,) = run_inline(job)[PUBLISH]
    assert set(outcome.ledger.rejected) == {"held_out", "identical", "max_rows", "near_duplicate"}
    return digests_of(output)


def with_every_step(corpus: Path, output: Path) -> prepare.PrepareConfig:
    """Some rows of so few words are nearly the same, and the corpus may keep a part of them."""
    sides = {"source": "train.en", "target": "train.de"}
    capped = {key: str(corpus / name) for key, name in sides.items()} | {"max_rows": 400}
    near = {"side": "source", "bands": 8, "rows": 4}
    values: dict[str, Any] = {"source": None, "target": None, "corpora": [capped], "near_duplicates": near}
    return config_for(corpus, output, report=False, **values)


@pytest.mark.parametrize("how", ["here", "processes", "the engine's", "the engine's, replayed"])
def test_whoever_does_the_steps_the_bytes_are_those_of_the_list_in_line(
    corpus: Path, tmp_path: Path, every_step: dict[str, str], how: str
) -> None:
    job = prepare.make_job(with_every_step(corpus, tmp_path))
    replayed = ["--direct_runner_bundle_repeat=1"] if "replayed" in how else []
    with pool.started(2, ()) if how == "processes" else nullcontext(HERE if how == "here" else None) as workers:
        assert graph.run(job, workers, replayed)
    assert digests_of(tmp_path) == every_step


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A corpus of a thousand bytes is large here; how many processes were started, each time."""
    seen: list[int] = []

    def start(count: int, preload: Sequence[str], in_each: int) -> AbstractContextManager[pool.Pool]:
        seen.append(count)
        return started(count, preload, in_each)

    started = pool.started
    monkeypatch.setattr(pool, "started", start)
    monkeypatch.setattr(prepare, "usable_cores", lambda: 3)
    monkeypatch.setattr(prepare, "_SMALL_BYTES", 1000)
    return seen


def test_a_larger_corpus_is_prepared_by_a_process_a_core(
    corpus: Path, tmp_path: Path, undisturbed: dict[str, str], processes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare.run(config_for(corpus, tmp_path / "large"))
    assert processes == [3]
    assert digests_of(tmp_path / "large") == undisturbed
    prepare.run(config_for(corpus, tmp_path / "named"), ["--runner=FnApiRunner", "--job_name=mine"])
    assert processes == [3, 3]
    assert digests_of(tmp_path / "named") == undisturbed
    monkeypatch.setattr(prepare, "_SMALL_BYTES", 1 << 20)
    prepare.run(config_for(corpus, tmp_path / "small"))
    monkeypatch.setattr(prepare, "_SMALL_BYTES", 1000)
    prepare.run(config_for(corpus, tmp_path / "one"), ["--direct_num_workers=1"])
    monkeypatch.setattr(prepare, "usable_cores", lambda: 1)
    prepare.run(config_for(corpus, tmp_path / "core"))
    assert processes == [3, 3]


def test_what_only_this_process_can_see_is_left_to_it(corpus: Path, processes: list[int]) -> None:
    output = f"memory://{uuid.uuid4().hex}"
    config = config_for(corpus, Path("nowhere"), report=False).model_copy(update={"output": output})
    assert prepare.run(config).ledger.read == 630
    assert processes == []
    storage.remove(output)


def test_an_error_in_a_process_is_told_once(
    corpus: Path, tmp_path: Path, processes: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "short.de").write_text("one line\n")
    with (
        caplog.at_level(logging.ERROR),
        pytest.raises(InputError, match="the two sides of a corpus differ in length"),
    ):
        prepare.run(config_for(corpus, tmp_path / "out", target=str(tmp_path / "short.de")))
    assert processes == [3]
    assert not caplog.records
    assert not list((tmp_path / "out").rglob("claim-*"))


def test_a_finished_dataset_stays_as_it_is(corpus: Path, tmp_path: Path) -> None:
    config = config_for(corpus, tmp_path / "out")
    first = prepare.run(config)
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert prepare.run(config) == first
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*") if path.is_file()} == times
    other = config_for(corpus, tmp_path / "out", deduplicate="none")
    digests = rf"fingerprint {first.recipe_fingerprint}; expected fingerprint .*Choose a new"
    with pytest.raises(DatasetError, match=digests):
        prepare.run(other)
    assert prepare.run(config) == first


def test_after_an_orderly_failure_another_configuration_may_be_tried(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(
        TokenizerError, match=r"^the corpus is too small.*Set tokenizer\.vocabulary_size to \d+ or less\.$"
    ):
        prepare.run(config_for(corpus, tmp_path, tokenizer={"vocabulary_size": 30_000}))
    manifest = prepare.run(config_for(corpus, tmp_path))
    assert manifest.source_tokenizer.vocabulary_size == 320
    assert not (tmp_path / "_work").exists()


def test_a_run_that_another_overtook_returns_its_dataset(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = config_for(corpus, tmp_path)
    run = failures.run

    def overtaken(pipeline: beam.Pipeline) -> None:
        monkeypatch.setattr(failures, "run", run)
        prepare.run(config)
        raise InputError("the work folder is gone")

    monkeypatch.setattr(failures, "run", overtaken)
    assert prepare.run(config).ledger.balance == 0


def test_counters_balance(corpus: Path, tmp_path: Path) -> None:
    pipeline = beam.Pipeline(options=options.parse([]))
    graph.build(pipeline, prepare.make_job(config_for(corpus, tmp_path)))
    counters = failures.run(pipeline).metrics().query(MetricsFilter().with_namespace("prepare"))["counters"]
    counts: dict[str, int] = {}
    for counter in counters:
        counts[counter.key.metric.name] = counts.get(counter.key.metric.name, 0) + counter.committed
    assert counts == {"rows_read": 630, "rows_rejected": 5, "rows_kept": 620, "rows_duplicate": 5}


def test_formats_side_by_side(corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "more.tsv").write_text("ein Mann\ta man\nzwei\ttwo\n")
    (tmp_path / "more.jsonl").write_text('{"t": {"en": "three", "de": "drei"}}\n{"t": {"en": "x"}}\n')
    corpora = [
        {"source": str(corpus / "train.en"), "target": str(corpus / "train.de")},
        {"path": str(tmp_path / "*.tsv"), "source_field": 2, "target_field": 1},
        {"path": str(tmp_path / "more.jsonl"), "source_field": "t.en", "target_field": "t.de"},
    ]
    config = config_for(corpus, tmp_path / "out", source=None, target=None, corpora=corpora, test={"share": 0.1})
    manifest = prepare.run(config)
    assert manifest.ledger.read == 634
    assert manifest.ledger.rejected["missing_field"] == 1
    assert set(manifest.splits) == {"train", "valid", "test"}
    assert [Path(entry.url).name for entry in manifest.inputs][2:4] == ["more.tsv", "more.jsonl"]
    assert manifest.configuration["test"]["share"] == 0.1


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"target": None}, "both sides are needed"),
        ({"source": None, "target": None}, "give source and target, or path, or text, or corpora"),
        ({"validation": {"share": 0.1, "source": "a", "target": "b"}}, "give files or share"),
        ({"validation": {"share": 0.9}}, "validation.share"),
        ({"deduplicat": "none"}, "Did you mean deduplicate"),
        ({"source": None, "target": None, "corpora": [{"name": "x"}]}, "a corpus needs source and target, or path"),
    ],
)
def test_configurations_that_cannot_work(corpus: Path, tmp_path: Path, values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        config_for(corpus, tmp_path, **values)


@pytest.mark.parametrize("side", ["en", "de"])
def test_a_file_that_is_replaced_while_it_is_prepared_is_an_error_and_the_next_run_reads_it_anew(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, side: str
) -> None:
    config = config_for(shutil.copytree(corpus, tmp_path / "corpus"), tmp_path / "out")
    path = tmp_path / "corpus" / f"train.{side}"
    old = storage.digest_file(str(path))

    def plan_and_replace(*arguments: Any) -> Any:
        plan = make_plan(*arguments)
        new = path.with_suffix(".new")
        new.write_bytes(path.read_bytes().replace(b"a", b"e"))
        assert new.stat().st_size == path.stat().st_size
        os.utime(new, (1, 1))  # how a file that was just written looks is not written down
        new.rename(path)
        return plan

    with monkeypatch.context() as planning:
        planning.setattr("seq2seq_core.preparation.steps.make_plan", plan_and_replace)
        with pytest.raises(InputError, match=rf"train\.{side}: the file has changed since it was counted"):
            prepare.run(config)
    assert not (tmp_path / "out" / MANIFEST_NAME).exists()
    manifest = prepare.run(config)
    told = {
        storage.name_of(file.url): file.fingerprint for entry in manifest.generations[0].inputs for file in entry.files
    }
    assert told[path.name] == storage.digest_file(str(path)) != old
    again = prepare.run(config_for(tmp_path / "corpus", tmp_path / "again"))
    assert digests_of(tmp_path / "out") == digests_of(tmp_path / "again")
    assert again.fingerprint == manifest.fingerprint
