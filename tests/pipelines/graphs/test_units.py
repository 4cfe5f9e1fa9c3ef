"""What graphs of inference share: elements done side by side or one after the other, and all of them together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.testing import test_pipeline
from apache_beam.testing.util import assert_that, equal_to

from pipelines.graphs.units import ForEach, Together
from pipelines.local.workers import HERE, Workers


def add(one: int, other: int) -> int:
    return one + other


def fail(one: int) -> int:
    raise ValueError(f"not {one}")


def sums(name: str, *lists: list[int]) -> list[tuple[str, int]]:
    return [(name, sum(each)) for each in lists]


class Backwards:
    """Workers who do the last call first."""

    def map(self, function: Callable[..., Any], calls: Iterable[tuple[Any, ...]]) -> Iterator[Any]:
        return (function(*arguments) for arguments in reversed(list(calls)))


def made_from(*elements: Any) -> beam.PTransform:
    return beam.Create(elements, reshuffle=False)


@pytest.mark.parametrize("workers", [None, HERE, Backwards()], ids=["the engine's", "here", "backwards"])
def test_every_element_is_done(workers: Workers | None) -> None:
    with test_pipeline.TestPipeline(runner="FnApiRunner") as pipeline:
        found = pipeline | made_from(1, 2, 3) | ForEach(add, 10, kind=int, workers=workers)
        assert_that(found, equal_to([11, 12, 13]))
        none = pipeline | "None" >> made_from() | "Of none" >> ForEach(add, 10, kind=int, workers=workers)
        assert_that(none, equal_to([]), label="none")


@pytest.mark.parametrize("workers", [None, HERE])
def test_what_fails_ends_the_run(workers: Workers | None) -> None:
    pipeline = test_pipeline.TestPipeline(runner="FnApiRunner")
    _ = pipeline | made_from(4) | ForEach(fail, kind=int, workers=workers)
    with pytest.raises(Exception, match="not 4"):
        pipeline.run()


def test_a_function_is_given_all_elements_of_several_collections() -> None:
    with test_pipeline.TestPipeline(runner="FnApiRunner") as pipeline:
        first, second = pipeline | "First" >> made_from(1, 2, 3), pipeline | "Second" >> made_from()
        found = first | Together(sums, "sum", kind=tuple, others=[second, first])
        assert_that(found, equal_to([("sum", 6), ("sum", 0), ("sum", 6)]))
