"""Exact statements about rates, and control of false discoveries."""

from __future__ import annotations

from math import lgamma

import numpy as np
from numpy.typing import NDArray

__all__ = ["benjamini_hochberg", "clopper_pearson", "fisher_greater"]

Floats = NDArray[np.float64]


def clopper_pearson(failed: int, total: int, confidence: float = 0.95) -> tuple[float, float]:
    """Exact interval of a binomial rate (Clopper and Pearson 1934), as quantiles of the beta distribution."""
    from scipy.special import betaincinv

    if total == 0:
        return 0.0, 1.0
    tail = (1 - confidence) / 2
    low = 0.0 if failed == 0 else float(betaincinv(failed, total - failed + 1, tail))
    high = 1.0 if failed == total else float(betaincinv(failed + 1, total - failed, 1 - tail))
    return low, high


def fisher_greater(base_failed: int, base_total: int, failed: int, total: int) -> float:
    """Fisher's exact test, one-sided: chance of at least `failed` of `total` when both sides have one rate.

    The upper tail of the hypergeometric distribution: its first term from logarithms of factorials, the others from
    the ratio of neighbours. O(failures). No SciPy: a small answer does not wait for it to load.
    """
    marked, everything = base_failed + failed, base_total + total
    last = min(marked, total)
    if failed == 0:
        return 1.0
    first = (
        _log_choose(total, failed) + _log_choose(base_total, marked - failed) - _log_choose(everything, marked)
    )  # fmt: skip
    k = np.arange(failed, last, dtype=np.float64)
    ratio = (marked - k) * (total - k) / ((k + 1) * (base_total - marked + k + 1))
    logs = first + np.concatenate(([0.0], np.cumsum(np.log(ratio))))
    top = float(logs.max())
    return min(1.0, float(np.exp(top) * np.exp(logs - top).sum()))


def _log_choose(n: int, r: int) -> float:
    return lgamma(n + 1) - lgamma(r + 1) - lgamma(n - r + 1)


def benjamini_hochberg(p: Floats) -> Floats:
    """Adjusted p values: rejecting those at most q keeps the expected share of false discoveries at q
    (Benjamini and Hochberg 1995)."""
    n = len(p)
    if n == 0:
        return np.empty(0)
    order = np.argsort(p, kind="stable")
    scaled = p[order] * n / np.arange(1, n + 1)
    adjusted = np.empty(n)
    adjusted[order] = np.minimum(1.0, np.minimum.accumulate(scaled[::-1])[::-1])
    return adjusted
