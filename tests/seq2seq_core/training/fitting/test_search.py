from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq_core.training.fitting.search import MARGIN, Measured, search


def measured(tokens: int, memory: int, limit: int, seconds: float | None = 0.1) -> Measured:
    return Measured(tokens=tokens, rows=1, length=9, memory=memory, limit=limit, seconds=seconds)


@settings(max_examples=40)
@given(st.integers(1, 4096), st.integers(0, 10**8), st.integers(1, 10**5), st.integers(10**6, 10**11))
def test_the_largest_that_fits_is_found(least: int, at_rest: int, a_token: int, limit: int) -> None:
    asked: list[int] = []

    def measure(tokens: int) -> Measured:
        asked.append(tokens)
        tokens = tokens or least
        memory = at_rest + a_token * tokens
        return measured(tokens, min(memory, limit), limit, None if memory > limit else 0.1)

    found = list(search(measure))
    assert asked[0] == 0
    assert len(asked) < 40
    fitting = [one.tokens for one in found if one.fits]
    if not fitting:
        assert len(found) == 1
        return
    largest = int((MARGIN * limit - at_rest) / a_token)
    assert max(fitting) <= largest
    assert max(fitting) >= min(1 << 24, largest / 1.1 - 65)


def test_what_takes_long_is_made_no_larger() -> None:
    seconds = iter([1.0, 10.0, 61.0])
    found = list(search(lambda tokens: measured(tokens or 100, 1, 1000, next(seconds))))
    assert [one.tokens for one in found] == [100, 400, 1600]


def test_what_leaves_nothing_does_not_fit() -> None:
    assert measured(1, 90, 100).fits
    assert not measured(1, 91, 100).fits
    assert not measured(1, 1, 100, None).fits
