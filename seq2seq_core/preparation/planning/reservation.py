"""The next generation of a dataset in, agreed on with all other runs before any work: ours, theirs, or an error, out.

`_work/claim-00001.json` is created only if absent and says who adds generation 1 from which inputs. A run that finds
the claim of another finishes that generation with it, when all of its inputs are new here too: everything is named
by content, so both do the same. Otherwise the claim of a run that lives is respected, and that of a dead one taken
over (`seq2seq_core.claims`): one generation is never made of two runs' work.
"""

from __future__ import annotations

import logging

import pydantic

from seq2seq_core import claims, storage
from seq2seq_core.claims import Claim, Holder, Place
from seq2seq_core.dataset.manifest import Manifest, SourceEntry
from seq2seq_core.errors import ClaimError
from seq2seq_core.preparation.planning.generation import Generation, Read, chosen_generation, source_entry
from seq2seq_core.preparation.terms import layout
from seq2seq_core.preparation.terms.corpus import Message
from seq2seq_core.preparation.terms.messages import Head, Job

logger = logging.getLogger(__name__)


class About(Message):
    """What a claim says of the generation it is for."""

    recipe_fingerprint: str
    shards: int
    inputs: tuple[SourceEntry, ...]


def claim(job: Job, reads: list[Read], latest: Manifest | None, own: Generation) -> Generation:
    """Claim the next generation, or join in the one that another run has claimed.

    Args:
        job: The job.
        reads: All its inputs.
        latest: The dataset as it stands.
        own: What this run would add.

    Raises:
        ClaimError: Another run is at work on something else.
    """
    place = place_of(job.output, own.number)
    wanted = _claim_of(job, own)
    while True:
        place.note(job.holder, own.fingerprint)
        if place.create(wanted):
            return own
        found = place.read()
        if found is None:  # the other run has just ended
            continue
        if found.fingerprint == own.fingerprint:
            return own
        about = _about(place, found)
        theirs = chosen_generation(job, reads, latest, about.inputs, about.shards)
        if theirs is not None and theirs.fingerprint == found.fingerprint:
            place.note(job.holder, theirs.fingerprint)
            logger.info("going on with what %s has begun", claims.shown(place.holders(found.fingerprint)))
            return theirs
        holders = place.holders(found.fingerprint)
        if any(holder.is_alive for holder in holders):
            place.leave(job.run)
            raise _refuse(job, found, holders, about, own)
        place.take_over(found)


def check_claim(head: Head) -> None:
    """Make sure, before files of a generation are written or published, that it still is this run's.

    Raises:
        ClaimError: Another run has claimed something else.
    """
    place = place_of(head.output, head.generation)
    found = place.read()
    if found is not None and found.fingerprint != head.fingerprint:
        raise ClaimError(
            "another run has taken over",
            where=storage.redact(head.output),
            found=f"fingerprint {found.fingerprint} of {claims.shown(place.holders(found.fingerprint))}",
            expected=f"fingerprint {head.fingerprint}",
            advice="Run again when it has ended.",
        )


def withdraw(output: str, generation: Generation) -> None:
    """Remove the claim of a generation that turns out to stand already."""
    place = place_of(output, generation.number)
    found = place.read()
    if found is not None and found.fingerprint == generation.fingerprint:
        place.take_over(found)


def release(output: str, run: str) -> None:
    """Give free what a run has claimed, but for what another run has joined."""
    claims.leave(layout.notes(output), run)


def take_rest(output: str, run: str) -> bool:
    """Whether the plan of a run noted that another generation is needed after its own; the note is gone then."""
    found = ((name, layout.REST.parse(name)) for name in storage.list_folder(layout.notes(output)))
    notes = [name for name, values in found if values and values["run"] == run]
    for name in notes:
        storage.remove(layout.note(output, name))
    return bool(notes)


def place_of(output: str, number: int) -> Place:
    """Where the claim of a generation stands, with the notes of the runs that make it."""
    return Place(layout.notes(output), layout.CLAIM.of(generation=number))


def _claim_of(job: Job, generation: Generation) -> Claim:
    about = About(
        recipe_fingerprint=generation.recipe_fingerprint,
        shards=generation.shards,
        inputs=tuple(source_entry(job, read) for read in generation.reads),
    )
    return Claim(work="preparation", fingerprint=generation.fingerprint, about=about.model_dump(mode="json"))


def _about(place: Place, found: Claim) -> About:
    try:
        return About.model_validate(found.about)
    except pydantic.ValidationError:
        advice = "Remove it when no run is at work there."
        raise ClaimError("the claim of a run is damaged", where=storage.redact(place.url), advice=advice) from None


def _refuse(job: Job, found: Claim, holders: list[Holder], about: About, own: Generation) -> ClaimError:
    where, who = storage.redact(job.output), claims.shown([holder for holder in holders if holder.is_alive])
    if about.recipe_fingerprint != own.recipe_fingerprint:
        return ClaimError(
            "a preparation of another configuration is under way here",
            where=where,
            found=f"fingerprint {about.recipe_fingerprint}, claimed by {who}",
            expected=f"fingerprint {own.recipe_fingerprint}",
            advice="Choose a new output folder, or run again when it has ended.",
        )
    own_keys = {read.key for read in own.reads}
    missing = [entry.origin for entry in about.inputs if entry.key not in own_keys]
    return ClaimError(
        "a preparation of other inputs is under way here",
        where=where,
        found=f"fingerprint {found.fingerprint}, claimed by {who}, with {', '.join(missing[:3])} (not among these)",
        expected=f"fingerprint {own.fingerprint}",
        advice="Run again when it has ended.",
    )
