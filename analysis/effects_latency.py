"""Which places became slower, by how much, and what that costs the user."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.compare_frame import Codes, Flags, Floats, Ints, dense
from analysis.compare_samples import BASELINE, CURRENT, Comparison, Samples
from analysis.effects import Costs, LatencyEffect
from analysis.statistics_rank import exceedance_p, rank_test, tail_test_counts
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
CERTAIN = 1e-6
"""What needs no second opinion, and what would be this certain if rows were independent deserves one."""
CLEAN_FRACTION = 0.1
COMMON_PLACES = 8
COMMON_SAMPLE = 200
COMMON_SPREADS = 3.0
COMMON_MARGIN = 1.5
COMMON_FULL = 0.2
"""Common slowdown (as a logarithm) from which the spread among places counts in full: where nothing is busy, places
that differ do so for reasons of their own."""
SLOWER_TOGETHER = 1.1
SHARE_BESIDE_COMMON = 0.3
FAR_BEYOND_COMMON = 2.0
"""When all places became slower, the one to blame explains that part of the slowdown of its root operation, or grew by
that factor more than the others let expect."""
FLOOR = 0.1
FLOOR_FRACTION = 0.4
"""Contention leaves the luckiest crossings nearly as fast as ever. A fault that every crossing meets does not: the
tenth of them that is fastest moves by at least this part of the shift."""
CHANCE_SPREADS = 1.5
"""Spread that the spread of a dozen places may show by chance beyond its expectation."""


@dataclass(frozen=True)
class PathCosts:
    """Change of mean time per trace, in ns, for each pair of a place and a root operation that has it.

    Pairs of place k are `first[k]` to `first[k + 1]`: thousands of operations times thousands of places would be too
    many to write down where most never meet.
    """

    first: Ints
    root: Ints
    change: Floats  # on the path to the answer
    completion_change: Floats
    root_change: Floats  # of the root operations themselves
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
        return [], CommonSlowdown(1.0, 1.0, 1.0)
    ranks = rank_test(samples.place, samples.stratum, samples.current, samples.value_ns, samples.time_ns, places)
    tails = tail_test_counts(samples.place, samples.current, samples.value_ns, samples.time_ns, places)
    tail_p = np.array([fisher_greater(int(a), int(n), int(b), int(m)) if b else 1.0 for a, n, b, m in tails])
    least = np.minimum(ranks.p, tail_p)
    for k in np.flatnonzero((ranks.p_independent < CERTAIN) & (least > CERTAIN)):
        least[k] = min(least[k], exceedance_p(*residuals(samples, int(k))))
    p = np.minimum(1.0, 3.0 * least)
    rows = [np.bincount(samples.place[samples.current == side], minlength=places) for side in (False, True)]
    tested = np.flatnonzero(np.minimum(*rows) >= FEWEST_ROWS)
    adjusted = np.ones(places)
    adjusted[tested] = benjamini_hochberg(p[tested])
    significant = set(tested[adjusted[tested] <= FALSE_DISCOVERIES].tolist())
    ordinary = tested[:: max(1, -(-len(tested) // COMMON_SAMPLE))].tolist()  # enough to know what places in general do
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
    base_floor = float(np.quantile(base, FLOOR))
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
        base_floor_ns=max(0.0, float(np.median(level)) + base_floor),
        floor_shift_ns=float(np.quantile(current, FLOOR)) - base_floor,
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
    roots, hops, own = comparison.frame.roots, comparison.frame.hops, comparison.frame.own
    n = len(roots.names)
    usable = _comparable(comparison)
    counts, durations, completions = (np.zeros((2, n)) for _ in range(3))
    for s, side in enumerate((BASELINE, CURRENT)):
        rows = np.flatnonzero(usable & comparison.traces(side))
        counts[s] = np.bincount(roots.root[rows], minlength=n)
        durations[s] = np.bincount(roots.root[rows], weights=roots.duration[rows], minlength=n)
        completions[s] = np.bincount(roots.root[rows], weights=roots.completion[rows], minlength=n)
    both = np.asarray((counts > 0).all(axis=0))
    per = np.maximum(counts, 1)
    hop_rows, own_rows = np.flatnonzero(usable[hops.trace]), np.flatnonzero(usable[own.trace])
    trace = np.concatenate((hops.trace[hop_rows], own.trace[own_rows]))
    place = np.concatenate((hops.place[hop_rows], own.place[own_rows] + len(hops.places))).astype(np.int64)
    pairs, cell = dense(place * n + roots.root[trace])
    root = pairs % max(n, 1)
    current = comparison.side[trace] == CURRENT
    shared = both[root]

    def change_of(on_path: Floats) -> Floats:
        # Whole nanoseconds add up exactly in whatever order they come; fractions would not.
        after = np.bincount(cell, weights=np.where(current, on_path, 0.0), minlength=len(pairs))
        before = np.bincount(cell, weights=np.where(current, 0.0, on_path), minlength=len(pairs))
        return np.asarray(np.where(shared, after / per[1, root] - before / per[0, root], 0.0))

    return PathCosts(
        first=np.searchsorted(pairs, np.arange(len(comparison.places) + 1) * n),
        root=root,
        change=change_of(np.concatenate((hops.path[hop_rows], own.path[own_rows]))),
        completion_change=change_of(np.concatenate((hops.completion_path[hop_rows], own.completion_path[own_rows]))),
        root_change=np.where(both, (durations / per)[1] - (durations / per)[0], 0.0),
        root_completion_change=np.where(both, (completions / per)[1] - (completions / per)[0], 0.0),
        root_median=_medians(roots.duration, roots.root, usable & comparison.traces(BASELINE), n),
        root_weight=counts[1] * both / max(float((counts[1] * both).sum()), 1.0),
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
    of = slice(int(costs.first[k]), int(costs.first[k + 1]))
    root = costs.root[of]
    changes = (costs.change[of], costs.completion_change[of])
    paid = [np.maximum(change * costs.root_weight[root], 0.0) for change in changes]
    completion = bool(paid[0].sum() < 0.5 * paid[1].sum())
    weighted = paid[completion]
    if not len(weighted) or weighted.max() <= 0:
        return Costs(-1, 0.0, 0.0, 0.0, 0.0, completion)
    at = int(np.argmax(weighted))
    dearest = int(root[at])
    root_change = (costs.root_completion_change if completion else costs.root_change)[dearest]
    return Costs(
        dearest,
        change_ns=float(changes[completion][at]),
        root_change_ns=float(root_change),
        root_median_ns=float(costs.root_median[dearest]),
        total_ns=float(weighted.sum()),
        completion=completion,
    )


@dataclass(frozen=True, slots=True)
class CommonSlowdown:
    """What a busy machine, or more load, does to every place at once, as factors of their usual times."""

    factor: float  # of the place in the middle
    limit: float  # what a place must exceed to stand out
    floor_limit: float  # the same for its fastest crossings


def _common_slowdown(effects: list[LatencyEffect]) -> CommonSlowdown:
    """When everything takes five times as long, no place is to blame for its own factor of six."""
    usual = [e for e in effects if e.base_median_ns > 0]
    if len(usual) < COMMON_PLACES:
        return CommonSlowdown(1.0, 1.0, 1.0)
    by_chance = float(np.median([e.error_ns / e.base_median_ns for e in usual]))
    factor, limit = _middle_and_limit([1.0 + e.delta_ns / e.base_median_ns for e in usual], by_chance)
    floors = [1.0 + e.floor_shift_ns / e.base_floor_ns for e in usual if e.base_floor_ns > 0]
    floor_limit = max(factor**COMMON_MARGIN, _middle_and_limit(floors or [1.0], by_chance)[1])
    return CommonSlowdown(factor, limit, floor_limit)


def _middle_and_limit(factors: list[float], by_chance: float) -> tuple[float, float]:
    """Contention multiplies, so factors are compared by their logarithms: the middle one, plus the spread around it."""
    logarithms = np.log(np.maximum(factors, 0.01))
    middle = max(0.0, float(np.median(logarithms)))
    seen = 1.4826 * float(np.median(np.abs(logarithms - np.median(logarithms))))
    spread = float(np.sqrt(max(0.0, seen**2 - (CHANCE_SPREADS * by_chance) ** 2)))
    counts = min(1.0, middle / COMMON_FULL)
    return float(np.exp(middle)), float(np.exp(COMMON_MARGIN * middle + COMMON_SPREADS * spread * counts))


def _stands_out(effect: LatencyEffect, common: CommonSlowdown) -> bool:
    share = effect.costs.share
    enough = common.factor < SLOWER_TOGETHER or share is None or share >= SHARE_BESIDE_COMMON
    limit = common.limit if enough else FAR_BEYOND_COMMON * common.limit
    if effect.delta_ns >= (limit - 1.0) * effect.base_median_ns:
        return True
    shifted = effect.floor_shift_ns >= FLOOR_FRACTION * effect.delta_ns
    return shifted and effect.floor_shift_ns >= (common.floor_limit - 1.0) * effect.base_floor_ns


def _matters(effect: LatencyEffect, common: CommonSlowdown, least_share: float) -> bool:
    costs = effect.costs
    return (
        effect.delta_ns > 0
        and costs.root >= 0
        and effect.delta_ns >= NOISE_FRACTION * effect.noise_ns
        and effect.delta_ns >= LEVEL_FRACTION * effect.base_median_ns
        and _stands_out(effect, common)
        and costs.change_ns >= ROOT_FRACTION * costs.root_median_ns
        and costs.change_ns >= least_share * costs.root_change_ns
    )
