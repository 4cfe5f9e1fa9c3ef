"""A run under way and its dataset in; which rows enter it, and before which step, the same on all processes, out.

Of a run that carries on, or repeats another one, the lineage says so: then nothing is left to agree on. Else the main
process looks at the dataset. What it sees it tells with the flags that all processes share in each step anyway. All
of them begin to read the new rows beside training, and tell with the same flags as long as they have not done so. The
rows enter between two steps when nobody says so any more: no step waits for another process, or for a file.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, NamedTuple

from seq2seq_core import storage
from seq2seq_core.data.loader import Loader
from seq2seq_core.dataset.reader import Dataset
from seq2seq_core.dataset.segment import Segment
from seq2seq_core.errors import TrainingError
from seq2seq_core.training.agreement import on_main, together
from seq2seq_core.training.checkpoints.run_state import RunState
from seq2seq_core.training.config import TrainConfig
from seq2seq_core.training.following.arrival import Arrival, Arrivals
from seq2seq_core.training.following.lineage import (
    RunLineage,
    check_continues,
    publish_lineage,
    read_lineage,
    replayed,
)
from seq2seq_core.training.following.watch import Watch
from seq2seq_core.training.processes.distributed import World

logger = logging.getLogger(__name__)


class Signs(NamedTuple):
    """What one process has to say of new rows, or any of them: some were seen; somebody is still reading them."""

    news: bool = False
    busy: bool = False


class Follower:
    """One process's part in following the dataset.

    Attributes:
        segments: What is learned from; grows with what enters.

    Args:
        config: The run.
        world: Its processes.
        dataset: What the run has opened.
        loader: What it reads.
        segments: The first segment.
        identity: What the run's course depends on.
        check: Raises where the run folder is the run's no more.
    """

    def __init__(
        self,
        config: TrainConfig,
        world: World,
        dataset: Dataset,
        loader: Loader,
        segments: list[Segment],
        identity: Mapping[str, Any],
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self.segments = segments
        self._config, self._world, self._identity, self._check = config, world, dict(identity), check
        self._arrivals = Arrivals(dataset, loader, config.following.look_seconds)
        self._plan: tuple[Segment, ...] = ()
        self._watch: Watch | None = None
        self._target: Segment | None = None
        self._arrival: Future[Arrival] | None = None
        self._heard = Signs()

    def carried_on(self, state: RunState) -> RunState:
        """Begin, or let in again what entered the run before; the state with it. All processes call this.

        Raises:
            CheckpointError: The run's lineage, or the one to be replayed, is not that of this run.
            DatasetError, TrainingError: The dataset is not what it was then.
        """
        entered = state.segments or (self.segments[0],)
        check_continues(entered, self.segments, self._where)
        self._plan = on_main(self._world, lambda: self._planned(entered, state.step))
        for segment in entered[1:]:
            self._let_in(segment, together(self._world, functools.partial(self._arrivals.ready, segment.rows)))
        on_main(self._world, self._publish)
        if self._config.follow and self._world.is_main:
            self._watch = Watch(self._config.datasets[0], self._config.following.look_seconds)
        return state.model_copy(update={"segments": entered})

    def may_enter(self, step: int) -> bool:
        """Whether more rows may enter if no further step is done."""
        return self._plan[0].step == step if self._plan else self._config.follow

    def signs(self) -> Signs:
        """What this process has to say."""
        found = self._watch.found if self._watch and self._target is None else None
        busy = self._arrival is not None and not self._arrival.done()
        return Signs(found is not None and found.rows > self.segments[-1].rows, busy)

    @property
    def expects_rows(self) -> bool:
        """Whether rows were seen that have not entered, as far as this process knows."""
        return self._target is not None or self.signs().news

    def hear(self, signs: Signs) -> None:
        """Take what any process had to say with the last step."""
        self._heard = signs

    def is_due(self, step: int) -> bool:
        """Whether rows enter after so many steps; all processes ask between two steps, and get the same answer."""
        if self._plan:
            return self._plan[0].step == step
        if self._target is not None:
            return not self._heard.busy
        if self._heard.news:
            target: Segment = self._world.agree(self._watch.found if self._watch else None)
            self._target, self._arrival = target, self._arrivals.begin(target.rows)
            self._heard = Signs(busy=True)
        return False

    def entered(self, state: RunState) -> RunState:
        """Let the rows enter that are due; the state with them. What the loader has read ahead is void.

        Raises:
            TrainingError: The dataset is not what it was; or processes see different rows.
        """
        if self._plan:
            segment, *rest = self._plan
            arrival = together(self._world, lambda: self._arrivals.ready(segment.rows))
            self._plan = tuple(rest)
        else:
            arrival = together(self._world, self._arrived)
            target, self._target, self._arrival = self._target, None, None
            changes = {"step": state.step, "epoch": self._epoch(state), "order": arrival.part.name}
            segment = self._world.agree(target and target.model_copy(update=changes))
        self._let_in(segment, arrival)
        on_main(self._world, self._publish)
        if self._world.is_main:
            told, more = "after step %d generation %d enters: %d new rows, %d in all", self.segments[-2].rows
            logger.info(told, segment.step, segment.generation, segment.rows - more, segment.rows)
        start = state.start if state.start is not None and state.start.epoch <= segment.epoch else None
        return state.model_copy(update={"segments": tuple(self.segments), "start": start})

    def close(self) -> None:
        """End what runs beside training."""
        if self._watch:
            self._watch.close()
        self._arrivals.close()

    def _epoch(self, state: RunState) -> int:
        """Where all rows are used up, the last epoch has the new ones too; else that of the following batch."""
        epoch, most = state.start.epoch if state.start else 0, self._config.limits.max_epochs
        return epoch if most is None else min(epoch, most - 1)

    @property
    def _where(self) -> str:
        return storage.redact(self._config.output)

    def _arrived(self) -> Arrival:
        if self._arrival is None:
            raise TrainingError("no rows are due")
        return self._arrival.result()

    def _planned(self, entered: Sequence[Segment], step: int) -> tuple[Segment, ...]:
        """What has still to enter, as the run's own lineage says, or that of another one which is replayed."""
        known = read_lineage(self._config.output)
        own = known.segments if known is not None and known.identity == self._identity else ()
        other = replayed(self._config.replay) if self._config.replay is not None else ()
        for planned in (own, other):
            check_continues(entered, planned, self._where, step)
        check_continues(own, other, self._where)
        return max(own, other, key=len)[len(entered) :]

    def _let_in(self, segment: Segment, arrival: Arrival) -> None:
        together(self._world, lambda: _check_order(segment, arrival, self._where))
        self._arrivals.enter(arrival, segment.step, segment.epoch)
        self.segments.append(segment)

    def _publish(self) -> None:
        if self._world.is_main:
            self._check()
            publish_lineage(
                self._config.output,
                RunLineage(identity=self._identity, segments=(*self.segments, *self._plan)),
            )


def _check_order(segment: Segment, arrival: Arrival, where: str) -> None:
    if segment.order != arrival.part.name:
        raise TrainingError(
            "the rows that enter are not those that they should be",
            where=where,
            found=f"generation {segment.generation} with rows of other lengths, weights, data.* or seed",
            expected="the same on all processes, and whenever the run is done again",
            advice="Restore the dataset and the configuration.",
        )
