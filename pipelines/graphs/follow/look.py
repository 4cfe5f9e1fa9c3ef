"""Landing zones in, batches of what lands in them out, for ever: the unbounded source of jobs that follow.

Beam keeps of it which batch was handed on last, and no more: what has landed before is asked of the ledger, which
stands on storage, as does the batch at work. So the state does not grow with the files ever seen, a bundle that is done
again hands on the same batch, and there is one batch at work at a time, however many workers there are.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import apache_beam as beam
from apache_beam import coders
from apache_beam.io.iobase import RestrictionProgress, RestrictionTracker
from apache_beam.io.watermark_estimators import WalltimeWatermarkEstimator
from apache_beam.transforms.window import TimestampedValue
from apache_beam.utils.timestamp import Duration, Timestamp

from seq2seq_core.landing.config import LandingConfig
from seq2seq_core.landing.ledger import Ledger, tell_end
from seq2seq_core.landing.lookout import Batches, Lookout
from seq2seq_core.landing.planner import Pace
from seq2seq_core.landing.terms import Batch
from seq2seq_core.landing.zone import Zone


@dataclass(frozen=True)
class Watched:
    """What is looked at.

    Attributes:
        output: Where the ledger is.
        zones: The landing zones.
        landing: When a file is whole.
        pace: When a batch is made.
        idle_seconds: End when nothing has been left to do for so long; None: never.
        subscription: Of Pub/Sub, whose messages tell what lands, where the zones are not listed.
    """

    output: str
    zones: tuple[Zone, ...]
    landing: LandingConfig
    pace: Pace
    idle_seconds: float | None = None
    subscription: str | None = None


class Handed(NamedTuple):
    """How far the source is: which batch was handed on last, and whether there is nothing to come."""

    batch: int = 0
    is_done: bool = False


class Batched(beam.PTransform):  # type: ignore[misc]
    """The root of a graph -> PCollection[Batch], each as soon as the one before is taken down.

    The time of a batch is that at which it was opened.
    """

    def __init__(self, watched: Watched) -> None:
        super().__init__()
        self._watched = watched

    def expand(self, root: beam.pvalue.PBegin) -> beam.PCollection[Batch]:
        look = beam.ParDo(LookDoFn(self._watched)).with_output_types(Batch)
        return root | "Once" >> beam.Impulse() | "Look" >> look


class _HandedCoder(coders.Coder):  # type: ignore[misc]
    def encode(self, value: Handed) -> bytes:
        return f"{value.batch} {value.is_done:d}".encode()

    def decode(self, encoded: bytes) -> Handed:
        batch, is_done = map(int, encoded.split())
        return Handed(batch, bool(is_done))

    def is_deterministic(self) -> bool:
        return True


class HandedTracker(RestrictionTracker):  # type: ignore[misc]
    """What is claimed is the number of a batch; None claims that there is nothing to come."""

    def __init__(self, handed: Handed) -> None:
        self._handed = handed

    def current_restriction(self) -> Handed:
        """See RestrictionTracker."""
        return self._handed

    def current_progress(self) -> RestrictionProgress:
        """See RestrictionTracker."""
        return RestrictionProgress(fraction=1.0 if self._handed.is_done else 0.0)

    def try_claim(self, position: int | None) -> bool:
        """See RestrictionTracker."""
        if self._handed.is_done:
            return False
        self._handed = Handed(self._handed.batch if position is None else position, position is None)
        return True

    def try_split(self, fraction_of_remainder: float) -> tuple[Handed, Handed] | None:
        """The present, which ends here, and the future."""
        if fraction_of_remainder or self._handed.is_done:
            return None
        future = self._handed
        self._handed = future._replace(is_done=True)
        return self._handed, future

    def check_done(self) -> bool:
        """See RestrictionTracker."""
        if not self._handed.is_done:
            raise ValueError(f"batches after {self._handed.batch} were not claimed")
        return True

    def is_bounded(self) -> bool:
        """No; when a job is drained, this ends, and what has landed is left to the next job."""
        return False


class _Provider(beam.transforms.core.RestrictionProvider):  # type: ignore[misc]
    def initial_restriction(self, element: bytes) -> Handed:
        del element
        return Handed()

    def create_tracker(self, restriction: Handed) -> HandedTracker:
        return HandedTracker(restriction)

    def restriction_size(self, element: bytes, restriction: Handed) -> int:
        del element
        return 0 if restriction.is_done else 1

    def restriction_coder(self) -> coders.Coder:
        return _HandedCoder()


_TRACKER = beam.DoFn.RestrictionParam(_Provider())
# Nobody waits for it; it lets engines that show how far a job is behind show that.
_WATERMARK = beam.DoFn.WatermarkEstimatorParam(WalltimeWatermarkEstimator.default_provider())


class LookDoFn(beam.DoFn):  # type: ignore[misc]
    """Looks once, hands on what there is, and asks to be called again."""

    def __init__(self, watched: Watched) -> None:
        super().__init__()
        self._watched = watched

    @beam.DoFn.unbounded_per_element()  # type: ignore[untyped-decorator]
    def process(
        self,
        element: bytes,
        tracker: HandedTracker = _TRACKER,
        watermark: WalltimeWatermarkEstimator = _WATERMARK,
    ) -> Iterator[TimestampedValue]:
        """See beam.DoFn."""
        del element, watermark
        now, here = time.time(), _here(self._watched)
        batch = here.batches.next(now)
        if batch is not None and batch.number > tracker.current_restriction().batch:
            if not tracker.try_claim(batch.number):
                return
            yield TimestampedValue(batch, Timestamp(batch.opened))
        elif batch is None and here.is_idle(now, self._watched.idle_seconds):
            tracker.try_claim(None)
            tell_end(self._watched.output)
            return
        tracker.defer_remainder(Duration(self._watched.landing.look_seconds))


class _Here:
    """What one process knows of zones; another one finds it out by looking, too."""

    def __init__(self, watched: Watched) -> None:
        ledger = Ledger(watched.output)
        self._lookout = Lookout(watched.zones, watched.landing, ledger)
        self._idle_since: float | None = None
        self.batches = Batches(self._lookout, ledger, watched.pace)

    def is_idle(self, now: float, seconds: float | None) -> bool:
        """Whether nothing has been left to do for so long; it is to be asked where there is no batch."""
        if self._lookout.waiting:
            self._idle_since = None
            return False
        self._idle_since = now if self._idle_since is None else self._idle_since
        return seconds is not None and now - self._idle_since >= seconds


_HERE: dict[Watched, _Here] = {}


def _here(watched: Watched) -> _Here:
    known = _HERE.get(watched)
    if known is None:
        known = _HERE.setdefault(watched, _Here(watched))
    return known
