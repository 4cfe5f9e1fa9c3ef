"""`seq2seq prepare --follow`: files that land in, generations of a dataset out, for as long as it is let.

On this machine that is a loop of bounded preparations in one process, each of the batch of files that the ledger says
is at work: killed anywhere, the next start does the same batch again, and the dataset knows what it has read already.
On engines that stream it is one unbounded job (`pipelines.graphs.follow`).
"""

from __future__ import annotations

import contextlib
import functools
import logging
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Self

import pydantic
from pydantic import Field

from pipelines.commands import here, prepare
from pipelines.commands.call import Call
from pipelines.commands.follow.keys import FollowKeys
from pipelines.commands.follow.making import (
    NOTHING,
    Made,
    failed,
    files_of,
    job_of,
    made_since,
    manifest_of,
    newest,
    problem_of,
    taken,
)
from pipelines.commands.follow.replacing import take_out_changed
from pipelines.commands.prepare import PrepareConfig
from pipelines.local import pool
from pipelines.local.following import alone, follow, quiet
from pipelines.local.workers import HERE, Workers
from seq2seq_core import stopping, storage
from seq2seq_core.corpora.formats.table import FORMATS
from seq2seq_core.dataset.manifest import load_manifest
from seq2seq_core.errors import ConfigError, Seq2SeqError
from seq2seq_core.landing.ledger import Ledger
from seq2seq_core.landing.lookout import Batches, Lookout
from seq2seq_core.landing.notes import NotedZone
from seq2seq_core.landing.planner import Pace
from seq2seq_core.landing.terms import Batch, FileRecord, Landed
from seq2seq_core.landing.zone import Zone
from seq2seq_core.machine import usable_cores
from seq2seq_core.preparation.compaction.compact import keep_few
from seq2seq_core.preparation.planning.reservation import take_rest
from seq2seq_core.preparation.terms.messages import Job, Terms

if TYPE_CHECKING:
    from pipelines.graphs.follow.prepare import Followed

_SMALL_BYTES = 8 << 20
_QUIET = ("seq2seq_core.preparation", "pipelines.local.watch")
_log = logging.getLogger(__name__)


class FollowPrepareConfig(PrepareConfig, FollowKeys):
    """What `seq2seq prepare --follow` watches, and when it publishes."""

    interval_seconds: float = Field(
        60.0,
        gt=0,
        le=86_400,
        description="what has landed is published as a generation at the latest so long after "
        "the one before was begun; where nothing has landed, nothing is published",
    )
    generation_rows: int | None = Field(
        None,
        ge=1,
        le=1 << 40,
        description="sooner, when about so many rows are there (told from their bytes), and not many more at once",
    )
    generation_files: int = Field(1000, ge=1, le=1_000_000, description="the same of files")
    first_rows: int = Field(
        0,
        ge=0,
        le=1 << 40,
        description="the first generation, which tokenizers are trained on, waits for about so many rows",
    )
    notifications: str | None = Field(
        None,
        pattern=r"^projects/[^/]+/subscriptions/[^/]+$",
        description="a subscription of Pub/Sub to what Google Cloud Storage tells of the zones' buckets "
        "(projects/PROJECT/subscriptions/NAME): the zones are not listed then; on engines of Beam that stream",
    )
    report: bool = Field(False, description="write report.html into the folder with every generation")

    @pydantic.model_validator(mode="after")
    def _can_replace(self) -> Self:
        given = {"near_duplicates": self.near_duplicates, "notifications": self.notifications}
        found = [name for name, value in given.items() if value is not None]
        if self.landing.changed == "replace" and found:
            raise ValueError(f"landing.changed: replace does not go with {' and '.join(found)}; take and error do")
        return self

    @property
    def pace(self) -> Pace:
        """When a generation is made."""
        return Pace(self.interval_seconds, self.generation_rows, self.generation_files, self.first_rows)


def main(call: Call) -> int:
    """Follow the landing zones of all corpora."""
    config = call.load(FollowPrepareConfig)
    if not here.is_described("pipelines.graphs.follow.prepare", lambda: followed(config), call.beam_options()):
        run(config, call.beam_options())
    return 0


def run(config: FollowPrepareConfig, beam_arguments: Sequence[str] = ()) -> None:
    """Publish generations of what lands, until it is stopped or idle for long.

    Raises:
        ClaimError: Another process follows into the folder.
        Seq2SeqError: The zones or the dataset cannot be read; see `planning.inputs.make_job`.
    """
    if here.is_local(beam_arguments):
        if config.notifications is not None:
            raise ConfigError(
                "notifications need an engine that streams",
                found=f"--notifications {config.notifications}",
                expected="Beam's options of one, as -- --runner=DataflowRunner",
            )
        checked(config)
        _follow_here(config, beam_arguments)
        return
    job = followed(config)
    from pipelines.graphs.follow import prepare as graph

    with alone(Ledger(config.output), "preparation", is_read=False):
        graph.run(job, beam_arguments)


def followed(config: FollowPrepareConfig) -> Followed:
    """What the unbounded job is for.

    Raises:
        Seq2SeqError: See `checked`.
    """
    terms = checked(config)
    with stopping.interrupts_wait():
        from pipelines.graphs.follow.look import Watched
        from pipelines.graphs.follow.prepare import Followed, Handling

    watched = Watched(
        output=config.output,
        zones=tuple(zones_of(config)),
        landing=config.landing,
        pace=config.pace,
        idle_seconds=config.idle_seconds,
        subscription=config.notifications,
    )
    return Followed(watched, terms, Handling(functools.partial(begin, config), functools.partial(close, config)))


def checked(config: FollowPrepareConfig) -> Terms:
    """What all jobs have in common; what is wrong with the configuration is told before anything has landed.

    Raises:
        Seq2SeqError: A corpus is no landing zone, or see `planning.inputs.make_job`.
    """
    _refuse_folders(config)
    return prepare.make_job(config, {})


def begin(config: FollowPrepareConfig, batch: Batch) -> Job | None:
    """The job of a batch, with the files that can be read: on an engine, one that cannot would fail again and again.

    Raises:
        Seq2SeqError: See `making.job_of`.
    """
    ledger, files = Ledger(config.output).refresh(), files_of(batch)
    problems = {landed.key: problem for landed in files if (problem := problem_of(config, landed)) is not None}
    if problems:
        lookout = Lookout(zones_of(config), config.landing, ledger)
        files = lookout.unchanged(files, time.time())
        same = {landed.key for landed in files}
        ledger.add(failed(batch, {key: problem for key, problem in problems.items() if key in same}))
        files = [landed for landed in files if landed.key not in problems]
    again = replaced(config, batch, ledger)
    if not files and not again:
        ledger.close(*taken(batch, [], NOTHING))
        return None
    keep_few(config.output, config.compaction)
    return job_of(config, [*files, *again])


def replaced(config: FollowPrepareConfig, batch: Batch, ledger: Ledger) -> list[Landed]:
    """See `replacing.take_out_changed`; nothing where rows of old content stay."""
    return take_out_changed(config, batch, ledger, zones_of(config)) if config.landing.changed == "replace" else []


def close(config: FollowPrepareConfig, batch: Batch, job: Job) -> None:
    """Take down a batch whose generation stands. What a run that was killed had left comes first, and the rest next."""
    urls = {input_.source.urls for input_ in job.inputs if input_.role == "train"}
    files = [landed for landed in files_of(batch) if landed.urls in urls]
    manifest = load_manifest(config.output)
    last = made_since(newest(manifest) - 1, manifest)
    read = [landed for landed in files if tuple(map(storage.redact, landed.urls)) in last.digests]
    if take_rest(config.output, job.run):
        files = read
    Ledger(config.output).close(*taken(batch, files, last if read else NOTHING))


def _follow_here(config: FollowPrepareConfig, beam_arguments: Sequence[str]) -> None:
    ledger = Ledger(config.output)
    lookout = Lookout(zones_of(config), config.landing, ledger)
    batches = Batches(lookout, ledger, config.pace)
    with alone(ledger, "preparation"), quiet(*_QUIET), contextlib.ExitStack() as stack:
        with stopping.interrupts_wait():
            from pipelines.graphs import prepare as graph

        prepared = functools.partial(graph.run, beam_arguments=beam_arguments)
        maker = Maker(config, ledger, lookout, stack if here.is_here(beam_arguments) else None, prepared)

        def step(now: float) -> bool | None:
            batch = batches.next(now)
            if batch is not None:
                maker.make(batch)
                return True
            return None if lookout.waiting else False

        follow(step, config.landing.look_seconds, config.idle_seconds)


def zones_of(config: FollowPrepareConfig) -> list[Zone]:
    """Where the files of each corpus land."""
    names, output = config.landing.unfinished, config.output
    sides = [corpus.given_patterns for corpus in config.training_corpora]
    if config.notifications is not None:
        return [NotedZone(patterns, names, output, notes=output) for patterns in sides]
    return [Zone(patterns, names, output) for patterns in sides]


def _refuse_folders(config: FollowPrepareConfig) -> None:
    """Raise a ConfigError where a corpus is no landing zone."""
    for corpus in config.training_corpora:
        format_ = FORMATS[corpus.resolved_format(config.output)]
        if format_.is_folder:
            raise ConfigError(
                f"{format_.called} is one corpus, and does not grow by files that land",
                found=f"corpus {corpus.default_name}",
                advice="Name files by a glob.",
            )


class Maker:
    """Makes a generation of each batch, in this process, and in others beside it once a batch is large."""

    def __init__(
        self,
        config: FollowPrepareConfig,
        ledger: Ledger,
        lookout: Lookout,
        stack: contextlib.ExitStack | None,
        prepared: Callable[[Job, Workers | None], bool],
    ) -> None:
        """Get ready.

        Args:
            config: What to do.
            ledger: Where it is taken down what has become of files.
            lookout: Knows whether files have changed.
            stack: What processes are started in, to end with it; None where the work is left to Beam's own workers.
            prepared: Does a job; False where it must be tried again with a new one.
        """
        self._config, self._ledger, self._lookout = config, ledger, lookout
        self._stack, self._prepared = stack, prepared
        self._pool: Workers | None = None

    def make(self, batch: Batch) -> None:
        """Publish a batch as a generation, and take it down.

        Files that changed since they were seen are left for a later one; one that cannot be read is taken down as
        failed, and the others go on without it.

        Raises:
            Seq2SeqError: What fails is no file of the batch.
        """
        files, again = files_of(batch), replaced(self._config, batch, self._ledger)
        bad: list[FileRecord] = []
        try:
            made = self._generation([*files, *again])
        except Seq2SeqError as error:
            files, bad = self._sorted_out(batch, files, error)
            made = self._generation([*files, *again])
        done, records = taken(batch, files, made)
        self._ledger.close(done, [*records, *bad])

    def _generation(self, files: Sequence[Landed]) -> Made:
        """Run a bounded preparation of some files: the one place where this process makes a generation."""
        if not files:
            return NOTHING
        output = self._config.output
        keep_few(output, self._config.compaction)  # of what stood before: what is added now is told by itself
        before = newest(manifest_of(output))
        workers = self._workers(files)
        while not self._prepared(job_of(self._config, files), workers):
            _log.info("%s: looking again for what is new", storage.redact(output))
        if self._config.report:
            from seq2seq_core.report.dataset_page import write_beside

            write_beside(output)
        return made_since(before, load_manifest(output))

    def _workers(self, files: Sequence[Landed]) -> Workers | None:
        """This thread for what is small, a process a core from the first large batch on."""
        if self._stack is None:
            return None
        cores = usable_cores()
        if cores == 1 or sum(landed.bytes for landed in files) < _SMALL_BYTES:
            return HERE
        if self._pool is None:
            self._pool = self._stack.enter_context(pool.started(cores, prepare.WORK))
        return self._pool

    def _sorted_out(
        self, batch: Batch, files: Sequence[Landed], error: Seq2SeqError
    ) -> tuple[list[Landed], list[FileRecord]]:
        """The files that can be read, and what is to be said of those that cannot; the error where all can."""
        same = self._lookout.unchanged(files, time.time())
        found = {landed.key: problem_of(self._config, landed) for landed in same}
        problems = {key: problem for key, problem in found.items() if problem is not None}
        if not problems and len(same) == len(files):
            raise error
        return [landed for landed in same if landed.key not in problems], failed(batch, problems)
