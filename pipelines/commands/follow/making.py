"""A batch of landed files in, the job of a preparation out; and what came of it, as the ledger keeps it.

All that following asks of a preparation stands here: which files make a job, which of them cannot be read, and which
generation they have become.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipelines.commands import prepare
from pipelines.commands.prepare import PrepareConfig
from seq2seq_core import storage
from seq2seq_core.dataset.manifest import Manifest, load_manifest
from seq2seq_core.errors import DatasetError, Seq2SeqError
from seq2seq_core.landing.lookout import digest_of, record_of
from seq2seq_core.landing.terms import Batch, BatchRecord, FileRecord, Landed
from seq2seq_core.preparation.planning.planner import index_input
from seq2seq_core.preparation.planning.watch import clear_totals
from seq2seq_core.preparation.terms.messages import Job

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Made:
    """What came of files.

    Attributes:
        generation: The last that was added; None where nothing was new.
        rows: How many rows were read of them.
        digests: What names the content of each file, by its redacted URLs.
    """

    generation: int | None
    rows: int
    digests: Mapping[tuple[str, ...], str]


NOTHING = Made(None, 0, {})


def job_of(config: PrepareConfig, files: Sequence[Landed]) -> Job:
    """The job that adds some files; see `planning.inputs.make_job` for the errors."""
    job = prepare.make_job(config, _by_corpus(files))
    clear_totals(config.output)
    return job


def problem_of(config: PrepareConfig, landed: Landed) -> str | None:
    """Why a file cannot be read by itself; None where it can."""
    try:
        job = prepare.make_job(config, _by_corpus([landed]))
        for input_ in job.inputs:
            if input_.role == "train":
                index_input(job.recipe, input_)
    except Seq2SeqError as error:
        return str(error)
    return None


def manifest_of(output: str) -> Manifest | None:
    """The manifest of a dataset; None where none stands there yet."""
    try:
        return load_manifest(output)
    except DatasetError:
        return None


def newest(manifest: Manifest | None) -> int:
    """The number of the last generation of a dataset; -1 where there is none."""
    return -1 if manifest is None or not manifest.generations else manifest.generations[-1].index


def made_since(before: int, after: Manifest) -> Made:
    """What has been added to a dataset whose last generation had this number."""
    new = [generation for generation in after.generations if generation.index > before]
    digests = {
        tuple(file.url for file in entry.files): "+".join(file.fingerprint for file in entry.files)
        for generation in new
        for entry in generation.inputs
    }
    return Made(new[-1].index if new else None, sum(generation.ledger.read for generation in new), digests)


def taken(batch: Batch, files: Sequence[Landed], made: Made) -> tuple[BatchRecord, list[FileRecord]]:
    """What the ledger keeps of a batch of which these files were read, and those that are empty."""
    now = time.time()
    empty = [landed for landed in batch.files if not landed.bytes]
    records = [record_of(landed, now, batch.number, digest=_digest(landed, made)) for landed in files]
    records += [record_of(landed, now, batch.number, digest="") for landed in empty]
    name = None if made.generation is None else f"generation {made.generation}"
    total = sum(landed.bytes for landed in files)
    done = BatchRecord(
        batch=batch.number,
        files=len(records),
        opened=batch.opened,
        bytes=total,
        rows=made.rows,
        made=name,
        at=now,
    )
    oldest = max((now - landed.landed for landed in batch.files), default=0.0)
    told = (name or "nothing new", f"{len(records):,}", f"{made.rows:,}", oldest)
    _log.info("%s: %s files, %s rows read, %.1f s after the first of them landed", *told)
    return done, records


def failed(batch: Batch, problems: Mapping[str, str]) -> list[FileRecord]:
    """What the ledger keeps of files that cannot be read, by their keys."""
    now = time.time()
    records = []
    for landed in batch.files:
        if landed.key in problems:
            _log.warning("%s: left out: %s", storage.redact(landed.urls[0]), problems[landed.key])
            records.append(record_of(landed, now, batch.number, reason=problems[landed.key]))
    return records


def files_of(batch: Batch) -> list[Landed]:
    """The files of a batch that hold something."""
    return [landed for landed in batch.files if landed.bytes]


def _by_corpus(files: Sequence[Landed]) -> dict[int, list[tuple[str, ...]]]:
    """The files of each corpus, in the order of their names, as a batch run has them."""
    found: dict[int, list[tuple[str, ...]]] = {}
    for landed in sorted(files, key=lambda landed: landed.key):
        found.setdefault(landed.zone, []).append(landed.urls)
    return found


def _digest(landed: Landed, made: Made) -> str:
    """What names the content of a file: as it was read, or of one that was read before, as it is."""
    return made.digests.get(tuple(map(storage.redact, landed.urls))) or digest_of(landed)
