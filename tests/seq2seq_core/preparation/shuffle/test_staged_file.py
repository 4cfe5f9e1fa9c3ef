"""Staged rows come back by slot, in order, whatever the runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seq2seq_core import storage
from seq2seq_core.preparation.shuffle.batch_file import read_batches, read_positions
from seq2seq_core.preparation.shuffle.staged_file import staged_schema, write_staged
from seq2seq_core.preparation.terms.recipe import Recipe
from seq2seq_core.storage import Range

STAGED = staged_schema(Recipe())


def read_slots(url: str, at: int, slots: int) -> list[list[int]]:
    """The lines of each slot."""
    (positions,) = read_positions([Range(url, at, storage.size(url))])
    found: list[list[int]] = [[] for _ in range(slots)]
    assert (len(positions) - 1) % slots == 0
    for number, (begin, end) in enumerate(zip(positions[:-1].tolist(), positions[1:].tolist(), strict=True)):
        if begin != end:
            (batch,) = read_batches([Range(url, begin, end)], STAGED)
            found[number % slots] += batch.column("line").to_pylist()
    return found


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    slots=st.integers(1, 7),
    batches=st.lists(st.lists(st.integers(0, 6), max_size=10), max_size=6),
    run_bytes=st.sampled_from([1, 200, 1 << 20]),
)
def test_every_row_comes_back_in_its_slot_and_order(
    tmp_path: Path, slots: int, batches: list[list[int]], run_bytes: int
) -> None:
    url = str(tmp_path / "unit.arrows")
    expected: list[list[int]] = [[] for _ in range(slots)]
    line = 0
    with write_staged(url, slots, STAGED, run_bytes) as out:
        for batch in batches:
            chosen = [slot % slots for slot in batch]
            rows = []
            for slot in chosen:
                expected[slot].append(line)
                rows.append({"id": bytes(16), "line": line, "source": "s", "target": str(line)})
                line += 1
            out.add(pa.RecordBatch.from_pylist(rows, STAGED), np.array(chosen, np.int64))
    assert read_slots(url, out.positions_at, slots) == expected
