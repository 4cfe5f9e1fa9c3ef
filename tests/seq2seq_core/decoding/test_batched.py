from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_core.decoding import batched
from seq2seq_core.decoding.batched import cut, generate, pad
from seq2seq_core.decoding.hypothesis import Hypothesis, SearchConfig
from seq2seq_core.decoding.search import search
from seq2seq_core.modalities.text import Text
from seq2seq_core.tokenizer.vocabulary import EOS_ID, PAD_ID

TEXT = Text()
Model = Callable[..., Any]


def sentences(count: int, longest: int = 30) -> list[np.ndarray]:
    rng = np.random.default_rng(count)
    return [rng.integers(4, 12, rng.integers(0, longest + 1)).astype(np.int32) for _ in range(count)]


def outputs(found: list[list[Hypothesis]]) -> list[list[list[int]]]:
    return [[h.tokens.tolist() for h in hypotheses] for hypotheses in found]


@pytest.mark.parametrize("beam", [1, 3])
@pytest.mark.parametrize("max_batch_tokens", [1, 300, 100_000])
def test_results_stand_in_the_order_of_the_input_whatever_the_batches(
    hashed_model: Model, beam: int, max_batch_tokens: int
) -> None:
    model, sources = hashed_model(), sentences(25)
    options = SearchConfig(beam=beam, n_best=beam)
    done: list[int] = []
    found = generate(model, TEXT, sources, options, max_batch_tokens, done.append)
    assert outputs(found) == [outputs(search(model, *pad(TEXT, [source]), options))[0] for source in sources]
    assert sum(done) == 25


def test_no_sequences_are_no_results(hashed_model: Model) -> None:
    assert generate(hashed_model(), TEXT, [], SearchConfig(), 100) == []


def test_only_empty_sequences(hashed_model: Model) -> None:
    assert len(generate(hashed_model(), TEXT, [np.zeros(0, np.int32)] * 3, SearchConfig(), 100)) == 3


def test_padding_is_right_and_eos_ends_each_row() -> None:
    source_BS, lengths_B = pad(TEXT, [np.array([7, 8], np.int32), np.zeros(0, np.int32), np.array([9], np.int32)])
    assert source_BS.tolist() == [[7, 8, EOS_ID], [EOS_ID, PAD_ID, PAD_ID], [9, EOS_ID, PAD_ID]]
    assert lengths_B.tolist() == [3, 1, 2]
    assert source_BS.dtype == lengths_B.dtype == torch.int64


@given(st.lists(st.integers(0, 50)), st.integers(1, 8), st.integers(1, 2000))
def test_batches_hold_every_sentence_once_and_keep_the_budget(lengths: list[int], beam: int, budget: int) -> None:
    ordered = np.array(sorted(lengths, reverse=True), np.int64)
    covered = []
    for rows in cut(ordered, beam, budget):
        batch = ordered[rows]
        covered += batch.tolist()
        assert len(batch) == 1 or len(batch) * (batch[0] + 1) * (1 + beam) <= budget
    assert covered == ordered.tolist()


def test_dropout_is_off_while_generating_and_the_mode_is_put_back(hashed_model: Model) -> None:
    model = hashed_model()
    modes: list[bool] = []
    whole = model.encode
    model.encode = lambda *a: modes.append(model.training) or whole(*a)
    model.train()
    generate(model, TEXT, sentences(2), SearchConfig(beam=1), 100)
    assert set(modes) == {False}
    assert model.training


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("out of memory"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory: you tried"),
        RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 3 bytes."),
        MemoryError(),
    ],
)
def test_a_batch_too_large_for_the_memory_is_halved(
    hashed_model: Model, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    model, sources, options = hashed_model(), sentences(13), SearchConfig(beam=2)
    expected = outputs(generate(model, TEXT, sources, options, 100_000))
    sizes: list[int] = []

    def small(model: Any, source_BS: torch.Tensor, lengths_B: torch.Tensor, *how: Any) -> Any:
        sizes.append(len(lengths_B))
        if len(lengths_B) > 3:
            raise error
        return search(model, source_BS, lengths_B, *how)

    monkeypatch.setattr(batched, "search", small)
    assert outputs(generate(model, TEXT, sources, options, 100_000)) == expected
    assert sizes[0] == 13
    assert sum(size for size in sizes if size <= 3) == 13


def test_a_sentence_too_large_for_the_memory_is_an_error_and_others_are_raised_at_once(
    hashed_model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []

    def failing(error: Exception) -> None:
        def full(model: Any, source_BS: torch.Tensor, *_: Any) -> Any:
            sizes.append(len(source_BS))
            raise error

        monkeypatch.setattr(batched, "search", full)
        with pytest.raises(type(error)):
            generate(hashed_model(), TEXT, sentences(3), SearchConfig(), 100_000)

    failing(torch.OutOfMemoryError("out of memory"))
    assert sizes == [3, 1]
    sizes.clear()
    failing(RuntimeError("the sizes of tensors must match"))
    assert sizes == [3]
