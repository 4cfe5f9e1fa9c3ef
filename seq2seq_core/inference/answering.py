"""One document in, its translation in a folder of its own out, a unit at a time: what follows landing zones does.

The folder is what a translation of this document alone makes, byte for byte: outputs, failures, markers and
`output.json`, which is written last. What a killed run has finished of it is not done again.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from itertools import groupby

from seq2seq_core import storage
from seq2seq_core.documents.formats.table import format_of
from seq2seq_core.inference.closing import close_output
from seq2seq_core.inference.commit import commit_unit, find_finished
from seq2seq_core.inference.folder import PIECE_FOLDER
from seq2seq_core.inference.job import TranslationJob, check_failures
from seq2seq_core.inference.manifest import Output
from seq2seq_core.inference.opening import open_output
from seq2seq_core.inference.unit import DocumentUnit, Translates, read_unit, translate_unit


def answer(job: TranslationJob, translator: Translates) -> Iterator[Output | None]:
    """Translate the files of a job; None after each unit but the last thing, which is the manifest.

    Raises:
        InputError: A file is damaged, has changed meanwhile, or has no text where it is looked for.
        ForeignFileError: A file that is not ours stands where an output would go.
        Seq2SeqError: The engine fails, whatever it is given.
    """
    root, fields = job.output, job.fields
    inputs = [format_of(file).count(file, job.size, fields) for file in job.files]
    units = open_output(root, inputs, job.provenance.fingerprint, fields, retries=job.retries)
    found = [(unit, find_finished(root, unit, without_failures=job.retries)) for unit in units]
    entries = [entry for _, entry in found if entry is not None]
    for unit in _laid_out(root, [unit for unit, entry in found if entry is None]):
        translated = translate_unit(read_unit(unit, fields, job.retried), translator)
        entries.append(commit_unit(translated, root, fields, job.on_error))
        check_failures(job, sum(entry.failed for entry in entries), sum(unit.records for unit in units))
        yield None
    yield close_output(root, inputs, job.provenance, entries)


def _laid_out(root: str, units: Sequence[DocumentUnit]) -> Iterator[DocumentUnit]:
    """Units to be read each by itself, where what stands before one in an archive is unpacked for all of them."""
    for _, some in groupby(units, lambda unit: format_of(unit.file).read_together(unit.file, unit.part)):
        together = list(some)
        file = together[0].file
        parts = format_of(file).lay_out(file, [unit.part for unit in together], storage.join(root, PIECE_FOLDER))
        yield from (dataclasses.replace(unit, part=part) for unit, part in zip(together, parts, strict=True))
