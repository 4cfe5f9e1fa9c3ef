from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from seq2seq_core.data.batch import Batch, idle_batch
from seq2seq_core.modalities.base import Symbols
from seq2seq_core.models.interface import Forward, Seq2Seq
from seq2seq_core.models.layers.sublayers import Layers
from seq2seq_core.models.registry import build_model
from seq2seq_core.models.transformer import Transformer, TransformerConfig
from seq2seq_core.tokenizer.vocabulary import BOS_ID, EOS_ID, PAD_ID
from seq2seq_core.training.optimization.loss import Objective
from seq2seq_core.training.optimization.optimizer import OptimizerConfig, Optimizers, build_optimizer
from seq2seq_core.training.optimization.step import Stepper, dropout_seed, uses_bfloat16
from seq2seq_core.training.processes.distributed import World
from tests.text_sides import text_sides

CPU = torch.device("cpu")
ALONE = World(rank=0, size=1, local_size=1, device=CPU)
IDLE = idle_batch(text_sides(12)["source"])


def rows(sources: Sequence[Sequence[int]], targets: Sequence[Sequence[int]]) -> Batch:
    def padded(sequences: list[list[int]]) -> Tensor:
        return nn.utils.rnn.pad_sequence([torch.tensor(s) for s in sequences], batch_first=True, padding_value=PAD_ID)

    return Batch(
        padded([[*s, EOS_ID] for s in sources]),
        torch.tensor([len(s) + 1 for s in sources]),
        padded([[BOS_ID, *t] for t in targets]),
        padded([[*t, EOS_ID] for t in targets]),
        target_tokens=sum(len(t) + 1 for t in targets),
    )


SOURCES = [[5, 6, 7], [8], [9, 10], [11, 5, 6, 7]]
TARGETS = [[6, 5], [7, 8, 9], [10], [11, 11]]
TOKENS = sum(len(target) + 1 for target in TARGETS)


class TwoHeaded(Transformer):
    """Its second head should say of each row's first source token which its first target token is."""

    auxiliary_weight = 0.25

    def forward(
        self, source_BS: Tensor, source_lengths_B: Tensor, target_BT: Tensor, *, attending: bool = False
    ) -> Forward:
        found = super().forward(source_BS, source_lengths_B, target_BT, attending=attending)
        states_BSD = self.encode(source_BS, source_lengths_B).states_BSD
        tokens_B = target_BT[:, 1] if target_BT.size(1) > 1 else torch.full_like(source_lengths_B, PAD_ID)
        logits_BV = self.embeddings.projection.logits(states_BSD[:, 0])
        loss = functional.cross_entropy(logits_BV, tokens_B, reduction="sum", ignore_index=PAD_ID)
        return replace(found, auxiliary=loss)


def two_headed() -> Seq2Seq:
    torch.manual_seed(3)
    config = TransformerConfig(width=8, feed_forward_width=16, heads=2, encoder_layers=1, decoder_layers=1, dropout=0.0)
    return TwoHeaded(config, Symbols(12), 12)


def model(dropout: float = 0.0) -> Seq2Seq:
    torch.manual_seed(0)
    config = TransformerConfig(
        width=16, feed_forward_width=32, heads=2, encoder_layers=1, decoder_layers=1, dropout=dropout
    )
    return build_model(config, Symbols(12), 12)


def stepper(
    network: Seq2Seq,
    world: World = ALONE,
    clip_norm: float | None = None,
    rate: float = 1.0,
    objective: Objective = Objective(0.1),  # noqa: B008 (frozen)
) -> Stepper:
    optimizer = Optimizers([torch.optim.SGD(network.parameters(), lr=rate)])
    return Stepper(
        network, optimizer, world, IDLE, objective=objective, clip_norm=clip_norm, precision="float32", seed=1
    )


def distance(one: nn.Module, other: nn.Module) -> float:
    pairs = zip(one.parameters(), other.parameters(), strict=True)
    return max((a - b).abs().max().item() for a, b in pairs)


def test_the_update_follows_the_mean_loss_per_token_of_the_whole_batch() -> None:
    ours, plain = model(), model()
    batch = rows(SOURCES, TARGETS)
    result = stepper(ours).run(1, [batch], TOKENS, [])
    logits = plain(batch.source_BS, batch.source_lengths_B, batch.target_in_BT).logits_BTV
    loss = functional.cross_entropy(
        logits.flatten(0, 1), batch.target_out_BT.flatten(), ignore_index=PAD_ID, label_smoothing=0.1
    )
    loss.backward()
    torch.optim.SGD(plain.parameters(), lr=1.0).step()
    assert result.loss / TOKENS == pytest.approx(loss.item(), rel=1e-6)
    assert result.nll < result.loss
    assert distance(ours, plain) < 1e-6


def test_a_second_head_has_its_share_of_what_is_minimised() -> None:
    ours, plain = two_headed(), two_headed()
    batch = rows(SOURCES, TARGETS)
    result = stepper(ours).run(1, [batch], TOKENS, [])
    found = plain(batch.source_BS, batch.source_lengths_B, batch.target_in_BT)
    cross_entropy = functional.cross_entropy(
        found.logits_BTV.flatten(0, 1),
        batch.target_out_BT.flatten(),
        ignore_index=PAD_ID,
        label_smoothing=0.1,
        reduction="sum",
    )
    loss = 0.75 * cross_entropy + 0.25 * found.auxiliary
    (loss / TOKENS).backward()
    torch.optim.SGD(plain.parameters(), lr=1.0).step()
    assert result.loss == pytest.approx(loss.item(), rel=1e-6)
    assert result.auxiliary == pytest.approx(found.auxiliary.item(), rel=1e-6)
    assert result.nll != result.loss
    assert distance(ours, plain) < 1e-6


def test_pieces_of_two_heads_add_up_and_nothing_is_learned_of_no_rows() -> None:
    whole, pieces = two_headed(), two_headed()
    one = stepper(whole).run(1, [rows(SOURCES, TARGETS)], TOKENS, [])
    parts = [rows(SOURCES[:1], TARGETS[:1]), rows(SOURCES[1:], TARGETS[1:])]
    other = stepper(pieces).run(1, parts, TOKENS, [])
    assert (one.loss, one.auxiliary) == pytest.approx((other.loss, other.auxiliary), rel=1e-6)
    assert distance(whole, pieces) < 1e-6
    result = stepper(whole).run(2, [], TOKENS, [])
    assert (result.loss, result.auxiliary, result.gradient_norm) == (0.0, 0.0, 0.0)


def test_pieces_add_up_to_the_whole_batch() -> None:
    whole, pieces = model(), model()
    one = stepper(whole).run(1, [rows(SOURCES, TARGETS)], TOKENS, [])
    parts = [rows(SOURCES[:1], TARGETS[:1]), rows(SOURCES[1:], TARGETS[1:])]
    other = stepper(pieces).run(1, parts, TOKENS, [])
    assert one.loss == pytest.approx(other.loss, rel=1e-6)
    assert one.gradient_norm == pytest.approx(other.gradient_norm, rel=1e-5)
    assert distance(whole, pieces) < 1e-6


def test_layers_that_are_computed_again_give_the_same_bits() -> None:
    kept, again = model(dropout=0.3), model(dropout=0.3)
    for stack in again.modules():
        if isinstance(stack, Layers):
            stack.recomputes = True
    batch = rows(SOURCES, TARGETS)
    for step in (1, 2):
        one, other = (stepper(network).run(step, [batch], TOKENS, []) for network in (kept, again))
        assert one == other
    assert distance(kept, again) == 0.0


def test_no_rows_give_no_loss_and_no_movement() -> None:
    before, after = model(), model()
    result = stepper(after).run(1, [], TOKENS, [])
    assert (result.loss, result.gradient_norm) == (0.0, 0.0)
    assert distance(before, after) == 0.0


def test_a_long_gradient_is_cut_and_its_norm_before_is_told() -> None:
    free, cut, still = model(), model(), model()
    norm = stepper(free).run(1, [rows(SOURCES, TARGETS)], TOKENS, []).gradient_norm
    result = stepper(cut, clip_norm=norm / 2).run(1, [rows(SOURCES, TARGETS)], TOKENS, [])
    assert result.gradient_norm == pytest.approx(norm)
    moved = torch.cat([(a - b).flatten() for a, b in zip(cut.parameters(), still.parameters(), strict=True)]).norm()
    assert moved.item() == pytest.approx(norm / 2, rel=1e-3)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_values_that_are_not_finite_move_nothing(value: float) -> None:
    network = model()
    bias = next(p for name, p in network.named_parameters() if name.endswith("output_bias"))
    bias.data[5] = value
    before = {name: weight.clone() for name, weight in network.state_dict().items()}
    result = stepper(network).run(1, [rows(SOURCES, TARGETS)], TOKENS, [])
    assert not result.updated
    for name, weight in network.state_dict().items():
        assert torch.equal(weight.nan_to_num(7.0), before[name].nan_to_num(7.0)), name
    assert all(weight.grad is None for weight in network.parameters())


def test_the_host_asks_for_nothing_before_the_optimizer_has_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    network = model()
    optimizer = build_optimizer(OptimizerConfig(), network)
    update = torch.optim.Adam.step
    monkeypatch.setattr(torch.optim.Adam, "step", lambda *given: (asked.append("update"), update(*given)))
    ready = Stepper(
        network, optimizer, ALONE, IDLE, objective=Objective(0.1), clip_norm=1.0, precision="float32", seed=1
    )
    for name in ("tolist", "item", "__bool__", "__int__", "__float__", "cpu", "numpy"):
        ask = getattr(torch.Tensor, name)
        monkeypatch.setattr(torch.Tensor, name, lambda *given, ask=ask, name=name: (asked.append(name), ask(*given))[1])
    assert ready.run(1, [rows(SOURCES, TARGETS)], TOKENS, []).updated
    assert asked[0] == "update"
    assert "tolist" in asked


def test_a_step_drops_the_same_whatever_ran_before() -> None:
    straight, resumed = model(0.3), model(0.3)
    first, second = stepper(straight, rate=0.0), stepper(resumed, rate=0.0)
    first.run(1, [rows(SOURCES, TARGETS)], TOKENS, [])
    torch.rand(10)
    a = first.run(2, [rows(SOURCES, TARGETS)], TOKENS, [])
    b = second.run(2, [rows(SOURCES, TARGETS)], TOKENS, [])
    assert a == b
    assert a.loss != second.run(3, [rows(SOURCES, TARGETS)], TOKENS, []).loss


def test_flags_come_back() -> None:
    assert stepper(model()).run(1, [rows(SOURCES, TARGETS)], TOKENS, [False, True]).flags == (False, True)


def test_dropout_seeds_differ_by_seed_step_and_rank() -> None:
    seeds = {dropout_seed(seed, step, rank) for seed in range(5) for step in range(50) for rank in range(4)}
    assert len(seeds) == 5 * 50 * 4


def test_bfloat16_on_a_processor_only_if_asked() -> None:
    assert not uses_bfloat16("auto", CPU)
    assert uses_bfloat16("bfloat16", CPU)
    assert not uses_bfloat16("float32", CPU)


def test_bfloat16_keeps_weights_in_float32_and_the_loss_close() -> None:
    network = model()
    exact = stepper(network, rate=0.0).run(1, [rows(SOURCES, TARGETS)], TOKENS, [])
    low = Stepper(
        network, Optimizers([torch.optim.SGD(network.parameters(), lr=0.1)]), ALONE, IDLE,
        objective=Objective(0.1), clip_norm=1.0, precision="bfloat16", seed=1,
    ).run(1, [rows(SOURCES, TARGETS)], TOKENS, [])  # fmt: skip
    assert low.loss == pytest.approx(exact.loss, rel=2e-2)
    assert low.loss != exact.loss
    assert all(weight.dtype == torch.float32 for weight in network.parameters())


def test_two_passes_are_drawn_towards_each_other() -> None:
    """Without dropout both are one: the update is that of a single pass. With it, what is minimised says how far."""
    plain, paired = model(), model()
    batch = rows(SOURCES, TARGETS)
    one = stepper(plain).run(1, [batch], TOKENS, [])
    two = stepper(paired, objective=Objective(0.1, 5.0)).run(1, [batch], TOKENS, [])
    assert (two.loss, two.nll) == (pytest.approx(one.loss, rel=1e-6), pytest.approx(one.nll, rel=1e-6))
    assert distance(plain, paired) < 1e-6
    noisy = [
        stepper(model(dropout=0.5), objective=Objective(0.1, weight)).run(1, [batch], TOKENS, [])
        for weight in (1e-9, 5.0)
    ]
    assert noisy[0].nll == pytest.approx(noisy[1].nll)
    assert noisy[1].loss > noisy[0].loss + 0.1


def test_a_second_head_counts_once_in_two_passes() -> None:
    one, two = two_headed(), two_headed()
    batch = rows(SOURCES, TARGETS)
    single = stepper(one).run(1, [batch], TOKENS, [])
    paired = stepper(two, objective=Objective(0.1, 1.0)).run(1, [batch], TOKENS, [])
    assert paired.auxiliary == pytest.approx(single.auxiliary, rel=1e-6)
    assert distance(one, two) < 1e-6


@pytest.mark.parametrize("passes", [0.0, 1.0])
def test_attention_goes_where_it_is_guided(passes: float) -> None:
    """The last token of each target should look at the first of its source; nobody says anything of the others."""
    network, batch = model(), rows(SOURCES, TARGETS)
    guidance = torch.zeros(len(SOURCES), batch.target_out_BT.size(1), batch.source_BS.size(1))
    for row, target in enumerate(TARGETS):
        guidance[row, len(target) - 1, 0] = 1
    guided = replace(batch, guidance_BTS=guidance)

    def looks() -> Tensor:
        found = network(batch.source_BS, batch.source_lengths_B, batch.target_in_BT, attending=True)
        return found.attention_BTS[guidance == 1]

    before = looks()
    ready = stepper(network, rate=0.5, objective=Objective(0.1, passes, guidance=1.0))
    results = [ready.run(step, [guided], TOKENS, []) for step in range(1, 41)]
    assert results[0].auxiliary == pytest.approx(-before.log().sum().item(), rel=1e-5)
    assert results[0].loss > results[0].auxiliary
    assert results[-1].auxiliary < results[0].auxiliary / 4
    assert (looks() > before.clamp_min(0.5)).all()


def test_nothing_is_added_where_nobody_guides() -> None:
    free, guided = model(), model()
    batch = rows(SOURCES, TARGETS)
    nothing = torch.zeros(len(SOURCES), batch.target_out_BT.size(1), batch.source_BS.size(1))
    expected = stepper(free).run(1, [batch], TOKENS, [])
    found = stepper(guided, objective=Objective(0.1, guidance=1.0)).run(
        1, [replace(batch, guidance_BTS=nothing)], TOKENS, []
    )
    assert found.loss == pytest.approx(expected.loss, rel=1e-6)
    assert distance(free, guided) < 1e-6
