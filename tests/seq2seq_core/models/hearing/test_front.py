from __future__ import annotations

import pytest
import torch

from seq2seq_core.models.hearing.front import STRIDES, FrontEnd, front_end
from seq2seq_core.models.hearing.pyramid import Pyramid, in_pairs
from seq2seq_core.models.layers.rows import length_mask


@pytest.mark.parametrize("kind", ["conv1d", "conv2d"])
@pytest.mark.parametrize("subsampling", STRIDES)
@torch.no_grad()
def test_states_are_so_many_and_end_where_a_row_ends(kind: FrontEnd, subsampling: int) -> None:
    torch.manual_seed(0)
    front = front_end(kind, 13, 6, 4, subsampling).double()
    lengths = torch.arange(1, 40)
    x = torch.randn(len(lengths), 39, 13, dtype=torch.float64)
    vectors, counts = front(x, lengths)
    assert counts.tolist() == [-(-length // subsampling) for length in lengths.tolist()]
    assert vectors.shape == (39, -(-39 // subsampling), 6)
    for row in (0, 5, 22):
        alone, _ = front(x[row : row + 1, : lengths[row]], lengths[row : row + 1])
        torch.testing.assert_close(alone[0], vectors[row, : counts[row]])


@torch.no_grad()
def test_a_pyramid_reads_pairs_of_what_is_below() -> None:
    torch.manual_seed(0)
    pyramid = Pyramid(5, 8, layers=3, halvings=2, dropout=0.0)
    assert [layer.onward.layer.input_size for layer in pyramid.layers] == [10, 16, 8]
    states, counts = pyramid(torch.randn(2, 11, 5), torch.tensor([11, 4]))
    assert states.shape == (2, 3, 8)
    assert counts.tolist() == [3, 1]


def test_pairs_of_an_odd_number_end_with_zeros() -> None:
    x = torch.arange(1.0, 13).view(2, 3, 2)
    found = in_pairs(x, length_mask(torch.tensor([3, 1]), 3))
    assert found.tolist() == [[[1, 2, 3, 4], [5, 6, 0, 0]], [[7, 8, 0, 0], [0, 0, 0, 0]]]
