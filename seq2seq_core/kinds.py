"""A folder in, which of this project's kinds it is out: a dataset, a run, a model, an output, or none of ours.

The kind is told by what stands in the folder, and by what its manifest says, as others use the same names.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection
from typing import Literal, NamedTuple

from seq2seq_core import storage

Kind = Literal["dataset", "run", "model", "translation", "transcription"]
Work = Literal["preparation", "compaction", "training", "translation", "transcription", "acceptance"]

CLAIM_FOLDER = ".claim"
CLAIM_NAME = "claim.json"
PREPARATION_FOLDER = "_work"
FOLLOW_FOLDER = ".follow"
"""What is known of landing zones stands there, below the output of whoever follows them."""
FOLLOW_NAME = "work.json"
"""What is done with that which lands, as an object with the key `work`: it is there as long as the folder is."""
_PREPARATION = re.compile(r"claim-.*|progress-\d{5,}\.json|\d{5,}-[0-9a-f]{16}")
_LONGEST_ROW = 1 << 16
_UNITS, _PLAN, _HEARD = ".units", "plan.json", ".units/.speech/"
_OF_OUTPUTS = ("output.json", "failures")
RECORDS: dict[str, tuple[str, ...]] = {"translation": _OF_OUTPUTS, "transcription": _OF_OUTPUTS}
"""What in a folder of a kind tells of its content, and is none itself."""


class _Telltale(NamedTuple):
    """A name that stands in folders of a kind, and what makes sure."""

    kind: Kind
    name: str
    is_ours: Callable[[str, str], bool]


def kind_of(url: str, names: Collection[str] | None = None) -> Kind | None:
    """What a folder is, finished or begun; None where it is none of ours.

    Args:
        url: The folder.
        names: What stands in it, where that is known already.
    """
    present = storage.list_folder(url) if names is None else names
    found = (telltale for telltale in _TELLTALES if telltale.name in present)
    return next((telltale.kind for telltale in found if telltale.is_ours(url, telltale.name)), None)


def _has_keys(*keys: str) -> Callable[[str, str], bool]:
    """Whether a JSON file is an object with these keys."""

    def look(url: str, name: str) -> bool:
        values = _read(storage.join(url, name))
        return isinstance(values, dict) and values.keys() >= set(keys)

    return look


def _is_claimed_for(work: Work) -> Callable[[str, str], bool]:
    """Whether a run has claimed the folder for such work, be it at work or killed."""

    def look(url: str, name: str) -> bool:
        claimed = storage.join(url, name, CLAIM_FOLDER) if name == FOLLOW_FOLDER else storage.join(url, name)
        values = _read(storage.join(claimed, CLAIM_NAME))
        return isinstance(values, dict) and values.get("work") == work

    return look


def follows(url: str) -> str | None:
    """What is done with what lands and ends up in a folder; None where nobody has followed into it."""
    values = _read(storage.join(url, FOLLOW_FOLDER, FOLLOW_NAME))
    return str(values.get("work")) if isinstance(values, dict) else None


def _follows(work: Work) -> Callable[[str, str], bool]:
    """Whether somebody follows into the folder for such work, or has done so."""
    is_claimed = _is_claimed_for(work)
    return lambda url, name: follows(url) == work or is_claimed(url, name)


def _is_prepared(url: str, name: str) -> bool:
    return any(_PREPARATION.fullmatch(entry) for entry in storage.list_folder(storage.join(url, name)))


def _has_plan(*, of_speech: bool) -> Callable[[str, str], bool]:
    """Whether units of such work are planned, and maybe done, as they are when a run was stopped before its end."""

    def look(url: str, name: str) -> bool:
        rows = _read(storage.join(url, name, _PLAN))
        if not isinstance(rows, list):
            return False
        return of_speech == any(isinstance(row, list) and str(row[:1]).startswith(f"['{_HEARD}") for row in rows[:1])

    return look


def _has_checkpoints(url: str, name: str) -> bool:
    return storage.is_folder(storage.join(url, name)) and storage.exists(storage.join(url, "config.yaml"))


def _is_begun(url: str, name: str) -> bool:
    """Whether the first row of the metrics of a training stands there, or none yet."""
    if not storage.exists(storage.join(url, "config.yaml")):
        return False
    size = storage.size(storage.join(url, name))
    with storage.open_input(storage.join(url, name)) as file:
        first = file.readline(_LONGEST_ROW)
    values = _parsed(first)
    return not size or (isinstance(values, dict) and values.keys() >= {"kind", "step"})


def _read(url: str) -> object:
    return _parsed(storage.read_if_there(url) or b"null")


def _parsed(data: bytes) -> object:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


_TELLTALES = (
    _Telltale("dataset", "dataset.json", _has_keys("format_version", "source_tokenizer", "splits", "ledger")),
    _Telltale("dataset", PREPARATION_FOLDER, _is_prepared),
    _Telltale("transcription", "output.json", _has_keys("format_version", "records_in", "audio_seconds", "inputs")),
    _Telltale("transcription", CLAIM_FOLDER, _is_claimed_for("transcription")),
    _Telltale("translation", "output.json", _has_keys("format_version", "records_in", "records_out", "inputs")),
    _Telltale("translation", CLAIM_FOLDER, _is_claimed_for("translation")),
    _Telltale("transcription", _UNITS, _has_plan(of_speech=True)),
    _Telltale("translation", _UNITS, _has_plan(of_speech=False)),
    _Telltale("run", "checkpoints", _has_checkpoints),
    _Telltale("run", CLAIM_FOLDER, _is_claimed_for("training")),
    _Telltale("run", "metrics.jsonl", _is_begun),
    _Telltale("dataset", FOLLOW_FOLDER, _follows("preparation")),
    _Telltale("transcription", FOLLOW_FOLDER, _follows("transcription")),
    _Telltale("translation", FOLLOW_FOLDER, _follows("translation")),
    _Telltale("model", "config.json", _has_keys("format_version", "architecture", "weights", "lineage")),
)
