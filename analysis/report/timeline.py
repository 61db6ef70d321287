"""How requests did over the time of the input: what the phases of a run are drawn over."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from analysis.observations import Observations

__all__ = ["Bin", "Timeline", "timeline"]

BINS = 90
OUTLIERS = 0.001
"""Part of the traces at either end that may lie outside: one wrong clock must not stretch the picture over years."""


@dataclass(frozen=True, slots=True)
class Bin:
    """Traces whose root started in this stretch; the percentiles are null when there is none."""

    start_ns: int
    end_ns: int
    traces: int
    failed: int
    p50_ms: float | None
    p95_ms: float | None


@dataclass(frozen=True, slots=True)
class Timeline:
    """All operations together, over equal stretches of time without holes."""

    bins: tuple[Bin, ...]


def timeline(observations: Observations, bins: int = BINS) -> Timeline | None:
    """Null when there are no two moments to draw between. O(n log n) in the number of traces."""
    starts = observations.traces["start_ns"].to_numpy()
    if len(starts) < 2:
        return None
    order = np.argsort(starts, kind="stable")
    skipped = int(len(starts) * OUTLIERS)
    order = order[skipped : len(order) - skipped]
    starts = starts[order]
    first, last = int(starts[0]), int(starts[-1])
    if last <= first:
        return None
    durations = observations.traces["duration_ns"].to_numpy()[order] / 1e6
    failed = observations.traces["failed"].to_numpy()[order]
    edges = [first + (last - first) * index // bins for index in range(bins)] + [last + 1]
    cuts = np.searchsorted(starts, edges)
    return Timeline(
        tuple(
            _bin(edges[index], edges[index + 1], durations[low:high], int(failed[low:high].sum()))
            for index, (low, high) in enumerate(pairwise(cuts))
        )
    )


def _bin(start_ns: int, end_ns: int, durations_ms: np.ndarray, failed: int) -> Bin:
    if not len(durations_ms):
        return Bin(start_ns, end_ns, 0, 0, None, None)
    p50, p95 = np.quantile(durations_ms, (0.5, 0.95))
    return Bin(start_ns, end_ns, len(durations_ms), failed, float(p50), float(p95))
