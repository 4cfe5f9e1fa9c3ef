"""What is added to a store is found again, however its runs are merged and whoever works there besides."""

from __future__ import annotations

import threading
import uuid
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq_core import storage
from seq2seq_core.errors import DatasetError, StorageError
from seq2seq_core.inference.memory import run as runs
from seq2seq_core.inference.memory import store as stores
from seq2seq_core.inference.memory.store import Store, compact, records_in
from seq2seq_core.preparation.terms.octets import Digests

SCHEMA = pa.schema([pa.field("text", pa.string())])


def opened(root: str) -> Store:
    return Store(root, SCHEMA, {"for": "tests"})


def keys(numbers: range | list[int]) -> Digests:
    data = b"".join(xxhash.xxh3_128_digest(str(number).encode()) for number in numbers)
    return np.frombuffer(data, np.uint8).reshape(-1, 16)


def add(store: Store, numbers: range | list[int]) -> None:
    store.add(keys(numbers), pa.table({"text": [f"answer {number}" for number in numbers]}))


def found(store: Store, numbers: range | list[int]) -> dict[int, str]:
    there = store.find(keys(numbers))
    return dict(zip([numbers[place] for place in there.places], there.rows.column("text").to_pylist(), strict=True))


def answers(numbers: range | list[int] | set[int]) -> dict[int, str]:
    return {number: f"answer {number}" for number in numbers}


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(st.integers(0, 2000), unique=True, max_size=700), max_size=7), st.data())
def test_all_that_was_added_is_found_and_nothing_else(units: list[list[int]], data: st.DataObject) -> None:
    root = f"memory://{uuid.uuid4().hex}"
    store = opened(root)
    for unit in units:
        add(store, unit)
    added = {number for unit in units for number in unit}
    asked = data.draw(st.lists(st.integers(0, 2500), unique=True, max_size=300))
    assert found(store, asked) == answers(added & set(asked))
    compact(root)
    assert found(opened(root), asked) == answers(added & set(asked))


def test_many_small_runs_become_few_and_their_files_go(tmp_path: Path) -> None:
    store = opened(str(tmp_path))
    for begin in range(0, 3200, 100):
        add(store, range(begin, begin + 100))
    (one,) = records_in(str(tmp_path))
    assert one.rows == 3200
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == sorted([f"{one.name}.json", *one.paths])
    for begin in range(3200, 3800, 100):
        add(opened(str(tmp_path)), range(begin, begin + 100))
    assert len(records_in(str(tmp_path))) == 7
    compact(str(tmp_path))
    assert [run.rows for run in records_in(str(tmp_path))] == [3200, 600]
    assert found(store, range(0, 5000, 7)) == answers(range(0, 3800, 7))


def test_rows_of_many_files_and_parts_of_an_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "_GROUP_ROWS", 16)
    monkeypatch.setattr(runs, "_FILE_GROUPS", 3)
    monkeypatch.setattr(runs, "_PART_ROWS", 100)
    store = opened(str(tmp_path))
    add(store, range(430))
    add(store, range(430, 1000))
    (one,) = records_in(str(tmp_path))
    assert (len(one.files), len(one.index.paths)) == (21, 10)
    assert found(store, range(-5, 1005)) == answers(range(1000))


def test_a_few_row_groups_are_read_of_what_was_asked_for_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = opened(str(tmp_path))
    add(store, range(20_000))
    read, asked = storage.read_ranges, list[int]()

    def counting(ranges: list[storage.Range]) -> list[bytes]:
        asked.extend(part.end - part.begin for part in ranges)
        return read(ranges)

    monkeypatch.setattr(storage, "read_ranges", counting)
    groups = list[int]()
    parquet = runs.pq.ParquetFile

    class Counting(parquet):  # type: ignore[misc, valid-type]
        def read_row_groups(self, chosen: list[int]) -> pa.Table:
            groups.extend(chosen)
            return super().read_row_groups(chosen)

    monkeypatch.setattr(runs.pq, "ParquetFile", Counting)
    assert len(found(store, range(5000, 5100))) == 100
    assert len(groups) <= 2
    assert sum(asked) < 100 * 200 * 16


def test_a_run_that_others_merge_meanwhile_is_found_in_its_new_place(tmp_path: Path) -> None:
    store, other = opened(str(tmp_path)), opened(str(tmp_path))
    add(store, range(1000))
    assert len(found(other, range(10))) == 10
    for run in records_in(str(tmp_path)):
        stores.merge(str(tmp_path / "runs"), [run])
    assert found(other, range(0, 1000, 9)) == answers(range(0, 1000, 9))
    add(store, range(1000, 2000))  # its own run is gone: that merges nothing
    assert found(other, range(0, 2000, 9)) == answers(range(0, 2000, 9))


def test_many_add_read_and_merge_at_once(tmp_path: Path) -> None:
    failed: list[BaseException] = []

    def work(begin: int) -> None:
        try:
            store = opened(str(tmp_path))
            for unit in range(begin, begin + 300, 20):
                add(store, range(unit, unit + 20))
                assert found(store, range(begin, unit + 20)) == answers(range(begin, unit + 20))
                if unit % 60 == 0:
                    compact(str(tmp_path))
        except BaseException as error:  # noqa: BLE001
            failed.append(error)

    threads = [threading.Thread(target=work, args=(begin,)) for begin in (0, 300, 600)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert found(opened(str(tmp_path)), range(1000)) == answers(range(900))


def test_a_run_without_its_record_is_no_run_and_one_without_its_files_is_told(tmp_path: Path) -> None:
    store = opened(str(tmp_path))
    add(store, range(50))
    (run,) = records_in(str(tmp_path))
    record = tmp_path / "runs" / f"{run.name}.json"
    kept = record.read_bytes()
    record.unlink()
    assert found(store, range(50)) == {}
    record.write_bytes(kept)
    assert found(store, range(50)) == answers(range(50))
    damaged = tmp_path / "runs" / run.files[0]
    damaged.write_bytes(b"PAR1" + damaged.read_bytes()[4:-20])
    with pytest.raises(DatasetError, match="a file is damaged"):
        found(store, range(50))
    record.write_text("{}")
    with pytest.raises(DatasetError, match="the record of a run is damaged"):
        found(opened(str(tmp_path)), range(50))


def test_an_error_of_the_store_is_no_run_that_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = opened(str(tmp_path))
    add(store, range(50))

    def refuses(*_: object) -> None:
        raise StorageError("the store refuses")

    monkeypatch.setattr(runs, "find", refuses)
    with pytest.raises(StorageError, match="the store refuses"):
        found(store, range(50))
