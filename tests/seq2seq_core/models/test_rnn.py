from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Iterator
from typing import cast

import pytest
import torch

from seq2seq_core.config import build
from seq2seq_core.errors import ConfigError
from seq2seq_core.modalities.base import Symbols
from seq2seq_core.models import rnn_decoder
from seq2seq_core.models.layers.recurrence import Cell
from seq2seq_core.models.rnn import RnnConfig
from seq2seq_core.models.rnn_decoder import RnnState


def test_an_odd_width_cannot_read_both_ways() -> None:
    with pytest.raises(ConfigError, match=r"width \(7\) is odd, bidirectional \(True\)"):
        build(RnnConfig, {"width": 7})
    assert build(RnnConfig, {"width": 7, "bidirectional": False}).width == 7


def test_a_bidirectional_encoder_sees_the_future_and_a_plain_one_does_not() -> None:
    source, lengths = torch.tensor([[5, 6, 7, 3]]), torch.tensor([4])
    changed = torch.tensor([[5, 6, 8, 3]])
    for both_ways in (True, False):
        torch.manual_seed(0)
        model = RnnConfig(embedding_width=4, width=6, bidirectional=both_ways).build(Symbols(9), 9).eval()
        before, after = (model.encode(ids, lengths).states_BSD for ids in (source, changed))
        assert torch.equal(before[:, 0], after[:, 0]) is not both_ways
        assert not torch.equal(before[:, 2], after[:, 2])


def test_input_feeding_lets_the_last_context_reach_the_next_state() -> None:
    for feeding in (True, False):
        torch.manual_seed(0)
        model = RnnConfig(embedding_width=4, width=6, input_feeding=feeding).build(Symbols(9), 9).eval()
        state = model.start(model.encode(torch.tensor([[5, 6, 3]]), torch.tensor([3])))
        state = model.step(torch.tensor([2]), state).state
        fed = model.step(torch.tensor([4]), state).state.carries[0][0]
        blind = dataclasses.replace(state, fed_NG=None)
        assert torch.equal(model.step(torch.tensor([4]), blind).state.carries[0][0], fed) is not feeding


@pytest.mark.parametrize("feeding", [True, False])
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_what_reads_contexts_reads_the_same_of_short_and_long_sources(
    cell: Cell, feeding: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of short ones all is made of the memory at once, and mixed; of long ones the contexts are."""
    torch.manual_seed(0)
    shape = RnnConfig(cell=cell, embedding_width=8, width=32, decoder_layers=3, input_feeding=feeding)
    model = shape.build(Symbols(9), 9).eval()
    memory = model.encode(torch.tensor([[5, 6, 4, 3], [7, 3, 0, 0]]), torch.tensor([4, 2]))

    def logits(state: RnnState) -> Iterator[torch.Tensor]:
        tokens = torch.full((6,), 2)
        for parents in ([2, 0, 1, 3, 3, 5], [3, 4, 5]):
            step = model.step(tokens, state)
            yield step.logits_NV
            state = cast(RnnState, step.state).reorder(torch.tensor(parents))
            tokens = step.logits_NV.argmax(1)[torch.tensor(parents)]
        yield model.step(tokens, state).logits_NV

    short = model.start(memory, 3)
    monkeypatch.setattr(rnn_decoder, "_SHORT", 0)
    long = model.start(memory, 3)
    assert (short.readings.weights_RD is None, long.readings.weights_RD is None) == (True, False)
    for one, other in zip(logits(short), logits(long), strict=True):
        torch.testing.assert_close(one, other)


def test_the_decoder_starts_from_the_mean_of_the_real_states() -> None:
    torch.manual_seed(0)
    model = RnnConfig(cell="gru", embedding_width=4, width=6).build(Symbols(9), 9).eval()
    memory = model.encode(torch.tensor([[5, 6, 3, 0, 0]]), torch.tensor([3]))
    expected = model.bridge(memory.states_BSD[:, :3].mean(1)).tanh()
    torch.testing.assert_close(model.start(memory).carries[0][0], expected)


@pytest.mark.parametrize("layers", [1, 2])
def test_dropout_acts_in_training_alone_and_warns_of_nothing(layers: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        config = RnnConfig(embedding_width=4, width=6, encoder_layers=layers, decoder_layers=layers, dropout=0.5)
        model = config.build(Symbols(9), 9)
    arguments = torch.tensor([[5, 6, 3]]), torch.tensor([3]), torch.tensor([[2, 5, 6]])
    assert not torch.equal(model(*arguments).logits_BTV, model(*arguments).logits_BTV)
    model.eval()
    assert torch.equal(model(*arguments).logits_BTV, model(*arguments).logits_BTV)
