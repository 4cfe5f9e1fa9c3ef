"""Hugging Face `datasets`: a manifest of speech in, Parquet of log-mel frames and ids out, by a `map` in two processes.

    python datasets_map.py MANIFEST TOKENIZER.model OUTPUT

The frames are those of kaldi-native-fbank, the fastest that is in use there. Nothing is cleaned or deduplicated.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_DATASETS_CACHE"] = f"{sys.argv[-1]}/cache"

import datasets
import kaldi_native_fbank
import numpy as np
import sentencepiece
import soundfile

MELS, RATE = 80, 16_000
FOLDER = Path(sys.argv[1]).parent
OPTIONS = kaldi_native_fbank.FbankOptions()
OPTIONS.frame_opts.samp_freq = RATE
OPTIONS.frame_opts.dither = 0.0
OPTIONS.mel_opts.num_bins = MELS
TOKENIZER = sentencepiece.SentencePieceProcessor(model_file=sys.argv[2])


def frames(path: str) -> np.ndarray:
    """Log-mel frames of a file, float16."""
    samples, rate = soundfile.read(FOLDER / path, dtype="float32")
    bank = kaldi_native_fbank.OnlineFbank(OPTIONS)
    bank.accept_waveform(rate, samples * 32768)
    bank.input_finished()
    return np.stack([bank.get_frame(place) for place in range(bank.num_frames_ready)]).astype(np.float16)


def encode(batch: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """Frames, how many, and ids."""
    found = [frames(path) for path in batch["audio_filepath"]]
    texts = [text.lower() for text in batch["text"]]
    return {
        "frames": [one.reshape(-1) for one in found],
        "length": [len(one) for one in found],
        "target": TOKENIZER.encode(texts),
    }


def main() -> None:
    """Read, encode, write."""
    manifest, _, output = sys.argv[1:]
    rows = datasets.load_dataset("json", data_files=manifest, split="train")
    kind = datasets.Features(
        {
            "frames": datasets.List(datasets.Value("float16")),
            "length": datasets.Value("int64"),
            "target": datasets.List(datasets.Value("uint16")),
        }
    )
    done = rows.map(encode, batched=True, batch_size=100, num_proc=2, features=kind, remove_columns=rows.column_names)
    done.to_parquet(f"{output}/rows.parquet")


if __name__ == "__main__":
    main()
