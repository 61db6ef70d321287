"""Exact statements about rates, and control of false discoveries. Only `scipy.special`: it loads quickly."""

from __future__ import annotations

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

    The upper tail of the hypergeometric distribution, summed in logarithms. O(failures).
    """
    from scipy.special import gammaln, logsumexp

    marked = base_failed + failed
    k = np.arange(failed, min(marked, total) + 1, dtype=np.float64)
    if failed == 0 or len(k) == 0:
        return 1.0

    def log_choose(n: float, r: Floats) -> Floats:
        chosen: Floats = gammaln(n + 1) - gammaln(r + 1) - gammaln(n - r + 1)
        return chosen

    of_base = marked - k
    k, of_base = k[of_base <= base_total], of_base[of_base <= base_total]
    every = log_choose(float(base_total + total), np.array([float(marked)]))[0]
    terms = log_choose(float(total), k) + log_choose(float(base_total), of_base) - every
    return min(1.0, float(np.exp(logsumexp(terms))))


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
