"""What `Seq2Seq` promises, held by every family in every variant."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from seq2seq_core.config import Config
from seq2seq_core.modalities.base import EncoderInput, Symbols, Vectors
from seq2seq_core.models.interface import ArchitectureConfig, Forward, Seq2Seq
from seq2seq_core.models.registry import build_model
from seq2seq_core.models.rnn import RnnConfig
from seq2seq_core.models.rnn_decoder import RnnDecoder
from seq2seq_core.models.speech import SpeechConfig
from seq2seq_core.models.transformer import TransformerConfig
from seq2seq_core.tokenizer.vocabulary import BOS_ID, EOS_ID, PAD_ID

VOCABULARY, BINS = 23, 10
FRAMES = 12
"""Of a source of vectors, for each position of a source of ids."""


def rnn(**changes: object) -> RnnConfig:
    return RnnConfig.model_validate({"embedding_width": 6, "width": 8, "decoder_layers": 2} | changes)


def transformer(**changes: object) -> TransformerConfig:
    small = {"width": 8, "feed_forward_width": 12, "heads": 2, "encoder_layers": 2, "decoder_layers": 2}
    return TransformerConfig.model_validate(small | changes)


def speech(**changes: object) -> SpeechConfig:
    small = {"width": 8, "feed_forward_width": 12, "heads": 2, "encoder_layers": 2, "decoder_layers": 2}
    return SpeechConfig.model_validate(small | {"front_channels": 3, "convolution_kernel": 3} | changes)


VARIANTS: list[ArchitectureConfig] = [
    *(
        rnn(cell=cell, attention=attention, input_feeding=feeding)
        for cell, attention, feeding in itertools.product(
            ("lstm", "gru"), ("additive", "multiplicative"), (True, False)
        )
    ),
    *(rnn(bidirectional=False, encoder_layers=e, decoder_layers=d) for e, d in ((1, 1), (3, 1), (1, 3))),
    rnn(encoder_layers=2, decoder_layers=3, tie_embeddings="all"),
    rnn(cell="gru", encoder_layers=2, tie_embeddings="none"),
    *(
        transformer(norm=norm, positions=positions)
        for norm, positions in itertools.product(("pre", "post"), ("sinusoidal", "learned"))
    ),
    transformer(activation="gelu", tie_embeddings="all"),
    transformer(activation="swish", tie_embeddings="none"),
    transformer(heads=1, encoder_layers=1, decoder_layers=1),
    transformer(heads=8, decoder_layers=1),
    transformer(normalization="rms", positions="rotary", feed_forward="gated", activation="swish", heads=2),
    transformer(positions="relative", norm="post", embedding_width=5),
    transformer(positions="rotary", share_layers=True, distinct_layers=1, tie_embeddings="all", embedding_width=3),
    transformer(encoder_layers=5, distinct_layers=2, tie_embeddings="none", embedding_width=3),
    *(
        speech(encoder=encoder, positions=positions, front_end=front)
        for encoder, positions, front in itertools.product(
            ("conformer", "transformer"), ("relative", "sinusoidal"), ("conv2d", "conv1d")
        )
    ),
    *(speech(subsampling=frames, tie_embeddings="none") for frames in (2, 6, 8)),
    speech(front_end="conv1d", subsampling=6, augment=None, ctc_weight=0.0),
    speech(encoder="lstm", attention="additive", tie_embeddings="none"),
    speech(encoder="lstm", encoder_layers=3, subsampling=2, input_feeding=False, augment=None),
    speech(encoder="lstm", encoder_layers=3, subsampling=8, ctc_weight=0.0),
]


def name(config: Config) -> str:
    changed = config.model_dump(exclude_defaults=True, exclude={"width", "feed_forward_width", "embedding_width"})
    return "-".join([config.__class__.__name__, *(f"{key}={value}" for key, value in changed.items())])


every_variant = pytest.mark.parametrize("architecture", VARIANTS, ids=name)
every_family = pytest.mark.parametrize(
    "architecture", [rnn(), transformer(), speech(), speech(encoder="lstm")], ids=name
)


def build(architecture: ArchitectureConfig) -> Seq2Seq:
    """A model in float64: what should agree then does so to the last few digits.

    No weight is as it begins: what is 0 or 1 everywhere would hide that it is left out.
    """
    torch.manual_seed(7)
    model = build_model(architecture, read(architecture), VOCABULARY).double().eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.3 * torch.randn_like(weight))
    return model


def read(architecture: ArchitectureConfig) -> EncoderInput:
    """What its encoder is given."""
    return Vectors(BINS) if isinstance(architecture, SpeechConfig) else Symbols(VOCABULARY)


def random_ids(rows: int, columns: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(EOS_ID + 1, VOCABULARY, (rows, columns), generator=generator)


def sources(architecture: ArchitectureConfig, *lengths: int) -> tuple[Tensor, Tensor]:
    """Ids, or vectors with what is no number behind their ends: nothing may look there."""
    if read(architecture) == Vectors(BINS):
        generator = torch.Generator().manual_seed(1)
        lengths = tuple(length * FRAMES for length in lengths)
        frames = torch.randn(len(lengths), max(lengths), BINS, generator=generator)
        for row, length in enumerate(lengths):
            frames[row, length:] = torch.nan
        return frames, torch.tensor(lengths)
    ids = random_ids(len(lengths), max(lengths), seed=1)
    for row, length in enumerate(lengths):
        ids[row, length - 1] = EOS_ID
        ids[row, length:] = PAD_ID
    return ids, torch.tensor(lengths)


def targets(rows: int, columns: int) -> Tensor:
    ids = random_ids(rows, columns, seed=2)
    ids[:, 0] = BOS_ID
    return ids


def total(found: Forward) -> Tensor:
    """Something that everything a model gives has a part in."""
    logits = found.logits_BTV.float().logsumexp(-1).sum()
    return logits if found.auxiliary is None else logits + found.auxiliary


def assert_same(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-10)


@every_variant
@torch.no_grad()
def test_step_agrees_with_forward_at_every_position(architecture: ArchitectureConfig) -> None:
    model = build(architecture)
    source, lengths = sources(architecture, 7, 3, 5)
    target = targets(3, 40)
    found = model(source, lengths, target, attending=True)
    assert_same(found.logits_BTV, model(source, lengths, target).logits_BTV)
    state = model.start(model.encode(source, lengths))
    for position in range(target.size(1)):
        step = model.step(target[:, position], state)
        assert_same(step.logits_NV, found.logits_BTV[:, position])
        assert_same(step.attention_NS.double(), found.attention_BTS[:, position].double())
        state = step.state


@every_variant
@torch.no_grad()
def test_padding_and_neighbours_change_nothing(architecture: ArchitectureConfig) -> None:
    model = build(architecture)
    source, lengths = sources(architecture, 4, 9, 1)
    target = targets(3, 5)
    together = model(source, lengths, target).logits_BTV
    for row, length in enumerate(lengths.tolist()):
        alone = model(source[row : row + 1, :length], lengths[row : row + 1], target[row : row + 1])
        assert_same(alone.logits_BTV[0], together[row])


@every_variant
@torch.no_grad()
def test_a_later_target_token_does_not_change_earlier_logits(architecture: ArchitectureConfig) -> None:
    model = build(architecture)
    source, lengths = sources(architecture, 4, 6)
    target = targets(2, 6)
    changed = target.clone()
    changed[:, 4] = changed[:, 4] % (VOCABULARY - 5) + 5
    before, after = (model(source, lengths, tokens).logits_BTV for tokens in (target, changed))
    assert_same(after[:, :4], before[:, :4])
    assert not torch.allclose(after[:, 4:], before[:, 4:])


@every_variant
@torch.no_grad()
def test_attention_sums_to_one_over_real_tokens(architecture: ArchitectureConfig) -> None:
    model = build(architecture)
    source, lengths = sources(architecture, 7, 3)
    step = model.step(torch.full((4,), BOS_ID), model.start(model.encode(source, lengths), width=2))
    states, rest = (-(-length // model.subsampling) for length in lengths.tolist())
    assert step.attention_NS.shape == (4, states)
    assert_same(step.attention_NS.double().sum(1), torch.ones(4, dtype=torch.float64))
    assert (step.attention_NS[2:, rest:] == 0).all()
    assert (step.attention_NS[2:, :rest] > 0).all()


@every_variant
@torch.no_grad()
def test_reordered_hypotheses_agree_with_rows_of_their_own(architecture: ArchitectureConfig) -> None:
    """Beams that cross, sentences that leave or change places: every row still is its own history."""
    model, width, steps = build(architecture), 3, 24
    source, lengths = sources(architecture, 7, 3, 5, 4)
    generator = torch.Generator().manual_seed(3)
    sentences = torch.arange(4)
    histories = torch.full((4 * width, 1), BOS_ID)
    state = model.start(model.encode(source, lengths), width)
    for number in range(steps):
        step = model.step(histories[:, -1], state)
        expected = model(
            source[sentences].repeat_interleave(width, 0), lengths[sentences].repeat_interleave(width, 0), histories
        ).logits_BTV
        assert_same(step.logits_NV, expected[:, -1])
        kept = {5: [0, 2, 3], 9: [2, 0, 1], 20: [1]}.get(number, list(range(len(sentences))))
        parents = torch.cat([s * width + torch.randint(width, (width,), generator=generator) for s in kept])
        sentences = sentences[kept]
        tokens = random_ids(len(parents), 1, seed=100 + number)
        histories = torch.cat([histories[parents], tokens], 1)
        state = step.state.reorder(parents)


@every_variant
@torch.no_grad()
def test_a_state_can_be_continued_twice(architecture: ArchitectureConfig) -> None:
    model = build(architecture)
    source, lengths = sources(architecture, 5, 4)
    first = model.step(torch.full((4,), BOS_ID), model.start(model.encode(source, lengths), width=2)).state
    left, right = random_ids(4, 3, seed=4), random_ids(4, 3, seed=5)

    def logits_after(tokens: Tensor) -> Tensor:
        state = first
        for column in tokens.unbind(1):
            step = model.step(column, state)
            state = step.state
        return step.logits_NV

    expected = logits_after(left)
    logits_after(right)
    assert_same(logits_after(left), expected)


@every_variant
def test_even_an_empty_target_touches_every_weight(architecture: ArchitectureConfig) -> None:
    """Processes that train together wait for a gradient of each weight, whatever their batch is."""
    model = build(architecture).train()
    total(model(*sources(architecture, 1), targets(1, 1))).backward()
    assert [key for key, weight in model.named_parameters() if weight.grad is None] == []


@every_variant
def test_gradients_reach_every_weight(architecture: ArchitectureConfig) -> None:
    model = build(architecture).train()
    source, lengths = sources(architecture, 5, 4)
    found = model(source, lengths, targets(2, 6))
    loss = functional.cross_entropy(found.logits_BTV.flatten(0, 1), random_ids(12, 1, 6)[:, 0])
    (loss if found.auxiliary is None else loss + found.auxiliary).backward()
    for key, weight in model.named_parameters():
        assert weight.grad is not None, key
        assert weight.grad.abs().sum() > 0, key
        assert weight.grad.isfinite().all(), key


@every_family
def test_gradients_through_steps_agree_with_those_through_forward(architecture: ArchitectureConfig) -> None:
    model = build(architecture)
    source, lengths = sources(architecture, 5, 4)
    target = targets(2, 4)
    model(source, lengths, target).logits_BTV.logsumexp(-1).sum().backward()
    expected = {key: weight.grad for key, weight in model.named_parameters()}
    model.zero_grad()
    state = model.start(model.encode(source, lengths))
    total = torch.zeros((), dtype=torch.float64)
    for column in target.unbind(1):
        step = model.step(column, state)
        state, total = step.state, total + step.logits_NV.logsumexp(-1).sum()
    total.backward()
    for key, weight in model.named_parameters():
        torch.testing.assert_close(weight.grad, expected[key], rtol=1e-7, atol=1e-9, msg=key)


@pytest.mark.parametrize(
    "architecture",
    [rnn(), rnn(cell="gru", input_feeding=False), transformer(), speech(), speech(encoder="lstm")],
    ids=name,
)
def test_autocast_to_bfloat16_stays_close(architecture: ArchitectureConfig) -> None:
    model = build(architecture).float()
    source, lengths = sources(architecture, 5, 4)
    target = targets(2, 6)
    expected = model(source, lengths, target).logits_BTV
    with torch.autocast("cpu", torch.bfloat16):
        given = model(source, lengths, target)
        found = given.logits_BTV
        total(given).backward()
        state = model.start(model.encode(source, lengths), width=1)
        for column in target.unbind(1):
            step = model.step(column, state)
            state = step.state
    torch.testing.assert_close(found.float(), expected, rtol=0.1, atol=0.1)
    torch.testing.assert_close(step.logits_NV.float(), expected[:, -1], rtol=0.1, atol=0.1)
    assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in model.parameters())


@every_family
def test_the_state_of_another_family_is_refused(architecture: ArchitectureConfig) -> None:
    kind = transformer() if isinstance(build(architecture), RnnDecoder) else rnn()
    other = build(kind)
    state = other.start(other.encode(*sources(kind, 3)))
    with pytest.raises(TypeError, match="start is needed"):
        build(architecture).step(torch.tensor([BOS_ID]), state)


@pytest.mark.parametrize(
    "architecture",
    [
        rnn(embedding_width=32, width=64, decoder_layers=1, dropout=0.0),
        rnn(cell="gru", attention="additive", input_feeding=False, embedding_width=32, width=64, dropout=0.0),
        transformer(width=32, feed_forward_width=64, heads=4, dropout=0.0),
    ],
    ids=name,
)
def test_it_learns_to_reverse(architecture: ArchitectureConfig) -> None:
    torch.manual_seed(11)
    model = build_model(architecture, Symbols(VOCABULARY), VOCABULARY)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    loss = torch.tensor(torch.inf)
    for number in range(300):
        tokens = random_ids(64, 5, seed=1000 + number)
        source = functional.pad(tokens, (0, 1), value=EOS_ID)
        target = functional.pad(tokens.flip(1), (1, 0), value=BOS_ID)
        expected = functional.pad(tokens.flip(1), (0, 1), value=EOS_ID)
        logits = model(source, torch.full((64,), 6), target).logits_BTV
        loss = functional.cross_entropy(logits.flatten(0, 1), expected.flatten())
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if loss < 0.1:
            return
    pytest.fail(f"the loss is still {loss:.2f} after {number + 1} steps")
