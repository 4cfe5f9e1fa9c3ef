"""Rows, scores and rejects stay together, whoever splits them."""

from __future__ import annotations

import pyarrow as pa
import pytest

from seq2seq_core.records import Problem, Records, reject, set_aside


@pytest.mark.parametrize("scored", [False, True])
def test_a_score_goes_where_its_row_goes(scored: bool) -> None:
    score = pa.array([0.5, None, 2.5]) if scored else None
    lines, texts = pa.array([1, 2, 3]), pa.array(["a", "b", "c"])
    sifted = set_aside(
        Records(lines, texts, texts, score), [Problem(1, "rule", "value", "limit"), Problem(1, "later", "", "")]
    )
    assert sifted.rejected.to_pylist() == [
        {"line": 2, "rule": "rule", "value": "value", "threshold": "limit", "source": "b", "target": "b"}
    ]
    assert (sifted.read, sifted.kept.lines.to_pylist()) == (3, [1, 3])
    assert (sifted.kept.score.to_pylist() if sifted.kept.score else None) == ([0.5, 2.5] if scored else None)
    rest = reject(sifted.kept, pa.array([True, False]), "words", pa.array(["9"]), "8").kept
    assert rest == Records(pa.array([3]), pa.array(["c"]), pa.array(["c"]), pa.array([2.5]) if scored else None)


def test_without_problems_nothing_is_copied() -> None:
    texts = pa.array(["a"])
    assert set_aside(Records(pa.array([1]), texts, texts), []).kept.source is texts
