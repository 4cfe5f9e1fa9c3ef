from __future__ import annotations

from collections import Counter

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_core.preparation.publishing.examples import pick_examples

SCHEMA = pa.schema([("origin", pa.string()), ("line", pa.int64()), ("rule", pa.string())])
rows = st.lists(
    st.tuples(st.sampled_from(["a", "b"]), st.integers(1, 200), st.sampled_from(["long", "empty", "odd"])),
    max_size=60,
    unique_by=lambda row: row[:2],
)


def table(values: list[tuple[str, int, str]]) -> pa.Table:
    return pa.Table.from_pylist([dict(zip(SCHEMA.names, row, strict=True)) for row in values], SCHEMA)


@given(rows, st.integers(1, 12))
def test_each_rule_has_its_examples_whatever_the_order_of_rows(values: list[tuple[str, int, str]], count: int) -> None:
    picked = pick_examples(table(values), count)
    counts = Counter(rule for _, _, rule in values)
    assert Counter(picked.column("rule").to_pylist()) == {rule: min(count, n) for rule, n in counts.items()}
    assert picked.equals(pick_examples(table(values[::-1]), count))
    assert {tuple(row.values()) for row in picked.to_pylist()} <= set(values)


@given(rows, st.integers(0, 60), st.integers(1, 5))
def test_picking_part_by_part_picks_the_same(values: list[tuple[str, int, str]], cut: int, count: int) -> None:
    first = pick_examples(table(values[:cut]), count)
    assert pick_examples(pa.concat_tables([first, table(values[cut:])]), count).equals(
        pick_examples(table(values), count)
    )


def test_examples_come_from_all_over_the_corpus() -> None:
    lines = pick_examples(table([("a", line, "long") for line in range(1, 1001)]), 10).column("line").to_pylist()
    assert len({line // 200 for line in lines}) > 2
