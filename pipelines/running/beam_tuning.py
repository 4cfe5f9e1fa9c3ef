"""What Beam does over and over done once, and no long sleep at the end of a step, so that small runs end sooner.

Nothing of what Beam computes changes. Every look at its options builds a parser of arguments, every DoFn is searched by
`inspect` eight times, and the thread that samples what a step is at sleeps up to 200 ms, also when the step has ended.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.worker import statesampler
from apache_beam.transforms import userstate

_SAMPLING_MILLISECONDS = 10


class Options(PipelineOptions):  # type: ignore[misc]
    """Beam's options, which remember the views that were asked for: all views share their values anyway."""

    def view_as(self, cls: type[PipelineOptions]) -> PipelineOptions:
        views = self.__dict__.setdefault("_views", {})
        if cls not in views:
            views[cls] = super().view_as(cls)
        return views[cls]

    def __getstate__(self) -> dict[str, Any]:
        """Without the views: Beam leaves out of a copy what a worker is not to know."""
        return {name: value for name, value in super().__getstate__().items() if name != "_views"}


@functools.cache
def tune() -> None:
    """Once for the process, before the first graph is built."""
    userstate.get_dofn_specs = _remembered(userstate.get_dofn_specs)
    statesampler.StateSampler.__init__.__defaults__ = (_SAMPLING_MILLISECONDS,)


def _remembered(get: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A function of an object that answers a second time from memory, for as long as the object lives."""
    known: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()

    @functools.wraps(get)
    def answer(of: Any) -> Any:
        if of not in known:
            known[of] = get(of)
        return known[of]

    return answer
