"""A run folder and the run that would work in it in; the folder, that run's alone, or a refusal before any work, out.

Runs of another identity are refused while one is at work, and where what they left would be written over. A run of
the same identity makes the same, but two of them would write every row of metrics.jsonl twice and prune each other's
checkpoints: the second waits for the first, and then carries on from what that has left. So a job that a scheduler
starts again finds its way while the one before still saves its state, or has died on another machine.
"""

from __future__ import annotations

import contextlib
import logging
import time
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from seq2seq_core import claims, config, storage
from seq2seq_core.errors import CheckpointError, ClaimError, ConfigError, ModelError, StorageError, foreign_file
from seq2seq_core.kinds import CLAIM_FOLDER
from seq2seq_core.models import card
from seq2seq_core.models.card import Lineage, read_card
from seq2seq_core.progress import Progress
from seq2seq_core.training.agreement import Stopped, on_main
from seq2seq_core.training.checkpoints.identity import check_same_run, first_difference
from seq2seq_core.training.config import TrainConfig, identity
from seq2seq_core.training.processes.distributed import World
from seq2seq_core.training.processes.stop import StopFlag

CONFIG_NAME = "config.yaml"
MODELS = ("best", "last")
STREAM = "stream"
WAIT_SECONDS = claims.SILENT_SECONDS + 30
"""How long an equal run is waited for: a dead one of another machine is known by its silence."""
SHOW_SECONDS = 30
"""How long another machine may need to see a file of a folder that it shares."""

_LOOK_SECONDS = 0.5
_TURN = "turn"

logger = logging.getLogger(__name__)


class Ownership:
    """The run folder, as long as it is this run's; only the main process holds its claim."""

    def __init__(self) -> None:
        self._held: list[claims.Held] = []

    def check(self) -> None:
        """Make sure, before something is put there, that the folder still is this run's.

        Raises:
            ClaimError: Another run has taken over: this one was silent for too long.
        """
        for held in self._held:
            held.check()

    def tell(self, progress: Progress) -> None:
        """Say how far the run is."""
        for held in self._held:
            held.tell(progress)

    def take(self, stack: contextlib.ExitStack, output: str, fingerprint: str, stop: StopFlag) -> None:
        """Claim the folder for runs of this identity, and among those for this one."""
        self._held.append(stack.enter_context(claims.held(output, fingerprint, "training")))
        turn = storage.join(output, CLAIM_FOLDER, _TURN)
        stack.callback(storage.remove_empty_folder, turn)
        until, waits = time.monotonic() + WAIT_SECONDS, False
        while True:
            try:
                self._held.append(stack.enter_context(claims.held(turn, uuid.uuid4().hex, "training")))
            except ClaimError:
                if stop.received is not None:
                    raise Stopped(stop.received) from None
                if time.monotonic() > until:
                    raise _busy(output, fingerprint, turn) from None
                if not waits:
                    where, who = storage.redact(output), _at_work(turn)
                    logger.info("the same training is at work in %s, %s; waiting for it to end", where, who)
                waits = True
                time.sleep(_LOOK_SECONDS)
            else:
                return


@contextlib.contextmanager
def owned(output: str, fingerprint: str, world: World, stop: StopFlag) -> Iterator[Ownership]:
    """Own a run folder, on all processes, while the block runs.

    Raises:
        ClaimError: Another run is at work there.
        ConfigError: The processes do not share the folder.
        Stopped: A signal came while this run waited for its turn.
    """
    ownership = Ownership()
    with contextlib.ExitStack() as stack:
        stopped = on_main(world, lambda: _taken(ownership, stack, output, fingerprint, stop))
        if stopped is not None:
            raise Stopped(stopped)
        check_shared(output, world)
        yield ownership


def _taken(
    ownership: Ownership, stack: contextlib.ExitStack, output: str, fingerprint: str, stop: StopFlag
) -> int | None:
    """The signal that came meanwhile, if one did."""
    try:
        ownership.take(stack, output, fingerprint, stop)
    except Stopped as stopped:
        return stopped.number
    return None


def check_shared(output: str, world: World) -> None:
    """Make sure that every process sees what the main one writes into the run folder; else a ConfigError on each."""
    if world.size == 1:
        return
    url = storage.join(output, CLAIM_FOLDER, f"shared.{world.agree(uuid.uuid4().hex)}")
    on_main(world, lambda: storage.publish_text(url, "\n"))
    seen = world.gather(_appears(url))
    on_main(world, lambda: storage.remove(url))
    if not all(seen):
        raise ConfigError(
            "not every process sees the run folder of process 0",
            where=storage.redact(output),
            found=f"process {seen.index(False)} has another folder of that name",
            advice="Several machines need an output that they share: a network file system or an object store.",
        )


def check_free(output: str, ours: Mapping[str, Any], *, is_new: bool) -> None:
    """Refuse a folder that holds a model or, where the run is new there, a configuration that is none of this run's.

    Raises:
        CheckpointError: A model there is of another run.
        ForeignFileError: A config.yaml there is written by somebody, and would be replaced.
    """
    for name in MODELS:
        url = storage.join(output, name)
        if storage.exists(storage.join(url, card.CONFIG_NAME)):
            _check_model(url, ours, is_new=is_new)
    url = storage.join(output, CONFIG_NAME)
    if is_new and storage.exists(url) and not _is_resolved(url):
        raise foreign_file(storage.redact(url), "the resolved configuration")


def is_of_run(lineage: Lineage, ours: Mapping[str, Any]) -> bool:
    """Whether a model is of the run with this identity."""
    theirs = _identity_of(lineage)
    return theirs is not None and first_difference(theirs, _without_stream(ours)) is None


def _check_model(url: str, ours: Mapping[str, Any], *, is_new: bool) -> None:
    where, found = storage.redact(url), "a configuration that this version does not know"
    try:
        theirs = _identity_of(read_card(url)[1])
    except (ModelError, StorageError) as error:
        theirs, found = None, str(error)
    if theirs is not None:
        check_same_run(theirs, _without_stream(ours), where, "the model is that")
    elif is_new:  # else the run's own checkpoints stand beside it, and it is made again
        raise CheckpointError(
            "a model that cannot be read stands where this run's would go",
            where=where,
            found=found,
            advice="Move it, or choose another output folder.",
        )


def _identity_of(lineage: Lineage) -> dict[str, Any] | None:
    """The identity of a model's run, the stream of its data aside; None where it cannot be told."""
    try:
        return identity(config.build(TrainConfig, lineage.configuration), lineage.dataset_digest)
    except ConfigError:
        return None


def _without_stream(ours: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in ours.items() if name != STREAM}


def _is_resolved(url: str) -> bool:
    """Whether a file is the resolved configuration of some training, as that writes it."""
    try:
        return config.to_yaml(config.load(TrainConfig, url)) == storage.read_text(url)
    except (ConfigError, StorageError):
        return False


def _appears(url: str) -> bool:
    until = time.monotonic() + SHOW_SECONDS
    while not storage.exists(url):
        if time.monotonic() > until:
            return False
        time.sleep(_LOOK_SECONDS)
    return True


def _busy(output: str, fingerprint: str, turn: str) -> ClaimError:
    return ClaimError(
        "the same training is under way here",
        where=storage.redact(output),
        found=f"fingerprint {fingerprint} of {_at_work(turn)}",
        expected=f"its end within {WAIT_SECONDS} seconds",
        advice="Run again when it has ended; it makes what this one would.",
    )


def _at_work(turn: str) -> str:
    place = claims.Place(storage.join(turn, CLAIM_FOLDER))
    found = place.read()
    return claims.shown(place.holders(found.fingerprint) if found else [])
