"""What the steps of near-duplicate detection tell each other: what is to be done, and which files are finished."""

from __future__ import annotations

from seq2seq_core.preparation.messages import Message
from seq2seq_core.preparation.near.minhash import NearDuplicatesConfig


class NearPlan(Message):
    """All that every step has to know.

    Attributes:
        config: What counts as near.
        folder: Where the band files of this generation go, and stay for later ones.
        work: Folder of unfinished work.
        shards: Number of shards whose rows are compared.
        buckets: Number of ranges of hashes that are searched apart. It is the same for all generations; with as many
            as shards, the work on a bucket grows as that on a shard does.
        earlier: The band files of earlier generations, the oldest first. Their rows are never dropped.
    """

    config: NearDuplicatesConfig
    folder: str
    work: str
    shards: int
    buckets: int
    earlier: tuple[tuple[str, ...], ...] = ()

    @property
    def generation(self) -> int:
        """The rank of this run's rows: those of earlier generations come first."""
        return len(self.earlier)


class BandsReport(Message):
    """A shard's finished band file."""

    index: int
    path: str
    rows: int


class EdgesReport(Message):
    """The finished file with the edges of a bucket."""

    index: int
    path: str
    edges: int


class DropReport(Message):
    """A shard's finished list of near-duplicates."""

    index: int
    path: str
    rows: int
