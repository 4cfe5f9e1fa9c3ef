from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from seq2seq_core.config import build
from seq2seq_core.decoding.batched import generate
from seq2seq_core.decoding.hypothesis import SearchConfig
from seq2seq_core.errors import ConfigError
from seq2seq_core.modalities.base import Symbols, Vectors
from seq2seq_core.models.interface import Seq2Seq
from seq2seq_core.models.speech import SpeechConfig
from seq2seq_core.tokenizer.vocabulary import BOS_ID, EOS_ID, PAD_ID
from tests.toy_modality import Points

BINS, FIRST, TONES = 3, 5, 6
VOCABULARY = FIRST + TONES
ENCODERS = ["conformer", "transformer", "lstm"]


def config(**changes: Any) -> SpeechConfig:
    small = {"width": 32, "feed_forward_width": 64, "heads": 2, "encoder_layers": 2, "decoder_layers": 1}
    return build(SpeechConfig, small | {"front_channels": 8, "convolution_kernel": 5, "dropout": 0.0} | changes)


def model(**changes: Any) -> Seq2Seq:
    torch.manual_seed(1)
    return config(**changes).build(Vectors(BINS), VOCABULARY)


def tones(rows: int, seed: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Rows of 1 to 4 different tones, each of 8 to 12 frames: frames, their numbers, and the targets in and out."""
    generator = torch.Generator().manual_seed(seed)
    places = 2 * torch.cat([torch.eye(BINS), -torch.eye(BINS)])
    sources, targets = [], []
    for _ in range(rows):
        said = torch.randperm(TONES, generator=generator)[: int(torch.randint(1, 5, (1,), generator=generator))]
        durations = torch.randint(8, 13, said.shape, generator=generator)
        pauses = torch.randint(4, 7, said.shape, generator=generator)
        frames = [
            part for tone, n, m in zip(said, durations, pauses, strict=True)
            for part in (places[tone].expand(int(n), -1), torch.zeros(int(m), BINS))
        ]  # fmt: skip
        clean = torch.cat(frames)
        sources.append(clean + 0.1 * torch.randn(clean.shape, generator=generator))
        targets.append(said + FIRST)
    pad = torch.nn.utils.rnn.pad_sequence
    into = pad([functional.pad(t, (1, 0), value=BOS_ID) for t in targets], batch_first=True, padding_value=PAD_ID)
    out = pad([functional.pad(t, (0, 1), value=EOS_ID) for t in targets], batch_first=True, padding_value=PAD_ID)
    return pad(sources, batch_first=True), torch.tensor([len(s) for s in sources]), into, out


def test_defaults_are_those_of_the_encoder() -> None:
    assert (SpeechConfig().width, SpeechConfig().encoder_layers, SpeechConfig().decoder_layers) == (256, 12, 6)
    spell = build(SpeechConfig, {"encoder": "lstm"})
    assert (spell.width, spell.encoder_layers, spell.decoder_layers) == (512, 4, 2)
    assert build(SpeechConfig, {"encoder": "lstm", "width": 64}).width == 64
    assert build(SpeechConfig, spell.model_dump()) == spell


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"width": 9, "heads": 3}, r"width \(9\) is odd"),
        ({"width": 10, "heads": 4}, r"width \(10\) is not a multiple of heads \(4\)"),
        ({"convolution_kernel": 4}, r"convolution_kernel \(4\) is even"),
        ({"encoder": "lstm", "subsampling": 6}, r"subsampling \(6\) is no power of 2, encoder \(lstm\)"),
        ({"encoder": "lstm", "subsampling": 8, "encoder_layers": 2}, r"encoder_layers \(2\) are too few .* takes 3"),
    ],
)
def test_numbers_have_to_fit(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build(SpeechConfig, values)


def test_symbols_are_no_speech() -> None:
    with pytest.raises(ConfigError, match=r"reads vectors.*found a source of 9 symbols.*audio"):
        config().build(Symbols(9), 9)


@pytest.mark.parametrize("encoder", ENCODERS)
def test_without_a_share_there_is_no_second_head(encoder: str) -> None:
    without, plain = model(encoder=encoder, ctc_weight=0), model(encoder=encoder)
    source, lengths, target, _ = tones(2, 0)
    assert without(source, lengths, target).auxiliary is None
    assert without.frame_scores(without.encode(source, lengths)) is None
    assert without.auxiliary_weight == 0
    extra = {name.partition(".")[0] for name in plain.state_dict()} - {
        name.partition(".")[0] for name in without.state_dict()
    }
    assert extra == {"ctc"}
    assert (plain.auxiliary_weight, plain.subsampling) == (0.3, 4)


@pytest.mark.parametrize("encoder", ENCODERS)
def test_a_row_without_tokens_has_no_loss_and_moves_nothing(encoder: str) -> None:
    found = model(encoder=encoder).train()(torch.zeros(1, 1, BINS), torch.tensor([1]), torch.tensor([[BOS_ID]]))
    assert found.auxiliary.item() == 0
    assert found.auxiliary.dtype == torch.float32


@pytest.mark.parametrize("encoder", ENCODERS)
def test_dropout_and_stripes_follow_the_seed(encoder: str) -> None:
    network = model(encoder=encoder, dropout=0.2).train()
    source, lengths, target, _ = tones(2, 0)

    def losses(seed: int) -> list[float]:
        torch.manual_seed(seed)
        found = network(source, lengths, target)
        return [found.auxiliary.item(), found.logits_BTV.sum().item()]

    assert losses(1) == losses(1)
    assert losses(1) != losses(2)


@pytest.mark.parametrize("encoder", ENCODERS)
def test_frame_scores_are_log_probabilities_at_each_state(encoder: str) -> None:
    network = model(encoder=encoder).eval()
    source, lengths, *_ = tones(3, 0)
    memory = network.encode(source, lengths)
    assert torch.equal(memory.mask_BS.sum(1), (lengths + 3) // 4)
    scores = network.frame_scores(memory)
    assert scores is not None
    assert scores.shape == (*memory.mask_BS.shape, VOCABULARY)
    torch.testing.assert_close(scores.exp().sum(-1), torch.ones(memory.mask_BS.shape))


@pytest.mark.parametrize(("encoder", "rate"), [("conformer", 3e-3), ("lstm", 1e-2)])
def test_it_learns_to_read_tones_by_attention_and_by_ctc(encoder: str, rate: float) -> None:
    network = model(encoder=encoder, augment=None, encoder_layers=2 if encoder == "lstm" else 1)
    optimizer = torch.optim.Adam(network.parameters(), lr=rate)
    for number in range(400):
        source, lengths, target, expected = tones(16, 1000 + number)
        found = network(source, lengths, target)
        cross_entropy = functional.cross_entropy(
            found.logits_BTV.flatten(0, 1), expected.flatten(), ignore_index=PAD_ID, reduction="sum"
        )
        tokens = (expected != PAD_ID).sum()
        loss = (0.7 * cross_entropy + 0.3 * found.auxiliary) / tokens
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        if loss < 0.02:
            break
    source, lengths, _, expected = tones(20, 0)
    texts = [[token for token in row if token > EOS_ID] for row in expected.tolist()]
    for found in (by_attention(network.eval(), source, lengths), by_ctc(network, source, lengths)):
        assert sum(map(list.__eq__, found, texts)) >= 18, f"loss {loss:.3f} after {number + 1} steps"


def by_attention(network: Seq2Seq, source: Tensor, lengths: Tensor) -> list[list[int]]:
    sources = [row[:length].numpy() for row, length in zip(source, lengths.tolist(), strict=True)]
    found = generate(network, Points(), sources, SearchConfig(beam=1), 10_000)
    return [hypotheses[0].tokens.tolist() for hypotheses in found]


@torch.no_grad()
def by_ctc(network: Seq2Seq, source: Tensor, lengths: Tensor) -> list[list[int]]:
    memory = network.encode(source, lengths)
    scores = network.frame_scores(memory)
    assert scores is not None
    best = scores.argmax(-1)
    return [
        torch.unique_consecutive(row[mask])[torch.unique_consecutive(row[mask]) != PAD_ID].tolist()
        for row, mask in zip(best, memory.mask_BS, strict=True)
    ]
