"""The folder of a run and a few references in; what its validations made of these rows, step by step, out."""

from __future__ import annotations

import re
from collections.abc import Sequence

from seq2seq_core import storage
from seq2seq_core.report.data import ProgressRow

VALIDATIONS = "validations"
_NAME = re.compile(r"step-(\d{8,})\.txt")
_MOST_STEPS = 5


def read_progress(run: str, references: Sequence[str], rows: int) -> tuple[ProgressRow, ...]:
    """The first rows of the split at some steps from the first to the last; none where outputs were not kept.

    Args:
        run: URL of the run folder.
        references: What the rows should be; fewer, or none, where that is not known.
        rows: How many at most.
    """
    folder = storage.join(run, VALIDATIONS)
    steps = sorted(int(match.group(1)) for match in map(_NAME.fullmatch, storage.list_folder(folder)) if match)
    chosen = sorted(
        {steps[round(i * (len(steps) - 1) / (_MOST_STEPS - 1))] for i in range(_MOST_STEPS)} if steps else ()
    )
    texts = {step: storage.read_text(storage.join(folder, f"step-{step:08d}.txt")).split("\n")[:-1] for step in chosen}
    most = min((len(lines) for lines in texts.values()), default=0)
    return tuple(
        ProgressRow(
            references[row] if row < len(references) else "", tuple((step, texts[step][row]) for step in chosen)
        )
        for row in range(min(rows, most))
    )
