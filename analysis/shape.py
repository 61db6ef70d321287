"""The cause of slowness, from the shape of two samples alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.compare_frame import Floats

__all__ = ["Shape", "depends_on_what_is_sent", "drained_one_by_one", "network_shape"]

JITTER_SPREAD = 0.6
"""Distance between the deciles 1 and 9 of what is slow, in medians of it. Of a delay of d with a jitter of j either
way it is 1.6 j / d; where j = d, the part of it that is slow has 0.96."""
BANDWIDTH_FIT = 0.5
PAYLOAD_ROWS = 12
FEWEST_SLOW = 4
RELEASED_WITHIN = 0.1
GROUP_ROWS = 15
GROUPS_APART = 5.0
RAISED = 1.4
FEWEST_CLOSE = 5
TURN = 0.5
"""Of the shortest waits, what lies at least between two arrivals that took turns."""


@dataclass(frozen=True, slots=True)
class Shape:
    cause: str  # delay, jitter, bandwidth, stall
    affected: float  # part of the crossings that is slow, 0..1
    bytes_per_s: float | None = None  # of a bandwidth limit


def network_shape(base: Floats, current: Floats, payload: Floats | None = None, end: Floats | None = None) -> Shape:
    """Name what the network does to a hop.

    `base`, `current`: ns beyond the usual. `payload`: bytes per row of `current`, NaN where unknown. `end`: when each
    crossing of `current` was over, for queues: all at one moment means that delivery had stopped until then.
    """
    highest = float(np.quantile(current, 0.98))
    slow = current > max(float(np.quantile(base, 0.9)), 0.25 * highest)
    affected = float(slow.mean()) if len(current) else 0.0
    if end is not None and _released_together(end[slow], current[slow]):
        return Shape("stall", affected)
    rate = _bandwidth(current, payload)
    if rate is not None:
        return Shape("bandwidth", affected, rate)
    if slow.sum() < FEWEST_SLOW:
        return Shape("delay", affected)
    low, middle, high = np.quantile(current[slow], [0.1, 0.5, 0.9])
    usual = float(np.quantile(base, 0.9) - np.quantile(base, 0.1))
    # What the place does anyway and what the network adds know nothing of each other: their variances add up.
    spread = float(np.sqrt(max(0.0, (high - low) ** 2 - usual**2)))
    return Shape("jitter" if spread > JITTER_SPREAD * float(middle) else "delay", affected)


def depends_on_what_is_sent(groups: Sequence[tuple[Floats, Floats]]) -> bool:
    """Whether a place's statements became slower by very different amounts, and none stayed as fast as it was.

    `groups`: the usual and the current times of each kind of statement. That is what a thin link does to long and short
    messages where spans tell no sizes. Jitter and delays treat all alike; a slow query leaves the others alone.
    """
    known = [(b, c) for b, c in groups if min(len(b), len(c)) >= GROUP_ROWS]
    extra = [float(np.median(c) - np.median(b)) for b, c in known]
    raised = all(np.quantile(c, 0.1) >= RAISED * np.quantile(b, 0.1) for b, c in known)
    return len(known) >= 2 and raised and 0 < GROUPS_APART * min(extra) <= max(extra)


def drained_one_by_one(sent: Floats, waited: Floats) -> bool:
    """Whether messages sent close together arrive well apart: they take turns on a link that is too thin for them.

    `sent`: when, `waited`: how long, in ns. A delay leaves the distances between messages as they were.
    """
    if len(sent) < GROUP_ROWS:
        return False
    turn = float(np.quantile(waited, 0.1))
    order = np.argsort(sent, kind="stable")
    close = np.diff(sent[order]) < TURN / 2 * turn
    apart = np.diff(np.sort(sent + waited))
    return bool(close.sum() >= FEWEST_CLOSE and np.quantile(apart, close.mean() / 2) >= TURN * turn)


def _released_together(end: Floats, waited: Floats) -> bool:
    """Messages of very different waits that all arrive at one moment: delivery had stopped until then."""
    if len(end) < FEWEST_SLOW:
        return False
    ends = float(np.quantile(end, 0.75) - np.quantile(end, 0.25))
    waits = float(np.quantile(waited, 0.95) - np.quantile(waited, 0.05))
    return ends < RELEASED_WITHIN * waits


def _bandwidth(extra: Floats, payload: Floats | None) -> float | None:
    """Bytes per second if the time beyond the usual grows with the payload and hardly anything else, else None."""
    if payload is None:
        return None
    known = np.isfinite(payload)
    if known.sum() < PAYLOAD_ROWS:
        return None
    x, y = payload[known], extra[known]
    variance = float(x.var())
    if variance < (0.05 * float(x.mean())) ** 2 or variance == 0:
        return None
    slope = float(((x - x.mean()) * (y - y.mean())).mean()) / variance
    total = float(y.var())
    if slope <= 0 or total == 0:
        return None
    explained = slope**2 * variance / total
    intercept = float(y.mean()) - slope * float(x.mean())
    grows = explained >= BANDWIDTH_FIT and abs(intercept) < 0.5 * float(np.abs(y).mean())
    return 1e9 / slope if grows else None
