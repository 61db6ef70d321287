"""Which places became slower, by how much, and what that costs the user."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.compare_frame import Codes, Flags, Floats, Ints
from analysis.compare_samples import BASELINE, CURRENT, Comparison, Samples
from analysis.effects import Costs, LatencyEffect
from analysis.statistics_rank import rank_test, tail_test_counts
from analysis.statistics_rates import benjamini_hochberg, fisher_greater

__all__ = ["CommonSlowdown", "latency_effects", "path_costs", "residuals"]

FALSE_DISCOVERIES = 0.01
"""Share of false places among those found slower. Rates of failure have a budget of their own."""
NOISE_FRACTION = 0.2
"""A shift below this part of the place's own spread is noise, however many crossings prove it."""
LEVEL_FRACTION = 0.02
"""A shift below this part of what the place takes anyway is noise."""
ROOT_FRACTION = 0.01
"""A place must cost its root operation this part of its usual duration: below it, nobody notices."""
CHANGE_FRACTION = 0.03
"""A place must explain this part of the slowdown of its root operation."""
FEWEST_ROWS = 4
CLEAN_FRACTION = 0.1
COMMON_PLACES = 8
COMMON_SAMPLE = 200
COMMON_SPREADS = 3.0
COMMON_MARGIN = 1.5
CHANCE_SPREADS = 1.5
"""Spread that the spread of a dozen places may show by chance beyond its expectation."""


@dataclass(frozen=True)
class PathCosts:
    """Mean time on the path per trace: arrays (places, roots), change in ns; and of the roots themselves."""

    change: Floats
    completion_change: Floats
    root_change: Floats
    root_completion_change: Floats
    root_median: Floats
    root_weight: Floats  # share of each root operation among the current side's traces


def latency_effects(
    samples: Samples, costs: PathCosts, least_share: float = CHANGE_FRACTION
) -> tuple[list[LatencyEffect], CommonSlowdown]:
    """Places slower on the current side: significant, larger than their noise, and paid for by somebody.

    `least_share`: of the slowdown of its root operation that a place must explain.
    """
    places = len(samples.places)
    if len(samples.value_ns) == 0:
        return [], CommonSlowdown(1.0, 1.0)
    ranks = rank_test(samples.place, samples.stratum, samples.current, samples.value_ns, samples.time_ns, places)
    tails = tail_test_counts(samples.place, samples.current, samples.value_ns, places)
    tail_p = np.array([fisher_greater(int(a), int(n), int(b), int(m)) if b else 1.0 for a, n, b, m in tails])
    p = np.minimum(1.0, 2.0 * np.minimum(ranks.p, tail_p))
    tested = np.flatnonzero(np.minimum(tails[:, 1], tails[:, 3]) >= FEWEST_ROWS)
    adjusted = np.ones(places)
    adjusted[tested] = benjamini_hochberg(p[tested])
    significant = set(tested[adjusted[tested] <= FALSE_DISCOVERIES].tolist())
    ordinary = tested[:: -(-len(tested) // COMMON_SAMPLE)].tolist()  # enough to know what places in general do
    effects = {
        k: _effect(samples, k, float(p[k]), float(adjusted[k]), costs) for k in sorted(significant.union(ordinary))
    }
    common = _common_slowdown([effects[k] for k in ordinary])
    slower = [effects[k] for k in sorted(significant) if _matters(effects[k], common, least_share)]
    return slower, common


def _effect(samples: Samples, k: int, p: float, adjusted: float, costs: PathCosts) -> LatencyEffect:
    base, current = residuals(samples, k)
    level = samples.value_ns[samples.of(k)][~samples.current[samples.of(k)]]
    median_shift = float(np.median(current) - np.median(base))
    mean_shift = float(np.mean(current) - np.mean(base))
    partial = median_shift < 0.5 * mean_shift
    noise = 1.4826 * float(np.median(np.abs(base - np.median(base))))
    return LatencyEffect(
        place=samples.places[k],
        index=k,
        p=p,
        adjusted_p=adjusted,
        delta_ns=mean_shift if partial else median_shift,
        noise_ns=noise,
        # sqrt(pi / 2): how much less sure a median is than a mean, under normal noise
        error_ns=1.2533 * noise * float(np.sqrt(1 / len(base) + 1 / len(current))),
        base_median_ns=float(np.median(level)),
        partial=partial,
        costs=_costs_of(k, costs),
    )


def residuals(samples: Samples, k: int) -> tuple[Floats, Floats]:
    """Both samples of a place in time order, each value less its stratum's baseline median."""
    rows = samples.of(k)
    stratum, current, value = samples.stratum[rows], samples.current[rows], samples.value_ns[rows]
    distinct, local = np.unique(stratum, return_inverse=True)
    if len(distinct) == 1:
        level = np.median(value[~current])
        return value[~current] - level, value[current] - level
    levels = np.full(len(distinct), np.nan)
    comparable = np.zeros(len(distinct), dtype=bool)
    for s in range(len(distinct)):
        of_base = value[(local == s) & ~current]
        if len(of_base) and (local[current] == s).any():
            levels[s], comparable[s] = np.median(of_base), True
    used = comparable[local]
    rest = value - levels[local]
    if not used[current].any() or not used[~current].any():
        level = np.median(value[~current])
        return value[~current] - level, value[current] - level
    return rest[used & ~current], rest[used & current]


def path_costs(comparison: Comparison) -> PathCosts:
    """Change of mean time on the path per trace, exact over all traces (no sampling). O(rows).

    A trace in which something failed is short or long for a reason that the failure accounts for: clean traces are
    compared, but where a root operation has too few of them, all of them.
    """
    frame = comparison.frame
    roots, hops, own = frame.roots, frame.hops, frame.own
    n_roots, n_places = len(roots.names), len(comparison.places)
    usable = _comparable(comparison)
    change, completion = np.zeros((2, n_places, n_roots)), np.zeros((2, n_places, n_roots))
    root_mean, root_completion = np.zeros((2, n_roots)), np.zeros((2, n_roots))
    counts = np.zeros((2, n_roots))
    for s, side in enumerate((BASELINE, CURRENT)):
        chosen = usable & comparison.traces(side)
        counts[s] = np.bincount(roots.root[chosen], minlength=n_roots)
        per = np.maximum(counts[s], 1)
        root_mean[s] = np.bincount(roots.root[chosen], weights=roots.duration[chosen], minlength=n_roots) / per
        root_completion[s] = np.bincount(roots.root[chosen], weights=roots.completion[chosen], minlength=n_roots) / per
        for table, shift in ((hops, 0), (own, len(hops.places))):
            rows = np.flatnonzero(chosen[table.trace])
            key = (table.place[rows].astype(np.int64) + shift) * n_roots + roots.root[table.trace[rows]]
            size = n_places * n_roots
            change[s] += np.bincount(key, weights=table.path[rows], minlength=size).reshape(n_places, n_roots) / per
            completion[s] += (
                np.bincount(key, weights=table.completion_path[rows], minlength=size).reshape(n_places, n_roots) / per
            )
    both = (counts > 0).all(axis=0)
    medians = _medians(roots.duration, roots.root, usable & comparison.traces(BASELINE), n_roots)
    weight = counts[1] * both
    return PathCosts(
        np.where(both, change[1] - change[0], 0.0),
        np.where(both, completion[1] - completion[0], 0.0),
        np.where(both, root_mean[1] - root_mean[0], 0.0),
        np.where(both, root_completion[1] - root_completion[0], 0.0),
        medians,
        weight / max(weight.sum(), 1.0),
    )


def _comparable(comparison: Comparison) -> Flags:
    root, compared = comparison.frame.roots.root, comparison.side > 0
    n = len(comparison.frame.roots.names)
    enough = np.ones(n, dtype=bool)
    for side in (BASELINE, CURRENT):
        whole = np.bincount(root[comparison.traces(side)], minlength=n)
        clean = np.bincount(root[comparison.traces(side) & comparison.clean], minlength=n)
        enough &= (clean >= FEWEST_ROWS) & (clean >= CLEAN_FRACTION * whole)
    return compared & (comparison.clean | ~enough[root])


def _medians(value: Ints, group: Codes, chosen: Flags, groups: int) -> Floats:
    medians = np.zeros(groups)
    rows = np.flatnonzero(chosen)
    order = rows[np.argsort(group[rows], kind="stable")]
    edges = np.searchsorted(group[order], np.arange(groups + 1))
    for g in range(groups):
        if edges[g] < edges[g + 1]:
            medians[g] = np.median(value[order[edges[g] : edges[g + 1]]])
    return medians


def _costs_of(k: int, costs: PathCosts) -> Costs:
    """The answer's path, unless most of the change comes after the answer."""
    paid = [np.maximum(change[k] * costs.root_weight, 0.0) for change in (costs.change, costs.completion_change)]
    completion = bool(paid[0].sum() < 0.5 * paid[1].sum())
    weighted = paid[1] if completion else paid[0]
    if not len(weighted) or weighted.max() <= 0:
        return Costs(-1, 0.0, 0.0, 0.0, 0.0, completion)
    root = int(np.argmax(weighted))
    change = (costs.completion_change if completion else costs.change)[k, root]
    root_change = (costs.root_completion_change if completion else costs.root_change)[root]
    median = costs.root_median[root]
    return Costs(root, float(change), float(root_change), float(median), float(weighted.sum()), completion)


@dataclass(frozen=True, slots=True)
class CommonSlowdown:
    """What a busy machine, or more load, does to every place at once, as factors of their usual times."""

    factor: float  # of the place in the middle
    limit: float  # what a place must exceed to stand out


def _common_slowdown(effects: list[LatencyEffect]) -> CommonSlowdown:
    """When everything takes five times as long, no place is to blame for its own factor of six.

    Contention multiplies, so factors are compared by their logarithms: the middle one, plus the spread around it.
    """
    usual = [e for e in effects if e.base_median_ns > 0]
    if len(usual) < COMMON_PLACES:
        return CommonSlowdown(1.0, 1.0)
    factors = np.log(np.maximum([1.0 + e.delta_ns / e.base_median_ns for e in usual], 0.01))
    middle = max(0.0, float(np.median(factors)))
    seen = 1.4826 * float(np.median(np.abs(factors - np.median(factors))))
    by_chance = float(np.median([e.error_ns / e.base_median_ns for e in usual]))
    spread = float(np.sqrt(max(0.0, seen**2 - (CHANCE_SPREADS * by_chance) ** 2)))
    return CommonSlowdown(float(np.exp(middle)), float(np.exp(COMMON_MARGIN * middle + COMMON_SPREADS * spread)))


def _matters(effect: LatencyEffect, common: CommonSlowdown, least_share: float) -> bool:
    costs = effect.costs
    return (
        effect.delta_ns > 0
        and costs.root >= 0
        and effect.delta_ns >= NOISE_FRACTION * effect.noise_ns
        and effect.delta_ns >= max(LEVEL_FRACTION, common.limit - 1.0) * effect.base_median_ns
        and costs.change_ns >= ROOT_FRACTION * costs.root_median_ns
        and costs.change_ns >= least_share * costs.root_change_ns
    )
