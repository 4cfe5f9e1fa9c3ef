"""What a run learns from, in the order in which it came: a dataset as it stood at first, and what was added later."""

from __future__ import annotations

from typing import Annotated, Any

import pydantic

from seq2seq_core.dataset.generations import as_of
from seq2seq_core.dataset.manifest import Manifest
from seq2seq_core.errors import DatasetError

Count = Annotated[int, pydantic.Field(ge=0, lt=1 << 63)]


class Share(pydantic.BaseModel):
    """One of several datasets that are mixed; what is said of it is what a `Segment` says of one.

    Attributes:
        draws: How many of its rows an epoch has.
    """

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    generation: Count
    rows: Count
    dataset: str
    draws: Count = 0


class Segment(pydantic.BaseModel):
    """Rows that a run learns from since a step; of several segments each has the rows that follow on those before it.

    Attributes:
        step: Steps, and so global batches, before the first one that may have its rows.
        epoch: The first epoch, from 0, that has its rows.
        generation: The newest generation that is in it.
        rows: Training rows of the dataset with it.
        longest_source: Tokens of the longest source of them all, as the manifest has it.
        dataset: `Manifest.digest` of the dataset with it.
        order: Names what the order of its rows in a stream of batches follows from (`data.stream.Part`).
        shares: Of a run that mixes several datasets each of them, in order; the values above are those of all together,
            digests joined by a plus.
    """

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    step: Count
    epoch: Count
    generation: Count
    rows: Count
    longest_source: Count
    dataset: str
    order: str
    shares: tuple[Share, ...] = ()

    @pydantic.model_serializer(mode="wrap")
    def _of_one_as_ever(self, dump: pydantic.SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in dump(self).items() if name != "shares" or value}

    @property
    def rows_of_each(self) -> tuple[int, ...]:
        """Its rows by dataset."""
        return tuple(share.rows for share in self.shares) or (self.rows,)


def segment_of(manifest: Manifest, step: int = 0, epoch: int = 0, order: str = "") -> Segment:
    """All that a dataset has now."""
    train = manifest.splits.get("train")
    lengths = train.source_lengths if train else ()
    return Segment(
        step=step,
        epoch=epoch,
        generation=newest(manifest),
        rows=train.rows if train else 0,
        longest_source=max((length for length, rows in enumerate(lengths) if rows), default=0),
        dataset=manifest.digest,
        order=order,
    )


def newest(manifest: Manifest) -> int:
    """The number of the newest generation; 0 where nothing is said of generations."""
    return manifest.generations[-1].index if manifest.generations else 0


def digest_as_of(root: str, manifest: Manifest, generation: int) -> str | None:
    """What names the data of a dataset as of a generation; None where it was folded together with later ones."""
    if newest(manifest) == generation:
        return manifest.digest
    try:
        return as_of(root, generation).digest
    except DatasetError:
        return None
