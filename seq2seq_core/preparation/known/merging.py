"""Runs of known entries in; which of them a generation merges, each file of that, and the runs that stand then, out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from seq2seq_core.dataset.manifest import KnownKind, RunEntry, run_part
from seq2seq_core.preparation.known.runs import in_order, run_of, share, write_part
from seq2seq_core.preparation.known.tiers import merged_from
from seq2seq_core.preparation.terms import layout
from seq2seq_core.preparation.terms.known import WIDTHS, Cut, Known, KnownPart, Merge, MergedPart, MergePart, cut_of
from seq2seq_core.preparation.terms.messages import Head


def known_at(
    number: int, fingerprint: str, runs: Mapping[KnownKind, tuple[RunEntry, ...]], adds: Mapping[KnownKind, Cut]
) -> Known:
    """What a generation is told of what is known: of its own runs nothing is merged before the next one."""
    merges = []
    for kind, standing in runs.items():
        begin = merged_from([run.rows for run in standing])
        if begin is not None:
            chosen = standing[begin:]
            path = layout.merged_run(kind, number, fingerprint)
            into = cut_of(path, sum(run.rows for run in chosen))
            merges.append(Merge(kind=kind, runs=chosen, into=into))
    return Known(runs=dict(runs), merges=tuple(merges), adds=dict(adds))


def parts_to_merge(known: Known) -> list[MergePart]:
    """Every file that merging makes."""
    return [MergePart(kind=merge.kind, index=index) for merge in known.merges for index in range(merge.into.parts)]


def merge_part(head: Head, part: MergePart) -> MergedPart:
    """Publish a file of what some runs become."""
    merge, width = head.known.merge(part.kind), WIDTHS[part.kind]
    pieces = [share(head.output, run, width, part.index, merge.into.parts) for run in merge.runs]
    found = write_part(head.output, merge.into, part.index, in_order(np.concatenate(pieces)))
    return MergedPart(kind=part.kind, **found.model_dump())


def runs_after(
    known: Known, merged: Sequence[MergedPart], added: Mapping[KnownKind, Sequence[KnownPart]]
) -> dict[KnownKind, tuple[RunEntry, ...]]:
    """The runs that stand when a generation does.

    Raises:
        DatasetError: A file is missing or there twice.
    """
    after = dict(known.runs)
    for merge in known.merges:
        run = run_of(merge.into, [part for part in merged if part.kind == merge.kind])
        after[merge.kind] = (*(r for r in after[merge.kind] if r not in merge.runs), run)
    for kind, cut in known.adds.items():
        run = run_of(cut, added.get(kind, ()))
        after[kind] = (*after.get(kind, ()), *([run] if run.rows else []))
    return after


def files_added(known: Known) -> list[str]:
    """The files that a generation adds to what is known, and those that give way to them, below the dataset folder."""
    cuts = [*known.adds.values(), *(merge.into for merge in known.merges)]
    added = [run_part(cut.path, index, cut.parts) for cut in cuts for index in range(cut.parts)]
    return [*added, *(path for merge in known.merges for run in merge.runs for path in run.paths)]
