from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq_core.data.column_cache import Piece
from seq2seq_core.data.columns import TokenColumn, TokenColumns
from seq2seq_core.dataset.manifest import CorpusEntry, publish_manifest
from seq2seq_core.dataset.reader import Dataset

DatasetMaker = Callable[..., Dataset]


def column_of(shards: list[list[list[int]]]) -> TokenColumn:
    pieces = [
        Piece(
            np.array([token for row in rows for token in row], np.uint16),
            np.cumsum([0, *map(len, rows)], dtype=np.int64),
        )
        for rows in shards
    ]
    return TokenColumn(pieces)


ROWS = st.lists(st.lists(st.integers(0, 65535), max_size=5), max_size=6)


@settings(deadline=None)
@given(st.lists(ROWS, max_size=5), st.data())
def test_gather(shards: list[list[list[int]]], data: st.DataObject) -> None:
    column = column_of(shards)
    rows = [row for shard in shards for row in shard]
    numbers = data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=20)) if rows else []
    flat, lengths = column.gather(np.array(numbers, np.int64))
    assert len(column) == len(rows)
    assert column.lengths.tolist() == list(map(len, rows))
    assert lengths.tolist() == [len(rows[number]) for number in numbers]
    assert flat.tolist() == [token for number in numbers for token in rows[number]]


def test_gather_keeps_the_integer_type() -> None:
    assert column_of([[[1, 2]], [[3]]]).gather(np.array([1, 0])).flat.dtype == np.uint16


@pytest.mark.parametrize("number", [-1, 3])
def test_a_row_that_is_not_there(number: int) -> None:
    with pytest.raises(IndexError, match="of 3"):
        column_of([[[1], [2]], [[3]]]).gather(np.array([0, number]))


def test_columns_of_a_split(random_dataset: DatasetMaker, tmp_path: Path) -> None:
    dataset = random_dataset()
    columns = TokenColumns.open(dataset, "train", tmp_path / "cache")
    expected = [dataset.read_shard(shard) for shard in dataset.split("train").shards]
    numbers = np.random.default_rng(0).permutation(len(columns))
    for side, column in (("source", columns.source), ("target", columns.target)):
        rows = [row for table in expected for row in table.column(side).to_pylist()]
        flat, lengths = column.gather(numbers)
        assert np.split(flat, np.cumsum(lengths)[:-1])[7].tolist() == rows[numbers[7]]
        assert flat.tolist() == [token for number in numbers for token in rows[number]]
    assert all(np.array_equal(*sides) for sides in zip(columns.lengths, dataset.lengths("train"), strict=True))


def test_the_digest_names_rows_and_order(random_dataset: DatasetMaker, tmp_path: Path) -> None:
    digests = [
        TokenColumns.open(random_dataset(rows, root=str(tmp_path / name)), split, tmp_path / "cache").digest
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
    TokenColumns.open(random_dataset(), "valid")
    assert len(list((tmp_path / "elsewhere").glob("columns-2/*/source.tokens"))) == 1


def test_a_generation_costs_what_it_adds(
    random_dataset: DatasetMaker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole = in_generations(random_dataset((20, 10, 5, 0, 30)), (0, 0, 1, 1, 2))
    first = in_generations(whole, (0, 0))
    with caplog.at_level(logging.INFO):
        assert len(TokenColumns.open(first, "train", tmp_path / "cache")) == 30
        assert caplog.text.count("decoding") == 2
        columns = TokenColumns.open(whole, "train", tmp_path / "cache")
    assert caplog.text.count("decoding") == 5
    expected = [row for shard in whole.split("train").shards for row in whole.read_shard(shard)["source"].to_pylist()]
    flat, lengths = columns.source.gather(np.arange(65))
    assert [row.tolist() for row in np.split(flat, np.cumsum(lengths)[:-1])] == expected
    assert np.array_equal(columns.lengths.target, whole.lengths("train").target)


def in_generations(dataset: Dataset, generations: tuple[int, ...]) -> Dataset:
    """The first training shards, each as part of a generation."""
    split = dataset.split("train")
    shards = zip(split.shards, generations, strict=False)
    train = split.model_copy(update={"shards": tuple(s.model_copy(update={"generation": g}) for s, g in shards)})
    splits = {**dataset.manifest.splits, "train": train}
    return Dataset(dataset.root, dataset.manifest.model_copy(update={"splits": splits}))


FEW_FILES = """
import itertools, resource, sys
from pathlib import Path
from seq2seq_core.data.columns import TokenColumns
from seq2seq_core.data.loader import Loader, LoaderConfig, evaluation_batches
from seq2seq_core.data.plan import BatchPlan, PlanConfig
from seq2seq_core.dataset.reader import Dataset
from seq2seq_core.dataset.verify import verify

resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[3]),) * 2)
root, cache = sys.argv[1:3]
dataset = Dataset.open(root)
for _ in range(2):  # made, then found
    columns = TokenColumns.open(dataset, "train", Path(cache))
plan = BatchPlan(columns.lengths, PlanConfig(batch_tokens=400, max_source_tokens=20, max_target_tokens=20), 1)
loader = Loader(columns, plan, LoaderConfig(max_tokens_per_device=50), rank=0, world=1)
steps = list(itertools.islice(loader.steps(), plan.batches_in_epoch(0)))
print(sum(step.rows for step in steps), len(dataset.lengths("train").source), len(dataset.weights("train")))
print(sum(len(found.rows) for found in evaluation_batches(columns, 100)), verify(root).rows)
maps = [line for line in Path("/proc/self/maps").read_text().splitlines() if cache in line]
print(len(maps) <= 4 * len({s.generation for s in dataset.split("train").shards}))
"""


@pytest.mark.parametrize(("shards", "generations", "limit"), [(300, 1, 256), (60, 60, 80)])
def test_more_shards_than_a_process_may_open_files(
    random_dataset: DatasetMaker, tmp_path: Path, shards: int, generations: int, limit: int
) -> None:
    dataset = random_dataset((2,) * shards)
    grown = in_generations(dataset, tuple(number % generations for number in range(shards)))
    corpus = CorpusEntry(
        name="a", weight=2.0, source_language=None, target_language=None, tag=None, origins=("corpus-0.en",)
    )
    publish_manifest(dataset.root, grown.manifest.model_copy(update={"corpora": (corpus,)}))
    words = [sys.executable, "-c", FEW_FILES, dataset.root, str(tmp_path / "cache"), str(limit)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    rows = 2 * shards
    expected = [f"{rows} {rows} {rows}", f"{rows} {rows + 7}", "True"]
    assert (done.stdout.splitlines(), done.stderr) == (expected, "")
