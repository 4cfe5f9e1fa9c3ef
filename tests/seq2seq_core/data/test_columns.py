from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seq2seq_core.data.column_cache import Flat
from seq2seq_core.data.column_layout import Runs, Section
from seq2seq_core.data.columns import Column, Columns, JoinedColumn
from seq2seq_core.dataset.manifest import CorpusEntry, publish_manifest
from seq2seq_core.dataset.reader import Dataset

DatasetMaker = Callable[..., Dataset]


def column_of(shards: list[list[list[int]]], order: Sequence[int] | None = None) -> Column:
    """A column of shards; `order` is that in which they stand in the files."""
    sections, values, offsets = {}, [], [0]
    for number in range(len(shards)) if order is None else order:
        sections[number] = Section("", len(shards[number]), (), len(offsets) - 1, ())
        for row in shards[number]:
            values += row
            offsets.append(len(values))
    flat = Flat(np.array(values, np.uint16), np.array(offsets, np.int64))
    return Column(flat, Runs([sections[number] for number in range(len(shards))]))


ROWS = st.lists(st.lists(st.integers(0, 65535), max_size=5), max_size=6)


@settings(deadline=None)
@given(st.lists(ROWS, max_size=5), st.data())
def test_gather(shards: list[list[list[int]]], data: st.DataObject) -> None:
    column = column_of(shards, data.draw(st.permutations(range(len(shards)))))
    rows = [row for shard in shards for row in shard]
    numbers = data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=20)) if rows else []
    flat, lengths = column.gather(np.array(numbers, np.int64))
    assert len(column) == len(rows)
    assert column.lengths_between(0, len(rows)).tolist() == list(map(len, rows))
    assert column.lengths(np.array(numbers, np.int64)).tolist() == lengths.tolist()
    assert lengths.tolist() == [len(rows[number]) for number in numbers]
    assert flat.tolist() == [token for number in numbers for token in rows[number]]


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(ROWS, st.integers(0, 6)), min_size=1, max_size=4), st.data())
def test_columns_of_several_datasets_are_one(parts: list[tuple[list[list[int]], int]], data: st.DataObject) -> None:
    counted = [(rows, min(count, len(rows))) for rows, count in parts]
    column = JoinedColumn([(column_of([rows]), count) for rows, count in counted])
    rows = [row for some, count in counted for row in some[:count]]
    numbers = data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=20)) if rows else []
    begin, end = sorted(data.draw(st.tuples(st.integers(0, len(rows)), st.integers(0, len(rows)))))
    flat, lengths = column.gather(np.array(numbers, np.int64))
    assert len(column) == len(rows)
    assert flat.dtype == np.uint16
    assert column.lengths_between(begin, end).tolist() == list(map(len, rows[begin:end]))
    assert column.lengths(np.array(numbers, np.int64)).tolist() == lengths.tolist()
    assert lengths.tolist() == [len(rows[number]) for number in numbers]
    assert flat.tolist() == [token for number in numbers for token in rows[number]]
    with pytest.raises(IndexError):
        column.gather(np.array([len(rows)]))


def test_gather_keeps_the_integer_type() -> None:
    assert column_of([[[1, 2]], [[3]]]).gather(np.array([1, 0])).flat.dtype == np.uint16


@pytest.mark.parametrize("number", [-1, 3])
def test_a_row_that_is_not_there(number: int) -> None:
    column = column_of([[[1], [2]], [[3]]])
    for look in (column.gather, column.lengths):
        with pytest.raises(IndexError, match="of 3"):
            look(np.array([0, number]))


def test_columns_of_a_split(random_dataset: DatasetMaker, tmp_path: Path) -> None:
    dataset = random_dataset()
    columns = Columns.open(dataset, "train", tmp_path / "cache")
    expected = [dataset.read_shard(shard) for shard in dataset.split("train").shards]
    numbers = np.random.default_rng(0).permutation(len(columns))
    for side, column in (("source", columns.source), ("target", columns.target)):
        rows = [row for table in expected for row in table.column(side).to_pylist()]
        flat, lengths = column.gather(numbers)
        assert np.split(flat, np.cumsum(lengths)[:-1])[7].tolist() == rows[numbers[7]]
        assert flat.tolist() == [token for number in numbers for token in rows[number]]
    lengths = columns.lengths
    assert lengths.rows == len(columns)
    for found in (lengths.between(0, lengths.rows), lengths.of(np.arange(lengths.rows))):
        assert all(np.array_equal(*sides) for sides in zip(found, dataset.lengths("train"), strict=True))


def test_the_digest_names_rows_and_order(random_dataset: DatasetMaker, tmp_path: Path) -> None:
    digests = [
        Columns.open(random_dataset(rows, root=str(tmp_path / name)), split, tmp_path / "cache").digest
        for name, rows, split in (
            ("a", (5, 6), "train"),
            ("b", (5, 6), "train"),
            ("c", (6, 5), "train"),
            ("d", (5, 6), "valid"),
        )
    ]
    assert digests[0] == digests[1]
    assert len(set(digests)) == 3


def test_the_cache_folder_is_configurable(
    random_dataset: DatasetMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEQ2SEQ_CACHE", str(tmp_path / "elsewhere"))
    Columns.open(random_dataset(), "valid")
    assert len(list((tmp_path / "elsewhere").glob("columns-3/*/source.values"))) == 1


def test_a_generation_costs_what_it_adds(
    random_dataset: DatasetMaker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole = random_dataset((20, 10, 5, 0, 30))
    first = of_shards(whole, range(2))
    with caplog.at_level(logging.INFO):
        assert len(Columns.open(first, "train", tmp_path / "cache")) == 30
        assert caplog.text.count("decoding") == 2
        columns = Columns.open(whole, "train", tmp_path / "cache")
    assert caplog.text.count("decoding") == 5
    assert len(list((tmp_path / "cache" / "columns-3").iterdir())) == 1
    expected = [row for shard in whole.split("train").shards for row in whole.read_shard(shard)["source"].to_pylist()]
    flat, lengths = columns.source.gather(np.arange(65))
    assert [row.tolist() for row in np.split(flat, np.cumsum(lengths)[:-1])] == expected
    assert np.array_equal(columns.lengths.between(0, 65).target, whole.lengths("train").target)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_way_of_growing_gives_the_same_rows(growing: Dataset, data: st.DataObject) -> None:
    """Datasets that begin with the same shard, in any order of opening them, share files."""
    count = len(growing.split("train").shards)
    rest = st.lists(st.integers(1, count - 1), unique=True)
    grown = data.draw(st.lists(rest, min_size=1, max_size=4))
    with TemporaryDirectory() as cache:
        for others in grown:
            dataset = of_shards(growing, [0, *others])
            columns = Columns.open(dataset, "train", Path(cache))
            for side, column in (("source", columns.source), ("target", columns.target)):
                shards = dataset.split("train").shards
                expected = [row for shard in shards for row in growing.read_shard(shard)[side].to_pylist()]
                flat, lengths = column.gather(np.arange(len(columns)))
                assert [row.tolist() for row in np.split(flat, np.cumsum(lengths))[:-1]] == expected
        assert len(list((Path(cache) / "columns-3").iterdir())) == 1


@pytest.fixture
def growing(random_dataset: DatasetMaker) -> Dataset:
    return random_dataset((4, 0, 3, 1, 6))


def of_shards(dataset: Dataset, numbers: Iterable[int]) -> Dataset:
    """Some of the training shards, as they stand in the manifest of another dataset."""
    split = dataset.split("train")
    train = split.model_copy(update={"shards": tuple(split.shards[number] for number in numbers)})
    splits = {**dataset.manifest.splits, "train": train}
    return Dataset(dataset.root, dataset.manifest.model_copy(update={"splits": splits}))


FEW_FILES = """
import itertools, resource, sys
from pathlib import Path
from seq2seq_core.data.columns import Columns
from seq2seq_core.data.epoch_order import StreamConfig
from seq2seq_core.data.loader import Loader, LoaderConfig, evaluation_batches
from seq2seq_core.data.stream import BatchStream
from seq2seq_core.dataset.reader import Dataset
from seq2seq_core.dataset.verify import verify

resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[3]),) * 2)
root, cache = sys.argv[1:3]
dataset = Dataset.open(root)
for _ in range(2):  # made, then found
    columns = Columns.open(dataset, "train", Path(cache))
stream = BatchStream(columns.lengths, StreamConfig(batch_tokens=400, max_source_tokens=20, max_target_tokens=20), 1)
loader = Loader(columns, stream, LoaderConfig(max_tokens_per_device=50), rank=0, world=1)
steps = itertools.takewhile(lambda step: step.epoch == 0, loader.steps())
print(sum(step.rows for step in steps), len(dataset.lengths("train").source), len(dataset.weights("train").codes))
print(sum(len(found.rows) for found in evaluation_batches(columns, 100)), verify(root).rows)
maps = [line for line in Path("/proc/self/maps").read_text().splitlines() if cache in line]
print(len(maps))
"""


def test_more_shards_than_a_process_may_open_files(random_dataset: DatasetMaker, tmp_path: Path) -> None:
    dataset = random_dataset((2,) * 300)
    corpus = CorpusEntry(
        name="a", weight=2.0, source_language=None, target_language=None, tag=None, origins=("corpus-0.en",)
    )
    publish_manifest(dataset.root, dataset.manifest.model_copy(update={"corpora": (corpus,)}))
    words = [sys.executable, "-c", FEW_FILES, dataset.root, str(tmp_path / "cache"), "256"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.stdout.splitlines(), done.stderr) == (["600 600 600", "600 607", "4"], "")
