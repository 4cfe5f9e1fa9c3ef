"""`seq2seq prepare --follow`: files that land in, generations of a dataset out, for as long as it is let.

On this machine that is a loop of bounded preparations in one process, each of the batch of files that the ledger says
is at work: killed anywhere, the next start does the same batch again, and the dataset knows what it has read already.
On engines that stream it is one unbounded job (`pipelines.graphs.follow`).
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import Field

from pipelines.commands import here, prepare
from pipelines.commands.call import Call
from pipelines.commands.follow.keys import FollowKeys
from pipelines.commands.prepare import PrepareConfig
from pipelines.local import pool
from pipelines.local.following import alone, follow, quiet
from pipelines.local.workers import HERE, Workers
from seq2seq_core import stopping, storage
from seq2seq_core.corpora.formats.table import FORMATS
from seq2seq_core.dataset.manifest import Manifest, load_manifest
from seq2seq_core.errors import ConfigError, DatasetError, Seq2SeqError
from seq2seq_core.landing.ledger import Ledger
from seq2seq_core.landing.lookout import Batches, Lookout, digest_of, record_of
from seq2seq_core.landing.planner import Pace
from seq2seq_core.landing.terms import Batch, BatchRecord, FileRecord, Landed
from seq2seq_core.landing.zone import Zone
from seq2seq_core.machine import usable_cores
from seq2seq_core.preparation.planning.planner import index_input
from seq2seq_core.preparation.planning.watch import clear_totals

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
    report: bool = Field(False, description="write report.html into the folder with every generation")

    @property
    def pace(self) -> Pace:
        """When a generation is made."""
        return Pace(self.interval_seconds, self.generation_rows, self.generation_files, self.first_rows)


def main(call: Call) -> int:
    """Follow the landing zones of all corpora."""
    run(call.load(FollowPrepareConfig), call.beam_options())
    return 0


def run(config: FollowPrepareConfig, beam_arguments: Sequence[str] = ()) -> None:
    """Publish generations of what lands, until it is stopped or idle for long.

    Raises:
        ClaimError: Another process follows into the folder.
        Seq2SeqError: The zones or the dataset cannot be read; see `planning.inputs.make_job`.
    """
    _refuse_folders(config)
    if not here.is_here(beam_arguments):
        raise ConfigError("--follow runs on this machine alone", found=" ".join(beam_arguments))
    prepare.make_job(config, {})  # what is wrong with the configuration is told before anything has landed
    ledger = Ledger(config.output)
    lookout = Lookout(zones_of(config), config.landing, ledger)
    batches = Batches(lookout, ledger, config.pace)
    with alone(config.output, "preparation"), quiet(*_QUIET), contextlib.ExitStack() as stack:
        with stopping.interrupts_wait():
            from pipelines.graphs import prepare as graph

        del graph
        maker = Maker(config, ledger, lookout, stack, beam_arguments)

        def step(now: float) -> bool | None:
            batch = batches.next(now)
            if batch is not None:
                maker.make(batch)
                return True
            return None if lookout.waiting else False

        follow(step, config.landing.look_seconds, config.idle_seconds)


def zones_of(config: FollowPrepareConfig) -> list[Zone]:
    """Where the files of each corpus land."""
    unfinished = config.landing.unfinished
    return [Zone(corpus.given_patterns, unfinished, config.output) for corpus in config.training_corpora]


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


@dataclass(frozen=True)
class _Made:
    """What came of files: the rows that were read of them, and the content of each by its redacted URLs."""

    generation: int | None
    rows: int
    digests: Mapping[tuple[str, ...], str]


class Maker:
    """Makes a generation of each batch, in this process, and in others beside it once a batch is large."""

    def __init__(
        self,
        config: FollowPrepareConfig,
        ledger: Ledger,
        lookout: Lookout,
        stack: contextlib.ExitStack,
        beam_arguments: Sequence[str] = (),
    ) -> None:
        """`stack` is what processes are started in, to end with it."""
        self._config, self._ledger, self._lookout = config, ledger, lookout
        self._stack, self._beam_arguments = stack, tuple(beam_arguments)
        self._pool: Workers | None = None

    def make(self, batch: Batch) -> None:
        """Publish a batch as a generation, and take it down.

        Files that changed since they were seen are left for a later one; one that cannot be read is taken down as
        failed, and the others go on without it.

        Raises:
            Seq2SeqError: What fails is no file of the batch.
        """
        empty = [landed for landed in batch.files if not landed.bytes]
        files = [landed for landed in batch.files if landed.bytes]
        failed: list[FileRecord] = []
        try:
            made = self._generation(files)
        except Seq2SeqError as error:
            files, failed = self._sorted_out(batch, files, error)
            made = self._generation(files)
        now = time.time()
        records = [record_of(landed, now, batch.number, digest=_digest(landed, made)) for landed in files]
        records += [record_of(landed, now, batch.number, digest="") for landed in empty]
        name = None if made.generation is None else f"generation {made.generation}"
        done = BatchRecord(
            batch=batch.number,
            files=len(records),
            opened=batch.opened,
            bytes=sum(landed.bytes for landed in files),
            rows=made.rows,
            made=name,
            at=now,
        )
        self._ledger.close(done, [*records, *failed])
        oldest = max((now - landed.landed for landed in batch.files), default=0.0)
        _log.info(
            "%s: %s files, %s rows read, %.1f s after the first of them landed",
            name or "nothing new",
            f"{len(records):,}",
            f"{made.rows:,}",
            oldest,
        )

    def _generation(self, files: Sequence[Landed]) -> _Made:
        """Run a bounded preparation of some files: the one place where a generation is made."""
        if not files:
            return _Made(None, 0, {})
        from pipelines.graphs import prepare as graph

        before = _manifest(self._config.output)
        landed = _by_corpus(files)
        workers = self._workers(files)
        is_done = False
        while not is_done:
            job = prepare.make_job(self._config, landed)
            clear_totals(self._config.output)
            is_done = graph.run(job, workers, self._beam_arguments)
        if self._config.report:
            from seq2seq_core.report.dataset_page import write_beside

            write_beside(self._config.output)
        return _told(before, load_manifest(self._config.output))

    def _workers(self, files: Sequence[Landed]) -> Workers:
        """This thread for what is small, a process a core from the first large batch on."""
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
        now = time.time()
        same = self._lookout.unchanged(files, now)
        problems = {landed.key: problem for landed in same if (problem := self._problem(landed)) is not None}
        if not problems and len(same) == len(files):
            raise error
        failed = [landed for landed in same if landed.key in problems]
        for landed in failed:
            _log.warning("%s: left out: %s", storage.redact(landed.urls[0]), problems[landed.key])
        records = [record_of(landed, now, batch.number, reason=problems[landed.key]) for landed in failed]
        return [landed for landed in same if landed.key not in problems], records

    def _problem(self, landed: Landed) -> str | None:
        """Why a file cannot be read by itself."""
        try:
            job = prepare.make_job(self._config, _by_corpus([landed]))
            for input_ in job.inputs:
                if input_.role == "train":
                    index_input(job.recipe, input_)
        except Seq2SeqError as error:
            return str(error)
        return None


def _by_corpus(files: Sequence[Landed]) -> dict[int, list[tuple[str, ...]]]:
    """The files of each corpus, in the order of their names, as a batch run has them."""
    found: dict[int, list[tuple[str, ...]]] = {}
    for landed in sorted(files, key=lambda landed: landed.key):
        found.setdefault(landed.zone, []).append(landed.urls)
    return found


def _manifest(output: str) -> Manifest | None:
    try:
        return load_manifest(output)
    except DatasetError:
        return None


def _told(before: Manifest | None, after: Manifest) -> _Made:
    """What has been added to a dataset."""
    known = 0 if before is None else len(before.generations)
    new = after.generations[known:]
    digests = {
        tuple(file.url for file in entry.files): "+".join(file.fingerprint for file in entry.files)
        for generation in new
        for entry in generation.inputs
    }
    rows = sum(generation.ledger.read for generation in new)
    return _Made(new[-1].index if new else None, rows, digests)


def _digest(landed: Landed, made: _Made) -> str:
    """What names the content of a file: as it was read, or of one that was read before, as it is."""
    return made.digests.get(tuple(map(storage.redact, landed.urls))) or digest_of(landed)
