"""Work on elements that takes long in, a DoFn out that leaves it to local workers where there are some.

There, the work on all elements of a bundle goes on at the same time; elsewhere it is done one by one, as in any DoFn.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import apache_beam as beam
from apache_beam.transforms.window import GlobalWindows
from apache_beam.typehints.decorators import no_annotations

from pipelines.running import local_workers


class BesideDoFn(beam.DoFn):  # type: ignore[misc]
    """A DoFn whose work `local_workers.begin` begins."""

    def __init__(self) -> None:
        super().__init__()
        self._begun: list[Future[Any]] = []

    @abstractmethod
    def begin(self, *arguments: Any, **named_sides: Any) -> Future[Any]:
        """Begin the work on an element, which comes first; the rest are the side inputs of the ParDo."""

    def count(self, done: Any) -> None:
        """Count what came of an element in metrics."""

    def start_bundle(self) -> None:
        """See beam.DoFn."""
        self._begun = []

    @no_annotations  # type: ignore[untyped-decorator]  # Beam would take them for the types of every subclass
    def process(self, element: Any, *sides: Any, **named_sides: Any) -> Iterator[Any]:
        """See beam.DoFn."""
        begun = self.begin(element, *sides, **named_sides)
        if begun.done():
            yield self._counted(begun)
        else:
            self._begun.append(begun)

    def finish_bundle(self) -> Iterator[Any]:
        """See beam.DoFn."""
        for begun in self._begun:
            yield GlobalWindows.windowed_value(self._counted(begun))

    def _counted(self, begun: Future[Any]) -> Any:
        done = local_workers.result(begun)
        self.count(done)
        return done
