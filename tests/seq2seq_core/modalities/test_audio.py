"""Sound in any form becomes the same frames, whatever shards hold of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pydantic import ValidationError

from seq2seq_core.audio import flac
from seq2seq_core.audio.signal import from_pcm16
from seq2seq_core.audio.terms import AUDIO_VALUE
from seq2seq_core.modalities.audio import Audio
from seq2seq_core.modalities.base import Normalized, Ragged, Vectors
from seq2seq_core.modalities.sound import Sound
from seq2seq_core.text.normalize import NormalizeConfig
from tests.spoken import sound_file


def tone(seconds: float, hertz: float = 440.0, rate: int = 16_000) -> np.ndarray:
    return (0.3 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)).astype(np.float32)


def wav(samples: np.ndarray, rate: int = 16_000) -> bytes:
    return sound_file(samples, rate, subtype="FLOAT")


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
        np.testing.assert_allclose(padded[2].mean(axis=0), 0, atol=1e-3)


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


def normalized(audio: Audio, raw: pa.Array) -> Normalized:
    return audio.normalized(raw, NormalizeConfig())


def test_equal_samples_have_equal_keys_whatever_holds_them() -> None:
    encoded = sound_file(tone(0.5), 16_000, kind="FLAC", subtype="PCM_16")
    heard = from_pcm16(flac.decode(encoded))
    keys = Audio().keys(normalized(Audio(), values(encoded, wav(heard), wav(heard * 0.5))).column).to_pylist()
    assert keys[0] == keys[1] != keys[2]
    assert [len(key) for key in keys] == [16] * 3


@pytest.mark.parametrize("more", [{}, {"loudness": -20.0}, {"rate": 8000}])
def test_flac_that_nothing_changes_is_not_encoded_anew(more: dict[str, Any]) -> None:
    encoded = sound_file(tone(0.5), 16_000, kind="FLAC", subtype="PCM_16")
    (held,) = Audio(**more).content(normalized(Audio(**more), values(encoded)).column, None).to_pylist()
    assert (held == flac.without_tags(encoded, 16_000)) == (not more)
    assert len(flac.decode(held)) == (4000 if "rate" in more else 8000)


def test_rows_are_as_long_as_they_say() -> None:
    told = [(wav(tone(2.0)), 2.2), (wav(tone(2.0)), 3.0), (wav(tone(2.0)), None), (b"no sound", 3.0)]
    raw = pa.array([{"bytes": data, "seconds": seconds} for data, seconds in told], AUDIO_VALUE)
    problems = normalized(Audio(), raw).problems
    assert sorted((problem.row, problem.rule) for problem in problems) == [
        (1, "wrong_duration"),
        (3, "undecodable_audio"),
    ]


def test_a_speaker_is_a_group_where_known() -> None:
    raw = pa.array(
        [
            {"bytes": wav(tone(0.2, hertz)), "speaker": name}
            for hertz, name in ((200, "ä"), (300, "ä"), (400, None), (500, ""))
        ],
        pa.struct([("bytes", pa.binary()), ("speaker", pa.string())]),
    )
    column = normalized(Audio(), raw).column
    keys = Audio().keys(column).to_pylist()
    assert Audio().split_keys(column).to_pylist() == ["ä".encode(), "ä".encode(), *keys[2:]]
    assert Audio(split_by="utterance").split_keys(column).to_pylist() == keys
    noted = Audio().noted(column)
    assert {name: held.type for name, held in noted.items()} == Audio().notes
    assert noted["speaker"].to_pylist() == ["ä", "ä", None, None]


@pytest.mark.parametrize("kind", ["bytes alone", "large", "read as bytes", "sliced"])
def test_values_of_any_layout_are_read(kind: str) -> None:
    data = [wav(tone(0.2)), wav(tone(0.3))]
    raw: pa.Array = values(*data)
    if kind == "bytes alone":
        raw = pa.array(data, pa.binary())
    if kind == "large":
        raw = pa.array(data, pa.large_binary())
    if kind == "read as bytes":
        path = pa.array([b"a.wav", b"\xff.wav"], pa.binary())
        raw = pa.StructArray.from_arrays([pa.array(data), path], ["bytes", "path"])
    if kind == "sliced":
        raw = values(b"no sound", *data).slice(1)
    found = normalized(Audio(), raw)
    assert not found.problems
    np.testing.assert_allclose(found.measures["seconds"], [0.2, 0.3])
    assert found.column.field("path").to_pylist()[0] == (None if kind in ("bytes alone", "large") else "a.wav")


def test_what_cannot_be_used_is_named() -> None:
    rows = [wav(tone(0.2)), b"", b"no sound at all", wav(np.full(4000, np.nan, np.float32)), bytes(2000)]
    found = normalized(Audio(max_bytes=30_000), values(*rows, wav(tone(1.0))))
    assert [problem.row for problem in found.problems] == [1, 2, 3, 4, 5]
    assert {problem.rule for problem in found.problems} == {"undecodable_audio"}
    assert found.problems[2].value == "the audio is damaged: samples that are no finite numbers"
    assert found.problems[4].value.startswith("no known kind of audio: 64")
    assert found.problems[4].threshold == "1 to 30000 bytes"
    second = normalized(Audio(channel=1), values(wav(tone(0.2)))).problems
    assert "0.2" not in second[0].value
    assert "channel" in second[0].value


def test_a_channel_is_chosen_and_loudness_is_brought_to_a_level() -> None:
    both = np.stack([tone(0.5, 300), 0.1 * tone(0.5, 900)], axis=1)
    (second,) = (Audio(channel=1).samples_of(wav(both)),)
    np.testing.assert_allclose(second, 0.1 * tone(0.5, 900), atol=1e-4)
    np.testing.assert_allclose(Audio().samples_of(wav(both)), both.mean(axis=1), atol=1e-4)
    loud = Audio(loudness=-20).samples_of(wav(0.01 * tone(0.5)))
    assert 20 * np.log10(np.sqrt(np.mean(np.square(loud)))) == pytest.approx(-20, abs=0.05)


def test_copies_are_faster_and_slower() -> None:
    audio = Audio(speeds=(1.1, 1.0, 0.9))
    column = normalized(audio, values(wav(tone(0.5)), wav(tone(1.0)))).column
    copies = dict(audio.copies(column))
    assert [*copies] == ["speed 1.1", "speed 0.9"]
    for sort, speed in (("speed 1.1", 1.1), ("speed 0.9", 0.9)):
        assert copies[sort].type == audio.staged_type()
        np.testing.assert_allclose(copies[sort].field("seconds"), np.array([0.5, 1.0]) / speed, atol=1e-4)
        assert copies[sort].field("speaker").to_pylist() == ["anna"] * 2
        assert set(audio.keys(copies[sort]).to_pylist()).isdisjoint(audio.keys(column).to_pylist())
    assert [*Audio().copies(column)] == []


def test_statistics_are_those_of_all_frames() -> None:
    audio = Audio(cmvn="global", mels=8)
    content = [
        pa.chunked_array([audio.content(normalized(audio, values(wav(tone(s, h)))).column, None)])
        for s, h in ((0.5, 300), (1.0, 900))
    ]
    settled = audio.settled([audio.sums(column) for column in content])
    flat = np.concatenate([audio.flat(column) for column in content]).astype(np.float64)
    np.testing.assert_allclose(settled.statistics.mean, flat.mean(axis=0))
    np.testing.assert_allclose(settled.statistics.deviation, flat.std(axis=0), rtol=1e-6)
    whole = settled.padded(Ragged(flat.astype(np.float16), np.array([len(flat)]))).values[0]
    np.testing.assert_allclose((whole.mean(axis=0), whole.std(axis=0)), ([0] * 8, [1] * 8), atol=1e-3)
    assert settled.sums(content[0]) == Audio(mels=8).sums(content[0]) == ()
    assert audio.settled([]) == audio


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"speeds": [0.9, 1.1]}, "1 is among them"),
        ({"speeds": [1, 1]}, "speeds are different"),
        ({"speeds": [1, 3]}, "less than or equal to 2"),
        ({"mels": 8, "statistics": {"mean": [0.0] * 8}}, "a mean and a deviation for each of 8 mels"),
        ({"statistics": {"mean": [0.0], "deviation": [1.0]}}, "for each of 80 mels"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Audio(**settings)


def test_damaged_content_is_found() -> None:
    doubt = Audio().doubt(pa.chunked_array([pa.array([b"x" * 100], pa.large_binary())]), None)
    assert doubt is not None
    assert doubt.problem == "audio"
    features = Audio(store="features", mels=4)
    content = pa.chunked_array([pa.array([[1.0, 2.0, np.inf, 0.0]], features.content_type(None))])
    assert features.doubt(content, None) == ("number", "inf", "finite numbers")
