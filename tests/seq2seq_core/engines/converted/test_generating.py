"""Sources are put in batches, each once; what a search may not do stops it, and no more."""

from __future__ import annotations

import itertools
import threading
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_core.decoding.hypothesis import SearchConfig
from seq2seq_core.engines.converted.generating import ConvertedEngine, Frame, Vocabulary, _batches, _Job
from seq2seq_core.engines.converted.search import limits

LIMITS = st.tuples(st.integers(0, 3), st.integers(4, 9))


@given(st.lists(st.tuples(st.integers(1, 40), LIMITS), max_size=60), st.integers(1, 200), st.booleans())
def test_batches_hold_every_source_once(sources: list[Any], most: int, by_limit: bool) -> None:
    jobs = [_Job(place, ["a"] * length, *bounds) for place, (length, bounds) in enumerate(sources)]
    batches = [*_batches(jobs, most, by_limit=by_limit)]
    assert sorted(job.place for batch in batches for job in batch) == [*range(len(jobs))]
    for batch in batches:
        lengths = [len(job.tokens) for job in batch]
        assert lengths == sorted(lengths, reverse=True)
        assert len(batch) == 1 or max(lengths) * len(batch) <= most
        assert len({job.fewest for job in batch}) == 1
        assert not by_limit or len({job.most for job in batch}) == 1


@given(st.integers(0, 300), st.one_of(st.none(), st.integers(2, 50)), st.floats(0, 2), st.floats(2, 3))
def test_limits_follow_the_source_alone(length: int, longest: int | None, least: float, ratio: float) -> None:
    options = SearchConfig(min_length_ratio=least, max_length_ratio=ratio)
    fewest, most = limits(options, length, longest)
    assert 0 <= fewest < most <= options.max_length(length)
    assert longest is None or most <= longest
    assert fewest in (int(least * length), most - 1)


class FakeLibrary:
    """Says each source again, up to the limit; remembers what it was asked."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []

    def translate_batch(self, sources: list[list[str]], first: Any, **how: Any) -> Any:
        self.calls.append({"sources": len(sources), **how})
        return [Said(source, (first or [[]])[0], how["max_decoding_length"]) for source in sources]


class Said:
    attention: list[Any] = []

    def __init__(self, source: list[str], first: list[str], most: int) -> None:
        whole = [*first, *source]
        self.hypotheses, self.scores = [whole[:most]], [-0.5]

    def result(self) -> Said:
        return self


def test_a_source_that_comes_to_its_limit_goes_again_with_its_like() -> None:
    library: Any = FakeLibrary()
    vocabulary = Vocabulary(["<unk>", "</s>", "a", "b"], ["<unk>", "</s>", "a", "b"], "</s>")
    engine = ConvertedEngine(library, vocabulary, Frame(after=(1,), first=(3,)), None, 1000)
    options = SearchConfig(beam=1, max_length_ratio=0.5, max_length_extra=2)
    short, long = np.array([2], np.int32), np.full(9, 2, np.int32)
    found = engine.generate([short, long, long], options)
    assert [one.tokens.tolist() for (one,) in found] == [[2], [2] * 6, [2] * 6]
    assert [one.finished for (one,) in found] == [True, False, False]
    assert [call["sources"] for call in library.calls] == [3, 1]
    assert [call["max_decoding_length"] for call in library.calls] == [7, 3]


class SmallLibrary(FakeLibrary):
    """Its memory holds so many sources."""

    def __init__(self, most: int, error: Exception) -> None:
        super().__init__()
        self._most, self._error = most, error

    def translate_batch(self, sources: list[list[str]], first: Any, **how: Any) -> Any:
        found = super().translate_batch(sources, first, **how)
        return found if len(sources) <= self._most else [Failed(self._error)] * len(sources)


class Failed:
    def __init__(self, error: Exception) -> None:
        self._error = error

    def result(self) -> Any:
        raise self._error


@pytest.mark.parametrize("error", [RuntimeError("CUDA failed with error out of memory"), MemoryError("std::bad_alloc")])
def test_a_batch_too_large_for_the_memory_is_halved(error: Exception) -> None:
    vocabulary = Vocabulary(["<unk>", "</s>", "a"], ["<unk>", "</s>", "a"], "</s>")
    sources = [np.full(length, 2, np.int32) for length in (3, 1, 5, 4, 2, 6, 1)]

    def generated(library: Any) -> list[list[int]]:
        engine = ConvertedEngine(library, vocabulary, Frame(), None, 1000)
        return [one.tokens.tolist() for (one,) in engine.generate(sources, SearchConfig(beam=1))]

    library = SmallLibrary(2, error)
    assert generated(library) == generated(FakeLibrary())
    assert [call["sources"] for call in library.calls] == [7, 3, 1, 2, 4, 2, 2]
    with pytest.raises(type(error)):
        generated(SmallLibrary(0, error))
    other = SmallLibrary(2, RuntimeError("the model is broken"))
    with pytest.raises(RuntimeError, match="broken"):
        generated(other)
    assert len(other.calls) == 1


class SlowLibrary(FakeLibrary):
    """Takes its time to be asked; which thread asks is kept."""

    def translate_batch(self, sources: list[list[str]], first: Any, **how: Any) -> Any:
        time.sleep(0.01)
        return super().translate_batch(sources, first, caller=threading.get_ident(), **how)


def test_one_caller_has_asked_for_all_its_batches_before_the_next_asks() -> None:
    library: Any = SlowLibrary()
    engine = ConvertedEngine(library, Vocabulary(["", "", "a"], ["", "", "a"], ""), Frame(), None, 1)
    sources = [np.full(1, 2, np.int32)] * 10
    threads = [threading.Thread(target=engine.generate, args=(sources, SearchConfig(beam=1))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    callers = [call["caller"] for call in library.calls]
    assert [len([*calls]) for _, calls in itertools.groupby(callers)] == [10, 10, 10]
