"""From a place that became slower to a finding: which leg, which cause, how much, how sure."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np

from analysis.compare_frame import Floats, Hops, Ints, pack
from analysis.compare_samples import Comparison, Samples
from analysis.diagnosis import Finding
from analysis.effects import LatencyEffect, ms
from analysis.effects_latency import residuals
from analysis.findings import Draft, between, exemplars, number, percent, seed_of
from analysis.findings_instance import BlamedInstance, instance_to_blame
from analysis.shape import Shape, depends_on_what_is_sent, drained_one_by_one, network_shape
from analysis.statistics_bootstrap import Statistic, shift, shift_interval

__all__ = ["latency_draft", "leg_of"]

Leg = Literal["request", "response"]

LEG_SHARE = 0.75
HANGS_NS = 1e9
"""A call that is served twice within a second may have been redirected; clients give up waiting later than that."""
NARROW = 0.2
"""Clocks that may differ by more than this part of the change do not tell its leg."""
MOST_CONFIDENT = 0.999


def latency_draft(comparison: Comparison, samples: Samples, effect: LatencyEffect) -> Draft:
    """The finding about one slower place."""
    rows = samples.of(effect.index)
    again = _asked_again(comparison, samples, effect)
    leg = None if again else leg_of(comparison, samples, effect)
    blamed = instance_to_blame(comparison, samples, effect)
    if blamed is not None:
        # The size of the change is that of the instance that changed, not its dilution over all of them.
        base, current = blamed.base, blamed.current
        effect = replace(effect, delta_ns=shift(base, current, "median"), partial=False)
    elif leg is not None:
        base, current = _leg_times(comparison, samples, effect, leg)
        change = shift(base, current, "mean" if effect.partial else "median")
        effect = replace(effect, delta_ns=change, base_median_ns=float(np.median(base)))
    else:
        base, current = residuals(samples, effect.index)
    statistic: Statistic = "mean" if effect.partial else "median"
    interval = shift_interval(base, current, statistic, seed_of(effect.place.kind, effect.place.name))
    of_current = samples.current[rows]
    trace, value = samples.trace[rows][of_current], samples.value_ns[rows][of_current]
    usual = samples.value_ns[rows][~of_current]
    affected = value > np.quantile(usual, 0.95)
    affected_traces = np.unique(trace[affected])
    shape = _shape(comparison, samples, effect)
    if again:
        leg, shape = "response", replace(shape, cause="stall", bytes_per_s=None)
    roots = comparison.frame.roots
    inside = effect.place.kind == "own"
    finding = Finding(
        rank=0,
        kind="latency",
        culprit=effect.place.callee if inside else effect.place.name,
        service=effect.place.callee,
        hop=None if inside else effect.place.name,
        cause=shape.cause,
        leg=leg,
        delta_ms=ms(effect.delta_ns),
        interval_ms=(ms(interval[0]), ms(interval[1])),
        share=effect.costs.share,
        rate=None,
        confidence=min(MOST_CONFIDENT, 1.0 - effect.adjusted_p),
        traces=exemplars(comparison.frame, trace[affected], value[affected]),
        summary=_summary(effect, leg, shape, interval, roots.names, blamed),
        count=len(affected_traces),
        since_ns=int(roots.start[affected_traces].min()) if len(affected_traces) else None,
        operation=roots.names[effect.costs.root],
        instance=blamed.name if blamed else None,
    )
    return Draft(finding, ms(effect.costs.total_ns), effect.place, affected_traces)


def _shape(comparison: Comparison, samples: Samples, effect: LatencyEffect) -> Shape:
    base, current = residuals(samples, effect.index)
    if effect.place.kind == "own":
        return Shape("self", 1.0)
    hops = comparison.frame.hops
    rows = samples.of(effect.index)
    crossing = samples.row[rows][samples.current[rows]]
    if len(crossing) != len(current):  # some belong to operations that the baseline lacks
        return network_shape(base, current)
    payload = np.where(hops.payload[crossing] >= 0, hops.payload[crossing].astype(np.float64), np.nan)
    end = None
    if effect.place.kind == "message":
        since = hops.start[crossing] - hops.start[crossing].min()
        end = (since + hops.duration[crossing] + hops.waited[crossing]).astype(np.float64)
    shape = network_shape(base, current, payload, end)
    if end is not None and shape.cause in ("delay", "jitter"):
        waited = hops.waited[crossing].astype(np.float64)
        if drained_one_by_one(end - waited, waited):
            return replace(shape, cause="bandwidth")
    if (
        effect.place.kind == "peer"
        and shape.bytes_per_s is None
        and depends_on_what_is_sent(_statements(samples, hops, rows))
    ):
        return replace(shape, cause="bandwidth")
    return shape


def _statements(samples: Samples, hops: Hops, rows: slice) -> list[tuple[Floats, Floats]]:
    """The usual and the current times of each kind of statement."""
    statement, value, current = hops.caller_operation[samples.row[rows]], samples.value_ns[rows], samples.current[rows]
    return [
        (value[(statement == s) & ~current], value[(statement == s) & current]) for s in np.unique(statement[current])
    ]


def _asked_again(comparison: Comparison, samples: Samples, effect: LatencyEffect) -> bool:
    """Whether most slow crossings are those of calls that had been served before: a client library that hears no answer
    repeats the request within the same CLIENT span. What hangs then is the response."""
    if effect.place.kind != "call" or effect.delta_ns < HANGS_NS:
        return False
    hops = comparison.frame.hops
    rows = samples.of(effect.index)
    crossing, value = samples.row[rows][samples.current[rows]], samples.value_ns[rows][samples.current[rows]]
    slow = value > np.quantile(samples.value_ns[rows][~samples.current[rows]], 0.98)
    return bool(slow.any() and hops.again[crossing[slow]].mean() > 0.5)


def leg_of(comparison: Comparison, samples: Samples, effect: LatencyEffect) -> Leg | None:
    """The leg that took the change, where clocks allow to say so."""
    if effect.place.kind != "call":
        return None
    hops = comparison.frame.hops
    rows = samples.of(effect.index)
    crossing, current = samples.row[rows], samples.current[rows]
    known = hops.has_legs[crossing]
    crossing, current = crossing[known], current[known]
    if not current.any() or current.all():
        return None
    if not hops.same_host[crossing].all() and not _clocks_agree(hops, crossing, effect.delta_ns):
        return None
    moved = {}
    legs: tuple[tuple[Leg, Ints], ...] = (("request", hops.request), ("response", hops.response))
    for leg, times in legs:
        sample = times[crossing].astype(np.float64)
        centre = np.mean if effect.partial else np.median
        moved[leg] = float(centre(sample[current]) - centre(sample[~current]))
    for leg, change in moved.items():
        if change >= LEG_SHARE * sum(moved.values()):
            return leg
    return None


def _leg_times(comparison: Comparison, samples: Samples, effect: LatencyEffect, leg: Leg) -> tuple[Floats, Floats]:
    """Both samples of one leg, in time order. What the other leg did meanwhile is not this leg's change."""
    hops = comparison.frame.hops
    rows = samples.of(effect.index)
    times = (hops.request if leg == "request" else hops.response)[samples.row[rows]].astype(np.float64)
    known = hops.has_legs[samples.row[rows]]
    current = samples.current[rows]
    return times[known & ~current], times[known & current]


def _clocks_agree(hops: Hops, crossing: Ints, delta_ns: float) -> bool:
    """Every call bounds the offset between the two clocks: from -request to +response. The calls of a pair of
    instances together leave an interval; it must not be empty and must be narrow against the change."""
    _, pair = pack(hops.caller_instance[crossing], hops.callee_instance[crossing])
    pairs = int(pair.max()) + 1
    shortest = np.full((2, pairs), np.inf)
    for leg, times in enumerate((hops.request, hops.response)):
        np.minimum.at(shortest[leg], pair, times[crossing].astype(np.float64))
    width = shortest.sum(axis=0)
    return bool((width >= 0).all() and (width <= NARROW * delta_ns).all())


def _summary(
    effect: LatencyEffect,
    leg: Leg | None,
    shape: Shape,
    interval: tuple[float, float],
    roots: tuple[str, ...],
    blamed: BlamedInstance | None,
) -> str:
    place = effect.place
    what = {
        "own": f"{place.callee} itself ({place.operation}) takes",
        "message": f"Messages on {place.name} wait",
        "call": f"The {leg} leg of {place.name} takes" if leg else f"The wire of {place.name} takes",
        "peer": f"Calls on {place.name} take",
    }[place.kind]
    text = f"{what} {number(ms(effect.delta_ns))} longer"
    if blamed is not None:
        text += f" on instance {blamed.name} alone"
    text += f" (95 %: {between((ms(interval[0]), ms(interval[1])))}; usually {number(ms(effect.base_median_ns))}"
    text += f"; {percent(shape.affected)} are affected)" if effect.partial else ")"
    if shape.bytes_per_s is not None:
        text += f", about {shape.bytes_per_s / 1024:,.0f} KiB/s"
    share = effect.costs.share
    if share is not None:
        slower = "later completion" if effect.costs.completion else "slowdown"
        text += f", which explains {percent(share)} of the {slower} of {roots[effect.costs.root]}"
    return text + "."
