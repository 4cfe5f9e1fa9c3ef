"""All reports of a generation in; every count checked, the generation committed and shown, the work folder gone."""

from __future__ import annotations

import logging
import math
import platform
import posixpath
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from seq2seq_core import storage
from seq2seq_core.dataset import generations
from seq2seq_core.dataset.ledger import Ledger, added
from seq2seq_core.dataset.manifest import (
    CorpusEntry,
    GenerationEntry,
    KnownKind,
    Manifest,
    SplitEntry,
    load_manifest,
)
from seq2seq_core.dataset.schema import SPLITS, Split
from seq2seq_core.dataset.writer import merge_histograms
from seq2seq_core.errors import DatasetError
from seq2seq_core.modalities.base import Described, Side
from seq2seq_core.preparation.building.tokenizers import nothing_left
from seq2seq_core.preparation.known.merging import runs_after
from seq2seq_core.preparation.planning.remembered import remember
from seq2seq_core.preparation.planning.reservation import check_claim
from seq2seq_core.preparation.publishing.leftovers import remove_leftovers
from seq2seq_core.preparation.terms.known import KnownPart, MergedPart
from seq2seq_core.preparation.terms.messages import (
    Accounted,
    Drops,
    EdgesReport,
    Head,
    Outcome,
    Plan,
    ShardReport,
    TokenizersReport,
    UnitReport,
)
from seq2seq_core.software import versions

logger = logging.getLogger(__name__)


class KnownReports(NamedTuple):
    """What steps have reported of what later generations are to know, beside the shards."""

    merged: Sequence[MergedPart] = ()
    edges: Sequence[EdgesReport] = ()
    drops: Sequence[Drops] = ()

    def added(self, shards: Sequence[ShardReport]) -> dict[KnownKind, list[KnownPart]]:
        """The files that were added, by kind."""
        found: dict[KnownKind, Sequence[ShardReport | EdgesReport | Drops]]
        found = {"rows": shards, "bands": self.edges, "kept": self.drops}
        return {kind: [r.known for r in reports if r.known is not None] for kind, reports in found.items()}


_DEVIATIONS = 6.0
_SOFTWARE = ("seq2seq", "ftfy", "numpy", "pyarrow", "sentencepiece", "xxhash")


def finish(
    plan: Plan,
    units: Sequence[UnitReport],
    tokenizers: Sequence[TokenizersReport],
    shards: Sequence[ShardReport],
    known: KnownReports = KnownReports(),  # noqa: B008 (frozen)
) -> Outcome:
    """Commit the generation, the last step; nothing but clearing up when there is nothing to do.

    Raises:
        DatasetError: A unit or shard is missing or there twice, the ledger does not add up, or another run was first.
        InputError: No training row is left; of later generations that is none.
        ClaimError: Another run has taken over.
    """
    output = plan.head.output
    if plan.head.is_done:
        manifest = load_manifest(output)
        logger.info("%s is up to date", storage.redact(output))
    else:
        check_claim(plan.head)
        manifest = _committed(plan.head) or _add(plan, make_record(plan, units, tokenizers, shards, known))
        manifest = generations.publish_newest(output, manifest)
    remove_leftovers(output, manifest)
    return Outcome(fingerprint=plan.head.fingerprint, ledger=manifest.ledger)


def _add(plan: Plan, record: Manifest) -> Manifest:
    """Commit a record, with how its inputs looked beside it."""
    remember(plan.head.output, record.generations[0], plan.looks)
    return _commit(plan.head, record)


def _commit(head: Head, record: Manifest) -> Manifest:
    """Commit; the manifest with the generation, or that of a run that did the same and was first."""
    whole = record
    if head.generation:
        before = generations.as_of(head.output, head.generation - 1)
        record = _following(before, record)
        whole = generations.joined(before, record)
    if not generations.commit(head.output, record):
        return _committed(head) or whole
    own = head.generation, head.generation
    if not any(span[0] <= head.generation <= span[1] for span in generations.journal(head.output) if span != own):
        return whole
    # There was one of that number, which has been folded with others since, and its record removed.
    storage.remove(storage.join(head.output, generations.generation_path(head.generation)))
    raise _overtaken(head, "one that was folded with others")


def _following(before: Manifest, record: Manifest) -> Manifest:
    """A record that says what names the data of the dataset up to it, by that of the dataset before and its own."""
    (entry,) = record.generations
    digest = storage.digest_bytes(f"{before.digest}\n{record.digest}".encode())
    return record.model_copy(update={"generations": (entry.model_copy(update={"digest": digest}),)})


def _committed(head: Head) -> Manifest | None:
    """The dataset, where a run that did the same has committed the generation; None when nobody has."""
    if not generations.is_committed(head.output, head.generation):
        return None
    if not storage.exists(storage.join(head.output, generations.generation_path(head.generation))):
        raise _overtaken(head, "one that was folded with others")
    found = generations.read_record(head.output, (head.generation, head.generation))
    if found.fingerprint != head.fingerprint:
        raise _overtaken(head, f"fingerprint {found.fingerprint}")
    return generations.bring_up_to_date(head.output)


def _overtaken(head: Head, found: str) -> DatasetError:
    return DatasetError(
        f"another run has added generation {head.generation}",
        where=storage.redact(head.output),
        found=found,
        expected=f"fingerprint {head.fingerprint}",
        advice="Run again: what is still new becomes the next generation.",
    )


def make_record(
    plan: Plan,
    units: Sequence[UnitReport],
    tokenizers: Sequence[TokenizersReport],
    shards: Sequence[ShardReport],
    known: KnownReports,
) -> Manifest:
    """The manifest of a generation alone whose shards are finished; see `finish` for the errors."""
    head = plan.head
    units = sorted(units, key=lambda unit: unit.index)
    by_place = {(shard.partition.split, shard.partition.index): shard for shard in shards}
    ordered = [by_place[p.split, p.index] for p in head.partitions if (p.split, p.index) in by_place]
    _check_once(plan, units, tokenizers, shards, ordered)
    again = [unit for unit in units if plan.units[unit.index].is_again]
    first = [unit for unit in units if not plan.units[unit.index].is_again]
    ledger = make_ledger([unit for unit in first if plan.units[unit.index].role != "benchmark"], ordered, again)
    parts: list[Accounted] = [*first, *ordered]
    if ledger.balance:
        raise DatasetError("the ledger does not add up", where=storage.redact(head.output), found=ledger.model_dump())
    if head.generation == 0 and not ledger.kept.get("train"):
        raise nothing_left(ledger.read, ledger.rejected)
    _check_sizes(head.output, units, ordered)
    _tell_of_odd_shares(head, ledger)
    entry = GenerationEntry(index=head.generation, fingerprint=head.fingerprint, ledger=ledger, inputs=plan.sources)
    return Manifest(
        fingerprint=head.fingerprint,
        recipe_fingerprint=plan.recipe_fingerprint,
        modalities=_modalities(head, ordered),
        source_tokenizer=tokenizers[0].source,
        target_tokenizer=tokenizers[0].target,
        splits={split: _split_entry(split, ordered) for split in SPLITS if split in ledger.kept},
        rejected=tuple(part.rejected_file for part in parts if part.rejected_file is not None),
        ledger=ledger,
        corpora=_corpora(plan),
        inputs=tuple(file for source in plan.sources for file in source.files),
        generations=(entry,),
        dealt=head.dealt["train"],
        known=runs_after(head.known, known.merged, known.added(ordered)),
        configuration=plan.configuration,
        software={"python": platform.python_version()} | versions(_SOFTWARE),
    )


def _tell_of_odd_shares(head: Head, ledger: Ledger) -> None:
    """Warn where a split by share came out at half or twice its size, by more than chance: as few speakers make it."""
    total = sum(ledger.kept.get(split, 0) for split in head.dealt)
    for split, share in head.shares.items() if not head.generation else ():
        kept = ledger.kept.get(split, 0)
        chance = _DEVIATIONS * math.sqrt(total * share * (1 - share))
        if not share / 2 <= kept / max(1, total) <= 2 * share and abs(kept - share * total) > chance:
            message = "%s has %.1f %% of the rows, not %.1f %%: many rows are of one speaker, or have the same source"
            logger.warning(message, split, 100 * kept / total, 100 * share)


def _modalities(head: Head, shards: Sequence[ShardReport]) -> dict[Side, Described]:
    """What both sides are, with what follows from all training shards."""
    sides = head.recipe.sides
    sides["source"] = sides["source"].settled([shard.sums for shard in shards if shard.sums])
    return {side: modality.described for side, modality in sides.items()}


def make_ledger(units: Sequence[UnitReport], shards: Sequence[ShardReport], again: Sequence[UnitReport] = ()) -> Ledger:
    """Where every row went: reads and rejects as the units counted them, kept rows and duplicates as the shards did.

    The rows of units that are read again were duplicates by an earlier ledger, or are by this one: they are taken off.
    """
    rejected: Counter[str] = Counter()
    copies: Counter[str] = Counter()
    parts: list[Accounted] = [*units, *shards]
    for part in parts:
        rejected.update(part.rejected)
    kept: dict[Split, int] = {}
    for shard in shards:
        copies.update(shard.copies)
        rows = shard.entry.rows - sum(shard.copies.values())
        kept[shard.partition.split] = kept.get(shard.partition.split, 0) + rows
    return Ledger(
        read=sum(unit.read for unit in units),
        kept=kept,
        duplicates=sum(shard.duplicates for shard in shards) - sum(unit.staged for unit in again),
        rejected=dict(sorted(rejected.items())),
        copies=dict(sorted(copies.items())),
        rejected_seconds=added(*(unit.rejected_seconds for unit in units)),
    )


def _check_once(
    plan: Plan,
    units: Sequence[UnitReport],
    tokenizers: Sequence[TokenizersReport],
    shards: Sequence[ShardReport],
    ordered: Sequence[ShardReport],
) -> None:
    """Every unit and every shard is there exactly once, and one set of tokenizers."""
    found = ([unit.index for unit in units], len(tokenizers), len(shards), len(ordered))
    count = len(plan.head.partitions)
    expected = ([unit.index for unit in plan.units], 1, count, count)
    if found != expected:
        raise DatasetError(
            "a unit or shard is missing or there twice",
            where=storage.redact(plan.head.output),
            found=f"units, tokenizers, shards, different shards = {found}",
            expected=expected,
        )


def _check_sizes(output: str, units: Sequence[UnitReport], shards: Sequence[ShardReport]) -> None:
    """The files are those that were reported, not those of another run."""
    parts: list[Accounted] = [*units, *shards]
    entries = [shard.entry for shard in shards] + [part.rejected_file for part in parts if part.rejected_file]
    folders = {posixpath.dirname(entry.path) for entry in entries}
    sizes = {folder: storage.sizes_in(storage.join(output, folder)) for folder in folders}
    for entry in entries:
        folder, name = posixpath.split(entry.path)
        found = sizes[folder].get(name)
        if found != entry.bytes:
            raise DatasetError(
                "the file is not the one this run wrote",
                where=storage.redact(storage.join(output, entry.path)),
                found="no such file" if found is None else f"{found} bytes",
                expected=f"{entry.bytes} bytes",
                advice="Does another run write to this folder? Delete it and prepare anew.",
            )


def _corpora(plan: Plan) -> tuple[CorpusEntry, ...]:
    """The corpora of the training split, with the short names of their inputs."""
    origins: dict[str, list[str]] = {}
    for source in plan.sources:
        origins.setdefault(source.corpus, []).append(source.origin)
    return tuple(
        CorpusEntry(
            name=corpus.name,
            weight=corpus.weight,
            source_language=corpus.source_language,
            target_language=corpus.target_language,
            tag=corpus.tag,
            origins=tuple(sorted(origins.get(corpus.name, ()))),
        )
        for corpus in plan.head.corpora
        if corpus.role == "train"
    )


def _split_entry(split: Split, shards: Sequence[ShardReport]) -> SplitEntry:
    of_split = [shard for shard in shards if shard.partition.split == split]
    return SplitEntry(
        shards=tuple(shard.entry for shard in of_split),
        source_lengths=merge_histograms(shard.source_lengths for shard in of_split),
        target_lengths=merge_histograms(shard.target_lengths for shard in of_split),
    )
