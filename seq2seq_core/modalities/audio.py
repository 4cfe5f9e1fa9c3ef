"""A side of sound: encoded files in; FLAC of one channel, then log-mel frames, then padded and normalised rows, out.

raw       struct of `bytes`, and where they are known `path`, `speaker` and `seconds` (`audio.terms.AUDIO_VALUE`)
staged    struct of samples (16 bits, one channel: FLAC, or plain where they become frames), their digest, who speaks,
          and what was measured
content   FLAC, or float16 frames, as `store` says: the cache of the loader holds the same frames of either
padded    float32, B x S x mels, filled up with zeros
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pydantic
from pydantic import Field

from seq2seq_core.audio.decode import decode
from seq2seq_core.audio.features import FilterBankConfig, Frames
from seq2seq_core.audio.measures import measure
from seq2seq_core.audio.problems import problem_of, wrong_duration
from seq2seq_core.audio.signal import change_speed, from_pcm16, mono, pcm16, resample, to_loudness
from seq2seq_core.audio.terms import AudioError, Samples
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
from seq2seq_core.modalities.codings import CODINGS, FLAC, Coding
from seq2seq_core.modalities.frames import Statistics, by_row, by_statistics, statistics_of, sums_of
from seq2seq_core.modalities.utterances import (
    MEASURED,
    NOTHING,
    STAGED,
    Utterance,
    digest_of,
    fields_of,
    struct_of,
    texts_of,
)
from seq2seq_core.records import Problem
from seq2seq_core.stopping import interrupts_wait
from seq2seq_core.text.column import TextColumn
from seq2seq_core.text.normalize import NormalizeConfig
from seq2seq_core.tokenizer.model import Tokenizer

_FRAMES = pa.large_list(pa.field("item", pa.float16(), nullable=False))
_NAME = pa.dictionary(pa.int32(), pa.string())
_SUMMED_FRAMES = 1 << 17  # of a shard: 22 minutes of frames of 10 ms

_Speed = Annotated[float, Field(ge=0.5, le=2)]


class Audio(Modality, FilterBankConfig):
    """Speech, as frames of log-mel filter banks."""

    raw: ClassVar[Raw] = "values"
    has_text: ClassVar[bool] = False
    measured: ClassVar[tuple[str, ...]] = MEASURED
    row_group_positions: ClassVar[int] = 1 << 17
    effort: ClassVar[int] = 512
    unit: ClassVar[str] = "frames"
    longest_counted: ClassVar[int] = 8192
    metric: ClassVar[Literal["bleu", "wer"]] = "wer"
    longest: ClassVar[int] = 3000

    kind: Literal["audio"] = "audio"
    channel: int | None = Field(None, ge=0, lt=1 << 16, description="the channel that is heard, from 0; null mixes all")
    loudness: float | None = Field(None, ge=-60, le=0, description="level that every utterance is brought to, in dBFS")
    speeds: tuple[_Speed, ...] = Field(
        (), description="speeds that training rows are given at, 1 among them: [0.9, 1, 1.1] makes three of each"
    )
    max_bytes: int = Field(64 << 20, ge=1, lt=1 << 31, description="larger files of one utterance are set aside")
    split_by: Literal["speaker", "utterance"] = Field(
        "speaker", description="what stands on one side alone of a split by share; speaker: where it is known"
    )
    store: Literal["flac", "features"] = Field("flac", description="what shards hold: FLAC, or float16 frames")
    cmvn: Literal["utterance", "global", "none"] = Field(
        "utterance", description="over what frames are brought to mean 0 and deviation 1"
    )
    statistics: Statistics = Field(Statistics(), description="what global normalisation goes by")

    @pydantic.model_validator(mode="after")
    def _fits(self) -> Self:
        found = {len(numbers) for numbers in (self.statistics.mean, self.statistics.deviation)}
        if len(found) > 1 or not found <= {0, self.mels}:
            raise ValueError(f"statistics need a mean and a deviation for each of {self.mels} mels")
        if self.speeds and (1 not in self.speeds or len(set(self.speeds)) < len(self.speeds)):
            raise ValueError(f"speeds are different, and 1 is among them; found {list(self.speeds)}")
        return self

    def samples_of(self, data: bytes) -> Samples:
        """See `Sound`: rounded to 16 bits, as shards have them."""
        return from_pcm16(self._pcm(*self._heard(data)))

    def as_stored(self, x: Samples) -> Samples:
        """See `Sound`."""
        return from_pcm16(self._pcm(x, self.rate))

    def features(self, x: Samples) -> Frames:
        """See `Sound`."""
        return self._bank.log_mel(x)

    @property
    def _bank(self) -> FilterBankConfig:
        return FilterBankConfig.model_construct(**{name: getattr(self, name) for name in FilterBankConfig.model_fields})

    @property
    def meaning(self) -> Mapping[str, object]:
        """See `Modality`: how samples become frames, and what these are normalised by."""
        return {**self._bank.model_dump(), "cmvn": self.cmvn}

    def _heard(self, data: bytes) -> tuple[Samples, int]:
        """One channel, at the rate it has."""
        signal = decode(data)
        x = mono(signal, self.channel)
        if not np.isfinite(x).all():
            raise AudioError("damaged", found="samples that are no finite numbers")
        return x, signal.rate

    def _pcm(self, x: Samples, rate: int) -> npt.NDArray[np.int16]:
        x = resample(x, rate, self.rate)
        return pcm16(x if self.loudness is None else to_loudness(x, self.loudness))

    def staged_type(self) -> pa.DataType:
        """See `Modality`."""
        return STAGED

    def normalized(self, raw: pa.Array, settings: NormalizeConfig) -> Normalized:
        """See `Modality`: decoded, one channel at one rate and loudness, and measured as it was recorded."""
        del settings
        fields = fields_of(raw)
        problems: list[Problem] = []
        rows: list[Utterance] = []
        for octets in fields["bytes"]:
            try:
                with interrupts_wait():
                    rows.append(self._utterance(octets.as_py()))
            except AudioError as error:
                problems.append(problem_of(len(rows), error))
                rows.append(NOTHING)
        measures = {name: np.array([getattr(row.measures, name) for row in rows], np.float64) for name in MEASURED}
        problems += _lying(fields, measures["seconds"], {problem.row for problem in problems})
        columns = {"samples": [row.samples for row in rows], "digest": [row.digest for row in rows], **measures}
        columns |= {"speed": np.ones(len(rows)), **{name: texts_of(fields, name) for name in ("path", "speaker")}}
        text = TextColumn(pa.repeat(pa.scalar("", pa.string()), len(raw)))
        return Normalized(struct_of(columns), text, problems, measures)

    def _utterance(self, data: bytes | None) -> Utterance:
        if data is None or len(data) > self.max_bytes:
            found = "no bytes" if data is None else f"{len(data)} bytes"
            raise AudioError("undecodable", found=found, expected=f"1 to {self.max_bytes} bytes")
        x, rate = self._heard(data)
        pcm = self._pcm(x, rate)
        kept = self._coding.kept(data, self.rate) if self.loudness is None else None
        return Utterance(kept or self._coding.encode(pcm, self.rate), digest_of(pcm), measure(x, rate))

    @property
    def _coding(self) -> Coding:
        """Of staged samples."""
        return CODINGS[self.store]

    def staged(self, normalized: pa.Array) -> pa.Array:
        """See `Modality`."""
        return normalized

    def keys(self, rows: pa.Array) -> pa.Array:
        """See `Modality`: the digest of the samples."""
        return rows.field("digest").cast(pa.large_binary())

    def split_keys(self, rows: pa.Array) -> pa.Array:
        """See `Modality`: who speaks, where that is known and asked for."""
        keys = self.keys(rows)
        if self.split_by == "utterance":
            return keys
        return pc.coalesce(rows.field("speaker").cast(pa.large_string()).cast(pa.large_binary()), keys)

    @property
    def notes(self) -> Mapping[str, pa.DataType]:
        """See `Modality`: who speaks (null where unknown), what was measured, and how many times as fast a copy is."""
        return {"speaker": _NAME, **dict.fromkeys((*MEASURED, "speed"), pa.float32())}

    def noted(self, staged: pa.Array) -> Mapping[str, pa.Array]:
        """See `Modality`."""
        held = {name: staged.field(name) for name in self.notes}
        return held | {"speaker": held["speaker"].dictionary_encode()}

    def copies(self, staged: pa.Array) -> Iterator[tuple[str, pa.Array]]:
        """See `Modality`: at other speeds."""
        for speed in self.speeds:
            if speed != 1:
                yield f"speed {speed:g}", self._at_speed(staged, speed)

    def _at_speed(self, staged: pa.Array, speed: float) -> pa.Array:
        coding = self._coding
        heard = (from_pcm16(coding.decode(octets.as_buffer())) for octets in staged.field("samples"))
        rows = [pcm16(change_speed(x, speed)) for x in heard]
        columns: dict[str, Any] = {field.name: staged.field(field.name) for field in STAGED}
        columns |= {"samples": [coding.encode(pcm, self.rate) for pcm in rows]}
        columns |= {"digest": [digest_of(pcm) for pcm in rows]}
        columns |= {"seconds": [len(pcm) / self.rate for pcm in rows], "speed": [speed] * len(rows)}
        return struct_of(columns)

    def sums(self, content: pa.ChunkedArray) -> tuple[float, ...]:
        """See `Modality`: of the frames of the first rows."""
        if self.cmvn != "global" or self.statistics.mean or not len(content):
            return ()
        rows = int(np.searchsorted(np.cumsum(self.lengths(content)), _SUMMED_FRAMES, side="right"))
        return sums_of(self.flat(content.slice(0, max(1, rows))))

    def settled(self, sums: Sequence[Sequence[float]]) -> Self:
        """See `Modality`: with the statistics of the frames that were added up."""
        return self.model_copy(update={"statistics": statistics_of(sums)}) if any(sums) else self

    def content_type(self, vocabulary: int | None) -> pa.DataType:
        """See `Modality`."""
        del vocabulary
        return pa.large_binary() if self.store == "flac" else _FRAMES

    def content(self, staged: pa.Array, tokenizer: Tokenizer | None) -> pa.Array:
        """See `Modality`."""
        del tokenizer
        samples = staged.field("samples")
        if self.store == "flac":
            return samples
        frames = self._frames_of(pa.chunked_array([samples]), self._coding)
        offsets = np.concatenate([[0], np.cumsum(self._counts(samples, self._coding) * self.mels)])
        values = pa.array(frames.reshape(-1))
        return pa.LargeListArray.from_arrays(pa.array(offsets, pa.int64()), values).cast(_FRAMES)

    def lengths(self, content: pa.ChunkedArray) -> npt.NDArray[np.int64]:
        """See `Modality`: frames."""
        if self.store == "flac":
            counts = (self._counts(chunk, FLAC) for chunk in content.chunks)
            return np.concatenate([np.zeros(0, np.int64), *counts])
        numbers: npt.NDArray[np.int64] = pc.list_value_length(content).to_numpy()
        return numbers // self.mels

    def _counts(self, encoded: pa.Array, coding: Coding) -> npt.NDArray[np.int64]:
        return self.frames_of(coding.sample_counts(encoded))

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

    def playable(self, content: pa.ChunkedArray) -> list[bytes | None]:
        """See `Sound`."""
        return [row.as_py() if self.store == "flac" else None for row in content]

    def flat(self, content: pa.ChunkedArray) -> npt.NDArray[Any]:
        """See `Modality`: frames before normalisation."""
        if self.store == "flac":
            return self._frames_of(content, FLAC)
        numbers: npt.NDArray[Any] = pc.list_flatten(content).to_numpy()
        return numbers.reshape(-1, self.mels)

    def _frames_of(self, encoded: pa.ChunkedArray, coding: Coding) -> npt.NDArray[np.float16]:
        """The frames of all rows, one row after the other."""
        counts = np.concatenate([np.zeros(0, np.int64), *(self._counts(chunk, coding) for chunk in encoded.chunks)])
        frames = np.empty((int(counts.sum()), self.mels), np.float16)
        rows = (from_pcm16(coding.decode(row.as_buffer())) for chunk in encoded.chunks for row in chunk)
        begin = 0
        for found in self._bank.log_mels(rows):
            frames[begin : begin + len(found)] = found
            begin += len(found)
        return frames

    def padded(self, rows: Ragged) -> Padded:
        """See `Modality`: normalised; a row without frames has one of zeros."""
        positions = max(1, int(rows.lengths.max(initial=0)))
        padded = np.zeros((len(rows.lengths), positions, self.mels), np.float32)
        padded[np.arange(positions) < rows.lengths[:, None]] = self._normalised(rows)
        return Padded(padded, np.maximum(rows.lengths, 1))

    def _normalised(self, rows: Ragged) -> npt.NDArray[Any]:
        if self.cmvn == "none" or not len(rows.flat):
            return rows.flat
        return by_row(rows) if self.cmvn == "utterance" else by_statistics(rows.flat, self.statistics)

    def encoder_input(self, vocabulary: int | None) -> EncoderInput:
        """See `Modality`."""
        del vocabulary
        return Vectors(self.mels)


def _lying(fields: Mapping[str, pa.Array], seconds: npt.NDArray[np.float64], unusable: set[int]) -> Iterator[Problem]:
    """The rows that are not as long as they say."""
    if "seconds" in fields:
        for row, told in enumerate(fields["seconds"].to_pylist()):
            problem = wrong_duration(row, float(seconds[row]), told)
            if problem is not None and row not in unusable:
                yield problem
