"""`prepare --dry-run` on the command line: it tells what the rules do, and leaves nothing behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.cli import main


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    rows = [(f"sentence number {i}", f"Satz Nummer {i}") for i in range(200)]
    rows += [("same", "same")] * 20 + [("much " * 20, "viel")] * 10
    (tmp_path / "corpus").mkdir()
    for name, side in (("a.en", 0), ("a.de", 1)):
        (tmp_path / "corpus" / name).write_text("".join(f"{row[side]}\n" for row in rows))
    return tmp_path / "corpus"


@pytest.mark.parametrize("flag", ["--dry-run", "--dry_run"])
def test_a_dry_run_tells_what_rules_do_and_writes_nothing(
    corpus: Path, flag: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.read_bytes() for path in corpus.rglob("*")}
    arguments = ["--source", f"{corpus}/a.en", "--target", f"{corpus}/a.de", "--output", f"{corpus}/out"]
    assert main(["prepare", flag, "--sample", "1000", *arguments, "--filters.length_ratio.maximum", "5"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "dry run: 200 of 230 sampled rows would be kept; nothing was written"
    at = lines.index("length_ratio: 10 rows (4.35%); what passes: at most 5 in characters")
    assert "  a.en:221  ratio 24.75" in lines[at:]
    assert {path: path.read_bytes() for path in corpus.rglob("*")} == before


def test_a_smaller_sample_needs_no_output_and_is_the_same_each_time(
    corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pages = []
    for _ in range(2):
        assert (
            main(["prepare", "--source", f"{corpus}/a.en", "--target", f"{corpus}/a.de", "--dry-run", "--sample=50"])
            == 0
        )
        pages.append(capsys.readouterr().out)
    assert pages[0] == pages[1]
    assert " of 50 sampled rows" in pages[0]


def test_a_sample_of_nothing_is_refused(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--source", f"{corpus}/a.en", "--target", f"{corpus}/a.de"]
    assert main(["prepare", "--dry-run", "--sample", "0", *arguments]) == 2
    assert "sample" in capsys.readouterr().err
    assert main(["prepare", "--dry-run", "--sampel", "5", *arguments]) == 2
    assert "Did you mean sample?" in capsys.readouterr().err


def test_strict_is_short_for_an_error_at_the_first_unreadable_row(
    corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (corpus / "a.en").write_bytes((corpus / "a.en").read_bytes().replace(b"sentence number 3\n", b"\xff\n"))
    words = ["prepare", "--source", f"{corpus}/a.en", "--target", f"{corpus}/a.de", "--output", f"{corpus}/out"]
    assert main([*words, "--strict"]) == 1
    assert "a.de, line 4: the row is unreadable (not_utf8)" in capsys.readouterr().err
