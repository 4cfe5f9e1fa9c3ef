from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq_core.decoding.steps.ctc import CtcPrefixes, CtcScoring, frame_scores
from seq2seq_core.errors import ConfigError
from seq2seq_core.models.interface import Memory
from seq2seq_core.tokenizer.vocabulary import BOS_ID, EOS_ID, PAD_ID

VOCABULARY = 6
WORDS = (4, 5)
SYMBOLS = (PAD_ID, *WORDS)

TEXTS = st.lists(st.sampled_from(WORDS), max_size=5)


def frames(seed: int, count: int, spread: float = 2.0) -> torch.Tensor:
    """Log probabilities of frames in which blank and two tokens have all there is but a millionth."""
    scores = np.full((count, VOCABULARY), -14.0)
    scores[:, SYMBOLS] = np.random.default_rng(seed).normal(0, spread, (count, len(SYMBOLS)))
    return torch.from_numpy(scores).log_softmax(1).float()


def collapsed(path: Sequence[int]) -> list[int]:
    return [symbol for symbol, _ in itertools.groupby(path) if symbol != PAD_ID]


def enumerated(scores_SV: torch.Tensor, text: Sequence[int]) -> tuple[float, float]:
    """Log probability of all alignments whose text begins with this one, and of those whose text it is."""
    begins, is_it = 0.0, 0.0
    for path in itertools.product(range(VOCABULARY), repeat=len(scores_SV)):
        found = collapsed(path)
        if found[: len(text)] == list(text):
            probability = math.exp(sum(float(scores_SV[t, symbol]) for t, symbol in enumerate(path)))
            begins += probability
            is_it += probability * (found == list(text))
    return tuple(math.log(p) if p else -math.inf for p in (begins, is_it))  # type: ignore[return-value]


def batch(rows: Sequence[torch.Tensor], padding: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Frames of several sentences side by side, filled up with what must not count."""
    longest = max(map(len, rows)) + padding
    scores_BSV = torch.full((len(rows), longest, VOCABULARY), 3.0)
    for b, row in enumerate(rows):
        scores_BSV[b, : len(row)] = row
    return scores_BSV, torch.arange(longest) < torch.tensor([len(row) for row in rows])[:, None]


def spoken(texts: Sequence[Sequence[int]], scores_BSV: torch.Tensor, mask_BS: torch.Tensor) -> CtcPrefixes:
    """Prefixes of the same length, a row for each."""
    prefixes = CtcPrefixes(scores_BSV, mask_BS, len(texts) // len(mask_BS))
    prefixes.append(torch.full((len(texts),), BOS_ID))
    for tokens in zip(*texts, strict=True):
        prefixes.append(torch.tensor(tokens))
    return prefixes


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 5), TEXTS)
def test_prefixes_are_as_probable_as_all_their_alignments_together(seed: int, count: int, text: list[int]) -> None:
    scores_SV = frames(seed, count)
    prefixes = spoken([text], *batch([scores_SV]))
    changes_NK, end_N = prefixes.changes(torch.tensor([WORDS]))
    begins, is_it = enumerated(scores_SV, text)
    assert float(prefixes.scores_N[0]) == pytest.approx(begins, abs=1e-5)
    if math.isinf(begins):
        assert changes_NK.tolist() == [[-math.inf] * 2]
        assert end_N.tolist() == [-math.inf]
        return
    assert float(end_N[0]) == pytest.approx(is_it - begins, abs=1e-5)
    for change, word in zip(changes_NK[0].tolist(), WORDS, strict=True):
        assert change == pytest.approx(enumerated(scores_SV, [*text, word])[0] - begins, abs=1e-5)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 60), TEXTS)
def test_what_comes_after_a_prefix_takes_up_all_its_probability(seed: int, count: int, text: list[int]) -> None:
    prefixes = spoken([text], *batch([frames(seed, count)]))
    every = [v for v in range(VOCABULARY) if v != PAD_ID]
    changes_NK, end_N = prefixes.changes(torch.tensor([every]))
    total = float(torch.cat((changes_NK[0], end_N)).double().logsumexp(0))
    assert total == pytest.approx(0 if prefixes.scores_N[0] > -math.inf else -math.inf, abs=1e-5)


def test_a_row_knows_nothing_of_its_neighbours_and_their_length() -> None:
    rows = [frames(seed, count) for seed, count in enumerate((7, 1, 30, 3))]
    texts = [[4, 4], [5, 4], [4, 5], [5, 5]]
    many = spoken(list(itertools.chain.from_iterable([text, text[::-1]] for text in texts)), *batch(rows, padding=9))
    ids_NK = torch.tensor([[4, 5, 1]] * 8)
    changes_NK, end_N = many.changes(ids_NK)
    for b, (row, text) in enumerate(zip(rows, texts, strict=True)):
        alone_NK, alone_N = spoken([text], *batch([row])).changes(ids_NK[:1])
        torch.testing.assert_close(changes_NK[2 * b], alone_NK[0], atol=1e-5, rtol=0)
        torch.testing.assert_close(end_N[2 * b], alone_N[0], atol=1e-5, rtol=0)


def test_rows_move_with_the_beam_and_sentences_leave() -> None:
    rows = [frames(seed, 9) for seed in range(3)]
    prefixes = spoken([[4], [5], [4], [5], [4], [5]], *batch(rows))
    prefixes.reorder(torch.tensor([1, 1, 5, 4]))  # the second sentence leaves
    prefixes.append(torch.tensor([5, 4, 4, 5]))
    found = prefixes.changes(torch.tensor([WORDS] * 4))
    expected = spoken([[5, 5], [5, 4], [5, 4], [4, 5]], *batch([rows[0], rows[2]])).changes(torch.tensor([WORDS] * 4))
    for some, others in zip(found, expected, strict=True):
        torch.testing.assert_close(some, others)


def test_long_recordings_and_certain_frames_stay_numbers() -> None:
    scores_SV = torch.full((4000, VOCABULARY), -torch.inf)
    scores_SV[torch.arange(4000), torch.arange(4000) % 2 * 4] = 0  # blank, 4, blank, 4, ...
    prefixes = spoken([[4] * 50], *batch([scores_SV]))
    changes_NK, end_N = prefixes.changes(torch.tensor([[4, 5]]))
    assert float(prefixes.scores_N[0]) == pytest.approx(0, abs=1e-6)
    assert float(changes_NK[0, 0]) == pytest.approx(0, abs=1e-4)
    assert float(changes_NK[0, 1]) < -5000
    assert float(end_N[0]) < -5000


def test_scores_are_single_precise_beside_long_sums() -> None:
    scores_SV = frames(3, 3000, spread=4.0)
    prefixes = spoken([[4, 5, 4]], *batch([scores_SV]))
    before = float(prefixes.scores_N[0])
    change = float(prefixes.changes(torch.tensor([[5]]))[0][0, 0])
    prefixes.append(torch.tensor([5]))
    assert change == pytest.approx(float(prefixes.scores_N[0]) - before, abs=1e-4)


def test_only_the_best_candidates_and_the_end_are_left(heard_model: Callable[..., Any]) -> None:
    model = heard_model(vocabulary=9, subsampling=1)
    memory = model.encode(torch.tensor([[5, 6, 7, 8]]), torch.tensor([4]))
    process = CtcScoring(weight=0.4, candidates=2).start(model, memory, 2)
    scores_NV = torch.full((2, 9), -3.0)
    scores_NV[0, [5, 8]] = -1.0
    scores_NV[1, [4, 6]] = -2.0
    expected = CtcPrefixes(frame_scores(model, memory), memory.mask_BS, 2)
    change_NK, end_N = expected.changes(torch.tensor([[5, 8], [4, 6]]))
    found_NV = process(scores_NV.clone(), torch.full((2,), BOS_ID))
    assert (found_NV > -torch.inf).nonzero().tolist() == [[0, 3], [0, 5], [0, 8], [1, 3], [1, 4], [1, 6]]
    torch.testing.assert_close(found_NV[0, [5, 8]], -1.0 + 0.4 * change_NK[0])
    torch.testing.assert_close(found_NV[1, [4, 6]], -2.0 + 0.4 * change_NK[1])
    torch.testing.assert_close(found_NV[:, EOS_ID], -3.0 + 0.4 * end_N)


def test_a_model_that_scores_no_frames_is_told_so(hashed_model: Callable[..., Any]) -> None:
    memory = Memory(torch.zeros(1, 2, 1), torch.ones(1, 2, dtype=torch.bool))
    with pytest.raises(ConfigError, match=r"scores no frames.*ctc_weight to 0"):
        CtcScoring(0.3, 5).start(hashed_model(), memory, 1)


def test_frames_that_are_not_numbers_show_in_the_scores() -> None:
    scores_SV = frames(1, 5)
    scores_SV[2] = torch.nan
    changes_NK, end_N = spoken([[4]], *batch([scores_SV])).changes(torch.tensor([WORDS]))
    assert bool(changes_NK.isnan().all())
    assert bool(end_N.isnan().all())
