"""Staged rows come back by slot, in order, whatever the runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seq2seq_core.preparation.shuffle.staged_file import STAGED, read_staged, write_staged


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    batches=st.lists(st.lists(st.integers(0, 3), max_size=10), max_size=6),
    run_bytes=st.sampled_from([1, 200, 1 << 20]),
)
def test_every_row_comes_back_in_its_slot_and_order(tmp_path: Path, batches: list[list[int]], run_bytes: int) -> None:
    url = str(tmp_path / "unit.arrow")
    expected: list[list[int]] = [[], [], [], []]
    line = 0
    with write_staged(url, 4, run_bytes) as out:
        for slots in batches:
            rows = []
            for slot in slots:
                expected[slot].append(line)
                rows.append({"id": bytes(16), "line": line, "source": "s", "target": str(line)})
                line += 1
            out.add(pa.RecordBatch.from_pylist(rows, STAGED), np.array(slots, np.int64))
    found = [[n for batch in read_staged(url, slot, 4) for n in batch.column("line").to_pylist()] for slot in range(4)]
    assert found == expected
