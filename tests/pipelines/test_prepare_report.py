"""`prepare` on the command line leaves a page beside the dataset, and `report` writes the same of any dataset."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.cli import main
from seq2seq_core.dataset.manifest import load_manifest


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("corpus")
    rows = [(f"the sentence with the number {i}", f"der Satz mit der Nummer {i}") for i in range(300)]
    rows += [("same", "same")] * 20 + [("\x1b[31mred words " * 20, "viel")] * 3
    for name, side in (("a.en", 0), ("a.de", 1)):
        (folder / name).write_text("".join(f"{row[side]}\n" for row in rows))
    sizes = ["--tokenizer.vocabulary_size", "320", "--tokenizer.type", "bpe"]
    controls = ["--normalize.invisible", "false"]  # so that what a terminal would obey comes as far as the page
    return ["--source", f"{folder}/a.en", "--target", f"{folder}/a.de", *sizes, *controls]


def test_the_page_is_there_and_the_dataset_is_sound(
    corpus: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "data"
    assert main(["prepare", *corpus, "--output", str(output)]) == 0
    page = (output / "report.html").read_text()
    for text in ("300 rows kept of 323 read", "length_ratio", "20 rows; passes: sides differ", "fertility"):
        assert text in page
    assert "⟨U+001B⟩[31mred words" in page
    assert str(output) not in page
    assert main(["inspect", str(output), "--verify"]) == 0
    told = capsys.readouterr().out
    assert "verified:" in told
    assert "note:" not in told
    time = (output / "report.html").stat().st_mtime_ns
    assert main(["prepare", *corpus, "--output", str(output)]) == 0
    assert (output / "report.html").stat().st_mtime_ns == time
    (output / "report.html").unlink()
    assert main(["prepare", *corpus, "--output", str(output)]) == 0
    assert (output / "report.html").read_text() == page
    assert main(["report", "--dataset", str(output), "--output", str(tmp_path / "r.html")]) == 0
    assert "20 rows; passes: sides differ" in (tmp_path / "r.html").read_text()


def test_the_same_corpus_has_the_same_page_wherever_it_goes(corpus: list[str], tmp_path: Path) -> None:
    pages = []
    for name in ("first", "second"):
        assert main(["prepare", *corpus, "--output", str(tmp_path / name)]) == 0
        pages.append((tmp_path / name / "report.html").read_bytes())
    assert pages[0] == pages[1]


def test_it_can_be_left_out(corpus: list[str], tmp_path: Path) -> None:
    assert main(["prepare", *corpus, "--report", "false", "--output", str(tmp_path / "data")]) == 0
    assert (tmp_path / "data" / "dataset.json").exists()
    assert not (tmp_path / "data" / "report.html").exists()
    assert "report" not in load_manifest(str(tmp_path / "data")).configuration
