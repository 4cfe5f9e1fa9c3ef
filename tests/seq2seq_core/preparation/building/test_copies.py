"""Copies stand behind the rows they are of, with ids of their own, and are all that those are but for the source."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from seq2seq_core.dataset.schema import shard_schema
from seq2seq_core.dataset.sides import sides_of
from seq2seq_core.modalities.audio import Audio
from seq2seq_core.preparation.building import batches
from seq2seq_core.preparation.building.copies import with_copies
from seq2seq_core.text.normalize import NormalizeConfig
from tests.spoken import said


@pytest.mark.parametrize("store", ["flac", "features"])
def test_rows_come_first_then_each_sort_of_copy(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "_BATCH_ROWS", 2)
    audio = Audio(rate=8000, mels=20, speeds=(0.9, 1, 1.1), store=store)
    sides = sides_of({"source": audio, "target": "text"}, {"target": 300})
    spoken = [said(numbers, speaker) for speaker, numbers in enumerate([[1, 2], [3], [4, 5, 6]])]
    raw = pa.array([{"bytes": row.data, "speaker": row.speaker} for row in spoken])
    staged = audio.normalized(raw, NormalizeConfig()).column
    rows = pa.table({"source": staged, "target": pa.array(["a", "b", "c"], pa.large_string())})
    content = audio.content(staged, None)
    columns = {
        "id": pa.array([bytes([n] * 16) for n in range(3)], pa.binary(16)),
        "origin": pa.array(["x"] * 3).dictionary_encode(),
        "line": pa.array([5, 6, 7]),
        "source": content,
        "target": pa.array([[1], [2], [3]]),
        "source_length": audio.lengths(pa.chunked_array([content])),
        "target_length": [1, 1, 1],
        **{f"source_{name}": held for name, held in audio.noted(staged).items()},
    }
    schema = shard_schema(sides, with_text=False)
    table = pa.table([pa.array(columns[name]).cast(schema.field(name).type) for name in schema.names], schema=schema)
    whole, counts = with_copies(rows, table, sides)
    assert counts == {"speed 0.9": 3, "speed 1.1": 3}
    assert whole.schema == schema
    assert whole.slice(0, 3).equals(table)
    assert whole.column("line").to_pylist() == [5, 6, 7] * 3
    assert whole.column("target").to_pylist() == [[1], [2], [3]] * 3
    assert whole.column("source_speaker").to_pylist() == [row.speaker for row in spoken] * 3
    np.testing.assert_allclose(whole.column("source_speed"), [1] * 3 + [0.9] * 3 + [1.1] * 3, rtol=1e-6)
    assert len(set(whole.column("id").to_pylist())) == 9
    assert whole.column("source_length").to_pylist() == audio.lengths(whole.column("source")).tolist()


def test_text_has_no_copies() -> None:
    sides = sides_of({"source": "text", "target": "text"}, {"source": 300, "target": 300})
    schema = shard_schema(sides, with_text=False)
    table = schema.empty_table()
    rows = pa.table({"source": pa.array([], pa.large_string()), "target": pa.array([], pa.large_string())})
    assert with_copies(rows, table, sides) == (table, {})
