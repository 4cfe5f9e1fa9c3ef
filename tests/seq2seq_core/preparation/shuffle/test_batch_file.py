"""Any batch of a file is read by its range alone, on disks and stores, and what is damaged says so."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seq2seq_core import storage
from seq2seq_core.errors import DatasetError, StorageError
from seq2seq_core.preparation.shuffle.batch_file import read_batch, read_batches, read_positions, write_batches
from seq2seq_core.storage import Range

SCHEMA = pa.schema([pa.field("text", pa.large_string()), pa.field("number", pa.int64(), nullable=False)])
BATCHES = st.lists(st.lists(st.tuples(st.text(max_size=5) | st.none(), st.integers(0, 9)), max_size=4), max_size=6)


@contextlib.contextmanager
def file_on(kind: str, folder: Path) -> Iterator[str]:
    """A name for a file on a disk or a store."""
    url = str(folder / "batches.arrows") if kind == "local" else f"memory://{uuid.uuid4().hex}/batches.arrows"
    yield url
    storage.remove(url)


def write(url: str, batches: list[list[tuple[str | None, int]]]) -> int:
    with write_batches(url, SCHEMA) as out:
        for rows in batches:
            out.add(pa.RecordBatch.from_pylist([{"text": text, "number": number} for text, number in rows], SCHEMA))
    return out.positions_at


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(batches=BATCHES, kind=st.sampled_from(["local", "memory"]))
def test_each_batch_comes_back_alone_and_all_together(
    tmp_path: Path, batches: list[list[tuple[str | None, int]]], kind: str
) -> None:
    with file_on(kind, tmp_path) as url:
        at = write(url, batches)
        for number, rows in enumerate(batches):
            found = read_batch(url, at, number, SCHEMA)
            assert (found is None) == (not rows)
            assert found is None or [tuple(row.values()) for row in found.to_pylist()] == rows
        (positions,) = read_positions([Range(url, at, storage.size(url))])
        assert len(positions) == len(batches) + 1
        pairs = zip(positions[:-1].tolist(), positions[1:].tolist(), strict=True)
        ranges = [Range(url, begin, end) for begin, end in pairs if begin != end]
        assert [batch.num_rows for batch in read_batches(ranges, SCHEMA)] == [len(rows) for rows in batches if rows]


def test_any_program_can_read_the_file_as_a_stream(tmp_path: Path) -> None:
    url = str(tmp_path / "batches.arrows")
    write(url, [[("a", 1)], [], [("b", 2), (None, 3)]])
    with pa.OSFile(url) as file, pa.ipc.open_stream(file) as reader:
        assert reader.read_all().column("number").to_pylist() == [1, 2, 3]


def test_what_goes_to_a_store_is_compressed(tmp_path: Path) -> None:
    batches: list[list[tuple[str | None, int]]] = [[("again and again " * 100, 7)] * 50]
    with file_on("local", tmp_path) as local, file_on("memory", tmp_path) as remote:
        places = {url: write(url, batches) for url in (local, remote)}
        assert storage.size(remote) < storage.size(local) / 10
        first, second = (read_batch(url, at, 0, SCHEMA) for url, at in places.items())
        assert first is not None
        assert first.equals(second)


def test_a_batch_file_does_not_appear_before_it_is_whole(tmp_path: Path) -> None:
    url = str(tmp_path / "batches.arrows")
    with pytest.raises(AttributeError), write_batches(url, SCHEMA) as out:
        out.add("no batch")  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["local", "memory"])
def test_a_file_that_was_cut_short_names_itself(tmp_path: Path, kind: str) -> None:
    with file_on(kind, tmp_path) as url:
        at = write(url, [[("a" * 1000, 1)]])
        whole = storage.read_bytes(url)
        storage.publish_bytes(url, whole[:400])
        with pytest.raises(DatasetError, match=r"batches\.arrows: .*damaged; found 400 bytes.*Remove it and run"):
            read_batches([Range(url, 300, at)], SCHEMA)
        with pytest.raises(DatasetError, match="damaged"):
            read_batch(url, at, 0, SCHEMA)


def test_what_is_no_batch_is_an_error_of_ours(tmp_path: Path) -> None:
    url = str(tmp_path / "batches.arrows")
    at = write(url, [[("a" * 1000, 1)]])
    (positions,) = read_positions([Range(url, at, storage.size(url))])
    whole = bytearray(Path(url).read_bytes())
    for place in range(int(positions[0]), int(positions[0]) + 200):
        whole[place] ^= 0xFF
    Path(url).write_bytes(whole)
    with pytest.raises(DatasetError, match=r"batches\.arrows: a file of unfinished work is damaged"):
        read_batch(url, at, 0, SCHEMA)


@pytest.mark.parametrize("kind", ["local", "memory"])
def test_a_file_that_is_gone_names_itself(tmp_path: Path, kind: str) -> None:
    with file_on(kind, tmp_path) as url, pytest.raises(StorageError, match=r"batches\.arrows: no such file"):
        read_batches([Range(url, 0, 10)], SCHEMA)
