"""What the pages below deploy/ show: commands of ours are taken, and what those of others name is there."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest
import yaml

from tests.deploy.dockerfile import read_dockerfile
from tests.deploy.validators import DEPLOY, ROOT
from tests.docs.calls import check, check_extras, needed
from tests.docs.pages import Block, Page, read_page
from tests.docs.shell import Called, commands_of

PAGES = [read_page(path) for path in sorted(DEPLOY.rglob("README.md"))]
SHELL = [block for page in PAGES for block in page.blocks]
OF_OTHERS = {"systemctl", "journalctl", "gcloud", "python3", "/opt/airflow/bin/pip", "/opt/airflow/bin/airflow", "cp"}
LONGEST_PAGE = 120

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def test_every_folder_has_a_page() -> None:
    folders = {path.name for path in DEPLOY.iterdir() if path.is_dir()}
    with_page = {page.path.parent.name for page in PAGES} - {"deploy"}
    top = read_page(DEPLOY / "README.md")
    assert folders - {"config"} <= with_page
    assert all(f"deploy/{name}" in top.code for name in folders)


def test_every_page_is_reached_from_the_first() -> None:
    top = read_page(DEPLOY / "README.md")
    assert "deploy/README.md" in read_page(ROOT / "README.md").links
    linked = {(DEPLOY / link.partition("#")[0]).resolve() for link in top.links}
    assert {page.path for page in PAGES} - {top.path} <= linked


@every_page
def test_links_lead_somewhere(page: Page) -> None:
    for link in page.links:
        name, _, heading = link.partition("#")
        target = (page.path.parent / name).resolve()
        assert target.exists(), link
        assert not heading or heading in read_page(target).anchors, link


@every_page
def test_pages_are_short_and_name_extras_that_are_there(page: Page) -> None:
    text = page.path.read_text()
    assert len(text.splitlines()) <= LONGEST_PAGE
    check_extras(Called("pip", tuple(text.split())))


@pytest.mark.parametrize("block", SHELL, ids=lambda block: block.where)
def test_commands_are_taken(block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert block.language == "sh"
    for name in ("prepare", "train", "translate"):
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(needed(name, {})))
    monkeypatch.chdir(tmp_path)
    called = commands_of(block.text)
    assert called
    for command in called:
        _check(command, monkeypatch)


def _check(called: Called, patch: pytest.MonkeyPatch) -> None:
    if called.program == "sudo":
        called = Called(called.words[0], called.words[1:])
    if called.program == "docker":
        _check_docker(called.words, patch)
    elif called.program == "install":
        assert all((ROOT / word).is_file() for word in called.words if word.startswith("deploy/"))
    elif called.program == "kubectl":
        assert all(
            (ROOT / word / "kustomization.yaml").is_file() for word in called.words if word.startswith("deploy/")
        )
    elif called.program.startswith("deploy/"):
        assert (ROOT / called.program).stat().st_mode & 0o111
    elif called.program in OF_OTHERS:
        assert all((ROOT / word).exists() for word in called.words if word.startswith("deploy/"))
    else:
        check(called, patch)


def _check_docker(words: tuple[str, ...], patch: pytest.MonkeyPatch) -> None:
    if words[0] == "build":
        stages, arguments = read_dockerfile(ROOT / words[words.index("-f") + 1])
        known = set(arguments).union(*(stage.arguments() for stage in stages))
        given = {after.partition("=")[0] for word, after in itertools.pairwise(words) if word == "--build-arg"}
        assert given <= known, given
        if "--target" in words:
            assert words[words.index("--target") + 1] in {stage.name for stage in stages}
    elif words[0] == "run":
        (place,) = (place for place, word in enumerate(words) if re.fullmatch(r"seq2seq-\w+:[\w.-]+", word))
        check(Called("seq2seq", words[place + 1 :]), patch)
    else:
        assert words[0] == "push"
