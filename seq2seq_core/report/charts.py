"""Curves and histograms in, inline SVG out that takes its colours and fonts from the page around it.

Matplotlib draws in placeholder colours; each becomes a CSS variable, so one drawing suits light and dark pages. The
same data gives the same bytes.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator, PercentFormatter

_INK, _GRID, _FIRST, _SECOND = "#010203", "#010204", "#010205", "#010206"
_VARIABLES = {_INK: "--soft", _GRID: "--line", _FIRST: "--first", _SECOND: "--second"}
_COLOURS = (_FIRST, _SECOND)
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.size": 9,
    "text.color": _INK,
    "axes.labelcolor": _INK,
    "axes.edgecolor": _GRID,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "grid.color": _GRID,
    "grid.linewidth": 0.8,
    "xtick.color": _GRID,
    "xtick.labelcolor": _INK,
    "ytick.color": _GRID,
    "ytick.labelcolor": _INK,
    "ytick.left": False,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "lines.solid_capstyle": "round",
}
_INCHES = (4.6, 2.5)
_MOST_POINTS = 600
_FONT = re.compile(r"font: ([\d.]+)px [^;\"]+")
_PROLOGUE = re.compile(r"^.*?(?=<svg )", re.DOTALL)
_SIZE = re.compile(r'<svg ([^>]*?)width="[^"]*" height="[^"]*"|<svg ([^>]*?)height="[^"]*" ([^>]*?)width="[^"]*"')
_METADATA = re.compile(r" *<metadata>.*?</metadata>\n", re.DOTALL)


@dataclass(frozen=True)
class Series:
    """A named curve; points that are no finite numbers are left out."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    marked: bool = False


@dataclass(frozen=True)
class Bars:
    """A named histogram: `counts[i]` rows have the value i."""

    name: str
    counts: Sequence[int]


def curves(label: str, series: Sequence[Series], *, logarithmic: bool = False, along: str = "step") -> str:
    """Curves over optimizer steps, or what they go `along`; `label` is what a screen reader says."""
    with mpl.rc_context({**_STYLE, "svg.hashsalt": label}):
        figure, axes = _empty()
        for one, colour in zip(series, _COLOURS, strict=False):
            x, y = _finite(one, positive=logarithmic)
            marker = {"marker": "o", "markersize": 3.2} if one.marked else {}
            axes.plot(x, y, color=colour, label=one.name, **marker)  # type: ignore[arg-type]
        if logarithmic:
            _scale_logarithmically(axes)
        axes.set_xlabel(along)
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        axes.xaxis.set_major_formatter(FuncFormatter(_thousands))
        if len(series) > 1:
            axes.legend(loc="best", handlelength=1.2)
        return _svg(figure, label)


def histogram(label: str, bars: Bars, colour: int = 0) -> str:
    """One histogram of lengths, cut where 99.9 % of the rows are shown."""
    with mpl.rc_context({**_STYLE, "svg.hashsalt": label}):
        figure, axes = _empty()
        counts = _without_tail(bars.counts)
        axes.stairs(counts, np.arange(len(counts) + 1) - 0.5, fill=True, color=_COLOURS[colour])
        axes.set_xlabel(bars.name)
        axes.set_xlim(left=-0.5)
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
        axes.yaxis.set_major_formatter(FuncFormatter(_thousands))
        return _svg(figure, label)


def outlines(label: str, edges: Sequence[float], histograms: Sequence[Bars]) -> str:
    """Histograms over the same bins, as shares of their rows; each is named by its `name`."""
    with mpl.rc_context({**_STYLE, "svg.hashsalt": label}):
        figure, axes = _empty()
        for bars, colour in zip(histograms, _COLOURS, strict=False):
            shares = np.asarray(bars.counts, np.float64) / max(1, sum(bars.counts))
            axes.stairs(shares, edges, color=colour, linewidth=1.6, label=bars.name)
            axes.stairs(shares, edges, color=colour, fill=True, alpha=0.14)
        axes.set_xlabel(label)
        axes.set_xlim(*_used(edges, histograms))
        axes.yaxis.set_major_locator(MaxNLocator(4))
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        if len(histograms) > 1:
            axes.legend(loc="best", handlelength=1.2)
        return _svg(figure, label)


def ratios(label: str, octaves: int, bars: Bars) -> str:
    """A histogram over the logarithm of a ratio, from 1 : 2^octaves to 2^octaves : 1."""
    with mpl.rc_context({**_STYLE, "svg.hashsalt": label}):
        figure, axes = _empty()
        axes.stairs(bars.counts, np.linspace(-octaves, octaves, len(bars.counts) + 1), fill=True, color=_FIRST)
        axes.set_xlabel(bars.name)
        axes.set_xticks(range(-octaves, octaves + 1))
        axes.xaxis.set_major_formatter(FuncFormatter(_as_ratio))
        axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
        axes.yaxis.set_major_formatter(FuncFormatter(_thousands))
        return _svg(figure, label)


def _used(edges: Sequence[float], histograms: Sequence[Bars]) -> tuple[float, float]:
    """The range of the bins that hold something, one more on each side."""
    total = np.sum([bars.counts for bars in histograms], axis=0)
    held = np.flatnonzero(total)
    first, last = (int(held[0]), int(held[-1]) + 1) if len(held) else (0, len(edges) - 1)
    return edges[max(0, first - 1)], edges[min(len(edges) - 1, last + 1)]


def _as_ratio(value: float, _position: int | None = None) -> str:
    whole = f"{2.0 ** abs(value):g}"
    return f"{whole} : 1" if value >= 0 else f"1 : {whole}"


def _empty() -> tuple[Figure, Axes]:
    figure = Figure(figsize=_INCHES, layout="constrained")
    axes = figure.add_subplot()
    figure.patch.set_alpha(0)
    axes.patch.set_alpha(0)
    axes.margins(x=0.02)
    return figure, axes


def _finite(series: Series, *, positive: bool) -> tuple[list[float], list[float]]:
    """The points that can be drawn, thinned evenly where there are very many."""
    stride = max(1, len(series.x) // _MOST_POINTS)
    points = [
        (x, y)
        for x, y in list(zip(series.x, series.y, strict=True))[::stride]
        if math.isfinite(y) and (y > 0 or not positive)
    ]
    return [x for x, _ in points], [y for _, y in points]


def _scale_logarithmically(axes: Axes) -> None:
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_locator(NullLocator())


def _without_tail(counts: Sequence[int]) -> list[int]:
    """The histogram up to the length below which 99.9 % of the rows lie."""
    cumulative = np.cumsum(counts)
    end = int(np.searchsorted(cumulative, 0.999 * cumulative[-1])) + 1 if len(counts) else 0
    return list(counts[:end])


def _thousands(value: float, _position: int | None = None) -> str:
    return f"{value:,.0f}"


def _svg(figure: Figure, label: str) -> str:
    """The drawing as one <svg> element: scalable, labelled, its colours and fonts those of the page."""
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None})
    text = _METADATA.sub("", _PROLOGUE.sub("", out.getvalue()))
    for colour, variable in _VARIABLES.items():
        text = text.replace(colour, f"var({variable})")
    text = _FONT.sub(r"font: \1px var(--sans)", text)
    prefix = re.sub(r"\W+", "-", label).lower()
    text = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{prefix}-", text)
    head, body = text.split(">", 1)
    view_box = re.search(r'viewBox="[^"]+"', head)
    box = view_box[0] if view_box else ""
    return f'<svg {box} xmlns:xlink="http://www.w3.org/1999/xlink" role="img" aria-label="{label}">{body.strip()}'
