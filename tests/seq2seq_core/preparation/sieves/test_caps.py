"""Rows beyond a cap, as the dataset keeps them."""

from __future__ import annotations

from typing import Any

from seq2seq_core.dataset.reader import Dataset


def test_each_row_beyond_the_cap_is_on_disk_with_its_place(workshop: Any) -> None:
    """The places of a corpus are counted over all shards, in the order of ids."""
    rows = workshop.sentences(120)
    capped = workshop.corpus("a", rows[:90]).model_copy(update={"max_rows": 20})
    job = workshop.job([("train", capped), ("train", workshop.corpus("b", rows[90:]))], shards=4)
    manifest = workshop.prepare(job)
    dataset = Dataset.open(job.output)
    found = [row for entry in manifest.rejected for row in dataset.read_shard(entry).to_pylist()]
    assert [row["value"] for row in found] == [f"row {place}" for place in range(21, 91)]
    assert {(row["rule"], row["threshold"], row["origin"]) for row in found} == {
        ("max_rows", "at most max_rows of the corpus", "a.en")
    }
    texts = {(row["source"], row["target"]) for row in found}
    assert len(texts) == 70
    assert texts <= set(rows[:90])
