"""What one generation adds in, committed for all or refused; the manifest that follows from all of them out.

`generations/` is the journal of a dataset. `00001.json` is the manifest of what generation 1 adds, and of nothing else.
It is created only if absent, and that is the commit: of several runs exactly one adds generation 1, on local disks and
object stores alike. `00000-00063.json` stands in the place of 64 such records, whose generations are folded into one.

`dataset.json`, which is all that readers look at, follows from the journal: the records that reach furthest, one after
the other, joined. Whoever finds it behind brings it up to date, and where it is lost it is made again. A generation
adds one record to it; what it says of each is bounded as long as generations are folded.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from seq2seq_core import storage
from seq2seq_core.dataset.manifest import (
    MANIFEST_NAME,
    Manifest,
    ShardEntry,
    SplitEntry,
    load_manifest,
    manifest_text,
    publish_manifest,
    read_manifest,
)
from seq2seq_core.dataset.writer import merge_histograms
from seq2seq_core.errors import DatasetError

FOLDER = "generations"
_NAME = re.compile(r"(?:(\d{5,})-)?(\d{5,})\.json")

Span = tuple[int, int]
"""The first and the last generation that a record stands for."""


def generation_path(index: int) -> str:
    """Where the record of a generation stands below the dataset folder."""
    return record_path((index, index))


def record_path(span: Span) -> str:
    """Where the record of a generation, or of several that are folded into one, stands below the dataset folder."""
    first, last = span
    return storage.join(FOLDER, f"{last:05d}.json" if first == last else f"{first:05d}-{last:05d}.json")


def span_of(name: str) -> Span | None:
    """What a file of the journal stands for; None of any other."""
    found = _NAME.fullmatch(name)
    return found and (int(found[1] or found[2]), int(found[2]))


def commit(root: str, record: Manifest) -> bool:
    """Add a record to the journal; False when there is one of that name already."""
    span = record.spans[0][0], record.newest
    return storage.create_exclusively(storage.join(root, record_path(span)), manifest_text(record).encode())


def is_committed(root: str, index: int) -> bool:
    """Whether there is a generation of this number."""
    return any(span[1] >= index for span in journal(root))


def journal(root: str) -> list[Span]:
    """All records that are there, those that others stand in the place of as well."""
    return sorted(span for name in storage.list_folder(storage.join(root, FOLDER)) if (span := span_of(name)))


def chain(spans: Sequence[Span], last: int | None = None, shown: Manifest | None = None) -> list[Span]:
    """The records that reach furthest, one after the other, from the first generation on.

    Args:
        spans: Those that are there.
        last: The last generation that is of interest; default: all.
        shown: What stands in the place of the first ones, where those are not there: somebody copied the dataset
            without its journal.
    """
    furthest: dict[int, int] = {}
    for first, end in spans:
        if last is None or end <= last:
            furthest[first] = max(end, furthest.get(first, first))
    found: list[Span] = [] if 0 in furthest or shown is None else shown.spans
    begin = found[-1][1] + 1 if found else 0
    while begin in furthest:
        found.append((begin, furthest[begin]))
        begin = furthest[begin] + 1
    return found


def bring_up_to_date(root: str) -> Manifest | None:
    """The manifest of all committed generations, None without any; readers see it from now on.

    Raises:
        DatasetError: A record is damaged.
    """
    shown = load_manifest(root) if storage.exists(storage.join(root, MANIFEST_NAME)) else None
    spans = chain(journal(root), shown=shown)
    if _is_behind(shown, spans):
        return publish_newest(root, _made(root, shown, spans))
    return shown


def as_of(root: str, index: int) -> Manifest:
    """The manifest as of a generation.

    Raises:
        DatasetError: There is no such generation, it was folded together with later ones, or its record is damaged.
    """
    shown = load_manifest(root) if storage.exists(storage.join(root, MANIFEST_NAME)) else None
    if shown is not None and shown.newest == index:
        return shown
    spans = chain(journal(root), index, shown)
    if not spans or spans[-1][1] != index:
        where = storage.redact(storage.join(root, generation_path(index)))
        raise DatasetError("no such generation", where=where, expected="the record of it")
    return _made(root, shown, spans)


def read_record(root: str, span: Span) -> Manifest:
    """A record of the journal; a DatasetError when it is damaged, or stands for something else."""
    url = storage.join(root, record_path(span))
    record = read_manifest(url)
    found = (record.spans[0][0], record.newest) if record.generations else None
    if found != span:
        raise DatasetError("the record of other generations", where=storage.redact(url), found=found, expected=span)
    return record


def publish_newest(root: str, manifest: Manifest) -> Manifest:
    """Show readers a manifest, or a newer one where there is one; the one they see in the end.

    Of publishers at the same time the last may be the one with the oldest manifest, but it looks again and mends it.
    """
    while True:
        publish_manifest(root, manifest)
        spans = chain(journal(root), shown=manifest)
        if not _is_behind(manifest, spans):
            return manifest
        manifest = _made(root, manifest, spans)


def joined(before: Manifest, own: Manifest) -> Manifest:
    """What two manifests say together; `own` is that of the generations that follow those of the other."""
    splits = dict(before.splits)
    if own.rewritten and "train" in splits:
        splits["train"] = _rewritten(splits["train"], own.rewritten)
    for split, entry in own.splits.items():
        splits[split] = _joined_split(splits[split], entry) if split in splits else entry
    origins = [sorted({*a.origins, *b.origins}) for a, b in zip(before.corpora, own.corpora, strict=True)]
    return own.model_copy(
        update={
            "modalities": before.modalities,
            "splits": splits,
            "rejected": (*before.rejected, *own.rejected),
            "ledger": before.ledger + own.ledger,
            "corpora": tuple(
                corpus.model_copy(update={"origins": tuple(names)})
                for corpus, names in zip(own.corpora, origins, strict=True)
            ),
            "inputs": (*before.inputs, *own.inputs),
            "generations": (*before.generations, *own.generations),
            "dealt": before.dealt,
            "rewritten": _still_rewritten(before, own),
        }
    )


def _rewritten(split: SplitEntry, instead: Mapping[str, ShardEntry]) -> SplitEntry:
    return split.model_copy(update={"shards": tuple(instead.get(shard.path, shard) for shard in split.shards)})


def _still_rewritten(before: Manifest, own: Manifest) -> dict[str, ShardEntry]:
    """What two records together put in the place of shards that are in neither."""
    inner = {shard.path for split in before.splits.values() for shard in split.shards}
    found = {path: own.rewritten.get(shard.path, shard) for path, shard in before.rewritten.items()}
    inner |= {shard.path for shard in before.rewritten.values()}
    return found | {path: shard for path, shard in own.rewritten.items() if path not in inner}


def _joined_split(before: SplitEntry, own: SplitEntry) -> SplitEntry:
    return SplitEntry(
        shards=(*before.shards, *own.shards),
        source_lengths=merge_histograms([before.source_lengths, own.source_lengths]),
        target_lengths=merge_histograms([before.target_lengths, own.target_lengths]),
    )


def _is_behind(shown: Manifest | None, spans: Sequence[Span]) -> bool:
    """Whether the journal says more than a manifest, or the same in fewer entries."""
    if not spans or shown is None:
        return bool(spans)
    return shown.spans != spans and shown.newest <= spans[-1][1]


def _made(root: str, shown: Manifest | None, spans: Sequence[Span]) -> Manifest:
    """The manifest of some records, of which those that it shows already are not read again."""
    known = 0 if shown is None or shown.spans != list(spans[: len(shown.spans)]) else len(shown.spans)
    manifest = shown if known else None
    for span in spans[known:]:
        record = read_record(root, span)
        manifest = record if manifest is None else joined(manifest, record)
    if manifest is None:
        raise DatasetError("the journal of the dataset is empty", where=storage.redact(root))
    return manifest
