from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq_core.decoding import alignment
from seq2seq_core.decoding.alignment import align
from seq2seq_core.decoding.hypothesis import Hypothesis
from seq2seq_core.tokenizer.vocabulary import PAD_ID

VOCABULARY = 7
SEEDS = st.integers(0, 10_000)


def said(*tokens: int, attention: np.ndarray | None = None, finished: bool = True) -> Hypothesis:
    return Hypothesis(np.array(tokens, np.int32), 0.0, 0.0, finished, attention)


def padded(rows: list[np.ndarray], padding: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    longest = max(map(len, rows)) + padding
    scores_BSV = torch.full((len(rows), longest, VOCABULARY), 5.0)
    for b, row in enumerate(rows):
        scores_BSV[b, : len(row)] = torch.from_numpy(row)
    return scores_BSV, torch.arange(longest) < torch.tensor([len(row) for row in rows])[:, None]


def random_frames(seed: int, count: int) -> np.ndarray:
    drawn = np.random.default_rng(seed).normal(0, 2, (count, VOCABULARY))
    return torch.from_numpy(drawn).log_softmax(1).numpy().astype(np.float32)


def path_of(tokens: list[int], spans: np.ndarray, count: int) -> list[int]:
    """The symbol of each frame."""
    path = [PAD_ID] * count
    for token, (begin, end) in zip(tokens, spans.tolist(), strict=True):
        path[begin:end] = [token] * (end - begin)
    return path


def collapsed(path: list[int]) -> list[int]:
    return [symbol for symbol, _ in itertools.groupby(path) if symbol != PAD_ID]


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.integers(1, 6), st.lists(st.sampled_from([4, 5]), max_size=4))
def test_no_path_with_the_same_text_is_better(seed: int, count: int, tokens: list[int]) -> None:
    scores_SV = random_frames(seed, count)
    (spans,) = align([[said(*tokens)]], *padded([scores_SV]), [count], 1)
    texts = [path for path in itertools.product([PAD_ID, 4, 5], repeat=count) if collapsed(list(path)) == tokens]
    assert spans.dtype == np.int32
    assert spans.shape == (len(tokens), 2)
    if texts:
        best = max(float(scores_SV[np.arange(count), path].sum()) for path in texts)
        path = path_of(tokens, spans, count)
        assert collapsed(path) == tokens
        assert float(scores_SV[np.arange(count), path].sum()) == pytest.approx(best, abs=1e-4)
    else:
        assert spans.tolist() == [
            [i * count // len(tokens), (i + 1) * count // len(tokens)] for i in range(len(tokens))
        ]


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.integers(1, 4))
def test_what_was_written_into_the_frames_is_found_again(seed: int, subsampling: int) -> None:
    """Each token is said for some frames, with pauses between them, under noise."""
    rng = np.random.default_rng(seed)
    tokens = rng.integers(4, VOCABULARY, rng.integers(1, 12))
    truth, path = [], [PAD_ID] * int(rng.integers(0, 5))
    for before, token in zip([PAD_ID, *tokens[:-1]], tokens, strict=True):
        path += [PAD_ID] * int(rng.integers(before == token, 6))
        truth.append([len(path) * subsampling])
        path += [int(token)] * int(rng.integers(1, 5))
        truth[-1].append(len(path) * subsampling)
    path += [PAD_ID] * int(rng.integers(0, 5))
    scores_SV = rng.normal(0, 0.5, (len(path), VOCABULARY))
    scores_SV[np.arange(len(path)), path] += 6
    length = len(path) * subsampling - int(rng.integers(0, subsampling))
    (spans,) = align([[said(*tokens)]], *padded([scores_SV.astype(np.float32)]), [length], subsampling)
    assert spans.tolist() == np.minimum(truth, length).tolist()


@pytest.mark.parametrize("cells", [1, 1 << 23])
def test_a_sentence_is_aligned_the_same_alone_and_in_any_batch(cells: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alignment, "_MOST_CELLS", cells)
    rows = [random_frames(seed, count) for seed, count in enumerate((9, 2, 30, 1, 5))]
    found = [[said(4, 5, 5), said()], [said(4, 4)], [said(*[4, 5] * 6), said(6)], [], [said(4, 4, 4)]]
    lengths = [2 * len(row) - 1 for row in rows]
    together = align(found, *padded(rows, padding=4), lengths, 2)
    alone = [
        spans
        for row, hypotheses, length in zip(rows, found, lengths, strict=True)
        for one in hypotheses
        for spans in align([[one]], *padded([row]), [length], 2)
    ]
    assert [spans.tolist() for spans in together] == [spans.tolist() for spans in alone]


def steps(*edges: int, noise: float = 0.1) -> np.ndarray:
    """Attention that goes from token to token at these frames, with noise below it."""
    weights_TS = np.random.default_rng(len(edges)).uniform(0, noise, (len(edges) - 1, edges[-1]))
    for token, (begin, end) in enumerate(itertools.pairwise(edges)):
        weights_TS[token, begin:end] += 0.5
    return weights_TS.astype(np.float32)


def test_without_frame_scores_attention_tells_where_a_token_lies() -> None:
    found = [
        [said(4, 5, 6, attention=steps(0, 3, 4, 9, 12))],  # EOS has the last three
        [said(4, 4, attention=steps(0, 2, 5), finished=False)],
        [said(attention=steps(0, 4))],
        [said(4, 5, 6, attention=steps(0, 1, 2, 2, 2)[:, :2])],  # more than there are frames
    ]
    mask_BS = torch.arange(12) < torch.tensor([12, 5, 4, 2])[:, None]
    spans = align(found, None, mask_BS, [24, 9, 8, 3], 2)
    assert [one.tolist() for one in spans] == [
        [[0, 6], [6, 8], [8, 18]],
        [[0, 4], [4, 9]],
        [],
        [[0, 1], [1, 2], [2, 3]],
    ]


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.integers(1, 6), st.integers(1, 7))
def test_no_other_monotonic_reading_has_more_attention(seed: int, rows: int, count: int) -> None:
    attention = np.random.default_rng(seed).uniform(0, 1, (rows, count)).astype(np.float32)
    one = said(*[5] * rows, attention=attention, finished=False)
    (spans,) = align([[one]], None, torch.ones(1, count, dtype=torch.bool), [count], 1)
    if rows > count:
        assert spans.max() <= count
        return
    edges = [(0, *inner, count) for inner in itertools.combinations(range(1, count), rows - 1)]
    worth = [sum(attention[i, a:b].sum() for i, (a, b) in enumerate(itertools.pairwise(edge))) for edge in edges]
    found = sum(attention[i, a:b].sum() for i, (a, b) in enumerate(spans.tolist()))
    assert found == pytest.approx(max(worth), abs=1e-4)
    assert (spans[1:, 0] == spans[:-1, 1]).all()


def test_nothing_said_is_nothing_to_align() -> None:
    kwargs: dict[str, Any] = {"lengths": [3], "subsampling": 1}
    scores_BSV, mask_BS = padded([random_frames(0, 3)])
    assert align([[]], scores_BSV, mask_BS, **kwargs) == []
    assert align([[said()]], scores_BSV, mask_BS, **kwargs)[0].shape == (0, 2)
