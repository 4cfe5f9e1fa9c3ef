"""The blocks that pages mark with `<!-- run -->` are run, one after the other, in a folder with small files.

What is marked with `<!-- file -->` is written there, under the name in its first line.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.docs import small
from tests.docs.pages import ROOT, read_page

FIRST = "README.md"
NEEDS = {
    "docs/prepare.md": (),
    "docs/rules.md": (),
    "docs/growing.md": (),
    "docs/follow.md": (),
    "docs/train.md": ("data",),
    "docs/translate.md": ("data", "runs"),
    "docs/documents.md": ("data", "runs"),
    "docs/memory.md": ("data", "runs"),
    "docs/quality.md": ("data", "runs"),
    "docs/models.md": ("data", "runs"),
    "docs/decoding.md": ("data", "runs"),
    "docs/transcribe.md": ("data", "runs"),
    "docs/commands.md": ("data", "runs", "out"),
    "docs/operate.md": ("data", "runs"),
}
"""Pages with such blocks, and what of the first page's results they go on with."""

SECONDS = 600

pytestmark = pytest.mark.timeout(3600)  # several commands, on a machine that may be busy


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """The folder in which the blocks of README have been run, and what each has printed."""
    folder = tmp_path_factory.mktemp("first")
    small.make_files(folder)
    return folder, [_run(text, folder) for text in _marked(FIRST)]


@pytest.mark.slow
def test_the_first_page_does_what_it_shows(ran: tuple[Path, list[str]]) -> None:
    folder, printed = ran
    assert len(printed) == 4
    assert (folder / "first" / "report.html").is_file()
    assert (folder / "report.html").is_file()
    assert "the ledger adds up" in printed[1]
    for name in ("test.en-00000-of-00001.txt", "a-00000-of-00001.jsonl"):
        assert (folder / "out" / name).is_file()
    assert (folder / "transcripts" / "transcripts-00000-of-00001.jsonl").is_file()
    assert "wer|norm:standard" in printed[3]


@pytest.mark.slow
def test_the_output_that_the_first_page_shows_is_printed(ran: tuple[Path, list[str]]) -> None:
    """What does not depend on chance and machine: the stages and the results."""
    shown = next(
        block.text for block in read_page(ROOT / FIRST).blocks if block.language == "text" and "[1 of" in block.text
    )
    lines = [line for line in shown.splitlines() if line.startswith(("[", "  first/"))]
    assert len(lines) > 5
    assert all(line in ran[1][0] for line in lines)


@pytest.mark.slow
@pytest.mark.parametrize("page", NEEDS)
def test_the_other_pages_do_what_they_show(page: str, ran: tuple[Path, list[str]], tmp_path: Path) -> None:
    small.make_files(tmp_path)
    for name in NEEDS[page]:
        shutil.copytree(ran[0] / name, tmp_path / name)
    for block in read_page(ROOT / page).blocks:
        if block.mark == "file":
            (tmp_path / block.text.split()[1]).write_text(block.text, "utf-8")
        elif block.mark == "run":
            _run(block.text, tmp_path)


def test_every_page_with_such_blocks_is_run() -> None:
    pages = [str(path.relative_to(ROOT)) for path in (ROOT / "docs").glob("*.md")]
    assert {page for page in pages if _marked(page)} == set(NEEDS)


def _marked(page: str) -> list[str]:
    return [block.text for block in read_page(ROOT / page).blocks if block.mark == "run"]


def _run(text: str, folder: Path) -> str:
    """What a block prints; fails with all of it when one of its commands does."""
    scripts = folder / ".bin"
    scripts.mkdir(exist_ok=True)
    variables = small.environment(small.make_script(scripts), folder / ".cache")
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", text],
        cwd=folder,
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"{text}\n{done.stdout}"
    return done.stdout
