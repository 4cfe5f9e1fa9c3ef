"""A sample is made of rows that stand in the files, at the lines it says, the same ones each time."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from seq2seq_core.corpora.config import CorpusConfig
from seq2seq_core.errors import InputError
from seq2seq_core.preparation.terms.messages import Input
from seq2seq_core.preparation.trial.sampling import Choice, choose, read_piece

ROWS = [(f"source {i} " + "x" * (i % 17), f"target {i}") for i in range(1000)]


def inputs(*corpora: CorpusConfig) -> list[Input]:
    sources = [source for corpus in corpora for source in corpus.sources()]
    return [
        Input(index=i, corpus=0, role="train", origin=Path(source.urls[0]).name, source=source)
        for i, source in enumerate(sources)
    ]


def moses(folder: Path, name: str = "a", rows: Sequence[tuple[str, str]] = ROWS) -> CorpusConfig:
    for suffix, side in (("en", 0), ("de", 1)):
        (folder / f"{name}.{suffix}").write_text("".join(f"{row[side]}\n" for row in rows))
    return CorpusConfig(source=str(folder / f"{name}.en"), target=str(folder / f"{name}.de"))


def tsv(folder: Path) -> CorpusConfig:
    lines = ["id\ten\tde", *(f"{i}\t{source}\t{target}" for i, (source, target) in enumerate(ROWS))]
    (folder / "a.tsv").write_text("\n".join(lines))
    return CorpusConfig(path=str(folder / "a.tsv"), source_field="en", target_field="de")


def jsonl(folder: Path) -> CorpusConfig:
    (folder / "a.jsonl").write_text("".join(json.dumps({"source": s, "target": t}) + "\n" for s, t in ROWS))
    return CorpusConfig(path=str(folder / "a.jsonl"))


def rows_of(choice: Choice) -> list[tuple[str, int, str, str]]:
    """Origin, line and sides of all rows of the pieces."""
    found = []
    for piece in choice.pieces:
        for batch in read_piece(piece, 1 << 20):
            kept = batch.kept
            columns = (kept.lines.to_pylist(), kept.source.to_pylist(), kept.target.to_pylist())
            found += [(piece.origin, *row) for row in zip(*columns, strict=True)]
    return found


@pytest.mark.parametrize(("make", "headers"), [(moses, 0), (tsv, 1), (jsonl, 0)])
def test_plain_files_are_sampled_all_over_with_their_lines(make: Any, headers: int, tmp_path: Path) -> None:
    given = inputs(make(tmp_path))
    (choice,) = choose(given, 100)
    found = rows_of(choice)
    assert 90 <= len(found) <= 110
    assert [row[1:] for row in found] == [
        (line, *ROWS[line - 1 - headers]) for line in sorted(line for _, line, _, _ in found)
    ]
    assert {line * 4 // 1002 for _, line, _, _ in found} == {0, 1, 2, 3}
    assert choice.manner == "all over the file"
    assert choose(given, 100) == [choice]


def test_text_alone_is_sampled_all_over(tmp_path: Path) -> None:
    moses(tmp_path)
    (choice,) = choose(inputs(CorpusConfig(text=str(tmp_path / "a.en"))), 100)
    found = rows_of(choice)
    assert [row[1:] for row in found] == [(line, "", ROWS[line - 1][0]) for _, line, _, _ in found]
    assert {line * 4 // 1001 for _, line, _, _ in found} == {0, 1, 2, 3}


@pytest.mark.parametrize(("make", "headers"), [(moses, 0), (tsv, 1), (jsonl, 0)])
def test_a_sample_as_large_as_the_corpus_is_the_corpus(make: Any, headers: int, tmp_path: Path) -> None:
    (choice,) = choose(inputs(make(tmp_path)), 5000)
    assert [row[1:] for row in rows_of(choice)] == [(i + 1 + headers, *row) for i, row in enumerate(ROWS)]


def test_of_a_large_pair_the_first_bytes_are_cut(tmp_path: Path) -> None:
    (choice,) = choose(inputs(moses(tmp_path)), 100, most_cut_bytes=1)  # read in blocks: all of this file is in one
    assert choice.manner == "all over the first 0 MiB"
    assert [row[1:] for row in rows_of(choice)] == [(line, *ROWS[line - 1]) for _, line, _, _ in rows_of(choice)]
    assert len(rows_of(choice)) == 100


@pytest.mark.parametrize(("make", "headers"), [(tsv, 1), (jsonl, 0)])
def test_a_large_file_with_both_sides_is_entered_anywhere(make: Any, headers: int, tmp_path: Path) -> None:
    given = inputs(make(tmp_path))
    (choice,) = choose(given, 100, most_cut_bytes=1)
    found = rows_of(choice)
    content = Path(given[0].source.urls[0]).read_bytes()
    assert 60 <= len(found) <= 100
    for origin, line, source, target in found:
        lines_before = content[: int(origin.rpartition("@")[2])].count(b"\n")
        assert (source, target) == ROWS[lines_before + line - 1 - headers]
    assert len({row[2] for row in found}) == len(found)
    assert choose(given, 100, most_cut_bytes=1) == [choice]


def test_compressed_files_are_read_from_the_beginning(tmp_path: Path) -> None:
    corpus = moses(tmp_path)
    for url in (corpus.source, corpus.target):
        Path(f"{url}.gz").write_bytes(gzip.compress(Path(str(url)).read_bytes()))
    packed = CorpusConfig(source=f"{corpus.source}.gz", target=f"{corpus.target}.gz")
    (choice,) = choose(inputs(packed), 30)
    assert rows_of(choice) == [("a.en.gz", i + 1, *row) for i, row in enumerate(ROWS[:30])]
    assert choice.manner == "from the beginning"


def test_corpora_have_their_share_and_of_very_many_some_are_looked_at(tmp_path: Path) -> None:
    small, large = moses(tmp_path, "small", ROWS[:100]), moses(tmp_path, "large")
    counts = {choice.input.origin: len(rows_of(choice)) for choice in choose(inputs(small, large), 200)}
    assert counts["small.en"] == 20
    assert 170 <= counts["large.en"] <= 190
    many = [input_.model_copy(update={"origin": f"file {i}"}) for i in range(300) for input_ in inputs(small)]
    assert len(choose(many, 300)) == 200


@pytest.mark.parametrize("make", [tsv, jsonl, moses])
def test_a_file_in_another_encoding_is_read_from_its_beginning(make: Any, tmp_path: Path) -> None:
    corpus = make(tmp_path)
    path = next(tmp_path.glob("a.*"))
    path.write_bytes(path.read_text("utf-8").encode("utf-16"))
    (choice,) = choose(inputs(corpus), 100)
    assert choice.manner == "from the beginning"
    assert [row[2:] for row in rows_of(choice)] == ROWS[:100]


def test_an_archive_of_nothing_is_refused(tmp_path: Path) -> None:
    for name in ("a.tsv.gz", "b.tsv.gz"):
        (tmp_path / name).write_bytes(gzip.compress(b"x\ty\n" if name < "b" else b""))
    with pytest.raises(InputError, match=r"b\.tsv\.gz: the file is empty"):
        choose(inputs(CorpusConfig(path=str(tmp_path / "*.gz"))), 100)
