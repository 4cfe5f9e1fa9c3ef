"""Hugging Face `datasets`: a manifest of speech in, Arrow files of log-mel frames and ids out, by a `map` in two
processes.

    python datasets_map.py MANIFEST TOKENIZER.model OUTPUT [SPEED ...]

The frames are those of kaldi-native-fbank, the fastest that is in use there, and soxr changes the speed, each file
being read once. What `map` keeps is what is measured: nothing is written anew after it, cleaned or deduplicated.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_DATASETS_CACHE"] = f"{sys.argv[3]}/cache"

import datasets
import kaldi_native_fbank
import numpy as np
import sentencepiece
import soundfile
import soxr

MELS, RATE = 80, 16_000
FOLDER = Path(sys.argv[1]).parent
OPTIONS = kaldi_native_fbank.FbankOptions()
OPTIONS.frame_opts.samp_freq = RATE
OPTIONS.frame_opts.dither = 0.0
OPTIONS.mel_opts.num_bins = MELS
TOKENIZER = sentencepiece.SentencePieceProcessor(model_file=sys.argv[2])
SPEEDS = [float(word) for word in sys.argv[4:]] or [1.0]


def forms(path: str) -> list[np.ndarray]:
    """Log-mel frames of a file at each speed, float16."""
    samples, rate = soundfile.read(FOLDER / path, dtype="float32")
    if rate != RATE:
        samples = soxr.resample(samples, rate, RATE, quality="HQ")
    return [frames(samples if speed == 1 else soxr.resample(samples, speed, 1.0, quality="HQ")) for speed in SPEEDS]


def frames(samples: np.ndarray) -> np.ndarray:
    """Log-mel frames, float16."""
    bank = kaldi_native_fbank.OnlineFbank(OPTIONS)
    bank.accept_waveform(RATE, samples * 32768)
    bank.input_finished()
    return np.stack([bank.get_frame(place) for place in range(bank.num_frames_ready)]).astype(np.float16)


def encode(batch: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """Frames, how many, and ids."""
    found = [form for path in batch["audio_filepath"] for form in forms(path)]
    texts = [text.lower() for text in batch["text"] for _ in SPEEDS]
    return {
        "frames": [one.reshape(-1) for one in found],
        "length": [len(one) for one in found],
        "target": TOKENIZER.encode(texts),
    }


def main() -> None:
    """Read and encode."""
    rows = datasets.load_dataset("json", data_files=sys.argv[1], split="train")
    kind = datasets.Features(
        {
            "frames": datasets.List(datasets.Value("float16")),
            "length": datasets.Value("int64"),
            "target": datasets.List(datasets.Value("uint16")),
        }
    )
    rows.map(encode, batched=True, batch_size=100, num_proc=2, features=kind, remove_columns=rows.column_names)


if __name__ == "__main__":
    main()
