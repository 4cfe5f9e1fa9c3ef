from __future__ import annotations

import pytest
import torch

from seq2seq_core.config import build
from seq2seq_core.errors import ConfigError, ModelError
from seq2seq_core.modalities.base import Symbols
from seq2seq_core.models.transformer import Transformer, TransformerConfig
from seq2seq_core.models.transformer_decoder import TransformerState

SMALL = {"width": 8, "feed_forward_width": 12, "heads": 2, "encoder_layers": 1, "decoder_layers": 1}


def small(**changes: object) -> TransformerConfig:
    return TransformerConfig.model_validate(SMALL | changes)


def test_widths_have_to_fit() -> None:
    with pytest.raises(
        ConfigError, match=r"width \(10\) is not a multiple of heads \(4\): set width to 8, or heads to 2"
    ):
        build(TransformerConfig, {"width": 10, "heads": 4})
    with pytest.raises(ConfigError, match=r"width \(9\) is odd, positions \(sinusoidal\)"):
        build(TransformerConfig, {"width": 9, "heads": 3})
    assert build(TransformerConfig, {"width": 9, "heads": 3, "positions": "learned"}).width == 9


def test_sinusoids_first_asked_for_in_inference_mode_can_be_trained_with() -> None:
    model = small(width=14).build(Symbols(9), 9)
    arguments = torch.tensor([[5, 6, 3]]), torch.tensor([3]), torch.tensor([[2, 5]])
    with torch.inference_mode():
        model(*arguments)
    model(*arguments).logits_BTV.sum().backward()


def test_word_order_counts() -> None:
    for positions in ("sinusoidal", "learned"):
        model = small(positions=positions).build(Symbols(9), 9).eval()
        states = model.encode(torch.tensor([[5, 6, 5, 3]]), torch.tensor([4])).states_BSD
        assert not torch.allclose(states[:, 0], states[:, 2])


def test_learned_positions_end() -> None:
    torch.manual_seed(0)
    model = small(positions="learned", max_positions=4).build(Symbols(9), 9).eval()
    assert model.max_length == 4
    assert small().build(Symbols(9), 9).max_length is None
    source, lengths = torch.full((1, 4), 5), torch.tensor([4])
    target = torch.full((1, 5), 5)
    model(source, lengths, target[:, :4])
    message = "longer than the learned positions of the model; found 5 tokens; expected at most 4.*shorter segments"
    with pytest.raises(ModelError, match=message):
        model.encode(torch.full((1, 5), 5), torch.tensor([5]))
    with pytest.raises(ModelError, match=message):
        model(source, lengths, target)
    state = model.start(model.encode(source, lengths))
    for column in target[:, :4].unbind(1):
        state = model.step(column, state).state
    with pytest.raises(ModelError, match=message):
        model.step(target[:, 4], state)


@pytest.mark.parametrize("kind", ["dropout", "attention_dropout", "activation_dropout"])
def test_each_dropout_acts_in_training_alone(kind: str) -> None:
    torch.manual_seed(0)
    model = small(**({"dropout": 0.0} | {kind: 0.5})).build(Symbols(9), 9)
    arguments = torch.tensor([[5, 6, 7, 3]]), torch.tensor([4]), torch.tensor([[2, 5, 6]])
    assert not torch.equal(model(*arguments).logits_BTV, model(*arguments).logits_BTV)
    model.eval()
    assert torch.equal(model(*arguments).logits_BTV, model(*arguments).logits_BTV)


def memory_pointers(model: Transformer, width: int) -> tuple[int, int, int]:
    state = model.start(model.encode(torch.tensor([[5, 3], [6, 3]]), torch.tensor([2, 2])), width)
    state = model.step(torch.full((2 * width,), 2), state).state
    moved = state.reorder(torch.tensor([1, 0, 2, 2]))
    left = state.reorder(torch.tensor([3, 2]))
    return (
        state.crosses[0].data_ptr() - moved.crosses[0].data_ptr(),
        state.pasts[0].first(1).data_ptr() - moved.pasts[0].first(1).data_ptr(),
        left.crosses[0].size(1),
    )


def test_hypotheses_change_places_without_copying_their_past() -> None:
    with torch.no_grad():
        assert memory_pointers(small().build(Symbols(9), 9).eval(), width=2) == (0, 0, 1)


@pytest.mark.parametrize("width", [1, 3])
def test_steps_of_bfloat16_keep_keys_in_float32_on_a_processor(width: int) -> None:
    torch.manual_seed(0)
    model = small().build(Symbols(9), 9).eval().to(torch.bfloat16)
    source, lengths, target = torch.tensor([[5, 6, 3], [6, 3, 0]]), torch.tensor([3, 2]), torch.tensor([[2, 5, 6]] * 2)
    with torch.no_grad():
        whole = model(source, lengths, target).logits_BTV.repeat_interleave(width, 0)
        state = model.start(model.encode(source, lengths), width)
        for position, column in enumerate(target.repeat_interleave(width, 0).unbind(1)):
            step = model.step(column, state)
            state = step.state
            assert step.logits_NV.dtype == torch.bfloat16
            torch.testing.assert_close(step.logits_NV, whole[:, position], rtol=0.05, atol=0.05)
            assert step.attention_NS.shape == (2 * width, 3)
    assert isinstance(state, TransformerState)
    assert state.crosses[0].dtype == state.pasts[0].first(1).dtype == torch.float32
