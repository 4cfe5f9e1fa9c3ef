"""How many seconds of audio one core takes a second: filter banks beside kaldi-native-fbank, and all other steps.

    python tests/benchmarks/speech_audio.py [--minutes 10] [--long-minutes 60]

The audio is LJ Speech and Free Spoken Digits ($SEQ2SEQ_DATA/ljspeech and fsdd; where they are missing, noise). Seconds
are processor seconds of the fastest of several passes, the ways of a step taking turns, so that other work on the
machine counts less. kaldi-native-fbank is given the same samples, and its frames are taken one after the other, as its
interface has it. The last table reads a long file in ranges, in a process of its own, and names its largest memory.
"""

from __future__ import annotations

import argparse
import io
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import kaldi_native_fbank
import numpy as np
import soundfile

from seq2seq_core.audio import decode, energy, flac, measures, signal, voice
from seq2seq_core.audio.features import FilterBankConfig
from seq2seq_core.audio.terms import Samples

RATE = 16_000
REPEATS = 5
BAR = 4.0


def main() -> None:
    """Run all measurements and print them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10, help="audio for the steps")
    parser.add_argument("--long-minutes", type=float, default=60, help="of the long file")
    parser.add_argument("--read", nargs=2, metavar=("FILE", "WHAT"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.read:
        read_long(*arguments.read)
        return
    x = speech(arguments.minutes * 60)
    features(x)
    steps(x)
    long_files(x, arguments.long_minutes * 60)


def speech(seconds: float) -> Samples:
    """Real recordings one after the other, again and again, rounded to 16 bits."""
    folder = Path(os.environ.get("SEQ2SEQ_DATA", "../shared/data"))
    paths = [*sorted(folder.glob("ljspeech/wavs/*.wav")), *sorted(folder.glob("fsdd/recordings/*.wav"))[::50]]
    parts = [decode.decode(path.read_bytes()) for path in paths]
    found = [signal.resample(signal.mono(part), part.rate, RATE) for part in parts]
    x = np.concatenate(found) if found else np.random.default_rng(0).standard_normal(RATE * 60).astype(np.float32) / 20
    print(f"{seconds / 60:.0f} minutes of {'recordings' if found else 'noise'}, at 16 kHz")
    return signal.from_pcm16(signal.pcm16(np.resize(x, round(seconds * RATE))))


def features(x: Samples) -> None:
    """Filter banks by both ways, in utterances of 10 seconds."""
    utterances = np.split(x, range(10 * RATE, len(x), 10 * RATE))
    bank = FilterBankConfig()
    found = [bank.log_mel(utterance) for utterance in utterances]
    difference = np.abs(np.concatenate(found) - np.concatenate([kaldi(utterance) for utterance in utterances]))
    ours, theirs = fastest(
        lambda: [bank.log_mel(utterance) for utterance in utterances],
        lambda: [kaldi(utterance) for utterance in utterances],
    )
    seconds = len(x) / RATE
    print(f"\n{'80 filter banks':28}{'x real time':>12}")
    print(
        f"{'kaldi-native-fbank':28}{seconds / theirs:>12,.0f}\n{'FilterBankConfig.log_mel':28}{seconds / ours:>12,.0f}"
    )
    print(
        f"ratio {theirs / ours:.2f} (bar {BAR}); differences: mean {difference.mean():.1e}, "
        f"most {difference.max():.4f}, {(difference > 0.02).sum()} of {difference.size:,} above 0.02"
    )


def kaldi(x: Samples) -> np.ndarray:
    """The frames of an utterance."""
    options = kaldi_native_fbank.FbankOptions()
    options.frame_opts.dither = 0.0
    options.mel_opts.num_bins = 80
    bank = kaldi_native_fbank.OnlineFbank(options)
    bank.accept_waveform(RATE, x * 32768)
    bank.input_finished()
    return np.stack([bank.get_frame(number) for number in range(bank.num_frames_ready)])


def steps(x: Samples) -> None:
    """All other steps, each alone."""
    seconds = len(x) / RATE
    wide = signal.resample(x, RATE, 44_100)
    pcm = signal.pcm16(x)
    stored = flac.encode(pcm, RATE)
    files = {kind: encoded(x, kind, subtype) for kind, subtype in FILES.items()}
    work: dict[str, Callable[[], object]] = {
        **{f"decode {kind}": lambda data=data: decode.decode(data) for kind, data in files.items()},
        "decode stored FLAC": lambda: flac.decode(stored),
        "encode FLAC": lambda: flac.encode(pcm, RATE),
        "resample 44.1 to 16 kHz": lambda: signal.resample(wide, 44_100, RATE),
        "change of speed 0.9": lambda: signal.change_speed(x, 0.9),
        "measures": lambda: measures.measure(x, RATE),
        "voice activity, energy": lambda: voice.speech_spans(x, RATE, voice.VoiceConfig(method="energy")),
        "voice activity, silero": lambda: voice.speech_spans(x, RATE, voice.VoiceConfig(method="silero")),
    }
    print(f"\n{'step':28}{'x real time':>12}")
    for name, call in work.items():
        print(f"{name:28}{seconds / fastest(call)[0]:>12,.0f}")
    print(f"stored FLAC: {len(stored) / seconds / 1000:.1f} kB/s")


FILES = {"WAV": "PCM_16", "FLAC": "PCM_16", "MP3": "MPEG_LAYER_III", "OGG": "VORBIS"}


def encoded(x: Samples, kind: str, subtype: str) -> bytes:
    """A file of that kind."""
    file = io.BytesIO()
    with soundfile.SoundFile(file, "w", RATE, 1, subtype, format=kind) as writer:
        for begin in range(0, len(x), 100_000):
            writer.write(x[begin : begin + 100_000])
    return file.getvalue()


def fastest(*ways: Callable[[], object]) -> list[float]:
    """Processor seconds of the fastest pass of each, in turns."""
    best = [float("inf")] * len(ways)
    for _ in range(REPEATS):
        for number, way in enumerate(ways):
            begin = time.process_time()
            way()
            best[number] = min(best[number], time.process_time() - begin)
    return best


def long_files(x: Samples, seconds: float) -> None:
    """Read files in blocks, in processes of their own: levels of a short and a long one of each kind, speech of one."""
    print(f"\n{'in blocks':20}{'minutes':>9}{'x real time':>14}{'largest memory, MB':>20}")
    with tempfile.TemporaryDirectory() as folder:
        for kind, subtype in FILES.items():
            for length in (seconds / 6, seconds):
                path = Path(folder) / f"{length:.0f}.{kind}"
                path.write_bytes(encoded(np.resize(x, round(length * RATE)), kind, subtype))
                read_apart(path, length, "levels")
        for length in (seconds / 6, seconds):
            read_apart(Path(folder) / f"{length:.0f}.FLAC", length, "silero")


def read_apart(path: Path, seconds: float, what: str) -> None:
    """Print a line of the last table."""
    command = [sys.executable, __file__, "--read", str(path), what]
    taken, memory = map(float, subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())
    print(f"{path.suffix[1:] + ', ' + what:20}{seconds / 60:>9.0f}{seconds / taken:>14,.0f}{memory:>20.0f}")


def read_long(path: str, what: str) -> None:
    """Print the seconds that it took and the largest memory in MB."""
    begin = time.process_time()
    with Path(path).open("rb") as stream:
        info = decode.probe(stream)
        blocks = (signal.one_channel(block) for block in decode.blocks(stream, 0, info.samples, 30 * RATE))
        if what == "levels":
            energy.levels_of(blocks, info.rate)
        else:
            voice.spans_of_blocks(blocks, info.rate, voice.VoiceConfig(method="silero"))
    status = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
    print(time.process_time() - begin, int(status["VmHWM"].split()[0]) / 1024)


if __name__ == "__main__":
    main()
