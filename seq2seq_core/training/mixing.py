"""The datasets of a run in; each opened, that they can be mixed, and what all of them are together, out."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence

from seq2seq_core import storage
from seq2seq_core.data.columns import Columns
from seq2seq_core.data.drawing.shares import Mixed, MixtureConfig
from seq2seq_core.dataset.reader import Dataset, Weights, joined_weights
from seq2seq_core.dataset.segment import Segment, Share, digest_as_of, segment_of
from seq2seq_core.errors import ConfigError

Datasets = tuple[Dataset, ...]
"""Those of a run, in the order of its configuration; most often there is one."""


def opened(urls: Sequence[str]) -> Datasets:
    """The datasets of some folders.

    Raises:
        DatasetError: There is none in one of them.
        ConfigError: They differ in their tokenizers, or in what their sides are.
    """
    datasets = tuple(map(Dataset.open, urls))
    first, *others = datasets
    for other in others:
        _check_alike(first, other)
    return datasets


def segment_of_all(datasets: Datasets) -> Segment:
    """All that datasets have now; of one what `segment_of` says."""
    segments = [segment_of(dataset.manifest) for dataset in datasets]
    if len(segments) == 1:
        return segments[0]
    return Segment(
        step=0,
        epoch=0,
        generation=max(segment.generation for segment in segments),
        rows=sum(segment.rows for segment in segments),
        longest_source=max(segment.longest_source for segment in segments),
        dataset=_joined_digest(segment.dataset for segment in segments),
        order="",
        shares=tuple(Share(generation=s.generation, rows=s.rows, dataset=s.dataset) for s in segments),
    )


def digest_of_then(datasets: Datasets, segment: Segment) -> str:
    """What names the data of datasets as of a segment, wherever they have grown since."""
    if not segment.shares:
        (dataset,) = datasets
        return digest_as_of(dataset.root, dataset.manifest, segment.generation) or segment.dataset
    return _joined_digest(
        digest_as_of(dataset.root, dataset.manifest, share.generation) or share.dataset
        for dataset, share in zip(datasets, segment.shares, strict=True)
    )


def have_rows(datasets: Datasets, segment: Segment) -> bool:
    """Whether there are as many datasets as in a segment, each with as many rows or more."""
    rows = segment.rows_of_each
    return len(rows) == len(datasets) and all(
        dataset.split("train").rows >= count for dataset, count in zip(datasets, rows, strict=True)
    )


def columns_of(datasets: Datasets, rows: Sequence[int]) -> Columns:
    """The training rows of each, one dataset behind the other; of several the first so many."""
    return Columns.joined([(Columns.open(one, "train"), count) for one, count in zip(datasets, rows, strict=True)])


def weights_of(datasets: Datasets, rows: Sequence[int]) -> Weights | None:
    """How often an epoch, or the walk of a dataset, passes over each of these rows; None: over all of them once."""
    pairs = zip(datasets, rows, strict=True)
    return joined_weights([(dataset.weights("train", 0, count), count) for dataset, count in pairs])


def mixed_of(datasets: Datasets, rows: Sequence[int], config: MixtureConfig) -> Mixed | None:
    """How they are mixed; None where there is one."""
    if len(datasets) == 1:
        return None
    return Mixed(tuple(storage.redact(dataset.root) for dataset in datasets), tuple(rows), config)


def names_of(urls: Sequence[str]) -> tuple[str, ...]:
    """What datasets are called where figures are told of each: by their last parts, as many as tell them apart."""
    parts = [[*filter(None, storage.redact(url).split("/"))] for url in urls]
    for count in itertools.count(1):
        names = ["/".join(some[-count:]) for some in parts]
        if len(set(names)) == len(names) or all(count >= len(some) for some in parts):
            break
    return tuple(names)


def shares_told(names: Sequence[str], segment: Segment) -> Iterator[str]:
    """A line for each of several datasets: its rows, and how many of them an epoch has."""
    total = sum(share.draws for share in segment.shares)
    for name, share in zip(names, segment.shares, strict=bool(segment.shares)):
        part = 100 * share.draws / total
        yield f"{name}: {share.rows} rows; an epoch draws {share.draws} ({part:.1f}% of it)"


def _joined_digest(digests: Iterable[str]) -> str:
    return "+".join(digests)


def _check_alike(first: Dataset, other: Dataset) -> None:
    """Make sure that ids and positions mean the same in both; else a ConfigError."""
    theirs, ours = (dataset.manifest for dataset in (other, first))
    for side, entry in ours.tokenizers.items():
        found = theirs.tokenizers.get(side)
        if found is None or found.digest != entry.digest:
            raise ConfigError(
                f"the datasets do not share the tokenizer of the {side}, so their pieces mean different things",
                where="dataset",
                found=f"{found.digest if found else 'none'} in {storage.redact(other.root)}",
                expected=f"{entry.digest}, as in {storage.redact(first.root)}",
                advice=f"Prepare the other one with tokenizer.model "
                f"{storage.redact(storage.join(first.root, entry.path))}.",
            )
    if theirs.modalities != ours.modalities:
        raise ConfigError(
            "the sides of the datasets are not made alike",
            where="dataset",
            found=f"{theirs.modalities} in {storage.redact(other.root)}",
            expected=f"{ours.modalities}, as in {storage.redact(first.root)}",
            advice="Prepare them with the same settings.",
        )
