"""A path in, what is said of its job out: THE TABLE of folders that jobs work in, each looked at by its own file."""

from __future__ import annotations

import datetime as dt

from seq2seq_core import claims, storage
from seq2seq_core.claims import Note
from seq2seq_core.errors import DatasetError
from seq2seq_core.kinds import CLAIM_FOLDER, FOLLOW_FOLDER, PREPARATION_FOLDER, Kind
from seq2seq_core.report.inspection import kind_at
from seq2seq_core.report.status.dataset import look_at_dataset
from seq2seq_core.report.status.following import with_lag
from seq2seq_core.report.status.run import look_at_run
from seq2seq_core.report.status.terms import Look, Status, status_of
from seq2seq_core.report.status.transcription import look_at_transcription
from seq2seq_core.report.status.translation import look_at_translation

LOOKS: dict[Kind, Look] = {
    "dataset": look_at_dataset,
    "run": look_at_run,
    "translation": look_at_translation,
    "transcription": look_at_transcription,
}

CLAIMS = (
    CLAIM_FOLDER,
    PREPARATION_FOLDER,
    f"{CLAIM_FOLDER}/turn/{CLAIM_FOLDER}",
    f"{FOLLOW_FOLDER}/{CLAIM_FOLDER}",
)
"""Where claims stand in any of them."""


def look_at(path: str) -> Status:
    """What is said of the job whose folder stands at a path or URL.

    Raises:
        StorageError: Nothing is there.
        DatasetError: It is empty, somebody else's, or a folder in which no job works.
        Seq2SeqError: What tells of the job is damaged.
    """
    kind = kind_at(path)
    look = LOOKS.get(kind)
    if look is None:
        raise DatasetError(
            f"a {kind} folder is no job's",
            where=storage.redact(path),
            expected=f"the folder of a {', '.join(LOOKS)}",
            advice="`seq2seq inspect` tells what it holds.",
        )
    notes: dict[str, list[Note]] = {}
    for folder in CLAIMS:
        for work, found in claims.standing(storage.join(path, folder)).items():
            notes.setdefault(work, []).extend(found)
    now = dt.datetime.now(dt.UTC)
    return with_lag(status_of(path, kind, look(path, notes), now), path, now)
