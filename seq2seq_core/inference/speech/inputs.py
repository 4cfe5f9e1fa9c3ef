"""Paths, globs and URLs in, files of audio out: each with its place in the output."""

from __future__ import annotations

import logging
import posixpath
from collections.abc import Collection, Sequence

from seq2seq_core import storage
from seq2seq_core.documents.formats.inputs import refuse_collisions, refuse_inside
from seq2seq_core.errors import StorageError
from seq2seq_core.inference.speech.terms import AudioFile
from seq2seq_core.inference.transcripts.table import FORMATS
from seq2seq_core.listing import Found, find_files

SUFFIXES = frozenset(
    {
        *(".wav", ".wave", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".au", ".snd", ".caf"),
        *(".m4a", ".aac", ".webm", ".mp4", ".mka", ".rf64", ".sph"),
    }
)
"""What is taken for audio below a folder; what is named, or matches a glob, is taken whatever it ends in."""

_SHOWN = 3
_log = logging.getLogger(__name__)


def find_recordings(
    patterns: Sequence[str], formats: Sequence[str], output: str, kept: Collection[str] = ()
) -> list[AudioFile]:
    """All files the patterns name, in order of their names, each once, however it is spelt.

    Args:
        patterns: Paths, globs, folders or URLs; see `listing` for what is passed over.
        formats: Of the transcripts.
        output: The output folder; it must not hold any of the inputs.
        kept: Names in the output folder that no output may have.

    Raises:
        StorageError: A pattern names nothing.
        ConfigError: Two files would have the same output, or an input stands in the output folder.
    """
    found: dict[str, AudioFile] = {}
    for pattern in patterns:
        for file in _audio_of(pattern, output):
            found.setdefault(file.identity, AudioFile(file.url, posixpath.splitext(file.below)[0]))
    files = sorted(found.values(), key=lambda file: (file.name, file.url))
    alone = [FORMATS[name].suffix for name in formats if FORMATS[name].together == 1]
    refuse_collisions([(one.name, suffix, one.where) for suffix in alone for one in files], kept)
    for recording in files:
        refuse_inside(recording.url, output)
    return files


def _audio_of(pattern: str, output: str) -> list[Found]:
    files = find_files(pattern, output)
    if not storage.is_folder(pattern):
        return files
    audio = [file for file in files if posixpath.splitext(file.below)[1].lower() in SUFFIXES]
    others = [file.below for file in files if file not in set(audio)]
    where = storage.redact(pattern)
    if others:
        more = f" and {len(others) - _SHOWN:,} more" if len(others) > _SHOWN else ""
        _log.info("%s: what is no audio by its name is passed over: %s%s", where, ", ".join(others[:_SHOWN]), more)
    if not audio:
        raise StorageError(
            "no audio stands below this folder",
            where=where,
            found=f"{len(others)} other files",
            expected=", ".join(sorted(SUFFIXES)),
            advice="Name the files by a glob: then they are read whatever they end in.",
        )
    return audio
