"""All of a hypothesis comes back from a memory, bit for bit."""

from __future__ import annotations

import dataclasses

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_core.decoding.hypothesis import Hypothesis
from seq2seq_core.inference.memory import answers
from seq2seq_core.inference.memory.answers import TYPE, from_column, to_column


def hypothesis(seed: int, tokens: int, *, finished: bool, with_all: bool) -> Hypothesis:
    draw = np.random.default_rng(seed)
    width = 5
    return Hypothesis(
        tokens=draw.integers(0, 9999, tokens).astype(np.int32),
        score=float(draw.normal()),
        log_probability=float(draw.normal()) * 1e-3,
        finished=finished,
        attention=draw.random((tokens + finished, width)).astype(np.float32) if with_all and tokens else None,
        spans=draw.integers(0, 9, (tokens, 2)).astype(np.int32) if with_all and tokens else None,
        token_scores=draw.normal(size=tokens) if with_all else None,
    )


def same(one: Hypothesis, other: Hypothesis) -> bool:
    for field in dataclasses.fields(Hypothesis):
        a, b = getattr(one, field.name), getattr(other, field.name)
        if isinstance(a, np.ndarray):
            if not (a.dtype == b.dtype and a.shape == b.shape and (a == b).all()):
                return False
        elif type(a) is not type(b) or a != b:
            return False
    return True


def test_nothing_of_a_hypothesis_is_left_out() -> None:
    kept = {*answers._PLAIN, *answers._ARRAYS}
    assert kept == {field.name for field in dataclasses.fields(Hypothesis)}


ONE = st.builds(hypothesis, st.integers(0, 1 << 30), st.integers(0, 9), finished=st.booleans(), with_all=st.booleans())


@given(st.lists(st.lists(ONE, max_size=4), max_size=6))
def test_hypotheses_come_back_through_parquet(made: list[list[Hypothesis]]) -> None:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"x": pa.array(to_column(made), TYPE)}), sink)
    column = pq.read_table(pa.BufferReader(sink.getvalue())).column("x").combine_chunks()
    found = from_column(column)
    assert [len(row) for row in found] == [len(row) for row in made]
    assert all(same(a, b) for some, others in zip(made, found, strict=True) for a, b in zip(some, others, strict=True))
    assert from_column(column.slice(1)) == [] or len(from_column(column.slice(1))) == len(made) - 1
