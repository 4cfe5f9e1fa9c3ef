"""The calculated figures of docs/sizing.md follow from how the work is cut, and from the prices on the page."""

from __future__ import annotations

import math
import re

import pytest

from seq2seq_core.preparation.planning import sizes
from tests.docs.pages import ROOT, read_page

PAGE = read_page(ROOT / "docs" / "sizing.md")
BYTES_A_PAIR = 250
WORDS = {"million": 1e6, "billion": 1e9}


def table(head: str) -> list[tuple[str, ...]]:
    (found,) = (each.rows[1:] for each in PAGE.tables if each.rows[0][0] == head)
    return list(found)


def number(text: str) -> float:
    return float(re.sub(r"[^\d.]", "", text))


@pytest.mark.parametrize("row", table("pairs"), ids=lambda row: row[0])
def test_the_exchange_is_cut_as_the_table_says(row: tuple[str, ...]) -> None:
    count, word = row[0].split()
    total = int(float(count) * WORDS[word] * BYTES_A_PAIR)
    shards = sizes.default_shards(total)
    units = number(row[2])
    assert number(row[1]) == pytest.approx(total / 1e9, abs=0.01)
    assert number(row[3]) == shards
    assert units == math.ceil(total / min(128 << 20, max(32 << 20, (32 << 20) * math.sqrt(total / (512 << 20)))))
    assert number(row[4]) == units * shards
    assert number(row[5]) == pytest.approx(total / (units * shards) / 1024, abs=1)
    assert number(row[6]) == pytest.approx(units * shards * price("reads of objects") / 1e6, abs=0.01)


def test_a_second_level_is_needed_where_the_page_says() -> None:
    kib = {row[0]: number(row[5]) for row in table("pairs")}
    assert kib["1 billion"] >= 64 > kib["10 billion"]


def price(what: str) -> float:
    (found,) = (cells[1] for cells in table("assumed") if what in cells[0])
    return number(found.split(";")[0])
