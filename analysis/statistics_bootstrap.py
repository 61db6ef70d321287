"""Bootstrap intervals of a shift between two samples, by blocks in time order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["Statistic", "shift", "shift_interval"]

Floats = NDArray[np.float64]
Statistic = Literal["median", "mean"]

_REPLICATES = 1_000
_LARGEST = 4_000
_STATISTICS: dict[Statistic, Callable[..., Floats]] = {"median": np.median, "mean": np.mean}


def shift(base: Floats, current: Floats, statistic: Statistic) -> float:
    """Difference of the statistic, current minus base."""
    of = _STATISTICS[statistic]
    return float(of(current) - of(base))


def shift_interval(
    base: Floats, current: Floats, statistic: Statistic, seed: int, confidence: float = 0.95
) -> tuple[float, float]:
    """Percentile interval of `shift` by a circular block bootstrap (Politis and Romano 1992).

    Samples stand in time order; blocks of n^(1/3) rows keep bursts together. Samples above 4,000 rows are thinned
    evenly and the interval's half widths are scaled by the square root of what was left out.
    """
    generator = np.random.default_rng(seed)
    centre = shift(base, current, statistic)
    replicates = _replicates(current, statistic, generator) - _replicates(base, statistic, generator)
    tail = (1 - confidence) / 2
    low, high = np.quantile(replicates, [tail, 1 - tail])
    return min(float(low), centre), max(float(high), centre)


def _replicates(sample: Floats, statistic: Statistic, generator: np.random.Generator) -> Floats:
    whole = len(sample)
    value = _STATISTICS[statistic](sample)
    thinned = sample[:: -(-whole // _LARGEST)]
    n = len(thinned)
    length = max(1, round(n ** (1 / 3)))
    blocks = -(-n // length)
    step = max(1, 4_000_000 // max(n, 1))
    parts = []
    for begin in range(0, _REPLICATES, step):
        rows = min(step, _REPLICATES - begin)
        start = generator.integers(0, n, size=(rows, blocks, 1))
        drawn = thinned[((start + np.arange(length)) % n).reshape(rows, -1)[:, :n]]
        parts.append(_STATISTICS[statistic](drawn, axis=1))
    around = _STATISTICS[statistic](thinned)
    replicated: Floats = value + (np.concatenate(parts) - around) * np.sqrt(n / whole)
    return replicated
