"""A text and a voice in, the samples of espeak-ng that say it out: the same ones whatever was said before.

espeak-ng (https://github.com/espeak-ng/espeak-ng, GPL-3.0) comes with its voices in the wheel `espeakng-loader`, and is
used by its C interface (`speak_lib.h`). It keeps what the last utterance left behind (the phase of its waves, where its
flutter is, random numbers), even over its own initialisation. So each utterance gets a library that is loaded anew and
given one seed; that takes less than the speaking.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from seq2seq_core.errors import ConfigError, Seq2SeqError

RATE = 22_050
"""Samples a second of all voices."""

Pcm = npt.NDArray[np.int16]

_SYNCHRONOUS_RETRIEVAL = 2  # AUDIO_OUTPUT_SYNCHRONOUS: samples go to a callback, and a call returns when all are there
_DONT_EXIT = 0x8000
_RATE, _PITCH = 1, 3  # espeakRATE, espeakPITCH
_POSITION_CHARACTER = 1
_UTF8 = 1
_OK = 0
_SEED = 1
_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)

_lock = threading.Lock()


class Voice(NamedTuple):
    """Who speaks.

    Attributes:
        name: A voice of espeak-ng, with or without a variant: `en-us`, `en-gb-scotland+f3`.
        words_a_minute: 80 to 450.
        pitch: 0 to 99.
    """

    name: str
    words_a_minute: int = 175
    pitch: int = 50


def speak(text: str, voice: Voice) -> Pcm:
    """The samples of an utterance: int16 [n], `RATE` a second.

    Raises:
        ConfigError: There is no such voice.
        Seq2SeqError: espeak-ng refuses.
    """
    said = text.encode() + b"\0"
    parts: list[bytes] = []

    def take(samples: int | None, count: int, _: object) -> int:
        if samples and count > 0:
            parts.append(ctypes.string_at(samples, count * np.dtype(np.int16).itemsize))
        return 0

    taking = _CALLBACK(take)
    with _lock, _loaded() as library:
        library.espeak_SetSynthCallback(taking)
        _choose(library, voice)
        length = ctypes.c_size_t(len(said))
        _check(library.espeak_Synth(said, length, 0, _POSITION_CHARACTER, 0, _UTF8, None, None), "espeak_Synth", text)
        _check(library.espeak_Synchronize(), "espeak_Synchronize", text)
    return np.frombuffer(b"".join(parts), np.int16)


@contextlib.contextmanager
def _loaded() -> Iterator[Any]:
    """The library as if nobody had ever spoken, while the block runs."""
    loader = importlib.import_module("espeakng_loader")
    system = ctypes.CDLL(None)
    system.dlopen.restype = ctypes.c_void_p
    system.dlclose.argtypes = [ctypes.c_void_p]
    path = loader.get_library_path()
    handle = system.dlopen(os.fsencode(path), ctypes.c_int(os.RTLD_NOW))
    if handle is None:
        raise Seq2SeqError("espeak-ng cannot be loaded", where=path)
    try:
        library: Any = ctypes.CDLL(path, handle=handle)
        folder = os.fsencode(loader.get_data_path())
        rate = library.espeak_Initialize(_SYNCHRONOUS_RETRIEVAL, 0, folder, _DONT_EXIT)
        if rate != RATE:
            raise Seq2SeqError("espeak-ng does not start", found=rate, expected=f"{RATE} samples a second")
        library.espeak_ng_SetRandSeed(ctypes.c_long(_SEED))
        system.srand(_SEED)
        yield library
        library.espeak_Terminate()
    finally:
        system.dlclose(handle)


def _choose(library: Any, voice: Voice) -> None:
    """Set a voice; the library itself goes on with another where there is none of a name, and says nothing of variants.

    Raises:
        ConfigError: There is no such voice or variant.
    """
    _, _, variant = voice.name.partition("+")
    variants = Path(importlib.import_module("espeakng_loader").get_data_path()) / "voices" / "!v"
    is_known = not variant or variant in {path.name for path in variants.iterdir()}
    if not is_known or library.espeak_SetVoiceByName(voice.name.encode()) != _OK:
        raise ConfigError("espeak-ng has no such voice", found=voice.name, expected="a voice such as en-us or en-us+f2")
    for parameter, value in ((_RATE, voice.words_a_minute), (_PITCH, voice.pitch)):
        _check(library.espeak_SetParameter(parameter, value, 0), "espeak_SetParameter", voice)


def _check(code: int, function: str, given: object) -> None:
    if code != _OK:
        raise Seq2SeqError(f"{function} of espeak-ng fails with code {code}", found=given)
