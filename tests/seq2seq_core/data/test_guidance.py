from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_core.config import build
from seq2seq_core.data.batch import Batch
from seq2seq_core.data.columns import Columns
from seq2seq_core.data.epoch_order import StreamConfig
from seq2seq_core.data.guidance import Guide, Words
from seq2seq_core.data.loader import Loader, LoaderConfig, Seeing
from seq2seq_core.data.noise import Noise, NoiseConfig
from seq2seq_core.data.stream import BatchStream
from seq2seq_core.dataset.reader import Dataset
from seq2seq_core.modalities.base import Ragged
from seq2seq_core.tokenizer.words import MARK
from tests.aligned_dataset import ENGLISH, GERMAN, publish_aligned

# Ids 0 to 3 begin a word, 4 and 5 go on with one, 6 is a tag.
WORDS = Words(np.array([True] * 4 + [False] * 3), np.array([False] * 6 + [True]))
ROWS = st.lists(
    st.tuples(
        *[st.lists(st.integers(0, 6), max_size=6)] * 2, st.lists(st.tuples(*[st.integers(0, 4)] * 2), max_size=5)
    ),
    min_size=1,
    max_size=4,
)


def ragged(rows: list[list[int]]) -> Ragged:
    flat = np.array([*itertools.chain.from_iterable(rows)], np.int64)
    return Ragged(flat, np.array([len(row) for row in rows], np.int64))


def words_of(row: list[int]) -> list[int]:
    """The word of each piece, one after the other."""
    found, word = [], -1
    for piece in row:
        word += piece != 6 and (piece < 4 or word < 0)
        found.append(-1 if piece == 6 else word)
    return found


@given(ROWS, st.integers(1, 3))
def test_every_piece_looks_at_all_pieces_of_the_words_that_its_own_is_aligned_with(
    rows: list[tuple[list[int], list[int], list[tuple[int, int]]]], more: int
) -> None:
    sources, targets, pairs = zip(*rows, strict=True)
    aligned = Ragged(
        np.array([*itertools.chain.from_iterable(pairs)], np.int32).reshape(-1, 2),
        np.array([len(row) for row in pairs], np.int64),
    )
    shape = max(map(len, targets)) + more, max(map(len, sources)) + more
    found = Guide(WORDS, WORDS).weights(ragged([*sources]), ragged([*targets]), aligned, shape)
    expected = np.zeros((len(rows), *shape), np.float32)
    for row, (source, target, links) in enumerate(rows):
        for (t, word), (s, other) in itertools.product(enumerate(words_of(target)), enumerate(words_of(source))):
            expected[row, t, s] = word >= 0 and other >= 0 and (other, word) in links
    totals = expected.sum(2, keepdims=True)
    np.testing.assert_allclose(found, expected / np.maximum(totals, 1), rtol=1e-6)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Numbers whose words stand in the opposite order in the target, and are aligned so."""
    return publish_aligned(tmp_path_factory.mktemp("aligned"))


def batches_of(dataset: Dataset, cache: Path, world: int, noise: Noise | None = None) -> list[Batch]:
    columns = Columns.open(dataset, "train", cache)
    plan = StreamConfig(batch_tokens=512, bins_per_batch=2, window_rows=64, max_source_tokens=64, max_target_tokens=64)
    config = LoaderConfig(max_tokens_per_device=150, prefetch_batches=0)
    found: list[Batch] = []
    for rank in range(world):
        stream, seeing = BatchStream(columns.lengths, plan, 1), Seeing(noise, guide=Guide.of(dataset))
        loader = Loader(columns, stream, config, rank=rank, world=world, seeing=seeing)
        found += itertools.chain.from_iterable(loader.step(position).micro_batches for position in range(3))
    return found


@pytest.mark.parametrize("world", [1, 3])
@pytest.mark.parametrize("noisy", [False, True])
def test_batches_say_where_to_look(dataset: Dataset, tmp_path: Path, world: int, noisy: bool) -> None:
    """Each target word looks at all pieces of the source word that means the same, and at no other."""
    values = {"sample_segmentation": "both", "word_dropout": {"source": 0.3, "target": 0.3}}
    noise = Noise.of(build(NoiseConfig, values), dataset, 7, {"source": 64, "target": 64}) if noisy else None
    guide, seen = Guide.of(dataset), 0
    for batch in batches_of(dataset, tmp_path, world, noise):
        assert batch.guidance_BTS is not None
        for row, target in enumerate(batch.target_out_BT):
            guidance = batch.guidance_BTS[row].numpy()
            ids = target[: int((target > 0).sum()) - 1].numpy().astype(np.int64)
            words = guide.target.padded(Ragged(ids, np.array([len(ids)])), guidance.shape[0])[0]
            looked = [sorted({*np.flatnonzero(guidance[place]).tolist()}) for place in range(len(ids))]
            assert (guidance[len(ids) :] == 0).all()
            assert [*map(tuple, looked)] == [tuple(looked[int(np.argmax(words == word))]) for word in words[: len(ids)]]
            by_word = [looked[place] for place in np.unique(words[: len(ids)], return_index=True)[1]]
            assert all(by_word)  # words that a hidden piece seemed to join would leave others without one
            if not noisy:
                spelt = [dataset.source_tokenizer.pieces(batch.source_BS[row, looks].numpy()) for looks in by_word]
                heard = "".join(dataset.target_tokenizer.pieces(ids)).replace(MARK, " ").split()
                said = ["".join(pieces).strip(MARK) for pieces in spelt]
                assert said == [ENGLISH[GERMAN.index(word)] for word in heard]
            everywhere = [*itertools.chain.from_iterable(reversed(by_word))]
            assert everywhere == [*range(int(batch.source_lengths_B[row]) - 1)]  # all but the end, once, backwards
            seen += 1
    assert seen > 20


def test_a_split_without_alignments_has_none(dataset: Dataset, tmp_path: Path) -> None:
    assert Columns.open(dataset, "valid", tmp_path).alignment is None
