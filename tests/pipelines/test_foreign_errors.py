"""Every command against what the world does to it: an exit code, a few lines that name the path, no traceback."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from pipelines import cli
from seq2seq_core import terminal
from tests.conftest import publish_tiny_dataset

MOST_LINES = 3
NOT_UTF8 = "caf\udce9"


@dataclass
class World:
    """A folder with something of everything that commands read, and where they write."""

    root: Path
    changes: dict[str, str] = field(default_factory=dict)

    def at(self, name: str) -> str:
        return self.changes.get(name, str(self.root / name))


def prepare(world: World) -> list[str]:
    words = ["--tokenizer.vocabulary_size", "40", "--tokenizer.byte_fallback", "false", "--report", "false"]
    corpora = yaml.safe_dump([{"path": world.at("corpus.parquet")}], default_flow_style=True, width=10_000)
    return ["prepare", "--corpora", corpora.strip(), "--output", world.at("prepared"), *words]


def dry_run(world: World) -> list[str]:
    return [*prepare(world), "--dry-run"]


def train(world: World) -> list[str]:
    return ["train", "--output", world.at("run"), "--config", world.at("train.yaml"), "--dataset", world.at("dataset")]


def translate(world: World) -> list[str]:
    words = ["--engine.kind", "echo", "--model", world.at("model"), "--text_field", "source"]
    return ["translate", *words, "--input", world.at("corpus.parquet"), "--output", world.at("translated")]


def filter_lines(world: World) -> list[str]:
    return ["translate", "--engine.kind", "echo", "--model", world.at("model"), "-"]


def score(world: World) -> list[str]:
    return ["score", "--hypotheses", world.at("lines.txt"), "--references", world.at("lines.txt")]


def inspect(world: World) -> list[str]:
    return ["inspect", world.at("dataset")]


def verify(world: World) -> list[str]:
    return ["inspect", "--verify", world.at("dataset")]


def inspect_model(world: World) -> list[str]:
    return ["inspect", world.at("model")]


def report(world: World) -> list[str]:
    return ["report", "--dataset", world.at("dataset"), "--output", world.at("page.html")]


def demo(world: World) -> list[str]:
    return ["demo", "--help"]


Call = Callable[[World], list[str]]
COMMANDS: list[Call] = [
    *(prepare, dry_run, train, translate, filter_lines),
    *(score, inspect, verify, inspect_model, report, demo),
]


@pytest.fixture(scope="session")
def whole_world(tmp_path_factory: pytest.TempPathFactory, tiny_training: dict[str, Any]) -> Path:
    root = tmp_path_factory.mktemp("world")
    rows = {side: [f"{side} number {i} is {i * i}" for i in range(60)] for side in ("source", "target")}
    pq.write_table(pa.table(rows), root / "corpus.parquet", compression="snappy")
    (root / "lines.txt").write_text("one\ntwo ü\n", encoding="utf-8")
    publish_tiny_dataset(str(root / "dataset"), {"train": 60, "valid": 4})
    values = {**tiny_training, "limits": {"max_steps": 2}, "validation": {"metric": "loss"}}
    (root / "train.yaml").write_text(yaml.safe_dump({k: v for k, v in values.items() if k != "dataset"}))
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("SEQ2SEQ_CACHE", str(root / "cache"))
        assert cli.main(train(World(root, {"run": str(root / "trained")}))) == 0
    (root / "trained" / "best").rename(root / "model")
    shutil.rmtree(root / "trained")
    return root


@pytest.fixture
def world(whole_world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(terminal, "_closed", set())
    root = tmp_path / "world"
    monkeypatch.setenv("SEQ2SEQ_CACHE", str(root / "cache"))
    shutil.copytree(whole_world, root)
    return World(root)


@dataclass
class End:
    """How a call ended."""

    code: int
    lines: list[str]

    def __str__(self) -> str:
        return f"exit {self.code}\n" + "\n".join(self.lines)


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Callable[[list[str]], End]:
    """Run a command here; no traceback may be shown or logged, and no foreign exception come out."""

    def run(words: list[str], *, stdin: bytes = b"one\ntwo\n") -> End:
        errors = io.StringIO()
        if sys.stdin is not None:
            monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        if sys.stderr is not None:
            monkeypatch.setattr(sys, "stderr", errors)
        with caplog.at_level(logging.WARNING):
            code = cli.main(words)
        logged = [record for record in caplog.records if record.exc_info or record.levelno >= logging.ERROR]
        lines = errors.getvalue().splitlines()
        assert not logged, logged[0].getMessage()
        assert "Traceback" not in errors.getvalue()
        assert len(lines) <= MOST_LINES, errors.getvalue()
        assert errors.getvalue().replace("\n", "").isprintable()
        return End(code, lines)

    return run


def refused(end: End, *names: str) -> None:
    """The command failed, with a last line that names all of this."""
    assert end.code in (cli.EXIT_FAILED, cli.EXIT_USAGE, cli.EXIT_INCOMPLETE), end
    assert all(name in end.lines[-1] for name in names), end


@pytest.mark.parametrize("command", COMMANDS)
def test_all_is_well(command: Call, world: World, call: Any) -> None:
    assert call(command(world)).code == 0


def test_a_dry_run_needs_no_output(world: World, call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(world.root)
    assert call(["prepare", "--dry-run", "--corpora", "[{path: corpus.parquet}]"]).code == 0


STREAMS = ["stdin", "stdout", "stderr"]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("stream", STREAMS)
def test_a_closed_stream(command: Call, stream: str, world: World, call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, stream, None)
    end = call(command(world))
    getattr(sys, stream).close()
    if command is filter_lines and stream != "stderr":
        refused(end, "standard", "closed")
    else:
        assert end.code == 0, end


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("command", COMMANDS)
def test_a_full_disk_behind_standard_output(
    command: Call, world: World, call: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Path("/dev/full").open("w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        end = call(command(world))
    if command is train:
        assert end.code == 0, end
    else:
        refused(end, "standard output", "No space left on device")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_reader_that_has_gone(command: Call, world: World, call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as gone:
        monkeypatch.setattr(sys, "stdout", gone)
        end = call(command(world))
    assert end.code == (0 if command is train else cli.EXIT_BROKEN_PIPE), end
    assert command is train or not end.lines


@pytest.mark.parametrize("command", COMMANDS)
def test_a_terminal_of_ascii(command: Call, world: World, call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(shown, encoding="ascii"))
    moved = world.root.rename(world.root.with_name("wörld"))
    assert call(command(World(moved))).code == 0
    assert shown.getvalue() or command is train


@pytest.mark.parametrize("command", COMMANDS)
def test_no_home(command: Call, world: World, call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(*_: object) -> None:
        raise KeyError("uid not found")

    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.delenv("SEQ2SEQ_CACHE", raising=False)
    monkeypatch.setattr("pwd.getpwuid", nobody)
    end = call(command(world))
    assert end.code == 0 or end.lines, end


INPUTS: list[tuple[Call, str]] = [
    (prepare, "corpus.parquet"),
    (dry_run, "corpus.parquet"),
    (train, "train.yaml"),
    (train, "dataset"),
    (translate, "corpus.parquet"),
    (translate, "model"),
    (filter_lines, "model"),
    (score, "lines.txt"),
    (inspect, "dataset"),
    (verify, "dataset"),
    (inspect_model, "model"),
    (report, "dataset"),
]


@pytest.mark.parametrize(("command", "name"), INPUTS)
def test_something_is_missing(command: Call, name: str, world: World, call: Any) -> None:
    world.changes[name] = str(world.root / "nowhere")
    refused(call(command(world)), "nowhere")


@pytest.mark.parametrize(("command", "name"), INPUTS)
def test_a_folder_stands_where_a_file_should_or_the_other_way(
    command: Call, name: str, world: World, call: Any
) -> None:
    path = world.root / name
    if path.is_dir():
        shutil.rmtree(path)
        path.write_text("a file")
    else:
        path.unlink()
        path.mkdir()
    refused(call(command(world)), name)


@pytest.mark.parametrize(("command", "name"), INPUTS)
def test_a_path_that_is_empty(command: Call, name: str, world: World, call: Any) -> None:
    world.changes[name] = ""
    end = call(command(world))
    assert end.code == cli.EXIT_USAGE
    refused(end, "an empty path (is a variable unset?)")


@pytest.mark.parametrize(("command", "name"), INPUTS)
def test_a_name_that_is_not_utf8(command: Call, name: str, world: World, call: Any) -> None:
    moved = world.root / (NOT_UTF8 + Path(name).suffix)
    (world.root / name).rename(moved)
    world.changes[name] = str(moved)
    end = call(command(world))
    assert end.code == 0 or any("caf\\udce9" in line for line in end.lines), end


@pytest.mark.parametrize("command", [prepare, dry_run, translate, score])
def test_a_name_that_is_not_utf8_behind_a_pattern(command: Call, world: World, call: Any) -> None:
    for name in ("corpus.parquet", "lines.txt"):
        path = world.root / name
        path.rename(world.root / f"{NOT_UTF8}{path.suffix}")
        world.changes[name] = str(world.root / f"caf*{path.suffix}")
    end = call(command(world))
    assert end.code == 0 or any("caf\\udce9" in line for line in end.lines), end


OUTPUTS = [(prepare, "prepared"), (train, "run"), (translate, "translated"), (report, "page.html")]


@contextlib.contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    """Writing beyond it fails as on a full disk, in whatever library it happens."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("size", [0, 700])
@pytest.mark.parametrize(("command", "name"), OUTPUTS)
def test_files_that_cannot_be_written(command: Call, name: str, size: int, world: World, call: Any) -> None:
    with files_no_larger_than(size):
        end = call(command(world))
    refused(end, "File too large", name)


@pytest.mark.parametrize(("command", "name"), OUTPUTS)
def test_a_file_stands_where_the_output_goes(command: Call, name: str, world: World, call: Any) -> None:
    (world.root / "file").write_text("someone's")
    world.changes[name] = str(world.root / "file" / name)
    refused(call(command(world)), "file")
    assert (world.root / "file").read_text() == "someone's"


@pytest.mark.parametrize("command", [prepare, dry_run, translate])
def test_a_damaged_page_of_parquet(command: Call, world: World, call: Any) -> None:
    path = world.root / "corpus.parquet"
    pq.write_table(
        pa.table({s: [f"{s} {i} {i * 7919 % 1000}" for i in range(4000)] for s in ("source", "target")}), path
    )
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 100] = bytes(byte ^ 0x5A for byte in data[middle : middle + 100])
    path.write_bytes(data)
    refused(call(command(world)), "corpus.parquet")


@pytest.mark.parametrize("command", [translate, filter_lines, inspect_model])
@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b"{}", b"\xff\xfe", b"null"])
def test_a_damaged_model(command: Call, damage: bytes, world: World, call: Any) -> None:
    (world.root / "model" / "config.json").write_bytes(damage)
    refused(call(command(world)), "model")


@pytest.mark.parametrize("command", [train, inspect, verify, report])
@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b"{}", b"\xff\xfe", b"null"])
def test_a_damaged_dataset(command: Call, damage: bytes, world: World, call: Any) -> None:
    (world.root / "dataset" / "dataset.json").write_bytes(damage)
    refused(call(command(world)), "dataset")


@pytest.mark.parametrize("command", [prepare, dry_run, train, translate, filter_lines, score, inspect, report])
@pytest.mark.parametrize("text", [b"\x89PNG\r\n\x1a\n\0", b"[" * 500, b"&a [*a]", b"- x", b"a: 1\na: 2", b"1: x"])
def test_a_configuration_that_is_none(command: Call, text: bytes, world: World, call: Any) -> None:
    path = world.root / "odd.yaml"
    path.write_bytes(text)
    words = [word for word in command(world) if not word.endswith("train.yaml") and word != "--config"]
    end = call([*words, "--config", str(path)])
    assert end.code == cli.EXIT_USAGE, end
    refused(end, "odd.yaml")


@pytest.mark.parametrize(
    ("redirection", "code"),
    [("<&-", 1), (">&-", 1), ("2>&-", 0), ("<&- >&- 2>&-", 1), (">/dev/full", 1), ("| true", 0)],
)
def test_the_shell_closes_what_the_filter_needs(redirection: str, code: int, world: World) -> None:
    script = f'printf "one\\n" | "$0" -m pipelines.cli "$@" {redirection}'
    command = ["sh", "-c", script, sys.executable, *filter_lines(world)]
    environment = {**os.environ, "PYTHONPATH": str(Path(cli.__file__).parents[1])}
    run = subprocess.run(command, check=False, capture_output=True, text=True, env=environment, timeout=120)
    assert run.returncode == code, run.stderr
    assert "Traceback" not in run.stderr
    assert "Exception ignored" not in run.stderr
    assert len(run.stderr.splitlines()) <= 1


class SurpriseError(Exception):
    """No error that anyone foresaw."""


@pytest.mark.parametrize("error", [TypeError("3 is no text"), AssertionError(), SurpriseError("x")])
def test_a_mistake_in_the_program_shows_where_it_is(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def break_down(words: list[str], *, is_alone: bool) -> int:
        raise error

    monkeypatch.setattr(cli, "_dispatch", break_down)
    with pytest.raises(type(error)):
        cli.main(["score"])


def test_a_traceback_on_demand(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    world.changes["lines.txt"] = "nowhere.txt"
    monkeypatch.setenv("SEQ2SEQ_TRACEBACK", "1")
    assert cli.main(score(world)) == cli.EXIT_FAILED
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[-1].startswith("seq2seq: nowhere.txt: no such file")


@pytest.mark.parametrize("command", COMMANDS)
def test_an_interrupt_promises_only_what_is_so(command: Call, world: World, call: Any, monkeypatch: Any) -> None:
    def interrupt(words: list[str], *, is_alone: bool) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "_dispatch", interrupt)
    end = call(command(world))
    assert end.code == cli.EXIT_INTERRUPTED
    carries_on = command in (prepare, train, translate, demo)
    assert end.lines == ["seq2seq: interrupted" + carries_on * "; the same command carries on from what is finished"]
