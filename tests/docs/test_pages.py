"""What the pages say of other pages, files, tests, keys and variables is so."""

from __future__ import annotations

import functools
import re
from pathlib import Path

import pytest

from seq2seq_core.config import keys
from seq2seq_core.documents.fields import EXTRAS
from seq2seq_core.options import find_key
from tests.docs.calls import KEYS, check_extras
from tests.docs.pages import ROOT, Page, read_page, read_pages
from tests.docs.shell import Called

PAGES = read_pages()
LONGEST_README, LONGEST_PAGE = 170, 200
CODE = ("pipelines", "seq2seq_core")
DEPLOY = ROOT / "deploy"
_PATH = re.compile(r"(?:tests|docs|deploy|pipelines|seq2seq_core)/[\w./*-]*|[a-z0-9_/]+/[a-z0-9_]+\.py")
_ROOM = re.compile(r"(?:[a-z0-9_]+/)+|(?:[a-z0-9_]+/)*[a-z0-9_]+\.py")
_VARIABLE = re.compile(r"SEQ2SEQ_[A-Z0-9_]+")
_TEST = re.compile(r"^ *def (test_\w+)\(", re.MULTILINE)
_NAME = re.compile(r"\b[a-z]+(?:_[a-z0-9]+)+\b")
_OPTION = re.compile(r"--([a-z][\w.-]*)")
_OF_OTHERS = frozenset(
    {
        # of seq2seq itself, before there are keys
        *("config", "processes", "find_batch", "dry_run", "sample", "strict", "help"),
        *("key", "log-format", "metrics-port"),
        # of Beam, torchrun, zstd and a Spark job server
        *(
            "direct_",
            "direct_num_workers",
            "direct_running_mode",
            "runner",
            "flink_master",
            "parallelism",
            "environment_type",
        ),
        *("environment_config", "job_endpoint", "long", "job_port", "artifact_port", "expansion_port"),
        *("checkpointing_interval", "max_bundle_time_mills", "add_opens"),
        *("number_of_execution_retries", "execution_retry_delay"),
        *("environment_cache_millis", "use_data_stream_for_batch", "sdk_worker_parallelism"),
        *("max_restarts", "nnodes", "rdzv_endpoint"),
        "spark_master_url",
        "model_accelerator",  # of ours, among those of Beam
    }
)

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


@every_page
def test_links_lead_to_pages_and_headings(page: Page) -> None:
    for link in page.links:
        if "://" in link:
            continue
        name, _, heading = link.partition("#")
        target = (page.path.parent / name).resolve() if name else page.path
        assert target.exists(), f"{page.name}: {link}"
        assert not heading or heading in read_page(target).anchors, f"{page.name}: {link}"


def test_a_page_is_read_as_it_is_shown(tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text(
        "# A `b`, c?\n\n## Again\n\n[x](y.md#z)\n\n## Again\n\n<!-- run -->\n```sh\nmake\n```\n\n"
        "```sh\nmake\n```\n\n| a | b |\n|---|---|\n| `1` | 2 |\n"
    )
    page = read_page(path)
    assert page.links == ("y.md#z",)
    assert page.anchors == {"a-b-c", "again", "again-1"}
    assert [(block.language, block.text, block.mark, block.section) for block in page.blocks] == [
        ("sh", "make\n", "run", "Again"),
        ("sh", "make\n", "", "Again"),
    ]
    assert [table.rows for table in page.tables] == [(("a", "b"), ("1", "2"))]
    assert page.code == ("b", "1")


def test_every_page_is_reached_from_the_first() -> None:
    reached, new = set(), {ROOT / "README.md"}
    while new:
        reached |= new
        links = [(path.parent / link.partition("#")[0]).resolve() for path in new for link in read_page(path).links]
        links = [path for path in links if DEPLOY not in path.parents]  # tests/deploy looks at those
        new = {path for path in links if path.suffix == ".md" and path.is_file()} - reached
    assert {page.path for page in PAGES} == reached


@every_page
def test_paths_lead_to_files(page: Page) -> None:
    pattern = _ROOM if page.name in ("docs/architecture.md",) else _PATH
    for word in filter(pattern.fullmatch, page.code):
        roots = (ROOT, *(ROOT / name for name in (*CODE, "seq2seq_core/preparation", "tests")))
        assert any(next(root.glob(word.rstrip("/")), None) for root in roots), f"{page.name}: {word}"


@every_page
def test_tests_that_are_named_are_there(page: Page) -> None:
    named = {word for word in page.code if word.startswith("test_") and "." not in word}
    assert named - _tests() <= {"test_2016_flickr"}, page.name  # whose name is that of a file of Multi30k


@every_page
def test_options_that_are_named_are_keys(page: Page) -> None:
    ours = {key.name: key for kind in KEYS.values() for key in keys(kind)}
    known = {*ours} | _OF_OTHERS
    for name in (match for word in page.code for match in _OPTION.findall(word)):
        plain = name.replace("-", "_")
        is_group = any(key.startswith(f"{plain}.") for key in known)
        assert plain in known or is_group or find_key(plain, ours), f"{page.name}: --{name}"


@every_page
def test_names_of_several_words_stand_in_the_code(page: Page) -> None:
    """Keys, rules, reasons and fields: what a page calls by a name has it."""
    named = {name for word in page.code for name in _NAME.findall(word) if not name.startswith("test_")}
    assert named <= _words() | {f"translation_{extra}" for extra in EXTRAS}, page.name


@every_page
def test_variables_that_are_named_are_read(page: Page) -> None:
    assert set(_VARIABLE.findall(page.path.read_text("utf-8"))) <= _variables(), page.name


@every_page
def test_extras_that_are_named_can_be_installed(page: Page) -> None:
    check_extras(Called("pip", tuple(page.path.read_text("utf-8").split())))


@every_page
def test_pages_are_short(page: Page) -> None:
    longest = LONGEST_README if page.name == "README.md" else LONGEST_PAGE
    assert page.name == "docs/configuration.md" or len(page.path.read_text("utf-8").splitlines()) <= longest


@pytest.mark.parametrize("path", sorted((ROOT / "docs").glob("benchmarks*.md")), ids=lambda path: path.stem)
def test_a_figure_stands_beside_the_command_that_gave_it(path: Path) -> None:
    page = read_page(path)
    for section in {table.section for table in page.tables}:
        assert any(block.section == section and block.language == "sh" for block in page.blocks), section


@functools.cache
def _tests() -> frozenset[str]:
    """The names of all tests."""
    return frozenset(_TEST.findall("".join(_sources("tests"))))


@functools.cache
def _variables() -> frozenset[str]:
    """The variables of the environment that the code or a test names."""
    return frozenset(_VARIABLE.findall("".join(_sources(*CODE, "tests"))))


@functools.cache
def _words() -> frozenset[str]:
    """All names of several words in the code, those of its files among them."""
    return frozenset(_NAME.findall("".join(_sources(*CODE, "tests"))))


def _sources(*folders: str) -> list[str]:
    return [file.read_text("utf-8") for name in folders for file in sorted((ROOT / name).rglob("*.py"))]
