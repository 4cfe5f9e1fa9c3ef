from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from seq2seq_core.config import build
from seq2seq_core.data.batch import Batch
from seq2seq_core.data.columns import Columns
from seq2seq_core.data.epoch_order import StreamConfig
from seq2seq_core.data.loader import Loader, LoaderConfig, Seeing
from seq2seq_core.data.noise import Noise, NoiseConfig
from seq2seq_core.data.stream import BatchStream
from seq2seq_core.dataset.reader import Dataset
from seq2seq_core.errors import ConfigError
from seq2seq_core.tokenizer.vocabulary import BOS_ID, EOS_ID, PAD_ID, UNKNOWN_ID

PLAN = StreamConfig(batch_tokens=512, bins_per_batch=2, window_rows=64, max_source_tokens=32, max_target_tokens=32)
MOST = {"source": 32, "target": 32}


@pytest.fixture(scope="module")
def dataset(tiny_dataset: str) -> Dataset:
    return Dataset.open(tiny_dataset)


@pytest.fixture(scope="module")
def columns(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Columns:
    return Columns.open(dataset, "train", tmp_path_factory.mktemp("cache"))


def loader(columns: Columns, noise: Noise | None, rank: int = 0, world: int = 1, passes: int = 1) -> Loader:
    stream, config = BatchStream(columns.lengths, PLAN, 1), LoaderConfig(max_tokens_per_device=150, prefetch_batches=0)
    return Loader(columns, stream, config, rank=rank, world=world, seeing=Seeing(noise, passes))


def noise_of(dataset: Dataset, most: dict[Any, int] | None = None, **values: Any) -> Noise:
    found = Noise.of(build(NoiseConfig, values), dataset, 7, most or MOST)
    assert found is not None
    return found


def rows_of(batches: list[Batch]) -> Iterator[tuple[tuple[int, ...], ...]]:
    """Source, what the decoder reads and what it should say, of each row."""
    for batch in batches:
        for sides in zip(batch.source_BS, batch.target_in_BT, batch.target_out_BT, strict=True):
            yield tuple(tuple(side[side != PAD_ID].tolist()) for side in sides)


def test_off_is_nothing_at_all(dataset: Dataset) -> None:
    assert Noise.of(NoiseConfig(), dataset, 7, MOST) is None


@pytest.mark.parametrize(
    "values",
    [
        {"sample_segmentation": "both", "bpe_dropout": 0.4, "unigram_alpha": 0.1},
        {"word_dropout": {"source": 0.3, "target": 0.3}},
        {"sample_segmentation": "source", "unigram_alpha": 0.1, "word_dropout": {"target": 0.2}},
    ],
)
@pytest.mark.parametrize("world", [2, 3])
def test_the_ranks_together_see_what_one_sees(
    dataset: Dataset, columns: Columns, values: dict[str, Any], world: int
) -> None:
    noise = noise_of(dataset, **values)
    for position in (0, 5, 9):
        alone = sorted(rows_of(loader(columns, noise).step(position).micro_batches))
        shared = [loader(columns, noise, rank, world).step(position).micro_batches for rank in range(world)]
        assert sorted(row for batches in shared for row in rows_of(batches)) == alone
        assert alone != sorted(rows_of(loader(columns, None).step(position).micro_batches))


def test_steps_that_are_read_ahead_together_are_those_read_one_by_one(dataset: Dataset, columns: Columns) -> None:
    noise = noise_of(dataset, sample_segmentation="both", unigram_alpha=0.1, word_dropout={"target": 0.2})
    one = loader(columns, noise)
    steps = one.steps(3)
    for position in range(3, 8):
        found, expected = list(rows_of(next(steps).micro_batches)), list(rows_of(one.step(position).micro_batches))
        assert sorted(found) == sorted(expected)
    steps.close()


def test_the_texts_are_those_of_the_rows_and_batches_fit_the_device(dataset: Dataset, columns: Columns) -> None:
    noise = noise_of(dataset, sample_segmentation="both", bpe_dropout=0.5, unigram_alpha=0.0)
    decode = dataset.target_tokenizer.decode
    plain, seen = (loader(columns, one).step(2).micro_batches for one in (None, noise))
    texts = [
        sorted(tuple(decode([np.array(row[0][:-1]), np.array(row[2][:-1])])) for row in rows_of(batches))
        for batches in (plain, seen)
    ]
    assert texts[0] == texts[1]
    assert sum(batch.target_tokens for batch in seen) > sum(batch.target_tokens for batch in plain)
    for batch in seen:
        assert len(batch) == 1 or max(batch.source_BS.numel(), batch.target_out_BT.numel()) <= 150
        assert batch.target_tokens == int((batch.target_out_BT != PAD_ID).sum())


def test_a_row_that_would_be_too_long_stays_as_it_is(dataset: Dataset, columns: Columns) -> None:
    noise = noise_of(dataset, {"source": 1, "target": 1}, sample_segmentation="both", unigram_alpha=0.0)
    long = [row for row in rows_of(loader(columns, None).step(2).micro_batches) if len(row[0]) > 2 < len(row[2])]
    seen = list(rows_of(loader(columns, noise).step(2).micro_batches))
    assert long
    assert all(row in seen for row in long)


def test_hidden_pieces_are_read_and_never_said(dataset: Dataset, columns: Columns) -> None:
    noise = noise_of(dataset, word_dropout={"source": 0.25, "target": 0.5})
    plain, seen = (list(rows_of(loader(columns, one).step(1).micro_batches)) for one in (None, noise))
    for before, after in zip(plain, seen, strict=True):
        assert after[2] == before[2]
        assert after[1][0] == BOS_ID
        assert after[0][-1] == EOS_ID
        assert all(
            new in (old, UNKNOWN_ID) for old, new in zip(before[0] + before[1], after[0] + after[1], strict=True)
        )
    shares = [np.mean([i == UNKNOWN_ID for row in seen for i in row[side][1 - side // 2 : -1]]) for side in (0, 1)]
    assert shares[0] == pytest.approx(0.25, abs=0.12)
    assert shares[1] == pytest.approx(0.5, abs=0.15)


def test_rows_that_are_computed_twice_take_twice_the_memory(dataset: Dataset, columns: Columns) -> None:
    for batch in loader(columns, None, passes=2).step(0).micro_batches:
        twice = batch.twice()
        assert twice.source_BS.numel() <= 150
        assert torch.equal(twice.target_in_BT[len(batch) :], batch.target_in_BT)
    stream = BatchStream(columns.lengths, PLAN, 1)
    with pytest.raises(ConfigError, match="2 times"):
        Loader(columns, stream, LoaderConfig(max_tokens_per_device=60), rank=0, world=1, seeing=Seeing(passes=2))


def test_a_source_of_sound_has_no_pieces(dataset: Dataset, tmp_path: Path) -> None:
    manifest = dataset.manifest.model_copy(update={"source_tokenizer": None})
    with pytest.raises(ConfigError, match="the source is no text"):
        Noise.of(build(NoiseConfig, {"word_dropout": {"source": 0.1}}), Dataset(str(tmp_path), manifest), 1, MOST)
