"""Files that only PyAV reads: MP4, AAC, WebM, whole, in ranges, and broken."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from seq2seq_core.audio import decode
from seq2seq_core.audio.terms import AudioError, Samples
from tests.seq2seq_core.audio.test_decode import RATE, speech_like

av = pytest.importorskip("av")

KINDS = [("mp4", "aac", RATE, "mp4"), ("adts", "aac", RATE, "aac"), ("webm", "libopus", 48_000, "webm")]


def made(x: Samples, kind: str, codec: str, rate: int) -> bytes:
    file = io.BytesIO()
    write(file, x, kind, codec, rate)
    return file.getvalue()


def write(file: io.BytesIO | str, x: Samples, kind: str, codec: str, rate: int, **options: str) -> None:
    with av.open(file, "w", format=kind, options=options) as container:
        stream = container.add_stream(codec, rate=rate, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(x.T), format="flt", layout="mono")
        frame.sample_rate = RATE
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)


@pytest.mark.parametrize(("kind", "codec", "rate", "container"), KINDS)
def test_samples_are_those_that_were_encoded_whole_and_in_ranges(
    kind: str, codec: str, rate: int, container: str
) -> None:
    x = speech_like(20.0)
    data = made(x, kind, codec, rate)
    info = decode.probe(io.BytesIO(data))
    assert info[:2] == (rate, 1)
    assert info.container == container
    assert 0 <= info.samples - 20 * rate <= 2048
    whole = decode.decode(data)
    assert len(whole.samples) == info.samples
    delay = 1024 if codec == "aac" else 0  # the encoder begins with silence, and no edit list says so
    same_rate = whole.samples[delay :: rate // RATE][: len(x)]
    assert np.corrcoef(same_rate.ravel(), x[: len(same_rate)].ravel())[0, 1] > 0.95
    for start, count in [(0, 1000), (7 * rate + 13, rate), (15 * rate, 3 * rate), (info.samples - 10, 10)]:
        found = np.concatenate(list(decode.blocks(io.BytesIO(data), start, count, 1000)))
        assert len(found) == count
        assert np.abs(found - whole.samples[start : start + count]).max() < 1e-2, start


def reason(data: bytes) -> str:
    with pytest.raises(AudioError) as refused:
        decode.decode(data)
    with pytest.raises(AudioError) as probed:
        decode.probe(io.BytesIO(data))
    assert probed.value.reason == refused.value.reason
    return refused.value.reason


def test_what_is_cut_is_refused(tmp_path: Path) -> None:
    x = speech_like(10.0)
    for kind, codec, rate, expected in [
        ("webm", "libopus", 48_000, "truncated"),
        ("adts", "aac", RATE, "damaged"),
        ("mp4", "aac", RATE, "damaged"),
    ]:
        data = made(x, kind, codec, rate)
        assert reason(data[: len(data) // 2]) == expected
    path = tmp_path / "table first.mp4"
    write(str(path), x, "mp4", "aac", RATE, movflags="faststart")
    data = path.read_bytes()
    assert reason(data[: len(data) // 2]) in {"damaged", "truncated"}


def test_containers_without_sound_are_refused() -> None:
    assert reason(b"\0\0\0\x1cftypisom" + bytes(1000)) == "damaged"
    assert reason(b"\x1aE\xdf\xa3" + bytes(1000)) == "damaged"
