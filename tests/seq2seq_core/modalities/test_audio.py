"""Sound in any form becomes the same frames, whatever shards hold of it."""

from __future__ import annotations

import io

import numpy as np
import pyarrow as pa
import pytest
import soundfile

from seq2seq_core.audio.terms import AUDIO_VALUE
from seq2seq_core.modalities.audio import Audio
from seq2seq_core.modalities.base import Ragged, Vectors
from seq2seq_core.modalities.sound import Sound
from seq2seq_core.text.normalize import NormalizeConfig


def tone(seconds: float, hertz: float = 440.0, rate: int = 16_000) -> np.ndarray:
    return (0.3 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)).astype(np.float32)


def wav(samples: np.ndarray, rate: int = 16_000) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format="WAV", subtype="FLOAT")
    return file.getvalue()


def values(*rows: bytes) -> pa.StructArray:
    return pa.array([{"bytes": row, "path": "a.wav", "speaker": "anna"} for row in rows], AUDIO_VALUE)


ROWS = values(wav(tone(0.5)), wav(tone(0.01)), wav(np.stack([tone(1.0, 200, 8000)] * 2, axis=1), 8000))


@pytest.mark.parametrize("cmvn", ["utterance", "none"])
def test_both_stores_give_the_same_frames(cmvn: str) -> None:
    found = []
    for store in ("flac", "features"):
        audio = Audio(store=store, cmvn=cmvn, mels=40)
        staged = audio.staged(audio.normalized(ROWS, NormalizeConfig()).column)
        assert staged.type == audio.staged_type()
        content = audio.content(staged, None)
        assert content.type == audio.content_type(None)
        column = pa.chunked_array([content.slice(0, 1), content.slice(1)])
        lengths, flat = audio.lengths(column), audio.flat(column)
        assert lengths.tolist() == [48, 0, 98]
        assert (flat.dtype, flat.shape) == (np.dtype("<f2"), (146, 40))
        assert audio.element(None) == (np.dtype("<f2"), 40)
        assert audio.doubt(column, None) is None
        found.append((flat.tobytes(), audio.padded(Ragged(flat, lengths))))
    assert found[0][0] == found[1][0]
    padded, lengths = found[0][1]
    assert (padded.dtype, padded.shape, lengths.tolist()) == (np.float32, (3, 98, 40), [48, 1, 98])
    assert not padded[1].any()
    assert not padded[0, 48:].any()
    if cmvn == "utterance":
        np.testing.assert_allclose(padded[2].mean(axis=0), 0, atol=1e-5)


def test_what_a_model_hears_is_what_shards_hold() -> None:
    audio = Audio()
    assert isinstance(audio, Sound)
    content = audio.content(audio.normalized(ROWS, NormalizeConfig()).column, None)
    stored = audio.flat(pa.chunked_array([content]))
    heard = [audio.features(audio.samples_of(row["bytes"].as_py())) for row in ROWS]
    assert np.array_equal(np.concatenate(heard).astype(np.float16), stored)
    assert audio.encoder_input(None) == Vectors(80)


def test_a_row_does_not_depend_on_its_neighbours() -> None:
    audio, draw = Audio(mels=16), np.random.default_rng(1)
    flat, lengths = draw.normal(size=(400, 16)).astype(np.float16), np.array([100, 0, 250, 50])
    whole = audio.padded(Ragged(flat, lengths)).values
    for row, end in enumerate(np.cumsum(lengths).tolist()):
        alone = audio.padded(Ragged(flat[end - lengths[row] : end], lengths[row : row + 1])).values[0]
        assert np.array_equal(whole[row, : len(alone)], alone)


def test_equal_samples_have_equal_keys_whatever_holds_them() -> None:
    file = io.BytesIO()
    soundfile.write(file, tone(0.5), 16_000, format="FLAC", subtype="PCM_16")
    audio = Audio()
    column = audio.normalized(
        values(file.getvalue(), wav(soundfile.read(io.BytesIO(file.getvalue()))[0])), NormalizeConfig()
    ).column
    one, other = audio.keys(column).to_pylist()
    assert one == other
    assert len(one) == 16
