"""Aligned words from the files of a corpus to shards and columns, over generations and their folding."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from seq2seq_core.corpora.config import CorpusConfig
from seq2seq_core.data.columns import Columns
from seq2seq_core.dataset.manifest import load_manifest
from seq2seq_core.dataset.reader import Dataset
from seq2seq_core.dataset.verify import verify
from seq2seq_core.errors import DatasetError
from seq2seq_core.preparation.compaction.compact import compact
from seq2seq_core.preparation.planning.inputs import make_job
from seq2seq_core.preparation.steps import run_inline
from seq2seq_core.preparation.terms.recipe import Recipe
from tests.aligned_dataset import aligned_job, aligned_lines, publish_aligned
from tests.growing import rows_of


def numbers_of(line: str) -> list[int]:
    return [int(number) for pair in line.split("\t")[2].split() for number in pair.split("-")]


def test_rows_keep_their_alignment_wherever_they_go(tmp_path: Path) -> None:
    """Two generations, with rows whose alignment is none, or of words that are not there; then one of both."""
    lines = {"a.tsv": aligned_lines(150, 1), "b.tsv": aligned_lines(60, 2)}
    lines["a.tsv"] += [
        "one two\teins zwei\t0-0 1-2",
        "one two\teins zwei\t0:0",
        "six  six\tsechs  sechs\t1-1",
        "two\tzwei\t",
    ]
    for name, some in lines.items():
        (tmp_path / name).write_text("\n".join(some) + "\n", encoding="utf-8")
        job = aligned_job(tmp_path)
        run_inline(job)
    manifest = load_manifest(job.output)
    verify(job.output)
    assert manifest.ledger.rejected["bad_alignment"] == 2
    rows = rows_of(job.output, manifest)
    assert [row["alignment"] for row in rows] == [numbers_of(lines[row["origin"]][row["line"] - 1]) for row in rows]
    assert sorted(row["alignment"] for row in rows if row["origin"] == "a.tsv" and row["line"] > 152) == [[], [1, 1]]
    assert "alignment" not in rows_of(job.output, manifest, "valid")[0]
    assert sum(s.aligned_words for s in manifest.splits["train"].shards) == sum(len(r["alignment"]) for r in rows) // 2
    compact(job.output, grace_seconds=0)
    verify(job.output)
    assert rows_of(job.output, load_manifest(job.output)) == rows
    column = Columns.open(Dataset.open(job.output), "train", tmp_path / "cache").alignment
    assert column is not None
    asked = np.arange(len(rows) - 1, -1, -3)
    flat, lengths = column.gather(asked)
    found = np.split(flat, np.cumsum(lengths)[:-1])
    assert [pairs.reshape(-1).tolist() for pairs in found] == [rows[number]["alignment"] for number in asked]


def test_corpora_without_alignments_have_none(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("\n".join(aligned_lines(100)) + "\n")
    (tmp_path / "b.tsv").write_text("one two three four\teins zwei drei vier\n")
    settings = {"keep_alignments": True, "tokenizer": {"vocabulary_size": 320, "type": "bpe"}}
    corpora = [
        CorpusConfig(path=str(tmp_path / "a.tsv"), alignment_field=3),
        CorpusConfig(path=str(tmp_path / "b.tsv")),
    ]
    recipe = Recipe.model_validate(settings)
    job = make_job(str(tmp_path / "out"), recipe, [("train", corpus) for corpus in corpora], {}, settings)
    run_inline(job)
    verify(job.output)
    rows = rows_of(job.output, load_manifest(job.output))
    assert [row["alignment"] for row in rows if row["origin"] == "b.tsv"] == [[]]
    assert all(row["alignment"] for row in rows if row["origin"] == "a.tsv")


def test_verify_counts_aligned_words(tmp_path: Path) -> None:
    dataset = publish_aligned(tmp_path)
    shard = dataset.split("train").shards[0]
    path = Path(dataset.root, shard.path)
    table = pq.read_table(path)
    assert table.schema.field("alignment").type == pa.list_(pa.field("element", pa.int32(), nullable=False))
    manifest = load_manifest(dataset.root)
    less = shard.model_copy(update={"aligned_words": shard.aligned_words - 1})
    text = manifest.model_dump_json().replace(
        f'"aligned_words":{shard.aligned_words}', f'"aligned_words":{less.aligned_words}', 1
    )
    Path(dataset.root, "dataset.json").write_text(text)
    with pytest.raises(DatasetError, match="pairs of aligned words"):
        verify(dataset.root)
