"""`prepare` and `translate` on real engines: the same bytes as on the local runner.

SEQ2SEQ_PRISM names the Prism binary, SEQ2SEQ_FLINK_JAR the jar of Beam's Flink job server (SEQ2SEQ_FLINK_VERSION its
Flink, 1.19 by default). Both are what Beam itself downloads for these runners.
"""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.engines, pytest.mark.timeout(600)]

PREPARE = "--shards=3 --unit_rows=2000 --tokenizer.vocabulary_size=600 --validation.share=0.05 --test.share=0.02"
TRANSLATE = "--engine.kind=echo --unit_records=150"


def prism() -> list[str]:
    binary = os.environ.get("SEQ2SEQ_PRISM")
    if not binary:
        pytest.skip("no Prism: set SEQ2SEQ_PRISM to its binary")
    return ["--runner=PrismRunner", f"--prism_location={binary}"]


def flink() -> list[str]:
    jar = os.environ.get("SEQ2SEQ_FLINK_JAR")
    if not jar:
        pytest.skip("no Flink: set SEQ2SEQ_FLINK_JAR to the jar of Beam's Flink job server")
    version = os.environ.get("SEQ2SEQ_FLINK_VERSION", "1.19")
    return [
        "--runner=FlinkRunner",
        f"--flink_version={version}",
        f"--flink_job_server_jar={jar}",
        "--environment_type=LOOPBACK",
        "--parallelism=2",
    ]


ENGINES = {"prism": prism, "flink": flink}


def seq2seq(*words: str) -> None:
    """The command line, as a user runs it."""
    done = subprocess.run([sys.executable, "-m", "pipelines.cli", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


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


def prepare(corpus: Path, output: Path, engine: list[str]) -> dict[str, bytes]:
    paths = ["--source", str(corpus / "train.en"), "--target", str(corpus / "train.de"), "--output", str(output)]
    seq2seq("prepare", *paths, *PREPARE.split(), "--", *engine)
    return tree(output)


def translate(model: str, corpus: Path, output: Path, engine: list[str]) -> dict[str, bytes]:
    (corpus / "documents.txt").write_bytes(b"\n".join((corpus / "train.en").read_bytes().split(b"\n")[100:700]))
    words = ["--model", model, "--input", str(corpus / "documents.txt"), "--output", str(output)]
    seq2seq("translate", *words, *TRANSLATE.split(), "--", *engine)
    return tree(output)


@pytest.fixture(scope="module")
def prepared(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return prepare(corpus, tmp_path_factory.mktemp("prepared"), [])


@pytest.fixture(scope="module")
def translated(corpus: Path, echo_model: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return translate(echo_model, corpus, tmp_path_factory.mktemp("translated"), [])


@pytest.mark.parametrize("engine", ENGINES)
def test_prepare_gives_the_same_bytes(engine: str, corpus: Path, prepared: dict[str, bytes], tmp_path: Path) -> None:
    options = ENGINES[engine]()
    assert len([name for name in prepared if name.startswith("train/")]) == 3
    assert prepare(corpus, tmp_path / "out", options) == prepared


@pytest.mark.parametrize("engine", ENGINES)
def test_translate_gives_the_same_bytes(
    engine: str, corpus: Path, echo_model: str, translated: dict[str, bytes], tmp_path: Path
) -> None:
    options = ENGINES[engine]()
    assert len([name for name in translated if name.startswith("documents-")]) == 4
    assert translate(echo_model, corpus, tmp_path / "out", options) == translated
