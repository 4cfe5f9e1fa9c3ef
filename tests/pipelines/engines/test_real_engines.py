"""What runs on real engines (`tests/engines.py` names them) gives the same bytes as on the local runner."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from seq2seq_core.dataset.manifest import MANIFEST_NAME
from tests.engines import ENGINES, FlinkCluster, engine_options
from tests.processes import CLI, Process, running, seq2seq, tree
from tests.small_models import small_model
from tests.tone_speech import talk, tree_of, write

pytestmark = [pytest.mark.engines, pytest.mark.timeout(600)]

PREPARE = "--shards=3 --unit_rows=2000 --tokenizer.vocabulary_size=600 --validation.share=0.05 --test.share=0.02"
MANY_UNITS = PREPARE.replace("--unit_rows=2000", "--unit_rows=500")
TRANSLATE = "--engine.kind=echo --unit_records=150 --quality --include segments overlong given --flag.max_copied 0.5"
BY_A_MODEL = """--engine.device=cpu --engine.threads=1 --unit_records=40 --include n_best token_scores second
--search.beam=3 --search.n_best=2 --search.token_scores=true --demands.prefix_field=start --search.max_length_ratio=1
--segmentation.max_segment_pieces=500 --flag.max_length_ratio=0.7 --flag.second.search.max_length_ratio=0.5
--flag.second.search.token_scores=true"""
PAGE = b"# A *title*\n\nA text with `code` in it.\nAnd another one.\n"
TRANSCRIBE = "--engine.kind=echo --voice.method=energy --unit_seconds=20 --format json srt jsonl"

Tree = dict[str, bytes]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory, multi30k: Path) -> Path:
    """10,000 real pairs with some dirt, plain, so that they are cut into units."""
    folder = tmp_path_factory.mktemp("corpus")
    for side in ("en", "de"):
        lines = gzip.decompress((multi30k / f"train.{side}.gz").read_bytes()).split(b"\n")[:10_000]
        lines[10] = lines[20] = b"the same on both sides"
        lines[30] = b""
        lines[40] = b"\xff\xfe broken"
        lines[50:60] = lines[60:70]
        (folder / f"train.{side}").write_bytes(b"\n".join(lines) + b"\n")
    return folder


def words(corpus: Path, output: Path, settings: str = PREPARE) -> list[str]:
    sides = ["--source", str(corpus / "train.en"), "--target", str(corpus / "train.de")]
    return ["prepare", *sides, "--output", str(output), *settings.split()]


def translate(model: str, corpus: Path, output: Path, engine: list[str]) -> Tree:
    """Lines, which are rows in the end, and a page, whose parser nobody can write down; with a memory."""
    folder = corpus / "documents"
    folder.mkdir(exist_ok=True)
    lines = (corpus / "train.en").read_bytes().split(b"\n")[100:700]
    (folder / "documents.jsonl").write_text("".join(json.dumps({"text": line.decode()}) + "\n" for line in lines))
    (folder / "page.md").write_bytes(PAGE)
    for name, more in (("documents.jsonl", TRANSLATE.split()), ("page.md", ["--engine.kind=echo"])):
        places = ["--input", str(folder / name), "--output", str(output / name), "--memory.url", str(output / "memory")]
        seq2seq("translate", "--model", model, *places, *more, "--", *engine)
    assert (output / "page.md" / "page.md").read_bytes() == PAGE
    return {path: data for path, data in tree(output).items() if not path.startswith("memory/")}


def translate_with_all(model: str, corpus: Path, output: Path, engine: list[str]) -> Tree:
    """N best outputs, prefixes of records, a second pass, and a memory; no segment stands in two units, as scores would
    depend a little on which of them came first.
    """
    places = ["--input", str(corpus / "begun.jsonl"), "--output", str(output / "out")]
    words = [*places, "--memory.url", str(output / "memory"), *BY_A_MODEL.split()]
    seq2seq("translate", "--model", model, *words, "--", *engine)
    return tree(output / "out")


@pytest.fixture(scope="module")
def begun(corpus: Path) -> int:
    """The number of records in `begun.jsonl`, of which every other one says what its translation begins with."""
    lines = (corpus / "train.en").read_text(errors="replace").split("\n")[100:300]
    rows = [{"text": f"{n} {line}", "start": "ein Hund" if n % 2 else None} for n, line in enumerate(lines)]
    (corpus / "begun.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return len(rows)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return small_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def translated_with_all(begun: int, corpus: Path, model: str, tmp_path_factory: pytest.TempPathFactory) -> Tree:
    done = translate_with_all(model, corpus, tmp_path_factory.mktemp("all"), [])
    rows = [json.loads(line) for name in sorted(done) if name.startswith("begun-") for line in done[name].splitlines()]
    assert len(rows) == begun
    assert all(row["translation"].startswith(row["start"] or "") for row in rows)
    assert 0 < sum(row["translation_second"] for row in rows) < begun
    assert all(len(row["translation_n_best"]) == 2 - row["translation_second"] for row in rows)
    return done


@pytest.fixture(scope="module")
def prepared(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Tree:
    output = tmp_path_factory.mktemp("prepared")
    seq2seq(*words(corpus, output))
    assert len(list(output.glob("train/*"))) == 3
    return tree(output)


@pytest.fixture(scope="module")
def translated(corpus: Path, echo_model: str, tmp_path_factory: pytest.TempPathFactory) -> Tree:
    done = translate(echo_model, corpus, tmp_path_factory.mktemp("translated"), [])
    assert len([name for name in done if name.startswith("documents.jsonl/documents-")]) == 4
    return done


@pytest.mark.parametrize("engine", ENGINES)
def test_prepare_gives_the_same_bytes(
    engine: str, request: pytest.FixtureRequest, corpus: Path, prepared: Tree, tmp_path: Path
) -> None:
    seq2seq(*words(corpus, tmp_path / "out"), "--", *engine_options(engine, request))
    assert tree(tmp_path / "out") == prepared


@pytest.mark.parametrize("engine", ENGINES)
def test_translate_gives_the_same_bytes(
    engine: str, request: pytest.FixtureRequest, corpus: Path, echo_model: str, translated: Tree, tmp_path: Path
) -> None:
    assert translate(echo_model, corpus, tmp_path / "out", engine_options(engine, request)) == translated


@pytest.mark.parametrize("engine", ENGINES)
def test_translate_with_all_options_gives_the_same_bytes(
    engine: str, request: pytest.FixtureRequest, corpus: Path, model: str, translated_with_all: Tree, tmp_path: Path
) -> None:
    assert translate_with_all(model, corpus, tmp_path, engine_options(engine, request)) == translated_with_all


def test_a_task_manager_that_is_killed_changes_no_byte_of_a_translation(
    flink_cluster: FlinkCluster, corpus: Path, model: str, begun: int, tmp_path: Path
) -> None:
    """By SIGKILL when some units are committed; another one is started, and these are not done again."""

    def command(output: Path) -> list[str]:
        words = ["--input", str(corpus / "begun.jsonl"), "--output", str(output), *small_units.split()]
        return ["translate", "--model", model, *words]

    small_units = BY_A_MODEL.replace("--unit_records=40", "--unit_records=5")

    output = tmp_path / "out"
    with running([*CLI, *command(output), "--", *flink_cluster.options], tmp_path / "log") as run:
        while run.is_running and len(list(output.glob("begun-*.jsonl"))) < 3:
            time.sleep(0.02)
        assert run.is_running, run.output[-6000:]
        flink_cluster.kill_task_manager()
        early = {path: path.stat().st_mtime_ns for path in output.glob("begun-*.jsonl")}
        assert not (output / "output.json").exists()
        flink_cluster.start_task_manager()
        assert run.wait() == 0, run.output[-6000:]
    seq2seq(*command(tmp_path / "undisturbed"))
    assert tree(output) == tree(tmp_path / "undisturbed")
    assert 3 <= len(early) < begun / 5
    again = [path for path, before in early.items() if path.stat().st_mtime_ns != before]
    assert len(again) <= 2  # those that were under way


def transcribe(model: str, talks: Path, output: Path, engine: list[str]) -> Tree:
    places = ["--model", model, "--input", str(talks), "--output", str(output)]
    seq2seq("transcribe", *places, *TRANSCRIBE.split(), "--", *engine)
    return tree_of(tree(output))


@pytest.fixture(scope="module")
def talks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A long recording and some short ones."""
    folder = tmp_path_factory.mktemp("talks")
    write(folder / "long.flac", talk(130, seed=9))
    for number in range(9):
        write(folder / "short" / f"{number}.flac", talk(3 + number, seed=number))
    return folder


@pytest.fixture(scope="module")
def transcribed(talks: Path, echo_model: str, tmp_path_factory: pytest.TempPathFactory) -> Tree:
    done = transcribe(echo_model, talks, tmp_path_factory.mktemp("transcribed"), [])
    assert len([name for name in done if name.startswith(".speech/")]) > 7
    return done


@pytest.mark.parametrize("engine", ENGINES)
def test_transcribe_gives_the_same_bytes(
    engine: str, request: pytest.FixtureRequest, talks: Path, echo_model: str, transcribed: Tree, tmp_path: Path
) -> None:
    assert transcribe(echo_model, talks, tmp_path / "out", engine_options(engine, request)) == transcribed


@pytest.fixture(scope="module")
def of_many_units(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Tree:
    output = tmp_path_factory.mktemp("many")
    seq2seq(*words(corpus, output, MANY_UNITS))
    return tree(output)


def kill_task_manager(cluster: FlinkCluster) -> None:
    cluster.kill_task_manager()


def kill_all_workers(cluster: FlinkCluster) -> None:
    cluster.kill_workers()
    cluster.kill_task_manager()
    cluster.start_workers()


@pytest.mark.parametrize(
    ("kill", "moment"), [(kill_task_manager, "staged/*.json"), (kill_all_workers, "shards/*.json")]
)
def test_a_killed_task_manager_changes_no_byte(
    kill: Callable[[FlinkCluster], None],
    moment: str,
    flink_cluster: FlinkCluster,
    corpus: Path,
    of_many_units: Tree,
    tmp_path: Path,
) -> None:
    """By SIGKILL while units are staged, or with all SDK workers while shards are built; another one is started."""
    output = tmp_path / "out"
    command = [*CLI, *words(corpus, output, MANY_UNITS), "--", *flink_cluster.options]
    with running(command, tmp_path / "log") as run:
        await_work(run, output, moment)
        kill(flink_cluster)
        assert not (output / MANIFEST_NAME).exists()
        flink_cluster.start_task_manager()
        assert run.wait() == 0, run.output[-6000:]
    assert tree(output) == of_many_units


def await_work(run: Process, output: Path, moment: str) -> None:
    """Until some, but not all, of the markers of a step are there."""
    while run.is_running and len(list(output.glob(f"_work/*/{moment}"))) < 2:
        time.sleep(0.02)
    assert run.is_running, run.output[-6000:]
