"""Names in an output folder, each in one place: the manifest, failures, and what stands in the folder of units."""

from __future__ import annotations

OUTPUT_NAME = "output.json"
FAILURE_FOLDER = "failures"
MARKER_FOLDER = ".units"
UNITS_PATH = f"{MARKER_FOLDER}/plan.json"
"""The units of the run under way, for who watches it."""
NOTE_PATH = f"{MARKER_FOLDER}/files.json"
"""The outputs that are this program's own."""
PIECE_FOLDER = f"{MARKER_FOLDER}/.pieces"
FLAG_FOLDER = "flagged"
KEPT_NAMES = (MARKER_FOLDER, FAILURE_FOLDER, FLAG_FOLDER)
"""What no output may be called."""


def marker_path(output: str) -> str:
    """The file whose presence, with the same fingerprint in it, says that an output is finished."""
    return f"{MARKER_FOLDER}/{output}.json"


def kept_path(output: str) -> str:
    """What was made of the records of an output that did not fail, where others did: see `retrying`."""
    return f"{MARKER_FOLDER}/{output}.kept"


def failures_path(output: str) -> str:
    """The part of the failure ledger that belongs to an output; there is none when no record failed."""
    return f"{FAILURE_FOLDER}/{output}.jsonl"


def flags_path(output: str) -> str:
    """The doubtful records of an output, where rules look for them; there is none when no record is doubtful."""
    return f"{FLAG_FOLDER}/{output}.jsonl"
