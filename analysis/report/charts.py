"""Geometry of the report's charts, in SVG user units with y downwards. The templates only draw it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from analysis.diagnosis import PhaseSummary
from analysis.report import words
from analysis.report.distributions import Distribution, Series
from analysis.report.failure_rates import FailureRate
from analysis.report.printable import shortened
from analysis.report.timeline import Bin, Timeline

__all__ = [
    "Band",
    "Bars",
    "Curve",
    "Histogram",
    "Tick",
    "TimelineChart",
    "failure_bars",
    "histogram",
    "timeline_chart",
]


@dataclass(frozen=True, slots=True)
class Tick:
    at: float
    label: str


@dataclass(frozen=True, slots=True)
class Curve:
    """`path` is an SVG path; `median_x` marks the p50."""

    style: str
    path: str
    median_x: float
    series: Series


@dataclass(frozen=True, slots=True)
class Histogram:
    width: float
    height: float
    base_y: float
    curves: tuple[Curve, ...]
    ticks: tuple[Tick, ...]
    distribution: Distribution


@dataclass(frozen=True, slots=True)
class Band:
    """A phase behind the timeline; its `name` is cut to what fits above it."""

    phase: PhaseSummary
    x: float
    width: float
    name: str


@dataclass(frozen=True, slots=True)
class TimelineChart:
    """`failed` are bars (x, y, width, height, title) that hang from the axis below the curves."""

    width: float
    height: float
    top: float
    base_y: float
    p50: str
    p95: str
    failed: tuple[tuple[float, float, float, float, str], ...]
    bands: tuple[Band, ...]
    y_ticks: tuple[Tick, ...]
    x_ticks: tuple[Tick, ...]


@dataclass(frozen=True, slots=True)
class Bars:
    """`pieces` are (style, x, y, width, height, title); `boundaries` are where phases begin."""

    width: float
    height: float
    base_y: float
    pieces: tuple[tuple[str, float, float, float, float, str], ...]
    boundaries: tuple[Band, ...]
    rate: FailureRate


def failure_bars(rate: FailureRate, phases: Sequence[PhaseSummary], width: float = 400, height: float = 128) -> Bars:
    """Crossings over time: those that did their work below, those that failed on top of them."""
    base_y, top = height - 4, 18.0
    most = max(piece.well + piece.failed for piece in rate.bins) or 1
    start_ns, end_ns = rate.bins[0].start_ns, rate.bins[-1].end_ns
    scale = (base_y - top) / most

    def x(time_ns: int) -> float:
        return width * (min(max(time_ns, start_ns), end_ns) - start_ns) / (end_ns - start_ns)

    pieces: list[tuple[str, float, float, float, float, str]] = []
    for piece in rate.bins:
        left, wide = x(piece.start_ns), max(x(piece.end_ns) - x(piece.start_ns) - 1, 1.0)
        title = f"{words.clock_time(piece.start_ns)}: {piece.failed} of {piece.well + piece.failed} failed"
        well, failed = piece.well * scale, piece.failed * scale
        if piece.well:
            pieces.append(("before", left, base_y - well, wide, well, title))
        if piece.failed:
            pieces.append(("after", left, base_y - well - failed, wide, failed, title))
    boundaries = tuple(_band(phase, x) for phase in phases if phase.end_ns > start_ns and phase.start_ns < end_ns)
    return Bars(width, height, base_y, tuple(pieces), boundaries, rate)


def histogram(distribution: Distribution, width: float = 400, height: float = 128) -> Histogram:
    """Both samples as areas over one axis, each scaled to the share of its own sample."""
    base_y, low, high = height - 20, distribution.edges_ms[0], distribution.edges_ms[-1]

    def x(ms: float) -> float:
        clipped = min(max(ms, low), high)
        if distribution.logarithmic:
            return width * math.log(clipped / low) / math.log(high / low)
        return width * (clipped - low) / (high - low)

    peak = max(share for series in distribution.series for share in series.shares) or 1.0
    edges = [x(edge) for edge in distribution.edges_ms]
    styles = ("before", "after") if len(distribution.series) > 1 else ("after",)
    curves = tuple(
        Curve(style, _steps(series.shares, edges, base_y, (base_y - 6) / peak), x(series.p50_ms), series)
        for style, series in zip(styles, distribution.series, strict=True)
    )
    marks = _powers(low, high) if distribution.logarithmic else _round_steps(low, high, 4)
    ticks = _apart([Tick(x(ms), words.round_milliseconds(ms)) for ms in marks], 62)
    return Histogram(width, height, base_y, curves, tuple(ticks), distribution)


def _steps(shares: Sequence[float], edges: Sequence[float], base_y: float, scale: float) -> str:
    points = [f"M{edges[0]:.1f},{base_y:.1f}"]
    for share, left, right in zip(shares, edges[:-1], edges[1:], strict=True):
        y = base_y - share * scale
        points.append(f"L{left:.1f},{y:.1f} L{right:.1f},{y:.1f}")
    return " ".join([*points, f"L{edges[-1]:.1f},{base_y:.1f} Z"])


def _powers(low: float, high: float) -> list[float]:
    """1, 2, 5, 10, … within the bounds; only powers of ten when that is plenty."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    factors = (1,) if len(decades) > 4 else (1, 2, 5)
    marks = [factor * 10.0**decade for decade in decades for factor in factors]
    return [mark for mark in marks if low <= mark <= high]


def _round_steps(low: float, high: float, count: int) -> list[float]:
    """About `count` round numbers within the bounds."""
    rough = (high - low) / count
    magnitude = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * magnitude for factor in (1, 2, 5, 10) if factor * magnitude >= rough)
    first = math.ceil(low / step)
    return [index * step for index in range(first, math.floor(high / step) + 1)]


def _apart(ticks: Sequence[Tick], distance: float) -> list[Tick]:
    kept: list[Tick] = []
    for tick in ticks:
        if not kept or tick.at - kept[-1].at >= distance:
            kept.append(tick)
    return kept


def timeline_chart(
    timeline: Timeline, phases: Sequence[PhaseSummary], width: float = 1100, height: float = 220
) -> TimelineChart:
    """p50 and p95 of all requests over time (logarithmic where they spread far), failures below, phases behind."""
    bins = timeline.bins
    start_ns, end_ns = bins[0].start_ns, bins[-1].end_ns
    left, top, base_y = 62.0, 24.0, height - 46

    def x(time_ns: int) -> float:
        part = (min(max(time_ns, start_ns), end_ns) - start_ns) / (end_ns - start_ns)
        return left + part * (width - left - 4)

    known = [ms for piece in bins for ms in (piece.p50_ms, piece.p95_ms) if ms is not None]
    low, high = max(min(known), 1e-3), max(*known, 2e-3)
    logarithmic = high > low * 20
    bottom, ceiling = (low / 1.2, high * 1.2) if logarithmic else (0.0, high * 1.1)

    def y(ms: float) -> float:
        if logarithmic:
            return base_y - (base_y - top) * math.log(max(ms, bottom) / bottom) / math.log(ceiling / bottom)
        return base_y - (base_y - top) * ms / ceiling

    marks = _powers(bottom, ceiling) if logarithmic else _round_steps(bottom, ceiling, 4)
    y_ticks = _apart([Tick(-y(ms), words.round_milliseconds(ms)) for ms in marks], 18)
    seconds = _round_steps(0, (end_ns - start_ns) / 1e9, 8) if end_ns - start_ns > 1e9 else [0.0]
    return TimelineChart(
        width,
        height,
        top,
        base_y,
        _line([(x(piece.start_ns), x(piece.end_ns), piece.p50_ms) for piece in bins], y),
        _line([(x(piece.start_ns), x(piece.end_ns), piece.p95_ms) for piece in bins], y),
        _failed_bars(bins, x, base_y),
        tuple(_band(phase, x) for phase in phases if phase.end_ns > start_ns and phase.start_ns < end_ns),
        tuple(Tick(-tick.at, tick.label) for tick in y_ticks),
        tuple(Tick(x(start_ns + int(second * 1e9)), f"{second:g} s") for second in seconds),
    )


def _line(pieces: Sequence[tuple[float, float, float | None]], y: Callable[[float], float]) -> str:
    """Steps through the bins, broken where a bin has no traces."""
    path: list[str] = []
    drawing = False
    for left, right, ms in pieces:
        if ms is None:
            drawing = False
            continue
        path.append(f"{'L' if drawing else 'M'}{left:.1f},{y(ms):.1f} L{right:.1f},{y(ms):.1f}")
        drawing = True
    return " ".join(path)


def _failed_bars(
    bins: Sequence[Bin], x: Callable[[int], float], base_y: float
) -> tuple[tuple[float, float, float, float, str], ...]:
    most = max((piece.failed for piece in bins), default=0)
    return tuple(
        (
            x(piece.start_ns),
            base_y + 2,
            max(x(piece.end_ns) - x(piece.start_ns) - 1, 1.0),
            3 + 17 * piece.failed / most,
            f"{words.clock_time(piece.start_ns)}: {piece.failed} of {piece.traces} failed",
        )
        for piece in bins
        if piece.failed
    )


def _band(phase: PhaseSummary, x: Callable[[int], float]) -> Band:
    left, right = x(phase.start_ns), x(phase.end_ns)
    return Band(phase, left, right - left, shortened(phase.name, int((right - left) / 6.5)))
