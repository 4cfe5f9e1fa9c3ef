"""The sound of a dataset in; the drawings, tables and players of its part of the page out."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import matplotlib.image as mpl_image
import numpy as np
import numpy.typing as npt

from seq2seq_core.dataset.ledger import Ledger
from seq2seq_core.report.charts import Bars, outlines
from seq2seq_core.report.corpus.sound import Heard, Scale, SoundFigures

_HOUR = 3600
_DARKEST, _LIGHTEST = 5.0, 99.5  # percentiles of what a spectrogram shows


@dataclass(frozen=True)
class Player:
    """An utterance to look at and to hear; `image` and `audio` are data URIs, `audio` is empty where there is none."""

    heard: Heard
    about: str
    image: str
    audio: str


@dataclass(frozen=True)
class SoundSection:
    """What the template shows of a side.

    Attributes:
        side: Its name.
        splits: Split, utterances, hours, mean seconds, speakers.
        speakers: Name, utterances, minutes.
        charts: Caption and drawing.
        players: Some utterances.
        rejected: Rule, rows, hours of what was rejected; hours are empty where a row's length was not known.
        copied: Hours of other forms of training utterances; empty where there are none.
    """

    side: str
    splits: tuple[tuple[str, str, str, str, str], ...]
    speakers: tuple[tuple[str, str, str], ...]
    charts: tuple[tuple[str, str], ...]
    players: tuple[Player, ...]
    rejected: tuple[tuple[str, str, str], ...]
    copied: str


def sound_section(figures: SoundFigures, ledger: Ledger | None) -> SoundSection:
    """Draw, format and encode; `ledger` is that of the dataset."""
    return SoundSection(
        side=figures.side,
        splits=tuple(
            (
                split.split,
                f"{split.rows:,}",
                hours(split.seconds),
                f"{split.seconds / split.rows:.1f}" if split.rows else "",
                f"{split.speakers:,}" if split.speakers else "unknown",
            )
            for split in figures.splits
        ),
        speakers=tuple((s.name, f"{s.rows:,}", f"{s.seconds / 60:,.1f}") for s in figures.speakers),
        charts=tuple(_charts(figures)),
        players=tuple(_player(heard) for heard in figures.examples),
        rejected=tuple(_rejected(ledger)) if ledger else (),
        copied=hours(figures.copied_seconds) if figures.copied_seconds else "",
    )


def hours(seconds: float) -> str:
    """With as many decimals as a small corpus needs."""
    return f"{seconds / _HOUR:,.1f}" if seconds >= 100 * _HOUR else f"{seconds / _HOUR:.3g}"


def _rejected(ledger: Ledger) -> Iterator[tuple[str, str, str]]:
    """The rule with the most hours first."""
    seconds = ledger.rejected_seconds
    for rule, rows in sorted(ledger.rejected.items(), key=lambda item: (-seconds.get(item[0], 0.0), -item[1], item[0])):
        yield rule, f"{rows:,}", hours(seconds[rule]) if rule in seconds else ""


def _charts(figures: SoundFigures) -> Iterator[tuple[str, str]]:
    drawn = (
        ("Seconds", "seconds of an utterance", figures.seconds),
        ("Characters a second", "characters of text for a second of audio", figures.rate),
        ("Level", "level of an utterance in dBFS", figures.level),
        ("Silence", "share of an utterance that is silent", figures.silent),
    )
    for caption, label, scale in drawn:
        if any(scale.counts):
            yield caption, _chart(f"{label}, {figures.side}", scale)


def _chart(label: str, scale: Scale) -> str:
    return outlines(label, scale.edges, [Bars("training", scale.counts)])


def _player(heard: Heard) -> Player:
    told = [f"{heard.seconds:.1f} s", f"{heard.level:.0f} dBFS"]
    return Player(
        heard=heard,
        about=", ".join([*([heard.speaker] if heard.speaker else []), *told]),
        image=_uri("image/png", spectrogram(heard.frames)),
        audio="" if heard.audio is None else _uri("audio/flac", heard.audio),
    )


def spectrogram(frames: npt.NDArray[np.floating]) -> bytes:
    """Frames (frames x mels) as a PNG image, low tones at the bottom, a pixel a number."""
    values = np.asarray(frames, np.float32).T[::-1]
    low, high = np.percentile(values, [_DARKEST, _LIGHTEST]) if values.size else (0.0, 1.0)
    out = io.BytesIO()
    shown = values if values.size else np.zeros((1, 1), np.float32)
    nobody: dict[str, Any] = {"Software": None}
    mpl_image.imsave(out, shown, vmin=low, vmax=max(high, low + 1e-3), cmap="magma", metadata=nobody)
    return out.getvalue()


def _uri(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"
