"""A baseline out of the traces themselves: the slow ones of each operation against its fast ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from analysis.compare_frame import Flags, Floats, Frame, Ints, dense, pack
from analysis.compare_samples import BASELINE, CURRENT

__all__ = ["FEWEST_TRACES", "self_baseline", "slow_from"]

FEWEST_TRACES = 12
FEWEST_SLOW = 3
FAR = 6.0
"""Robust standard deviations (of the logarithm, from the fast half) beyond which a trace is no fast one."""
TWO_GROUPS = 0.8
"""Share of the variance of the logarithms that two groups must explain: an even spread has 0.75, a normal one 0.64."""
APART = 1.5
CARRIED = 0.5
"""A hop splits its operation's traces only if its own two groups lie this part of a usual trace apart."""


def self_baseline(frame: Frame, chosen: Flags) -> NDArray[np.int8]:
    """Sides per trace: operations without clearly slow traces are on neither.

    Where durations have no clear groups because everything else varies, the times of one hop may have: then the traces
    in which that hop was slow are the slow ones.
    """
    roots = frame.roots
    side = np.zeros(len(chosen), dtype=np.int8)
    rows = np.flatnonzero(chosen)
    order = rows[np.argsort(roots.root[rows], kind="stable")]
    edges = np.searchsorted(roots.root[order], np.arange(len(roots.names) + 1))
    waits = _waits(frame, chosen)
    for g in range(len(roots.names)):
        of = order[edges[g] : edges[g + 1]]
        duration = roots.duration[of].astype(np.float64)
        threshold = slow_from(duration)
        if threshold is not None:
            side[of] = np.where(duration >= threshold, CURRENT, BASELINE)
        elif g in waits:
            slow = _slow_at_a_hop(waits[g], float(np.median(duration)))
            if slow is not None:
                side[of] = BASELINE
                side[slow] = CURRENT
    return side


def _waits(frame: Frame, chosen: Flags) -> dict[int, list[tuple[Ints, Floats]]]:
    """Of each root operation: traces and their times on the path, of each hop that they spend much of their time in."""
    hops, roots = frame.hops, frame.roots
    rows = np.flatnonzero(chosen[hops.trace] & (hops.path > 0))
    n = len(roots.names)
    first, cell = pack(hops.place[rows], hops.trace[rows])
    trace = hops.trace[rows[first]]
    spent: Floats = np.bincount(cell, weights=hops.path[rows].astype(np.float64), minlength=len(first)).astype(
        np.float64
    )
    pairs, pair = dense(hops.place[rows[first]].astype(np.int64) * n + roots.root[trace])
    count = np.bincount(pair, minlength=len(pairs))
    highest = np.zeros(len(pairs))
    np.maximum.at(highest, pair, spent)
    usual = _usual(frame, chosen)
    worth = (count >= FEWEST_TRACES) & (highest >= CARRIED * usual[pairs % n])
    order = np.argsort(pair, kind="stable")
    edges = np.searchsorted(pair[order], np.arange(len(pairs) + 1))
    found: dict[int, list[tuple[Ints, Floats]]] = {}
    for i in np.flatnonzero(worth):
        of = order[edges[i] : edges[i + 1]]
        found.setdefault(int(pairs[i] % n), []).append((trace[of], spent[of]))
    return found


def _usual(frame: Frame, chosen: Flags) -> Floats:
    """Mean of the logarithms stands in for the median: it needs no loop over operations."""
    roots, n = frame.roots, len(frame.roots.names)
    rows = np.flatnonzero(chosen)
    logarithm = np.log(np.maximum(roots.duration[rows], 1).astype(np.float64))
    total = np.bincount(roots.root[rows], weights=logarithm, minlength=n)
    return np.asarray(np.exp(total / np.maximum(np.bincount(roots.root[rows], minlength=n), 1)))


def _slow_at_a_hop(waits: list[tuple[Ints, Floats]], usual_ns: float) -> Ints | None:
    """Traces in the slow one of two groups, of the hop whose groups lie farthest apart; None where no hop has them."""
    best: tuple[float, Ints] | None = None
    for trace, spent in waits:
        threshold = slow_from(spent)
        if threshold is None:
            continue
        slow = spent >= threshold
        apart = float(np.median(spent[slow]) - np.median(spent[~slow]))
        if apart >= CARRIED * usual_ns and (best is None or apart > best[0]):
            best = apart, trace[slow]
    return best[1] if best else None


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
