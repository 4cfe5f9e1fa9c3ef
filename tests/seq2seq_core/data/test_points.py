"""Rows whose source is no text: from a published dataset through the cache to batches."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch

from seq2seq_core.data.batch import Gathered, collate, idle_batch
from seq2seq_core.data.columns import Columns
from seq2seq_core.data.epoch_order import StreamConfig
from seq2seq_core.data.loader import Loader, LoaderConfig, evaluation_batches
from seq2seq_core.data.stream import BatchStream
from seq2seq_core.dataset.reader import Dataset
from seq2seq_core.dataset.verify import verify
from seq2seq_core.errors import DatasetError
from seq2seq_core.modalities.base import Ragged
from seq2seq_core.tokenizer.vocabulary import BOS_ID, EOS_ID, PAD_ID
from tests.text_sides import text_sides
from tests.toy_modality import Points

PLAN = StreamConfig(batch_tokens=120, bins_per_batch=2, max_source_tokens=20, max_target_tokens=40)


def points_of(dataset: Dataset) -> list[list[list[float]]]:
    shards = dataset.split("train").shards
    return [row for shard in shards for row in dataset.read_shard(shard).column("source").to_pylist()]


def test_the_dataset_is_whole_and_has_texts_of_one_side(points_dataset: str) -> None:
    dataset = Dataset.open(points_dataset)
    assert verify(points_dataset).rows == 424
    assert len(dataset.texts("valid", "target")) == 24
    with pytest.raises(DatasetError, match="missing columns"):
        dataset.texts("valid", "source")


def test_what_the_cache_holds_is_what_the_shards_do(points_dataset: str, tmp_path: Path) -> None:
    dataset = Dataset.open(points_dataset)
    expected = points_of(dataset)
    for _ in range(2):  # made, then found
        columns = Columns.open(dataset, "train", tmp_path)
        numbers = np.random.default_rng(1).permutation(len(columns))
        flat, lengths = columns.source.gather(numbers)
        assert flat.dtype == np.float32
        rows = np.split(flat, np.cumsum(lengths)[:-1])
        assert [row.tolist() for row in rows] == [expected[number] for number in numbers]
    assert 0 in lengths


def test_a_batch_of_points() -> None:
    source = Ragged(np.arange(9, dtype=np.float32).reshape(3, 3), np.array([2, 0, 1]))
    target = Ragged(np.array([8, 9], np.uint16), np.array([1, 1, 0]))
    batch = collate(Points(), Gathered(source, target))
    assert batch.source_BS.dtype == torch.float32
    assert batch.source_BS.tolist() == [[[0, 1, 2], [3, 4, 5]], [[0, 0, 0]] * 2, [[6, 7, 8], [0, 0, 0]]]
    assert batch.source_lengths_B.tolist() == [2, 1, 1]
    assert batch.target_in_BT.tolist() == [[BOS_ID, 8], [BOS_ID, 9], [BOS_ID, PAD_ID]]
    assert batch.target_out_BT.tolist() == [[8, EOS_ID], [9, EOS_ID], [EOS_ID, PAD_ID]]
    assert batch.target_tokens == 5


def test_a_batch_for_who_has_no_rows(points_dataset: str) -> None:
    points, text = (
        idle_batch(Dataset.open(points_dataset).manifest.sides["source"]),
        idle_batch(text_sides(9)["source"]),
    )
    assert (points.source_BS.tolist(), points.source_BS.dtype) == ([[[0, 0, 0]]], torch.float32)
    assert (text.source_BS.tolist(), text.source_BS.dtype) == ([[EOS_ID]], torch.int64)
    for batch in (points, text):
        assert batch.source_lengths_B.tolist() == [1]
        assert (batch.target_in_BT.tolist(), batch.target_out_BT.tolist()) == ([[BOS_ID]], [[PAD_ID]])
        assert batch.target_tokens == 0


@pytest.mark.parametrize("world", [1, 3])
def test_all_ranks_together_have_each_row_once(points_dataset: str, tmp_path: Path, world: int) -> None:
    dataset = Dataset.open(points_dataset)
    columns = Columns.open(dataset, "train", tmp_path)
    stream, config = BatchStream(columns.lengths, PLAN, seed=1), LoaderConfig(max_tokens_per_device=41)
    found: list[list[list[float]]] = []
    for rank in range(world):
        steps = Loader(columns, stream, config, rank=rank, world=world).steps()
        for step in itertools.takewhile(lambda step: step.epoch == 0, steps):
            for batch in step.micro_batches:
                lengths = batch.source_lengths_B.tolist()
                found += [row[:length] for row, length in zip(batch.source_BS.tolist(), lengths, strict=True)]
        steps.close()
    assert sorted(found) == sorted(row or [[0.0] * 3] for row in points_of(dataset))


def test_evaluation_gives_each_row_its_own_points(points_dataset: str, tmp_path: Path) -> None:
    dataset = Dataset.open(points_dataset)
    expected = points_of(dataset)
    seen = []
    for found in evaluation_batches(Columns.open(dataset, "train", tmp_path), 60):
        for number, row in zip(found.rows.tolist(), found.batch.source_BS.tolist(), strict=True):
            assert row[: len(expected[number])] == expected[number]
            seen.append(number)
    assert sorted(seen) == list(range(len(expected)))
