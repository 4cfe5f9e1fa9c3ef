"""The numbers behind reports: funnels reconcile, descriptions of histograms agree with the lengths themselves."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_core.dataset.ledger import Ledger
from seq2seq_core.report.charts import Bars, Series, curves, histogram
from seq2seq_core.report.ledger import funnel
from seq2seq_core.report.lengths import describe_lengths
from seq2seq_core.report.plain_text import section, size, table

counts = st.integers(0, 10**6)


@given(kept=counts, duplicates=counts, rejected=st.dictionaries(st.text(min_size=1, max_size=5), counts, max_size=5))
def test_a_funnel_ends_at_what_was_kept(kept: int, duplicates: int, rejected: dict[str, int]) -> None:
    read = kept + duplicates + sum(rejected.values())
    steps = funnel(Ledger(read=read, kept={"train": kept}, duplicates=duplicates, rejected=rejected))
    assert steps[0].before == read
    assert steps[-1].after == kept
    assert steps[-1].name == "duplicates"
    assert all(first.after == second.before for first, second in itertools.pairwise(steps))
    assert [step.removed for step in steps[:-1]] == sorted(rejected.values(), reverse=True)


@given(st.lists(st.integers(0, 40), min_size=1, max_size=200))
def test_lengths_are_described_as_numpy_does(lengths: list[int]) -> None:
    found = describe_lengths(np.bincount(lengths).tolist())
    assert found is not None
    assert (found.rows, found.longest) == (len(lengths), max(lengths))
    assert found.mean == pytest.approx(np.mean(lengths))
    assert found.median == np.percentile(lengths, 50, method="inverted_cdf")
    assert found.percentile_99 == np.percentile(lengths, 99, method="inverted_cdf")


@pytest.mark.parametrize("empty", [(), (0, 0)])
def test_no_rows_have_no_lengths(empty: tuple[int, ...]) -> None:
    assert describe_lengths(empty) is None


def test_points_that_are_no_numbers_are_not_drawn() -> None:
    whole = curves("x", [Series("a", [1, 2, 3], [1.0, 2.0, 3.0], marked=True)])
    holed = curves("x", [Series("a", [1, 2, 3, 4, 5], [1.0, 2.0, 3.0, float("nan"), float("inf")], marked=True)])
    assert whole == holed
    assert curves("x", [Series("a", [1, 2], [0.0, 2.0])], logarithmic=True) == curves(
        "x", [Series("a", [2], [2.0])], logarithmic=True
    )


def test_long_curves_are_thinned() -> None:
    many = list(range(100_000))
    assert len(curves("x", [Series("a", many, [float(x % 7) for x in many])])) < 60_000


def test_a_histogram_leaves_out_a_thin_tail() -> None:
    assert histogram("x", Bars("tokens", [0, 5000, 5000, *[0] * 500, 1])) == histogram(
        "x", Bars("tokens", [0, 5000, 5000])
    )


def test_tables_align_numbers_to_the_right() -> None:
    lines = table([["a", 1, 0.5], ["bcd", 12345, None]], ("", "rows", "mean"))
    assert lines == ["         rows  mean", "  a         1  0.50", "  bcd  12,345"]
    assert table([], ("a",)) == []
    assert section("title", []) == []
    assert section("title", ["  x"]) == ["", "title", "  x"]


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 bytes"), (999, "999 bytes"), (1000, "1.0 kB"), (2_500_000, "2.5 MB"), (10**16, "10000.0 TB")],
)
def test_sizes_have_a_fitting_unit(count: int, text: str) -> None:
    assert size(count) == text
