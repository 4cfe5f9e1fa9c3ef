"""The weights of an encoder by themselves: they alone decide what the memory of a source is."""

from __future__ import annotations

import pytest
import torch

from seq2seq_core.modalities.base import EncoderInput, Symbols, Vectors
from seq2seq_core.models.interface import ArchitectureConfig, Seq2Seq
from seq2seq_core.models.rnn import RnnConfig
from seq2seq_core.models.speech import SpeechConfig
from seq2seq_core.models.transformer import TransformerConfig

SMALL = {"width": 8, "encoder_layers": 2, "decoder_layers": 1}
OF_LAYERS = SMALL | {"heads": 2, "feed_forward_width": 12}

CASES: list[tuple[ArchitectureConfig, EncoderInput]] = [
    (RnnConfig.model_validate(SMALL | {"embedding_width": 6}), Symbols(11)),
    (RnnConfig.model_validate(SMALL | {"embedding_width": 6, "tie_embeddings": "all"}), Symbols(11)),
    (TransformerConfig.model_validate(OF_LAYERS | {"positions": "learned"}), Symbols(11)),
    (TransformerConfig.model_validate(OF_LAYERS), Vectors(3)),
    *(
        (SpeechConfig.model_validate(OF_LAYERS | {"encoder": encoder, "front_channels": 3}), Vectors(3))
        for encoder in ("conformer", "transformer", "lstm")
    ),
]


def built(architecture: ArchitectureConfig, source: EncoderInput, seed: int) -> Seq2Seq:
    torch.manual_seed(seed)
    return architecture.build(source, 11).eval()


@pytest.mark.parametrize(("architecture", "source"), CASES, ids=lambda value: getattr(value, "family", ""))
@torch.no_grad()
def test_they_make_the_memory_and_nothing_else(architecture: ArchitectureConfig, source: EncoderInput) -> None:
    one, other = built(architecture, source, 1), built(architecture, source, 2)
    given = torch.randn(1, 9, 3) if isinstance(source, Vectors) else torch.arange(9)[None]
    memories = [model.encode(given, torch.tensor([9])).states_BSD for model in (one, other)]
    assert not torch.allclose(*memories)
    other.load_state_dict(one.encoder_weights(), strict=False)
    assert torch.equal(other.encode(given, torch.tensor([9])).states_BSD, memories[0])
    source_part = {name for name in one.encoder_weights() if name.startswith(("decoder", "ctc", "first", "readout"))}
    assert source_part == set()


def test_a_front_end_belongs_to_the_encoder() -> None:
    names = built(*CASES[-3], 1).encoder_weights()
    assert any("convolutions" in name for name in names)
