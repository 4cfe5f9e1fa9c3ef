"""All reports of a preparation in; every count checked, the manifest published, the work folder gone."""

from __future__ import annotations

import importlib.metadata
import logging
import platform
import re
from collections import Counter
from collections.abc import Sequence

from seq2seq_core import storage
from seq2seq_core.errors import DatasetError
from seq2seq_core.preparation.messages import Accounted, Outcome, Plan, ShardReport, TokenizersReport, UnitReport
from seq2seq_core.preparation.plan import WORK_FOLDER
from seq2seq_core.shards.manifest import (
    MANIFEST_NAME,
    CorpusEntry,
    InputEntry,
    Ledger,
    Manifest,
    SplitEntry,
    load_manifest,
    publish_manifest,
)
from seq2seq_core.shards.schema import SPLITS, Split
from seq2seq_core.shards.writer import merge_histograms

logger = logging.getLogger(__name__)

_NAMES = r"(part-\d{5}-of-\d{5}\.parquet|(joint|source|target)\.model|dataset\.json)"
_OURS = re.compile(rf"{_NAMES}|\.{_NAMES}\.[0-9a-f]{{32}}\.tmp")
_SOFTWARE = ("seq2seq", "numpy", "pyarrow", "sentencepiece", "xxhash")


def finish(
    plan: Plan, units: Sequence[UnitReport], tokenizers: Sequence[TokenizersReport], shards: Sequence[ShardReport]
) -> Outcome:
    """Publish the manifest, the last step; nothing but clearing up when the dataset is finished already.

    Raises:
        DatasetError: A unit or shard is missing or there twice, or the ledger does not add up.
    """
    if plan.is_done:
        manifest = load_manifest(plan.job.output)
        logger.info("%s is up to date", storage.redact(plan.job.output))
    else:
        manifest = make_manifest(plan, units, tokenizers, shards)
        publish_manifest(plan.job.output, manifest)
    _clear(plan.job.output, manifest)
    return Outcome(fingerprint=plan.fingerprint, ledger=manifest.ledger)


def make_manifest(
    plan: Plan, units: Sequence[UnitReport], tokenizers: Sequence[TokenizersReport], shards: Sequence[ShardReport]
) -> Manifest:
    """The manifest of finished shards; see `finish` for the errors."""
    units = sorted(units, key=lambda unit: unit.index)
    by_place = {(shard.partition.split, shard.partition.index): shard for shard in shards}
    ordered = [by_place[p.split, p.index] for p in plan.partitions if (p.split, p.index) in by_place]
    _check_once(plan, units, tokenizers, shards, ordered)
    ledger = make_ledger([unit for unit in units if plan.units[unit.index].role != "benchmark"], ordered)
    parts: list[Accounted] = [*units, *ordered]
    if ledger.balance:
        raise DatasetError(
            "the ledger does not add up", where=storage.redact(plan.job.output), found=ledger.model_dump()
        )
    _check_sizes(plan.job.output, units, ordered)
    return Manifest(
        fingerprint=plan.fingerprint,
        source_tokenizer=tokenizers[0].source,
        target_tokenizer=tokenizers[0].target,
        splits={split: _split_entry(split, ordered) for split in SPLITS if split in ledger.kept},
        rejected=tuple(part.rejected_file for part in parts if part.rejected_file is not None),
        ledger=ledger,
        corpora=_corpora(plan),
        inputs=tuple(
            InputEntry(url=storage.redact(file.url), bytes=file.bytes, fingerprint=file.fingerprint)
            for file in plan.files
        ),
        configuration=plan.job.configuration,
        software={"python": platform.python_version()} | {name: importlib.metadata.version(name) for name in _SOFTWARE},
    )


def make_ledger(units: Sequence[UnitReport], shards: Sequence[ShardReport]) -> Ledger:
    """Where every row went: reads and rejects as the units counted them, kept rows and duplicates as the shards did."""
    rejected: Counter[str] = Counter()
    parts: list[Accounted] = [*units, *shards]
    for part in parts:
        rejected.update(part.rejected)
    kept: dict[Split, int] = {}
    for shard in shards:
        kept[shard.partition.split] = kept.get(shard.partition.split, 0) + shard.entry.rows
    return Ledger(
        read=sum(unit.read for unit in units),
        kept=kept,
        duplicates=sum(shard.duplicates for shard in shards),
        rejected=dict(sorted(rejected.items())),
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
    expected = ([unit.index for unit in plan.units], 1, len(plan.partitions), len(plan.partitions))
    if found != expected:
        raise DatasetError(
            "a unit or shard is missing or there twice",
            where=storage.redact(plan.job.output),
            found=f"units, tokenizers, shards, different shards = {found}",
            expected=expected,
        )


def _check_sizes(output: str, units: Sequence[UnitReport], shards: Sequence[ShardReport]) -> None:
    """The files are those that were reported, not those of another run."""
    parts: list[Accounted] = [*units, *shards]
    entries = [shard.entry for shard in shards] + [part.rejected_file for part in parts if part.rejected_file]
    for entry in entries:
        url = storage.join(output, entry.path)
        found = storage.size(url)
        if found != entry.bytes:
            raise DatasetError(
                "the file is not the one this run wrote",
                where=storage.redact(url),
                found=f"{found} bytes",
                expected=f"{entry.bytes} bytes",
                advice="Does another run write to this folder? Delete it and prepare anew.",
            )


def _corpora(plan: Plan) -> tuple[CorpusEntry, ...]:
    """The corpora of the training split, with the short names of their inputs."""
    origins: dict[int, list[str]] = {}
    for input_ in plan.job.inputs:
        origins.setdefault(input_.corpus, []).append(input_.origin)
    return tuple(
        CorpusEntry(
            name=corpus.name,
            weight=corpus.weight,
            source_language=corpus.source_language,
            target_language=corpus.target_language,
            tag=corpus.tag,
            origins=tuple(sorted(origins[index])),
        )
        for index, corpus in enumerate(plan.job.corpora)
        if corpus.role == "train"
    )


def _split_entry(split: Split, shards: Sequence[ShardReport]) -> SplitEntry:
    of_split = [shard for shard in shards if shard.partition.split == split]
    return SplitEntry(
        shards=tuple(shard.entry for shard in of_split),
        source_lengths=merge_histograms(shard.source_lengths for shard in of_split),
        target_lengths=merge_histograms(shard.target_lengths for shard in of_split),
    )


def _clear(output: str, manifest: Manifest) -> None:
    """Remove unfinished work, and files of our names that killed or failed attempts left beside the finished ones."""
    storage.remove(storage.join(output, WORK_FOLDER))
    named = {MANIFEST_NAME, manifest.source_tokenizer.path, manifest.target_tokenizer.path}
    named |= {shard.path for entry in manifest.splits.values() for shard in entry.shards}
    named |= {entry.path for entry in manifest.rejected}
    for folder in ("", *SPLITS, "rejected", "rejected/shards", "tokenizer"):
        for name in storage.list_folder(storage.join(output, folder) if folder else output):
            path = storage.join(folder, name) if folder else name
            if _OURS.fullmatch(name) and path not in named:
                storage.remove(storage.join(output, path))
