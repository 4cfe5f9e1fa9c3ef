"""A generation and a number in, where the file of that number stands out; a name in, what it names out.

Every path of the folder of a dataset that is being made is spelt here and nowhere else. Below `_work` stand the notes
of runs (claims, totals, rests), and a folder of unfinished work for each generation, which is gone when that stands.
"""

from __future__ import annotations

import re
import string

from seq2seq_core import storage
from seq2seq_core.dataset import generations
from seq2seq_core.dataset.manifest import KNOWN_FOLDER, LOOKS_FOLDER, KnownKind, generation_folder
from seq2seq_core.dataset.schema import SPLITS, shard_name
from seq2seq_core.kinds import PREPARATION_FOLDER
from seq2seq_core.preparation.terms.messages import Head, NearPlan, Partition


class Name:
    """What files of one kind are called: made of numbers and words, and read back to them."""

    def __init__(self, shape: str) -> None:
        self._shape = shape
        fields = string.Formatter().parse(shape)
        self._pattern = re.compile("".join(re.escape(text) + _group(name, kind) for text, name, kind, _ in fields))

    def of(self, **values: int | str) -> str:
        """The name."""
        return self._shape.format(**values)

    def parse(self, name: str) -> dict[str, str] | None:
        """What a name was made of; None when it is none of these."""
        found = self._pattern.fullmatch(name)
        return found and found.groupdict()


def _group(name: str | None, kind: str | None) -> str:
    if name is None:
        return ""
    return rf"(?P<{name}>\d{{5,}})" if kind else f"(?P<{name}>.+)"


WORK_FOLDER = PREPARATION_FOLDER
REJECTED_FOLDER, TOKENIZER_FOLDER, INPUTS_FOLDER = "rejected", "tokenizer", "inputs"
DATASET_FOLDERS = frozenset(
    {*SPLITS, REJECTED_FOLDER, TOKENIZER_FOLDER, KNOWN_FOLDER, INPUTS_FOLDER, LOOKS_FOLDER, generations.FOLDER}
)
TOKENIZERS = tuple(f"{TOKENIZER_FOLDER}/{side}.model" for side in ("joint", "source", "target"))

CLAIM = Name("claim-{generation:05d}.json")
CLAIM_NOTE = Name("claim-{generation:05d}.{run}.json")
TOTALS = Name("progress-{generation:05d}.json")
REST = Name("rest-{generation:05d}-{run}.json")
FOLD = Name("fold-{first:05d}-{last:05d}.json")
COMPACTION_CLAIM = "compaction.json"
COMPACTION_NOTES = (Name(COMPACTION_CLAIM), Name("compaction.{run}.json"), FOLD)
"""What runs that fold generations write in the work folder."""
NOTES = (CLAIM, CLAIM_NOTE, TOTALS, REST)
"""What stands in the work folder beside the folders of generations."""

FOLDED = Name("generations-{first:05d}-{last:05d}-{digest}")
WORK = Name("{generation:05d}-{digest}")
RUN = Name("{kind}-{generation:05d}-{digest}")
UNIT = Name("unit-{index:05d}-of-{count:05d}.arrows")
UNIT_MARKER = Name("unit-{index:05d}-of-{count:05d}.json")
SHARD_MARKER = Name("{split}-part-{index:05d}-of-{count:05d}.parquet.json")
TRACES, TOKENIZERS_MARKER = "files.json", "tokenizers.json"

_STAGED, _SHARDS = "staged", "shards"
_DIGEST_LETTERS = 16
_SHORT_LETTERS = 8


def notes(output: str) -> str:
    """The folder of the notes of runs, and of all work."""
    return storage.join(output, WORK_FOLDER)


def note(output: str, name: str) -> str:
    """A note of a run."""
    return storage.join(notes(output), name)


def work_name(generation: int, fingerprint: str) -> str:
    """What the folder of a generation's unfinished work is called."""
    return WORK.of(generation=generation, digest=fingerprint[:_DIGEST_LETTERS])


def work(output: str, generation: int, fingerprint: str) -> str:
    """The folder of a generation's unfinished work."""
    return note(output, work_name(generation, fingerprint))


def traces(work: str) -> str:
    """The note of all files that a generation may leave in the dataset folder."""
    return storage.join(work, TRACES)


def staged_folder(work: str) -> str:
    """The folder of staged files and their markers."""
    return storage.join(work, _STAGED)


def staged(head: Head, unit: int) -> str:
    """The staged file of a unit. Another cutting of the same rows has other names."""
    return storage.join(staged_folder(head.work), UNIT.of(index=unit, count=head.units))


def unit_marker(head: Head, unit: int) -> str:
    """The file that says that a unit is staged."""
    return storage.join(staged_folder(head.work), UNIT_MARKER.of(index=unit, count=head.units))


def catalogue(head: Head) -> str:
    """The file that says where the rows of each slot stand."""
    return storage.join(head.work, "staged.arrows")


def held_out_sources(head: Head) -> str:
    """The digests of the sources of held-out sets."""
    return storage.join(head.work, "held-out-sources.arrow")


def held_out_ngrams(head: Head) -> str:
    """The n-grams of all that is held out."""
    return storage.join(head.work, "held_out.arrow")


def rows_before(head: Head) -> str:
    """How many rows of each corpus stand before each training shard."""
    return storage.join(head.work, "rows-before.arrows")


def tokenizers_marker(work: str) -> str:
    """The file that says that the tokenizers are there."""
    return storage.join(work, TOKENIZERS_MARKER)


def shard_markers(work: str) -> str:
    """The folder of the markers of shards."""
    return storage.join(work, _SHARDS)


def shard_marker(head: Head, partition: Partition) -> str:
    """The file that says that a shard is built."""
    name = SHARD_MARKER.of(split=partition.split, index=partition.index, count=partition.count)
    return storage.join(shard_markers(head.work), name)


def shard(head: Head, partition: Partition) -> str:
    """A shard, below the dataset folder."""
    return _own(head, partition.split, name=shard_name(partition.index, partition.count))


def unit_rejects(head: Head, unit: int) -> str:
    """The rows that were set aside of a unit, below the dataset folder."""
    return _own(head, REJECTED_FOLDER, name=shard_name(unit, head.units))


def shard_rejects(head: Head, partition: Partition) -> str:
    """The rows that were set aside of a shard, below the dataset folder."""
    return _own(head, REJECTED_FOLDER, _SHARDS, name=shard_name(partition.index, partition.count))


def known_run(kind: KnownKind, generation: int, fingerprint: str) -> str:
    """What the files begin with, below the dataset folder, of what a generation adds to what is known."""
    return storage.join(KNOWN_FOLDER, RUN.of(kind=kind, generation=generation, digest=fingerprint[:_SHORT_LETTERS]))


def merged_run(kind: KnownKind, generation: int, fingerprint: str) -> str:
    """The same of earlier runs that become one meanwhile."""
    return f"{known_run(kind, generation, fingerprint)}-merged"


def folded_name(first: int, last: int, fingerprint: str) -> str:
    """What the files and folders are called of generations that are folded into one."""
    return FOLDED.of(first=first, last=last, digest=fingerprint[:_SHORT_LETTERS])


def folded_shard(name: str, index: int, count: int) -> str:
    """A training shard of generations that are folded into one, below the dataset folder."""
    return storage.join("train", name, shard_name(index, count))


def folded_rejects(name: str, index: int, count: int) -> str:
    """The same of their rejected rows."""
    return storage.join(REJECTED_FOLDER, name, shard_name(index, count))


def rewritten_shard(generation: int, fingerprint: str, index: int, count: int) -> str:
    """A training shard of which a generation has taken rows out, below the dataset folder."""
    return storage.join("train", generation_folder(generation, fingerprint), shard_name(index, count))


def folded_inputs(name: str) -> str:
    """The file that says what they have read."""
    return storage.join(INPUTS_FOLDER, f"{name}.jsonl")


def folded_names(name: str) -> str:
    """What the files begin with that say by what names that is known."""
    return storage.join(KNOWN_FOLDER, f"names-{name}")


def near_work(head: Head) -> str:
    """The folder of unfinished work on near-duplicates."""
    return storage.join(head.work, "near")


def bands(near: NearPlan, shard: int) -> str:
    """The band file of a shard."""
    return storage.join(near.work, "bands", shard_name(shard, near.shards, suffix=".arrow"))


def bands_marker(near: NearPlan, shard: int) -> str:
    """The file that says that a band file is there."""
    return storage.join(near.work, "bands", shard_name(shard, near.shards, suffix=".json"))


def buckets(near: NearPlan) -> str:
    """The file that says where the entries of each bucket stand."""
    return storage.join(near.work, "buckets.arrows")


def edges(near: NearPlan, bucket: int) -> str:
    """The edges of a bucket."""
    return storage.join(near.work, "edges", shard_name(bucket, near.buckets, suffix=".arrow"))


def edges_marker(near: NearPlan, bucket: int) -> str:
    """The file that says that the edges of a bucket are there."""
    return storage.join(near.work, "edges", shard_name(bucket, near.buckets, suffix=".json"))


def dropped(near: NearPlan) -> str:
    """The near-duplicates of all shards."""
    return storage.join(near.work, "dropped.arrows")


def _own(head: Head, *folders: str, name: str) -> str:
    """The path below the dataset folder of a file that a generation adds to a folder."""
    return storage.join(*folders, *_folder(generation_folder(head.generation, head.fingerprint)), name)


def _folder(generation: str) -> tuple[str, ...]:
    """The folder of a generation; the first has none."""
    return (generation,) if generation else ()
