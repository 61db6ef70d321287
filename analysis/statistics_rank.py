"""Rank tests over thousands of places at once: van Elteren's stratified Wilcoxon test, guarded against bursts.

A place sees traffic of several operations with levels of their own, so ranks are compared only within a stratum
(one operation at one place) and the strata of a place are summed with van Elteren's weights 1 / (N + 1)
(van Elteren 1960; with one stratum it is the Wilcoxon-Mann-Whitney test with the usual correction for ties).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import erfc, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["RankTest", "autocorrelation_inflation", "exceedance_p", "normal_tail", "rank_test", "tail_test_counts"]

Ints = NDArray[np.integer[Any]]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

BATCHES = 20
"""Batches per side from which the variance of sums is estimated; fewer than SMALL rows a side: taken as independent."""
SMALL = 40


@dataclass(frozen=True, slots=True)
class RankTest:
    """One entry per place: `z` > 0 where the current side is slower; `p` one-sided for slower."""

    z: Floats
    p: Floats
    p_faster: Floats
    p_independent: Floats  # as `p`, if no row had anything to do with the one before it


def normal_tail(z: Floats) -> Floats:
    """P(Z >= z) of the standard normal. One value per place, so the standard library is fast enough, and it is
    loaded already."""
    return np.array([0.5 * erfc(x / sqrt(2.0)) for x in z.tolist()], dtype=np.float64)


def rank_test(place: Ints, stratum: Ints, current: Flags, value: Floats, time: Ints, places: int) -> RankTest:
    """Test per place whether `value` is larger on the current side.

    All arrays have one entry per row; `stratum` numbers are unique over all places. The variance is inflated by what
    the sums over batches in time order show beyond independence. O(n log n).
    """
    if len(value) == 0:
        none = np.ones(places)
        return RankTest(np.zeros(places), none, none, none)
    score, variance_of_stratum = _scores(stratum, current, value)
    owner = np.zeros(len(variance_of_stratum), dtype=np.int64)
    owner[stratum] = place
    total = np.bincount(place[current], weights=score[current], minlength=places)
    independent = np.bincount(owner, weights=variance_of_stratum, minlength=places)
    variance = independent * autocorrelation_inflation(place, current, score, time, places)
    z = np.divide(total, np.sqrt(variance), out=np.zeros(places), where=variance > 0)
    plain = np.divide(total, np.sqrt(independent), out=np.zeros(places), where=independent > 0)
    return RankTest(z, normal_tail(z), normal_tail(-z), normal_tail(plain))


def _scores(stratum: Ints, current: Flags, value: Floats) -> tuple[Floats, Floats]:
    """Centred, weighted midranks per row, and the null variance of their sum over the current side per stratum."""
    order = np.lexsort((value, stratum))
    ordered_stratum, ordered_value = stratum[order], value[order]
    size = np.bincount(stratum)
    first_of_stratum = np.concatenate(([0], np.cumsum(size)[:-1]))
    starts = np.flatnonzero(
        np.concatenate(
            ([True], (ordered_stratum[1:] != ordered_stratum[:-1]) | (ordered_value[1:] != ordered_value[:-1]))
        )
    )
    tied = np.diff(np.concatenate((starts, [len(value)])))
    midrank = np.repeat(starts + (tied + 1) / 2.0, tied) - first_of_stratum[ordered_stratum]
    score = np.empty(len(value))
    score[order] = (midrank - (size[ordered_stratum] + 1) / 2.0) / (size[ordered_stratum] + 1)
    ties = np.bincount(ordered_stratum[starts], weights=tied.astype(float) ** 3 - tied, minlength=len(size))
    slower = np.bincount(stratum, weights=current, minlength=len(size))
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = (size + 1) - np.where(size > 1, ties / (size * (size - 1.0)), 0.0)
        variance = slower * (size - slower) / 12.0 * spread / (size + 1.0) ** 2
    variance[(slower == 0) | (slower == size)] = 0.0
    mixed = variance[stratum] > 0
    return np.where(mixed, score, 0.0), variance


def autocorrelation_inflation(place: Ints, current: Flags, score: Floats, time: Ints, places: int) -> Floats:
    """Variance of sums of `score` over what independence gives, per place, by the method of batch means; at least 1.

    Traffic comes in bursts, and calls of one burst are slow together: a hundred of them are not a hundred witnesses.
    """
    cell = place * 2 + current
    order = np.lexsort((score, time, cell))
    cell, score = cell[order], score[order]
    count = np.bincount(cell, minlength=2 * places)
    position = np.arange(len(cell)) - np.concatenate(([0], np.cumsum(count)[:-1]))[cell]
    mean = np.divide(np.bincount(cell, weights=score, minlength=2 * places), np.maximum(count, 1))
    centred = score - mean[cell]
    batch = cell * BATCHES + position * BATCHES // np.maximum(count[cell], 1)
    sums = np.bincount(batch, weights=centred, minlength=2 * places * BATCHES).reshape(2 * places, BATCHES)
    seen = (sums**2).sum(axis=1) * BATCHES / (BATCHES - 1)
    independent = np.bincount(cell, weights=centred**2, minlength=2 * places)
    seen = np.where(count >= SMALL, seen, independent)
    seen, independent = seen.reshape(places, 2).sum(axis=1), independent.reshape(places, 2).sum(axis=1)
    ratio = np.divide(seen, independent, out=np.ones(places), where=independent > 0)
    return np.asarray(np.maximum(ratio, 1.0))


def exceedance_p(base: Floats, current: Floats) -> float:
    """Chance that so many batches of the current side lie above all batches of the base, when both sides are alike.

    Rosenbaum's test (1954) on the medians of up to BATCHES batches in time order. A fault that begins within the
    window makes the window's own halves differ, which the batch means of `rank_test` take for burstiness; here a batch
    is one witness, and only what the base never shows speaks.
    """
    before, after = _batch_medians(base), _batch_medians(current)
    beyond = int((after > before.max()).sum())
    n, m = len(before), len(after)
    return float(np.prod([(m - i) / (n + m - i) for i in range(beyond)]))


def _batch_medians(sample: Floats) -> Floats:
    return np.array([np.median(part) for part in np.array_split(sample, min(BATCHES, len(sample)))])


def tail_test_counts(
    place: Ints, current: Flags, value: Floats, time: Ints, places: int, quantile: float = 0.95
) -> Ints:
    """Rows above the pooled `quantile` of their place: array (places, 4) of above/total, baseline then current.

    A stall that hits three calls in a hundred moves no median; it moves these counts. Calls that one hiccup of the
    machine made slow together count as fewer: counts are divided by what their batches show beyond independence
    (the design effect of Rao and Scott 1992).
    """
    order = np.lexsort((value, place))
    size = np.bincount(place, minlength=places)
    first = np.concatenate(([0], np.cumsum(size)[:-1]))
    at = first + np.minimum((size * quantile).astype(np.int64), np.maximum(size - 1, 0))
    threshold = np.zeros(places)
    filled = size > 0
    threshold[filled] = value[order][at[filled]]
    above = value > threshold[place]
    columns = [
        np.bincount(place[above & ~current], minlength=places),
        np.bincount(place[~current], minlength=places),
        np.bincount(place[above & current], minlength=places),
        np.bincount(place[current], minlength=places),
    ]
    effect = autocorrelation_inflation(place, current, above.astype(np.float64), time, places)
    return np.rint(np.stack(columns, axis=1) / effect[:, None]).astype(np.int64)
