"""lhotse: a manifest of speech in, an array of log-mel features a cut and a manifest with ids out, by two jobs.

    python lhotse_features.py MANIFEST TOKENIZER.model OUTPUT [SPEED ...]

Nothing is cleaned or deduplicated.
"""

from __future__ import annotations

import functools
import json
import operator
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import sentencepiece
import torch
from lhotse import CutSet, Fbank, FbankConfig, Recording, SupervisionSegment
from lhotse.cut import MonoCut
from lhotse.features.io import NumpyFilesWriter

JOBS, RATE = 2, 16_000


def cuts_of(manifest: Path, tokenizer: sentencepiece.SentencePieceProcessor) -> CutSet:
    """One for each line."""
    found = []
    for number, line in enumerate(manifest.read_text("utf-8").splitlines()):
        row = json.loads(line)
        recording = Recording.from_file(manifest.parent / row["audio_filepath"], recording_id=f"r{number:08}")
        text = row["text"].lower()
        said = SupervisionSegment(
            f"s{number:08}", recording.id, 0.0, recording.duration, text=text, speaker=row["speaker"]
        )
        said.custom = {"ids": tokenizer.encode(text)}
        found.append(MonoCut(f"c{number:08}", 0.0, recording.duration, 0, recording=recording, supervisions=[said]))
    return CutSet.from_cuts(found)


def main() -> None:
    """Read, compute, store."""
    torch.set_num_threads(1)
    manifest, model, output = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
    cuts = cuts_of(manifest, sentencepiece.SentencePieceProcessor(model_file=model))
    speeds = [float(word) for word in sys.argv[4:]] or [1.0]
    forms = [cuts if speed == 1 else cuts.perturb_speed(speed) for speed in speeds]
    cuts = functools.reduce(operator.add, (form.resample(RATE) for form in forms)).to_eager()
    with ProcessPoolExecutor(JOBS) as executor:
        done = cuts.compute_and_store_features(
            Fbank(FbankConfig(num_mel_bins=80)),
            output / "features",
            num_jobs=JOBS,
            executor=executor,
            storage_type=NumpyFilesWriter,
        )
    done.to_file(output / "cuts.jsonl.gz")


if __name__ == "__main__":
    main()
