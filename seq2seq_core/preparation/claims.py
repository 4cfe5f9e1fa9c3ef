"""The next generation of a dataset in, agreed on with all other runs before any work: ours, theirs, or an error, out.

`_work/claim-00001.json` is created only if absent and says who adds generation 1 from which inputs. A run that finds
the claim of another finishes that generation with it, when all of its inputs are new here too: everything is named
by content, so both do the same. Otherwise it ends and says so: one generation is never made of two runs' work.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
import re
from typing import Any

import pydantic

from seq2seq_core import storage
from seq2seq_core.errors import DatasetError
from seq2seq_core.preparation.generation import Generation, Read, chosen_generation, source_entry
from seq2seq_core.preparation.messages import Job, Message, Plan
from seq2seq_core.preparation.progress import WORK_FOLDER
from seq2seq_core.shards.manifest import Manifest, SourceEntry

logger = logging.getLogger(__name__)

_CLAIM = re.compile(r"claim-\d{5}\.json")


class Claim(Message):
    """What a run is about to add; `holder` and `since` are for people."""

    fingerprint: str
    recipe_fingerprint: str
    shards: int
    inputs: tuple[SourceEntry, ...]
    configuration: dict[str, Any]
    holder: str
    since: str


def claim(job: Job, reads: list[Read], latest: Manifest | None, own: Generation) -> Generation:
    """Claim the next generation, or join in the one that another run has claimed.

    Args:
        job: The job.
        reads: All its inputs.
        latest: The dataset as it stands.
        own: What this run would add.

    Raises:
        DatasetError: Another run adds, or was killed while it added, something else.
    """
    url = claim_url(job.output, own.number)
    text = _claim_of(job, own).model_dump_json()
    while not storage.create_exclusively(url, text.encode()):
        found = _read(url)
        if found is None:  # the other run has just ended
            continue
        if found.fingerprint == own.fingerprint:
            return own
        theirs = chosen_generation(job, reads, latest, found.inputs, found.shards)
        if theirs is None or theirs.fingerprint != found.fingerprint:
            raise _refuse(job, url, found, own)
        logger.info("going on with what %s has begun", found.holder)
        return theirs
    return own


def check_claim(plan: Plan) -> None:
    """Make sure, before files of a generation are written or published, that it still is this run's.

    Raises:
        DatasetError: Somebody has removed the claim, and another run has claimed something else.
    """
    found = _read(claim_url(plan.job.output, plan.generation))
    if found is not None and found.fingerprint != plan.fingerprint:
        raise DatasetError(
            "another run has taken over",
            where=storage.redact(plan.job.output),
            found=f"fingerprint {found.fingerprint} of {found.holder}",
            expected=f"fingerprint {plan.fingerprint}",
            advice="Run again when it has ended.",
        )


def withdraw(output: str, generation: Generation) -> None:
    """Remove the claim of a generation that turns out to stand already."""
    url = claim_url(output, generation.number)
    found = _read(url)
    if found is not None and found.fingerprint == generation.fingerprint:
        storage.remove(url)


def release(output: str, configuration: dict[str, Any]) -> None:
    """Give a claimed folder free again, if it was claimed with this configuration: another may be tried there."""
    work = storage.join(output, WORK_FOLDER)
    for name in storage.list_folder(work):
        if _CLAIM.fullmatch(name):
            url = storage.join(work, name)
            found = _read(url)
            if found is not None and found.configuration == configuration:
                storage.remove(url)


def take_rest(output: str, run: str) -> bool:
    """Whether the plan of a run noted that another generation is needed after its own; the note is gone then."""
    work = storage.join(output, WORK_FOLDER)
    notes = [name for name in storage.list_folder(work) if re.fullmatch(rf"rest-\d{{5}}-{re.escape(run)}\.json", name)]
    for name in notes:
        storage.remove(storage.join(work, name))
    return bool(notes)


def claim_url(output: str, number: int) -> str:
    """Where the claim of a generation stands."""
    return storage.join(output, WORK_FOLDER, f"claim-{number:05d}.json")


def _claim_of(job: Job, generation: Generation) -> Claim:
    return Claim(
        fingerprint=generation.fingerprint,
        recipe_fingerprint=generation.recipe_fingerprint,
        shards=generation.shards,
        inputs=tuple(source_entry(job, read) for read in generation.reads),
        configuration=job.configuration,
        holder=job.run,
        since=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
    )


def _read(url: str) -> Claim | None:
    if not storage.exists(url):
        return None
    try:
        return Claim.model_validate(json.loads(storage.read_text(url)))
    except (json.JSONDecodeError, pydantic.ValidationError):
        raise DatasetError("the claim of a run is damaged", where=storage.redact(url), advice="Remove it.") from None


def _refuse(job: Job, url: str, found: Claim, own: Generation) -> DatasetError:
    where, holder = storage.redact(job.output), f"{found.holder} since {found.since}"
    if found.recipe_fingerprint != own.recipe_fingerprint:
        return DatasetError(
            "a preparation of another configuration is under way here, or was killed",
            where=where,
            found=f"fingerprint {found.recipe_fingerprint}, claimed by {holder}",
            expected=f"fingerprint {own.recipe_fingerprint}",
            advice=f"Choose a new output folder, or, when no other run is at work, remove {storage.redact(url)}.",
        )
    own_keys = {read.key for read in own.reads}
    missing = [entry.origin for entry in found.inputs if entry.key not in own_keys]
    return DatasetError(
        "a preparation of other inputs is under way here, or was killed",
        where=where,
        found=f"fingerprint {found.fingerprint}, claimed by {holder}, with {', '.join(missing[:3])} (not among these)",
        expected=f"fingerprint {own.fingerprint}",
        advice=f"Run again when it has ended, or, when no other run is at work, remove {storage.redact(url)}.",
    )
