"""A file of audio in; what it is, its digest, and the quiet places where it is cut, out: one stream, nothing held."""

from __future__ import annotations

from typing import BinaryIO, cast

from seq2seq_core import storage
from seq2seq_core.audio.decode import Info, blocks, probe
from seq2seq_core.audio.energy import FRAMES_A_SECOND, Levels, frame_size, levels_of, quietest_frame
from seq2seq_core.audio.signal import one_channel
from seq2seq_core.audio.terms import AudioError
from seq2seq_core.inference.speech.terms import AudioFile, Recording

BLOCK_SECONDS = 10
_WINDOW_SECONDS = 10
"""A long recording is cut in a window of so many seconds before and behind the usual place."""


def examine(file: AudioFile, unit_seconds: int) -> Recording:
    """What a file is; one that cannot be read has its reason in `problem`.

    Args:
        file: The file.
        unit_seconds: About so long is a part of a long recording; what is shorter than one and a half is not cut.

    Raises:
        StorageError: The store does not give it.
    """
    known = Recording(file, storage.size(file.url), storage.digest_file(file.url))
    try:
        with opened(file.url) as stream:
            info = probe(stream, sees_end=False)
            if not info.samples:
                raise AudioError("empty")
            parts = round(info.samples / info.rate / unit_seconds)
            cuts = _cuts(_levels(stream, info), info, parts) if parts > 1 else ()
    except AudioError as error:
        return Recording(file, known.bytes, known.fingerprint, problem=told(error))
    return Recording(file, known.bytes, known.fingerprint, info.rate, info.channels, info.samples, cuts)


def opened(url: str) -> BinaryIO:
    """A file opened for reading in any place."""
    return cast(BinaryIO, storage.open_input(url))


def told(error: AudioError) -> str:
    """What a ledger says of an error: its key and what was found."""
    return f"{error.reason}: {error}"


def _levels(stream: BinaryIO, info: Info) -> Levels:
    block = BLOCK_SECONDS * info.rate
    stream.seek(0)
    mixed = (one_channel(samples) for samples in blocks(stream, 0, info.samples, block))
    return levels_of(mixed, info.rate)


def _cuts(levels: Levels, info: Info, parts: int) -> tuple[int, ...]:
    """Where it is quietest around the borders of so many equal parts."""
    size = frame_size(info.rate)
    window = _WINDOW_SECONDS * FRAMES_A_SECOND
    borders = (len(levels) * number // parts for number in range(1, parts))
    frames = (quietest_frame(levels, border - window, min(border + window, len(levels))) for border in borders)
    return tuple(frame * size + size // 2 for frame in frames)
