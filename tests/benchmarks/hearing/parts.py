"""Recordings and a model in; the seconds that each part of transcribing them takes alone, one after the other, out.

    python parts.py MODEL THREADS FILE ...

Prints a JSON object: decode (read, one channel, the model's rate), voice (where somebody speaks), features (frames of
chunks), search (what is said in them), both in seconds and in processor seconds; and how many seconds of audio there
were.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from seq2seq_core import config as configuration
from seq2seq_core.audio.energy import frame_levels
from seq2seq_core.audio.voice import speech_spans
from seq2seq_core.inference.speech.chunks import cut_span, heard_together
from seq2seq_core.inference.speech.config import TranscriberConfig, load_recognizer
from seq2seq_core.inference.speech.examining import examine
from seq2seq_core.inference.speech.reading import read_part
from seq2seq_core.inference.speech.terms import AudioFile, Part
from seq2seq_core.modalities.sound import Sound

UNIT_SECONDS = 600
R = TypeVar("R")


def main() -> None:
    """Each part over all files, then the next."""
    model, threads, *files = sys.argv[1:]
    values: dict[str, Any] = {"model": model, "engine": {"kind": "torch", "threads": int(threads)}}
    config = configuration.build(TranscriberConfig, values)
    recognizer = load_recognizer(config)
    loaded = config.engine.load(model)
    if not isinstance(loaded.modality, Sound):
        raise SystemExit("the model does not hear")
    sound, spent = loaded.modality, dict[str, list[float]]()
    recordings = [examine(AudioFile(file, file), UNIT_SECONDS) for file in files]
    rate = recognizer.rate
    parts = [
        Part(recording, begin, end - begin)
        for recording in recordings
        for begin, end in zip([0, *recording.cuts], [*recording.cuts, recording.samples], strict=True)
    ]
    read = timed(spent, "decode", lambda: [read_part(part, rate, None) for part in parts])
    spans = timed(spent, "voice", lambda: [speech_spans(x, rate, config.resolved.voice) for x in read])
    chunks = [
        x[chunk.begin : chunk.end]
        for x, found in zip(read, spans, strict=True)
        for span in heard_together(found.tolist(), rate, recognizer.longest, config.chunks.pause)
        for chunk in cut_span(frame_levels(x, rate), rate, span, recognizer.longest, config.chunks)
    ]
    frames = timed(spent, "features", lambda: [sound.features(sound.as_stored(chunk)) for chunk in chunks])
    options = config.search.model_copy(update={"align": True})
    timed(spent, "search", lambda: loaded.engine.generate(frames, options))
    print(json.dumps({"audio": float(np.sum([len(x) for x in read])) / rate, **spent}))


def timed(spent: dict[str, list[float]], name: str, act: Callable[[], R]) -> R:
    """Do it, and note what it takes."""
    began = time.perf_counter(), time.process_time()
    found = act()
    spent[name] = [time.perf_counter() - began[0], time.process_time() - began[1]]
    return found


if __name__ == "__main__":
    main()
