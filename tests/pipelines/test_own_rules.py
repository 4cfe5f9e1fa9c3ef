"""A rule of the user's from his configuration to the ledger, and the folders that name one and are only looked at."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from pipelines.cli import main
from seq2seq_core.dataset.manifest import load_manifest
from seq2seq_core.text.rules import own

MODULE = "rules_of_a_user"
CODE = """
def shouting(text):
    return sum(map(str.isupper, text)) / len(text)

def about(text, topic):
    return f"about {topic}" if topic in text else None
"""
SETTINGS: dict[str, Any] = {
    "tokenizer": {"vocabulary_size": 300, "type": "bpe"},
    "filters": {"own": [{"rule": f"{MODULE}.shouting", "maximum": 0.5}]},
    "shards": 2,
    "report": False,
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with a corpus and a module of rules, in which commands are run."""
    (tmp_path / f"{MODULE}.py").write_text(CODE)
    for name in ("a", "b"):
        rows = [(f"{name} dog number {i} runs", f"Hund {name} {i} l\u00e4uft") for i in range(40)]
        rows += [("A LOUD DOG", "ein lauter Hund"), ("a cat", "DIE KATZE"), ("", "leer")]
        for suffix, side in (("en", 0), ("de", 1)):
            (tmp_path / f"{name}.{suffix}").write_text("".join(f"{row[side]}\n" for row in rows))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield tmp_path
    forget()


def forget() -> None:
    """As if this were another process."""
    sys.modules.pop(MODULE, None)
    own._function.cache_clear()


def prepare(folder: Path, *words: str, **more: Any) -> int:
    corpora = more.pop("corpora", [pair("a")])
    config = folder / "prepare.yaml"
    config.write_text(json.dumps(SETTINGS | {"corpora": corpora, "output": "out"} | more))
    return main(["prepare", "--config", str(config), *words])


def pair(name: str) -> dict[str, Any]:
    return {"source": f"{name}.en", "target": f"{name}.de"}


def rejected(folder: Path) -> list[tuple[str, int, str, str, str]]:
    tables = [pq.read_table(path).to_pylist() for path in sorted((folder / "out" / "rejected").rglob("*.parquet"))]
    columns = ("origin", "line", "rule", "value", "threshold")
    return sorted(tuple(row[name] for name in columns) for table in tables for row in table)


def test_it_counts_in_the_ledger_and_says_why_on_disk(folder: Path) -> None:
    cats = {"own": [{"rule": f"{MODULE}.about", "name": "off-topic", "options": {"topic": "cat"}}]}
    assert prepare(folder, corpora=[pair("a"), pair("b") | {"filters": cats}]) == 0
    ledger = load_manifest("out").ledger
    assert (ledger.rejected, ledger.balance) == ({"empty": 2, "shouting": 2, "off-topic": 1}, 0)
    assert rejected(folder) == [
        ("a.en", 41, "shouting", "source 0.8, target 0.067", "at most 0.5"),
        ("a.en", 42, "shouting", "source 0, target 0.889", "at most 0.5"),
        ("a.en", 43, "empty", "source empty, target text", "text on both sides"),
        ("b.en", 42, "off-topic", "source about cat, target none", f"no reason given by {MODULE}.about"),
        ("b.en", 43, "empty", "source empty, target text", "text on both sides"),
    ]
    configured = load_manifest("out").configuration["filters"]["own"][0]
    assert (configured["rule"], configured["maximum"]) == (f"{MODULE}.shouting", 0.5)


def test_it_is_tried_in_a_dry_run(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert prepare(folder, "--dry-run") == 0
    told = capsys.readouterr().out
    assert "shouting: 2 rows (4.65%); what passes: at most 0.5" in told
    assert not (folder / "out").exists()


def test_other_code_is_another_configuration(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert prepare(folder) == 0
    forget()
    source = folder / f"{MODULE}.py"
    source.write_text(f"import math\n\n{CODE}\ndef another(text):\n    return 3\n")  # the function is what it was
    both = [{"source": ["a.en", "b.en"], "target": ["a.de", "b.de"]}]
    assert prepare(folder, corpora=both) == 0
    assert load_manifest("out").ledger.rejected == {"empty": 2, "shouting": 4}
    forget()
    source.write_text(CODE.replace("sum(map(str.isupper, text))", "0"))
    capsys.readouterr()
    assert prepare(folder, corpora=both) == 1
    assert "changed: held-out files, or what a file or function of filters says" in capsys.readouterr().err


def test_a_mistake_is_told_before_any_work(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert prepare(folder, filters={"own": [{"rule": f"{MODULE}.shoutin", "maximum": 1}]}) == 2
    assert "Did you mean shouting?" in capsys.readouterr().err
    assert prepare(folder, filters={"own": [{"rule": f"{MODULE}.about", "maximum": 1}]}) == 2
    assert "missing a required argument: 'topic'" in capsys.readouterr().err
    assert not (folder / "out").exists()


def test_a_row_it_fails_on_is_told_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / f"{MODULE}.py").write_text("def shouting(text):\n    return 1 / (text.find('LOUD') - 2)\n")
    assert prepare(folder) == 1
    told = capsys.readouterr().err
    assert f"a.en, line 41: {MODULE}.shouting fails; found ZeroDivisionError: division by zero" in told
    assert f"{MODULE}.py, line 2" in told
    assert told.count("ZeroDivisionError") == 1


def test_folders_that_name_a_rule_are_looked_at_without_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A dataset from elsewhere may name any code: nothing that looks at it imports that."""
    assert prepare(folder) == 0
    forget()
    (folder / f"{MODULE}.py").write_text("raise SystemExit('imported')\n")
    assert main(["inspect", "out"]) == 0
    assert main(["inspect", "out", "--verify"]) == 0
    assert main(["report", "--dataset", "out", "--output", "report.html"]) == 0
    assert f"{MODULE}.shouting" in (folder / "out" / "dataset.json").read_text()
    assert MODULE not in sys.modules
