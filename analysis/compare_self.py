"""A baseline out of the traces themselves: the slow ones of each operation against its fast ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from analysis.compare_frame import Flags, Floats, Frame
from analysis.compare_samples import BASELINE, CURRENT

__all__ = ["FEWEST_TRACES", "self_baseline", "slow_from"]

FEWEST_TRACES = 12
FEWEST_SLOW = 3
FAR = 6.0
"""Robust standard deviations (of the logarithm, from the fast half) beyond which a trace is no fast one."""
TWO_GROUPS = 0.8
"""Share of the variance of the logarithms that two groups must explain: an even spread has 0.75, a normal one 0.64."""
APART = 1.5


def self_baseline(frame: Frame, chosen: Flags) -> NDArray[np.int8]:
    """Sides per trace: operations without clearly slow traces are on neither."""
    roots = frame.roots
    side = np.zeros(len(chosen), dtype=np.int8)
    rows = np.flatnonzero(chosen)
    order = rows[np.argsort(roots.root[rows], kind="stable")]
    edges = np.searchsorted(roots.root[order], np.arange(len(roots.names) + 1))
    for g in range(len(roots.names)):
        of = order[edges[g] : edges[g + 1]]
        threshold = slow_from(roots.duration[of].astype(np.float64))
        if threshold is not None:
            side[of] = np.where(roots.duration[of] >= threshold, CURRENT, BASELINE)
    return side


def slow_from(duration_ns: Floats) -> float | None:
    """The duration from which traces of one operation are slow ones; None where they are all of one kind."""
    if len(duration_ns) < FEWEST_TRACES:
        return None
    ordered = np.sort(duration_ns)
    logarithm = np.log(np.maximum(ordered, 1.0))
    split = _two_groups(logarithm)
    if split is None:
        split = _far_out(logarithm)
    if split is None or not FEWEST_SLOW <= len(ordered) - split <= len(ordered) - FEWEST_SLOW:
        return None
    return float(ordered[split]) if np.median(ordered[split:]) >= APART * np.median(ordered[:split]) else None


def _two_groups(ordered: Floats) -> int | None:
    """The split with the least variance within both groups (Otsu 1979), if it explains most of it."""
    n = len(ordered)
    total = float(((ordered - ordered.mean()) ** 2).sum())
    if total == 0:
        return None
    below = np.arange(1, n)
    mean_below = np.cumsum(ordered)[:-1] / below
    mean_above = (ordered.sum() - np.cumsum(ordered)[:-1]) / (n - below)
    explained = below * (n - below) / n * (mean_above - mean_below) ** 2 / total
    best = int(np.argmax(explained))
    return best + 1 if explained[best] >= TWO_GROUPS else None


def _far_out(ordered: Floats) -> int | None:
    middle = float(np.median(ordered))
    spread = middle - float(np.quantile(ordered, 0.16))
    split = int(np.searchsorted(ordered, middle + max(FAR * spread, np.log(2.0)), side="right"))
    return split if split < len(ordered) else None
