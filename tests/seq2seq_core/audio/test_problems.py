"""What ledgers say of utterances."""

from __future__ import annotations

import pytest

from seq2seq_core.audio.problems import wrong_duration
from seq2seq_core.records import Problem


@pytest.mark.parametrize(("said", "is_right"), [(2.0, True), (2.4, True), (1.51, True), (2.6, False), (1.4, False)])
def test_how_long_a_whole_file_is(said: float, is_right: bool) -> None:
    expected = f"{said:.2f} s, as its row says, within 0.5 s or 5%"
    problem = Problem(7, "wrong_duration", "2.00 s of audio", expected)
    assert wrong_duration(7, 2.0, said) == (None if is_right else problem)


def test_a_row_that_says_nothing_is_believed() -> None:
    assert wrong_duration(0, 2.0, None) is None
