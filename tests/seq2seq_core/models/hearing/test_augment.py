from __future__ import annotations

import pytest
import torch

from seq2seq_core.models.hearing.augment import SpecAugment, SpecAugmentConfig

FRAMES, BINS = 100, 40
LENGTHS = torch.tensor([100, 60, 1])


def banks() -> torch.Tensor:
    generator = torch.Generator().manual_seed(5)
    return torch.randn(len(LENGTHS), FRAMES, BINS, generator=generator)


def hidden(config: SpecAugmentConfig, seed: int = 0) -> torch.Tensor:
    """Where something is hidden (bool, rows x frames x bins)."""
    torch.manual_seed(seed)
    return SpecAugment(config)(banks(), LENGTHS) != banks()


def widest_run(covered: torch.Tensor) -> int:
    return max(map(len, "".join("x" if value else " " for value in covered.tolist()).split()), default=0)


def test_it_acts_in_training_alone_and_by_the_seed() -> None:
    augment = SpecAugment(SpecAugmentConfig())
    assert torch.equal(augment.eval()(banks(), LENGTHS), banks())
    config = SpecAugmentConfig()
    assert torch.equal(hidden(config, 3), hidden(config, 3))
    assert not torch.equal(hidden(config, 3), hidden(config, 4))


def test_rows_have_stripes_of_their_own() -> None:
    found = hidden(SpecAugmentConfig(time_masks=0))
    assert not torch.equal(found[0], found[1])


@pytest.mark.parametrize("seed", range(20))
def test_stripes_are_as_wide_as_is_said_at_most(seed: int) -> None:
    found = hidden(SpecAugmentConfig(frequency_masks=0, time_masks=1, time_share=0.2), seed)
    assert torch.equal(found.any(2), found.all(2))
    assert [widest_run(row) <= 0.2 * length for row, length in zip(found.any(2), LENGTHS, strict=True)] == [True] * 3
    assert not found[1, 60:].any()
    bins = hidden(SpecAugmentConfig(frequency_masks=1, frequency_width=7, time_masks=0), seed)
    assert torch.equal(bins[0].any(0), bins[0].all(0))
    assert widest_run(bins[0].any(0)) <= 7


def test_every_frame_and_bin_is_hidden_now_and_then_and_none_always() -> None:
    config = SpecAugmentConfig(frequency_masks=1, frequency_width=10, time_masks=0)
    shares = torch.stack([hidden(config, seed)[0].any(0).float() for seed in range(400)]).mean(0)
    assert shares.min() > 0.01
    assert shares.max() < 0.4
    config = SpecAugmentConfig(frequency_masks=0, time_masks=2, time_share=0.2)
    shares = torch.stack([hidden(config, seed)[0].any(1).float() for seed in range(400)]).mean(0)
    assert shares.min() > 0.01
    assert shares.max() < 0.4


def test_what_is_hidden_is_the_mean_of_real_frames() -> None:
    torch.manual_seed(1)
    x = banks()
    x[1, 60:] = torch.nan
    out = SpecAugment(SpecAugmentConfig(frequency_masks=1, frequency_width=40, time_masks=0))(x, LENGTHS)
    changed = (out[1, :60] != x[1, :60]).all(0)
    assert changed.any()
    expected = x[1, :60].mean(0)[changed].expand(60, -1)
    torch.testing.assert_close(out[1, :60][:, changed], expected)


def test_masks_wider_than_the_bank_fit() -> None:
    assert hidden(SpecAugmentConfig(frequency_width=1000)).shape == banks().shape
