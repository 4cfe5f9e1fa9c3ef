"""The exceptions users meet; each message names the place, what was found, what was expected and what to do.

Seq2SeqError              everything this project raises on purpose
├── ConfigError           a configuration key or value cannot be used
├── InputError            raw data cannot be read: file and line are named
├── StorageError          a path or an object store does not do what is asked
├── DatasetError          a dataset folder is missing, unfinished or damaged
├── TokenizerError        a tokenizer cannot be trained, read or applied
├── ModelError            a model folder is missing, unfinished or damaged
├── CheckpointError       a checkpoint is damaged or belongs to another run
├── TrainingError         training cannot go on (non-finite losses, no batches)
├── ForeignFileError      a file of somebody else stands where an output would go
├── IncompleteError       work ended, but records were lost or failed
└── BelowBarError         a score is not what it has to be
"""

from __future__ import annotations

import re
from typing import TypeVar

_UNSHOWABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def shown(text: str) -> str:
    """The text as one line that every terminal and log takes: line ends, control characters, and what is no Unicode
    (names of files may hold such) are escaped.
    """
    return _UNSHOWABLE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


class Seq2SeqError(Exception):
    """The base of all errors this project raises on purpose.

    Args:
        problem: One sentence without a full stop, saying what is wrong.
        where: File, line, row or key the problem stands at.
        found: What stands there.
        expected: What should stand there.
        advice: What the user can do about it.
    """

    def __init__(
        self,
        problem: str,
        *,
        where: str | None = None,
        found: object = None,
        expected: object = None,
        advice: str | None = None,
    ) -> None:
        self.problem = problem
        self.where = where
        self.found = found
        self.expected = expected
        self.advice = advice
        super().__init__(self._message())

    def _message(self) -> str:
        parts = [f"{self.where}: {self.problem}" if self.where else self.problem]
        if self.found is not None:
            parts.append(f"found {self.found}")
        if self.expected is not None:
            parts.append(f"expected {self.expected}")
        message = "; ".join(parts)
        return shown(f"{message}. {self.advice}" if self.advice else message)

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (
            type(self),
            self.problem,
            self.where,
            self.found,
            self.expected,
            self.advice,
        )


class ConfigError(Seq2SeqError):
    """A configuration key or value cannot be used."""


class InputError(Seq2SeqError):
    """Raw data cannot be read."""


class StorageError(Seq2SeqError):
    """A path or an object store does not do what is asked."""


class DatasetError(Seq2SeqError):
    """A dataset folder is missing, unfinished or damaged."""


class TokenizerError(Seq2SeqError):
    """A tokenizer cannot be trained, read or applied."""


class ModelError(Seq2SeqError):
    """A model folder is missing, unfinished or damaged."""


class CheckpointError(Seq2SeqError):
    """A checkpoint is damaged or belongs to another run."""


class TrainingError(Seq2SeqError):
    """Training cannot go on."""


class ClaimError(Seq2SeqError):
    """A folder belongs to another run, which is at work there."""


class ForeignFileError(Seq2SeqError):
    """A file of somebody else stands where an output would go; see `foreign_file`."""


class IncompleteError(Seq2SeqError):
    """Work ended, but records were lost or failed."""


class BelowBarError(Seq2SeqError):
    """A score is not what it has to be."""


E = TypeVar("E", bound=Seq2SeqError)


def unreadable_record(kind: type[E], what: str, where: str, found: object) -> E:
    """The error of a file in the place of a record of ours (a manifest, a marker) that is not what we write there.

    Args:
        kind: The class of the error.
        what: What it should be: "the manifest".
        where: The file, fit for messages.
        found: Why it is none.
    """
    return kind(
        f"{what} is damaged, or the file is somebody else's",
        where=where,
        found=found,
        advice="Choose another folder, or move it away; one of ours is made anew by the command that wrote it.",
    )


def foreign_file(where: str, what: str, count: int = 1) -> ForeignFileError:
    """The error of a file that no record of ours names and that an output would replace.

    Args:
        where: The file, fit for messages.
        what: What would go there.
        count: How many such files there are; the first is named.
    """
    return ForeignFileError(
        f"a file that this program has not written stands where {what} would go",
        where=where,
        found=f"{count} such files" if count > 1 else None,
        advice=f"Choose another output, or move {'them' if count > 1 else 'it'} away.",
    )


def _rebuild(
    kind: type[Seq2SeqError],
    problem: str,
    where: str | None,
    found: object,
    expected: object,
    advice: str | None,
) -> Seq2SeqError:
    """Restore an error that crossed a process border (exceptions with keyword arguments do not pickle)."""
    return kind(problem, where=where, found=found, expected=expected, advice=advice)
