from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq_core.training.optimization.table_products import table_products


@settings(max_examples=40, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 64), max_size=12),
    width=st.sampled_from([5, 40]),
    is_bfloat16=st.booleans(),
)
def test_gradients_are_those_of_all_rows_in_their_places(sizes: list[int], width: int, is_bfloat16: bool) -> None:
    torch.manual_seed(sum(sizes))
    table, bias = torch.randn(9, width), torch.randn(9)
    products = table_products(table, bias, is_bfloat16=is_bfloat16)
    outputs, gradients = torch.randn(sum(sizes), width), torch.randn(sum(sizes), 9)
    found, logits = torch.full_like(outputs, torch.nan), torch.empty_like(gradients)
    begin = 0
    for size in sizes:
        some = slice(begin, begin + size)
        products.logits(outputs[some], logits[some])
        products.gradients(gradients[some], outputs[some], found[some])
        begin += size
    of_table = products.table()
    bits = 8 if is_bfloat16 else 20
    for ours, expected in (
        (logits, outputs @ table.t() + bias),
        (found, gradients @ table),
        (of_table, gradients.t() @ outputs),
    ):
        assert ours.dtype == torch.float32
        assert (ours - expected).norm() <= 2.0**-bits * 2 * expected.norm() + 1e-6
        assert not is_bfloat16 or not sizes or not torch.equal(ours, expected)


@pytest.mark.parametrize(("at_once", "count", "expected"), [(100 * 9, 1000, 64), (200 * 9, 1000, 192), (1, 7, 7)])
def test_bfloat16_takes_few_numbers_of_rows(at_once: int, count: int, expected: int) -> None:
    table, bias = torch.zeros(9, 100), torch.zeros(9)
    assert table_products(table, bias, is_bfloat16=True).rows(at_once, count) == expected


def test_float32_takes_what_it_is_told() -> None:
    table, bias = torch.zeros(9, 100), torch.zeros(9)
    assert table_products(table, bias, is_bfloat16=False).rows(100 * 9, 1000) == 100
    assert table_products(table, bias, is_bfloat16=False).rows(1, 1000) == 1
