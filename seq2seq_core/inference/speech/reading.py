"""A part of a recording in, its samples as a model hears them out: one channel, one rate, never the whole file."""

from __future__ import annotations

import io
from typing import BinaryIO

import numpy as np

from seq2seq_core import storage
from seq2seq_core.audio.decode import blocks
from seq2seq_core.audio.signal import one_channel, resampled
from seq2seq_core.audio.terms import Samples
from seq2seq_core.errors import InputError
from seq2seq_core.inference.speech.examining import BLOCK_SECONDS, opened
from seq2seq_core.inference.speech.terms import Part, Recording

_MOST_BYTES = 64 << 20
"""A file that is not cut is held whole up to this size: then what is decoded is what was digested."""


def read_part(part: Part, rate: int, channel: int | None) -> Samples:
    """One channel, or the mix of all, at a rate.

    Raises:
        AudioError: The file is damaged, ends earlier than it says, or has no such channel.
        InputError: It has changed since it was looked at.
    """
    own = part.recording.rate
    with _open(part) as stream:
        read = blocks(stream, part.begin, part.samples, BLOCK_SECONDS * own)
        found = [*resampled((one_channel(block, channel) for block in read), own, rate)]
    return np.concatenate(found) if found else np.zeros(0, np.float32)


def is_held_whole(recording: Recording) -> bool:
    """Whether its bytes are compared with their digest whenever it is read."""
    return not recording.cuts and recording.bytes <= _MOST_BYTES


def check_unchanged(recording: Recording) -> None:
    """Compare a file with its digest.

    Raises:
        InputError: It has changed since it was looked at.
    """
    found = storage.digest_file(recording.file.url)
    if found != recording.fingerprint:
        raise _changed(recording, f"xxh3-128 {found}")


def _open(part: Part) -> BinaryIO:
    recording = part.recording
    if is_held_whole(recording):
        data = storage.read_bytes(recording.file.url)
        if storage.digest_bytes(data) != recording.fingerprint:
            raise _changed(recording, f"xxh3-128 {storage.digest_bytes(data)}")
        return io.BytesIO(data)
    size = storage.size(recording.file.url)
    if size != recording.bytes:
        raise _changed(recording, f"{size:,} bytes")
    return opened(recording.file.url)


def _changed(recording: Recording, found: str) -> InputError:
    return InputError(
        "the file has changed since it was looked at",
        where=recording.file.where,
        found=found,
        expected=f"{recording.bytes:,} bytes, xxh3-128 {recording.fingerprint}",
        advice="Run the same command again.",
    )
