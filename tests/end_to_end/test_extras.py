"""What each extra is for works where it alone is installed, and a command that lacks one says which.

The checks run twice: here in this environment, where the packages of other extras are not to be found, and with
`make test-extras` in environments that pip makes from the wheel.
"""

from __future__ import annotations

import gzip
import json
import os
import shlex
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from seq2seq_core import config as configuration
from seq2seq_core.training.config import TrainConfig
from tests.extras import REPOSITORY, Installation, as_if
from tests.model_folders import write_model_folder

VOCABULARY = "a the small old red green dog cat man woman runs sleeps jumps reads in on under near park street"
WORDS = VOCABULARY.split()
PIP = ("-m", "pip", "--disable-pip-version-check", "--quiet")


def write_corpus(folder: Path) -> list[str]:
    """400 pairs, and a configuration that reads them; the words of `prepare` that name it."""
    for side, order in (("en", 1), ("de", -1)):
        rows = (" ".join((WORDS[i % 20], WORDS[i % 7], WORDS[i % 13], str(i))[::order]) for i in range(400))
        (folder / f"corpus.{side}").write_text("".join(f"{row}.\n" for row in rows))
    corpus = {"source": str(folder / "corpus.en"), "target": str(folder / "corpus.de")}
    languages = {"source_language": "en", "target_language": "de"}
    settings = {"corpora": [corpus | languages], "shards": 2, "validation": {"share": 0.05}}
    settings |= {"tokenizer": {"vocabulary_size": 300}}
    (folder / "prepare.yaml").write_text(json.dumps(settings))
    return ["--config", str(folder / "prepare.yaml")]


def check_preparing(machine: Installation, folder: Path) -> None:
    """It prepares, tries rules, looks at datasets, and translates with an engine that needs no model."""
    sources, dataset = write_corpus(folder), str(folder / "dataset")
    documents = folder / "documents.jsonl.gz"
    documents.write_bytes(gzip.compress(b'{"text": "a small dog"}\n' * 3))
    found = machine.run(
        ["prepare", *sources, "--output", dataset],
        ["inspect", dataset, "--verify"],
        ["prepare", *sources, "--filters.language", "true", "--dry-run"],
        ["report", "--dataset", dataset, "--output", str(folder / "page.html")],
    )
    assert found.codes == [0, 0, 0, 0], found.errors
    assert (folder / "dataset" / "report.html").exists()
    assert "rows kept of 400" in found.output
    (tokenizer,) = (folder / "dataset").rglob("joint.model")
    write_model_folder(folder / "model", tokenizer.read_bytes())
    translate = ["translate", "--model", str(folder / "model"), "--input", str(documents), "--output"]
    found = machine.run(
        [*translate, str(folder / "out"), "--engine.kind", "echo"],
        ["inspect", str(folder / "out"), "--verify"],
        ["inspect", str(folder / "model"), "--verify"],
        ["train", "--dataset", dataset, "--output", str(folder / "run")],
        [*translate, str(folder / "other")],
    )
    assert found.codes == [0, 0, 0, 2, 2], found.errors
    told = [line for line in found.errors.splitlines() if "is not installed" in line]
    assert len(told) == 2
    assert told[0].endswith("a package is not installed; found no module torch. pip install 'seq2seq[train]'")
    assert told[1].endswith("a package is not installed; found no module torch. pip install 'seq2seq[torch]'")


def check_training(machine: Installation, folder: Path, training: dict[str, Any]) -> None:
    """It trains, looks at runs and models, scores, and translates the lines of standard input."""
    config, run, lines = folder / "train.yaml", folder / "run", folder / "lines.txt"
    values = training | {"output": str(run), "limits": {"max_steps": 3}}
    config.write_text(configuration.to_yaml(configuration.build(TrainConfig, values)))
    lines.write_text("one two\n")
    found = machine.run(
        ["train", "--config", str(config)],
        ["inspect", str(run), "--verify"],
        ["inspect", str(run / "best")],
        ["score", "--hypotheses", str(lines), "--references", str(lines)],
        ["translate", "-", "--model", str(run / "best"), "--search.beam", "1", "--engine.device", "cpu"],
        ["prepare", *write_corpus(folder), "--output", str(folder / "dataset")],
        ["report", "--dataset", values["dataset"], "--output", str(folder / "page.html")],
        standard_input="one two\nthree\n",
    )
    assert found.codes == [0, 0, 0, 0, 0, 2, 2], found.errors
    told = [line for line in found.errors.splitlines() if "is not installed" in line]
    assert len(told) == 2
    assert told[0].endswith("found no module apache_beam. pip install 'seq2seq[prepare]'")
    assert told[1].endswith("pip install 'seq2seq[report]'")


def check_base(machine: Installation, folder: Path, dataset: str) -> None:
    """It looks at what others made; whatever else is asked for, it says in one line what to install."""
    lines = folder / "lines.txt"
    lines.write_text("one two\n")
    model = folder / "model"
    write_model_folder(model, Path(dataset, "tokenizer", "joint.model").read_bytes())
    asked = {
        "prepare": [*write_corpus(folder), "--output", str(folder / "out")],
        "train": ["--help"],
        "translate": ["--model", str(model), "--input", str(lines), "--output", str(folder / "out")],
        "score": ["--hypotheses", str(lines), "--references", str(lines)],
        "report": ["--dataset", dataset, "--output", str(folder / "page.html")],
        "demo": ["--output", str(folder / "demo")],
        "demo-speech": ["--output", str(folder / "demo-speech")],
    }
    found = machine.run(["inspect", dataset, "--verify"], *([name, *words] for name, words in asked.items()))
    assert found.codes == [0] + [2] * len(asked), found.errors
    told = found.errors.strip().splitlines()
    assert [line.rpartition("; found no module ")[0] for line in told] == ["seq2seq: a package is not installed"] * len(
        asked
    )
    assert [line.rpartition(". ")[2] for line in told] == [f"pip install 'seq2seq[{name}]'" for name in asked]


def test_a_machine_that_prepares_needs_no_torch(tmp_path: Path) -> None:
    check_preparing(as_if("prepare"), tmp_path)


def test_a_machine_that_trains_needs_no_beam(tmp_path: Path, tiny_training: dict[str, Any]) -> None:
    check_training(as_if("train"), tmp_path, tiny_training)


def test_a_machine_without_any_extra_says_what_it_lacks(tmp_path: Path, tiny_dataset: str) -> None:
    check_base(as_if(None), tmp_path, tiny_dataset)


def test_several_processes_say_once_what_they_lack(tmp_path: Path, tiny_training: dict[str, Any]) -> None:
    found = as_if("prepare").run(["train", "--dataset", tiny_training["dataset"], "--output", "o", "--processes", "2"])
    assert found.codes == [2]
    assert found.errors.count("pip install 'seq2seq[train]'") == 1


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built of a copy: what an earlier build has left beside the sources gets into no wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in ("pipelines", "seq2seq_core"):
        shutil.copytree(REPOSITORY / name, folder / "copy" / name)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, folder / "copy")
    subprocess.run([sys.executable, *PIP, "wheel", "--no-deps", "--wheel-dir", folder, folder / "copy"], check=True)
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture
def install(wheel: Path, tmp_path: Path) -> Callable[[str], Installation]:
    """An environment with the wheel and one extra, in the versions of `constraints.txt`; its size is told."""

    def made(extra: str) -> Installation:
        python = tmp_path / "environment" / "bin" / "python"
        venv.create(tmp_path / "environment", with_pip=True)
        target = f"{wheel}[{extra}]" if extra else str(wheel)
        options = shlex.split(os.environ.get("SEQ2SEQ_PIP_OPTIONS", f"--constraint {REPOSITORY / 'constraints.txt'}"))
        subprocess.run([python, *PIP, "install", *options, target], check=True)
        size = sum(file.lstat().st_size for file in (tmp_path / "environment").rglob("*") if file.is_file())
        print(f"\n[{extra or 'no extra'}] {size / 1e6:,.0f} MB")
        return Installation(str(python), {"PYTHONPATH": ""})

    return made


@pytest.mark.extras
@pytest.mark.timeout(1800)
def test_a_real_machine_that_prepares(install: Callable[[str], Installation], tmp_path: Path) -> None:
    check_preparing(install("prepare"), tmp_path)


@pytest.mark.extras
@pytest.mark.timeout(1800)
def test_a_real_machine_that_trains(
    install: Callable[[str], Installation], tmp_path: Path, tiny_training: dict[str, Any]
) -> None:
    check_training(install("train"), tmp_path, tiny_training)


@pytest.mark.extras
@pytest.mark.timeout(1800)
def test_a_real_machine_without_any_extra(
    install: Callable[[str], Installation], tmp_path: Path, tiny_dataset: str
) -> None:
    check_base(install(""), tmp_path, tiny_dataset)
