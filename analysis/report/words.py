"""Numbers and times as people read them, the same in every report."""

from __future__ import annotations

from datetime import UTC, datetime

__all__ = [
    "bare_milliseconds",
    "clock_time",
    "count_of",
    "interval",
    "milliseconds",
    "number",
    "percent",
    "round_milliseconds",
    "signed_milliseconds",
]


def number(value: float) -> str:
    """`1234567` -> `1,234,567`."""
    return f"{value:,.0f}"


def count_of(count: int, noun: str, plural: str | None = None) -> str:
    """`1 trace`, `1,234 traces`."""
    return f"{number(count)} {noun if count == 1 else plural or noun + 's'}"


def milliseconds(ms: float | None) -> str:
    """Three digits that matter, never fewer than the whole milliseconds: `0.42 ms`, `3.4 ms`, `1,501 ms`, `12.3 s`."""
    if ms is None:
        return "–"
    size = abs(ms)
    if size >= 100_000:
        return f"{ms / 1000:,.0f} s"
    if size >= 10_000:
        return f"{ms / 1000:.1f} s"
    if size >= 100 or ms == 0:
        return f"{ms:,.0f} ms"
    if size >= 1:
        return f"{ms:.1f} ms"
    return f"{ms:.2f} ms" if size >= 0.1 else f"{ms:.2g} ms"


def bare_milliseconds(ms: float | None) -> str:
    """For columns that name the unit: `0.42`, `3.4`, `1,501`, `45,000`."""
    if ms is None:
        return "–"
    return milliseconds(ms).removesuffix(" ms") if abs(ms) < 10_000 else number(ms)


def round_milliseconds(ms: float) -> str:
    """A number on an axis: `0.5 ms`, `20 ms`, `2 s`."""
    return f"{ms / 1000:g} s" if ms >= 1000 else f"{ms:g} ms"


def signed_milliseconds(ms: float) -> str:
    return ("+" if ms > 0 else "") + milliseconds(ms).replace("-", "−")


def interval(bounds: tuple[float, float]) -> str:
    """`1,498 ms to 1,505 ms`."""
    return f"{milliseconds(bounds[0])} to {milliseconds(bounds[1])}".replace("-", "−")


def percent(part: float) -> str:
    """`0.987` -> `99 %`, `0.004` -> `0.4 %`; 100 % and 0 % are shown only for all and nothing."""
    if 0 < part < 0.01:
        return f"{max(part * 100, 0.01):.1g} %"
    if 0.99 < part < 1:
        return f"{min(part * 100, 99.9):.1f} %"
    return f"{part * 100:.0f} %"


def clock_time(time_ns: int, *, day: bool = False) -> str:
    """UTC: `14:03:22.105`, or with its day `2026-11-22 14:03:22Z`. Out of the calendar's range: the raw number."""
    try:
        moment = datetime.fromtimestamp(time_ns // 1_000_000_000, UTC)
    except (OverflowError, ValueError, OSError):
        return f"{time_ns} ns"
    if day:
        return f"{moment:%Y-%m-%d %H:%M:%S}Z"
    return f"{moment:%H:%M:%S}.{time_ns // 1_000_000 % 1000:03d}"
