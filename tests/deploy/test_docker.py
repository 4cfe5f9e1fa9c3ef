"""The Dockerfiles: linted, pinned as the project is, and their install steps done without Docker."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.deploy.dockerfile import Stage, filled_in, read_dockerfile
from tests.deploy.validators import DEPLOY, ROOT, output_of, program
from tests.extras import packages_of

FILES = tuple(sorted((DEPLOY / "docker").glob("*.Dockerfile")))
TRAINER, BEAM = (DEPLOY / "docker" / f"{name}.Dockerfile" for name in ("trainer", "beam"))
PAGE = (DEPLOY / "docker" / "README.md").read_text()

every_file = pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)


@every_file
def test_hadolint_finds_nothing(file: Path) -> None:
    assert output_of(program("hadolint"), str(file)) == ""


def test_what_hadolint_would_find(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM python:latest\nRUN pip install seq2seq\n")
    assert "DL3007" in output_of(program("hadolint"), str(tmp_path / "Dockerfile"), code=1)


def extras(stage: Stage, given: str | None = None) -> set[str]:
    """The packages that the extras of an image bring."""
    names = (given or stage.arguments()["EXTRAS"]).split(",")
    return set().union(*map(packages_of, names))


def build(file: Path) -> Stage:
    (stage,) = (each for each in read_dockerfile(file)[0] if each.name == "build")
    return stage


def test_the_trainer_has_no_beam_and_the_workers_no_torch() -> None:
    assert "torch" in extras(build(TRAINER))
    assert "apache-beam" not in extras(build(TRAINER))
    assert "apache-beam" in extras(build(BEAM))
    assert not {"torch", "silero-vad"} & extras(build(BEAM))  # the one brings the other


def test_images_that_infer_are_built_as_the_page_says() -> None:
    given = re.findall(r"--build-arg EXTRAS=([a-z0-9,-]+)", PAGE)
    with_torch, without = (extras(build(BEAM), names) for names in given)
    assert {"apache-beam", "torch", "soundfile"} <= with_torch
    assert "ctranslate2" in without
    assert "torch" not in without


@every_file
def test_versions_are_those_of_the_project(file: Path) -> None:
    _, arguments = read_dockerfile(file)
    python = re.fullmatch(r"python:(3\.\d+)\.\d+-slim-\w+", arguments["PYTHON_IMAGE"])
    assert python is not None
    assert "--constraint constraints.txt" in " ".join(build(file).all("RUN"))
    if file == BEAM:
        pinned = re.search(r"^apache-beam==(.+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
        assert pinned is not None
        assert arguments["BEAM_IMAGE"] == f"apache/beam_python{python[1]}_sdk:{pinned[1]}"
        assert f"/python{python[1].replace('.', '')}-template-launcher-base:" in arguments["LAUNCHER_IMAGE"]
    assert "@sha256" not in file.read_text(), "no registry could be asked for a digest"


@every_file
def test_what_is_built_by_default_is_nobody_in_particular(file: Path) -> None:
    stages, _ = read_dockerfile(file)
    by_name = {stage.name: stage for stage in stages}
    last = stages[-1]
    users: list[str] = []
    while not users:
        users, last = last.all("USER"), by_name.get(last.base, last)
    assert users[-1] == "10001"


@every_file
def test_what_is_copied_is_there_and_let_through(file: Path) -> None:
    let_through = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    stages, _ = read_dockerfile(file)
    copied = [source for stage in stages for source in stage.copies()]
    assert copied
    for source in copied:
        assert (ROOT / source).exists(), source
        assert source in let_through, source


def test_targets_that_the_pages_name_are_there() -> None:
    names = {stage.name for stage in read_dockerfile(BEAM)[0]}
    for page in (PAGE, (DEPLOY / "dataflow" / "README.md").read_text()):
        assert set(re.findall(r"--target (\w+)", page)) <= names


def install(file: Path, folder: Path) -> Path:
    """Do what the stage `build` does, in a folder; the `bin` of its environment."""
    stage = build(file)
    source, environment = folder / "source", folder / "environment"
    source.mkdir()
    for name in stage.copies():
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, source / name)
    options = shlex.split(os.environ.get("SEQ2SEQ_PIP_OPTIONS", ""))
    for line in stage.all("RUN"):
        command = filled_in(line, stage.arguments()).replace("/opt/seq2seq", str(environment))
        command = command.replace("python -m venv", f"{sys.executable} -m venv", 1)
        command = command.replace("pip install", shlex.join(["pip", "install", "--quiet", *options]), 1)
        subprocess.run(["sh", "-c", command], cwd=source, check=True, env=os.environ | {"PYTHONPATH": ""})
    return environment / "bin"


def said(bin_: Path, *words: str, code: int = 0) -> str:
    environment = {"PATH": f"{bin_}:/usr/bin:/bin", "HOME": str(bin_)}
    done = subprocess.run(
        [str(bin_ / words[0]), *words[1:]], env=environment, check=False, capture_output=True, text=True, timeout=280
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_the_trainer_installs_and_starts(tmp_path: Path) -> None:
    bin_ = install(TRAINER, tmp_path)
    last = read_dockerfile(TRAINER)[0][-1]
    assert "--dataset" in said(bin_, *last.words("ENTRYPOINT"), *last.words("CMD"))
    assert "rendezvous" in said(bin_, "torchrun", "--help")
    assert "No module named 'apache_beam'" in said(bin_, "python", "-c", "import apache_beam", code=1)
    assert "accept" in said(bin_, "seq2seq", "--help")


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_the_workers_install_and_start(tmp_path: Path) -> None:
    bin_ = install(BEAM, tmp_path)
    assert "No module named 'torch'" in said(bin_, "python", "-c", "import torch", code=1)
    for name in ("a.en", "a.de"):
        (tmp_path / name).write_text("a dog\nthe cat\n" * 5)
    assert "--source" in said(bin_, "seq2seq", "prepare", "--help")
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    environment = {"PATH": f"{bin_}:/usr/bin:/bin"}
    pool = [str(bin_ / "python"), "-m", "apache_beam.runners.worker.worker_pool_main", f"--service_port={port}"]
    with subprocess.Popen(pool, env=environment) as running:
        try:
            assert _answers(port)
        finally:
            running.terminate()
    (launch,) = (source for stage in read_dockerfile(BEAM)[0] if stage.name == "dataflow" for source in stage.copies())
    given = ["--command=prepare", "--source=a.en", "--target=a.de", "--output=out", "--runner=DataflowRunner"]
    given += ["--project=my-project", "--region=europe-west4", "--temp_location=gs://my-bucket/t"]
    given += ["--staging_location=gs://my-bucket/s", "--dry_run=True", "--no_auth"]
    done = subprocess.run(
        [str(bin_ / "python"), str(ROOT / launch), *given],
        cwd=tmp_path,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert "described to Dataflow" in done.stdout, done.stderr


def _answers(port: int, seconds: float = 60) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with socket.socket() as asking:
            if asking.connect_ex(("localhost", port)) == 0:
                return True
        time.sleep(0.2)
    return False
