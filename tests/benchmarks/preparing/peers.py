"""A corpus and a folder in, the commands of everything `seq2seq prepare` is compared with out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from preparing.corpus import write_for_peers

from seq2seq_core.tokenizer.proto import read_facts

PACKAGES = ("datasets", "tokenizers", "transformers", "datatrove[io,processing]", "orjson")
_SCRIPTS = Path(__file__).with_name("contenders")
Files = tuple[Path, Path]
Command = Callable[[Files, Path], list[str]]


@dataclass(frozen=True)
class Contender:
    """A name, and the command that turns two files into something below a new folder."""

    name: str
    command: Command


def ours(model: Path, *options: str, report: bool = False) -> Command:
    """`seq2seq prepare` with a given tokenizer, and options of Beam; without the page about the dataset."""

    def command(files: Files, output: Path) -> list[str]:
        paths = ["--source", str(files[0]), "--target", str(files[1]), "--output", str(output / "dataset")]
        words = [sys.executable, "-m", "pipelines.cli", "prepare", *paths, "--tokenizer.model", str(model)]
        words += ["--report", str(report).lower()]
        return [*words, "--", *options] if options else words

    return command


def sentencepiece_alone(model: Path, files: Files, pairs: int) -> list[str]:
    """The command that measures SentencePiece itself."""
    return [sys.executable, str(_SCRIPTS / "sentencepiece_alone.py"), str(model), *map(str, files), str(pairs)]


def engines(model: Path) -> Iterator[Contender]:
    """`seq2seq prepare` on every engine that the environment names."""
    jar, endpoint = os.environ.get("SEQ2SEQ_FLINK_JAR"), os.environ.get("SEQ2SEQ_SPARK_ENDPOINT")
    if jar:
        version, master = os.environ.get("SEQ2SEQ_FLINK_VERSION", "1.19"), os.environ.get("SEQ2SEQ_FLINK_MASTER")
        flags = ["--runner=FlinkRunner", f"--flink_version={version}", f"--flink_job_server_jar={jar}"]
        flags += [f"--flink_master={master}"] if master else []
        kind = "session cluster" if master else "embedded"
        yield Contender(f"on Flink ({kind})", ours(model, *flags, "--environment_type=LOOPBACK", "--parallelism=2"))
    if endpoint:
        flags = ["--runner=PortableRunner", f"--job_endpoint={endpoint}", "--environment_type=LOOPBACK"]
        yield Contender("on Spark", ours(model, *flags))


def rows_in_beam(model: Path) -> Contender:
    """The row-at-a-time pipeline, in two processes."""
    workers = ["--direct_running_mode=multi_processing", "--direct_num_workers=2"]

    def command(files: Files, output: Path) -> list[str]:
        table, _ = _for_peers(files)
        return [sys.executable, str(_SCRIPTS / "rows_in_beam.py"), str(model), str(table), str(output), *workers]

    return Contender("Beam, a row an element, 2 processes", command)


def foreign(python: Path, model: Path) -> Iterator[Contender]:
    """The peers that run in an environment of their own."""
    pieces, tokenizer = model.with_name("pieces.json"), model.with_name("tokenizer.json")
    facts = read_facts(model.read_bytes())
    pieces.write_text(json.dumps([(piece.text, piece.score) for piece in facts.pieces]))
    subprocess.run([python, _SCRIPTS / "write_tokenizer.py", pieces, tokenizer], check=True)

    def script(name: str) -> list[str]:
        return [str(python), str(_SCRIPTS / name), str(tokenizer)]

    yield Contender(
        "datasets.map, 2 processes",
        lambda files, output: [*script("datasets_map.py"), *map(str, files), str(output)],
    )
    yield Contender(
        "datatrove, 2 processes",
        lambda files, output: [*script("datatrove_tokens.py"), str(_for_peers(files)[1]), str(output)],
    )


def make_environment(folder: Path) -> Path:
    """A new virtual environment with the peers in it; its interpreter."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", *PACKAGES], check=True)
    return python


def _for_peers(files: Files) -> tuple[Path, Path]:
    """The pairs in the formats that peers read, written at the first call."""
    folder = files[0].with_suffix(".peers")
    if folder.exists():
        return folder / "pairs.tsv", folder / "documents"
    folder.mkdir()
    return write_for_peers(files, folder)
