"""A store in; a corpus of 40 utterances there, and the words of `seq2seq prepare` that make a dataset of it, out."""

from __future__ import annotations

import json
from typing import Any

from seq2seq_core import storage
from tests.spoken import WORDS, some, sound_file, tones
from tests.stores import Store

Tree = dict[str, bytes]

SHARDS = 2
SETTINGS = (
    f"--shards={SHARDS} --unit_seconds=8 --source_modality.rate=8000 --source_modality.mels=20 --validation.share=0.3 "
    "--tokenizer.vocabulary_size=28 --tokenizer.byte_fallback=false --report=false"
)
STORED = {"flac": "--source_modality.store=flac", "features": "--source_modality.store=features"}
_RATES = (8000, 16_000)


def publish_speech(store: Store) -> None:
    """`in/train.jsonl` and the files that it names, WAV and FLAC of two rates: one breaks off, one is not there, one
    row comes twice, one tells another length, and the last two are cut from a file.
    """
    rows: list[dict[str, Any]] = []
    for number, said in enumerate(some(40, speakers=8, seed=3)):
        rate, kind = _RATES[number % 2], "FLAC" if number % 4 < 2 else "WAV"
        spoken = [WORDS.index(word) for word in (said.text or "").split()]
        samples = tones(spoken, rate=rate, seed=number)
        data = sound_file(samples, rate=rate, kind=kind, subtype="PCM_16")
        storage.publish_bytes(store.url(f"in/audio/{number}"), data[:-200] if number == 5 else data)
        row = {"audio_filepath": f"audio/{number}", "text": said.text, "speaker": said.speaker}
        rows.append({**row, "duration": len(samples) / rate})
    rows[7]["audio_filepath"] = "audio/none"
    rows[9] = rows[8]
    rows[11]["duration"] = 9.5
    rows += [{"audio": "audio/0", "text": "null", "offset": 0.1 * n, "duration": 0.3} for n in range(2)]
    storage.publish_text(store.url("in/train.jsonl"), "".join(f"{json.dumps(row)}\n" for row in rows))


def words(store: Store, stored: str = "flac", settings: str = SETTINGS) -> list[str]:
    """The words after `seq2seq`: from `in` to `out` of the store."""
    corpora = json.dumps([{"path": store.url("in/train.jsonl"), "format": "speech_manifest"}])
    return ["prepare", "--corpora", corpora, "--output", store.url("out"), STORED[stored], *settings.split()]
