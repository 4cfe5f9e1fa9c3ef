"""A side of sound: encoded files in; FLAC of one channel, then log-mel frames, then padded and normalised rows, out.

raw       struct of `bytes`, and where they are known `path` and `speaker` (`audio.terms.AUDIO_VALUE`)
staged    struct of FLAC (16 bits, one channel), its digest, who speaks, and what was measured
content   FLAC, or float16 frames, as `store` says: the cache of the loader holds the same frames of either
padded    float32, B x S x mels, filled up with zeros
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import xxhash
from pydantic import Field

from seq2seq_core.audio import flac
from seq2seq_core.audio.decode import decode
from seq2seq_core.audio.features import FilterBankConfig, Frames
from seq2seq_core.audio.measures import Measures, measure
from seq2seq_core.audio.signal import from_pcm16, mono, pcm16, resample, to_loudness
from seq2seq_core.audio.terms import AudioError, Samples
from seq2seq_core.config import Config
from seq2seq_core.modalities.base import (
    Doubt,
    Element,
    EncoderInput,
    Modality,
    Normalized,
    Padded,
    Ragged,
    Raw,
    Vectors,
)
from seq2seq_core.text.column import TextColumn
from seq2seq_core.text.normalize import NormalizeConfig
from seq2seq_core.tokenizer.model import Tokenizer

_STAGED = pa.struct(
    [
        pa.field("flac", pa.large_binary(), nullable=False),
        pa.field("digest", pa.binary(16), nullable=False),
        pa.field("path", pa.string()),
        pa.field("speaker", pa.string()),
        *(pa.field(name, pa.float32(), nullable=False) for name in ("seconds", "silent", "clipped", "level")),
    ]
)
_FRAMES = pa.large_list(pa.field("item", pa.float16(), nullable=False))
_LEAST_DEVIATION = 1e-5


class Statistics(Config):
    """Mean and deviation of every number of a frame, over a sample of a training split."""

    mean: tuple[float, ...] = Field((), description="means, one for each mel; default: found by prepare")
    deviation: tuple[float, ...] = Field((), description="deviations, likewise")


class Audio(Modality, FilterBankConfig):
    """Speech, as frames of log-mel filter banks."""

    raw: ClassVar[Raw] = "values"
    has_text: ClassVar[bool] = False
    metric: ClassVar[Literal["bleu", "wer"]] = "wer"

    kind: Literal["audio"] = "audio"
    channel: int | None = Field(None, ge=0, lt=1 << 16, description="the channel that is heard, from 0; null mixes all")
    loudness: float | None = Field(None, ge=-60, le=0, description="level that every utterance is brought to, in dBFS")
    store: Literal["flac", "features"] = Field("flac", description="what shards hold: FLAC, or float16 frames")
    cmvn: Literal["utterance", "global", "none"] = Field(
        "utterance", description="over what frames are brought to mean 0 and deviation 1"
    )
    statistics: Statistics = Field(Statistics(), description="what global normalisation goes by")

    def samples_of(self, data: bytes) -> Samples:
        """See `Sound`: rounded to 16 bits, as shards have them."""
        return from_pcm16(self._pcm(*self._heard(data)))

    def features(self, x: Samples) -> Frames:
        """See `Sound`."""
        return self._bank.log_mel(x)

    @property
    def _bank(self) -> FilterBankConfig:
        return FilterBankConfig(**{name: getattr(self, name) for name in FilterBankConfig.model_fields})

    def _heard(self, data: bytes) -> tuple[Samples, int]:
        """One channel, at the rate it has."""
        signal = decode(data)
        return mono(signal, self.channel), signal.rate

    def _pcm(self, x: Samples, rate: int) -> npt.NDArray[np.int16]:
        x = resample(x, rate, self.rate)
        return pcm16(x if self.loudness is None else to_loudness(x, self.loudness))

    def staged_type(self) -> pa.DataType:
        """See `Modality`."""
        return _STAGED

    def normalized(self, raw: pa.Array, settings: NormalizeConfig) -> Normalized:
        """See `Modality`: decoded, one channel at one rate and loudness, and measured."""
        del settings
        fields = {raw.type.field(position).name: raw.field(position) for position in range(raw.type.num_fields)}
        rows = [self._utterance(octets.as_py()) for octets in fields["bytes"]]
        columns = [pa.array([row[position] for row in rows]) for position in range(2)]
        columns += [_texts(fields.get(name), len(raw)) for name in ("path", "speaker")]
        columns += [pa.array([getattr(row.measures, f.name) for row in rows], f.type) for f in list(_STAGED)[4:]]
        arrays = [column.cast(field.type) for column, field in zip(columns, _STAGED, strict=True)]
        return Normalized(pa.StructArray.from_arrays(arrays, fields=list(_STAGED)), _no_text(len(raw)))

    def _utterance(self, data: bytes) -> _Utterance:
        x, rate = self._heard(data)
        pcm = self._pcm(x, rate)
        return _Utterance(flac.encode(pcm, self.rate), _digest(pcm), measure(x, rate))

    def staged(self, normalized: pa.Array) -> pa.Array:
        """See `Modality`."""
        return normalized

    def keys(self, rows: pa.Array) -> pa.Array:
        """See `Modality`: the digest of the samples."""
        return rows.field("digest").cast(pa.large_binary())

    def content_type(self, vocabulary: int | None) -> pa.DataType:
        """See `Modality`."""
        del vocabulary
        return pa.large_binary() if self.store == "flac" else _FRAMES

    def content(self, staged: pa.Array, tokenizer: Tokenizer | None) -> pa.Array:
        """See `Modality`."""
        del tokenizer
        encoded = staged.field("flac")
        if self.store == "flac":
            return encoded
        frames = self._frames_of(pa.chunked_array([encoded]))
        offsets = np.concatenate([[0], np.cumsum(self._counts(encoded) * self.mels)])
        values = pa.array(frames.reshape(-1))
        return pa.LargeListArray.from_arrays(pa.array(offsets, pa.int64()), values).cast(_FRAMES)

    def lengths(self, content: pa.ChunkedArray) -> npt.NDArray[np.int64]:
        """See `Modality`: frames."""
        if self.store == "flac":
            return np.concatenate([np.zeros(0, np.int64), *map(self._counts, content.chunks)])
        numbers: npt.NDArray[np.int64] = pc.list_value_length(content).to_numpy()
        return numbers // self.mels

    def _counts(self, encoded: pa.Array) -> npt.NDArray[np.int64]:
        return self.frames_of(flac.sample_counts(encoded))

    def doubt(self, content: pa.ChunkedArray, vocabulary: int | None) -> Doubt | None:
        """See `Modality`: what is no FLAC, and numbers that are none."""
        del vocabulary
        if self.store == "flac":
            try:
                self.lengths(content)
            except AudioError as error:
                return Doubt("audio", error.found, error.expected)
            return None
        flat = pc.list_flatten(content).to_numpy()
        wrong = flat[~np.isfinite(flat)]
        return Doubt("number", str(wrong[0]), "finite numbers") if wrong.size else None

    def element(self, vocabulary: int | None) -> Element:
        """See `Modality`."""
        del vocabulary
        return Element(np.dtype("<f2"), self.mels)

    def flat(self, content: pa.ChunkedArray) -> npt.NDArray[Any]:
        """See `Modality`: frames before normalisation."""
        if self.store == "flac":
            return self._frames_of(content)
        numbers: npt.NDArray[Any] = pc.list_flatten(content).to_numpy()
        return numbers.reshape(-1, self.mels)

    def _frames_of(self, encoded: pa.ChunkedArray) -> npt.NDArray[np.float16]:
        """The frames of all rows, one row after the other."""
        bank, chunks = self._bank, encoded.chunks
        ends = np.cumsum([0, *(count for chunk in chunks for count in self._counts(chunk).tolist())])
        frames = np.empty((int(ends[-1]), self.mels), np.float16)
        rows = (row for chunk in chunks for row in chunk)
        for row, begin, end in zip(rows, ends[:-1], ends[1:], strict=True):
            frames[begin:end] = bank.log_mel(from_pcm16(flac.decode(row.as_py())))
        return frames

    def padded(self, rows: Ragged) -> Padded:
        """See `Modality`: normalised, a row without frames has one of zeros."""
        positions = max(1, int(rows.lengths.max(initial=0)))
        padded = np.zeros((len(rows.lengths), positions, self.mels), np.float32)
        padded[np.arange(positions) < rows.lengths[:, None]] = self._brought_to_the_same(rows)
        return Padded(padded, np.maximum(rows.lengths, 1))

    def _brought_to_the_same(self, rows: Ragged) -> npt.NDArray[Any]:
        """All frames, with mean 0 and deviation 1 where that is asked for; each row by itself or by the statistics."""
        if self.cmvn == "none" or not len(rows.flat):
            return rows.flat
        if self.cmvn == "global":
            mean, deviation = (np.array(numbers, np.float64) for numbers in self.statistics.__dict__.values())
            return (rows.flat - mean) / np.maximum(deviation, _LEAST_DEVIATION)
        filled = rows.lengths[rows.lengths > 0]
        begins = np.cumsum(filled) - filled
        centred = rows.flat - np.repeat(_means(rows.flat, begins, filled), filled, axis=0)
        deviation = np.sqrt(_means(np.square(centred), begins, filled))
        centred /= np.repeat(np.maximum(deviation, _LEAST_DEVIATION), filled, axis=0)
        return centred

    def encoder_input(self, vocabulary: int | None) -> EncoderInput:
        """See `Modality`."""
        del vocabulary
        return Vectors(self.mels)


class _Utterance(NamedTuple):
    """What becomes of a file: 16 bits of one channel as FLAC, xxh3-128 of the samples, and their measures."""

    flac: bytes
    digest: bytes
    measures: Measures


def _digest(pcm: npt.NDArray[np.int16]) -> bytes:
    return xxhash.xxh3_128_digest(pcm.astype("<i2").tobytes())


def _texts(column: pa.Array | None, count: int) -> pa.StringArray:
    return pa.nulls(count, pa.string()) if column is None else column.cast(pa.string())


def _no_text(count: int) -> TextColumn:
    return TextColumn(pa.repeat(pa.scalar("", pa.string()), count))


def _means(
    values: npt.NDArray[Any], begins: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """The mean of every row, by itself: what its neighbours are changes no bit of it."""
    sums: npt.NDArray[np.float64] = np.add.reduceat(values, begins, axis=0, dtype=np.float64)
    return sums / lengths[:, None]
