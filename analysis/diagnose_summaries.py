"""What the input is and how its operations and hops behave: the parts of a diagnosis that blame nobody."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from analysis.compare_frame import Flags, Frame, Hops, Ints
from analysis.diagnosis import Accounting, HopStats, HopSummary, OperationSummary, Percentiles
from analysis.effects import ms
from analysis.observations import CATEGORIES, FAILURES

__all__ = ["accounting", "hop_summaries", "operation_summaries", "percentiles"]

_QUANTILES = (0.5, 0.95, 0.99)


def percentiles(values_ns: Ints) -> Percentiles | None:
    """Median, 95th and 99th percentile in ms; None of nothing."""
    if not len(values_ns):
        return None
    # What np.quantile does by default, without its cost for small samples: there may be thousands of hops.
    at = np.array(_QUANTILES) * (len(values_ns) - 1)
    below = np.floor(at).astype(np.int64)
    above = np.minimum(below + 1, len(values_ns) - 1)
    ordered = np.partition(values_ns, np.concatenate((below, above)))
    values = ordered[below] + (at - below) * (ordered[above] - ordered[below])
    return Percentiles(*[ms(v) for v in values.tolist()])


def accounting(traces: pa.Table, chosen: Flags | None = None) -> Accounting:
    """The closed budget summed over (chosen) traces. Sums are exact: integers, in nanoseconds."""
    sums = []
    for category in CATEGORIES:
        column = np.asarray(traces[f"{category}_ns"].to_numpy(), dtype=np.int64)
        sums.append(int((column if chosen is None else column[chosen]).sum()))
    return Accounting(ms(sum(sums)), *[ms(s) for s in sums])


def operation_summaries(frame: Frame, traces: pa.Table, chosen: Flags | None = None) -> tuple[OperationSummary, ...]:
    """One record per root operation, the one with most time first."""
    roots = frame.roots
    rows = np.arange(len(roots.root)) if chosen is None else np.flatnonzero(chosen)
    order = rows[np.argsort(roots.root[rows], kind="stable")]
    edges = np.searchsorted(roots.root[order], np.arange(len(roots.names) + 1))
    budget = np.stack([np.asarray(traces[f"{c}_ns"].to_numpy(), dtype=np.int64) for c in CATEGORIES])
    summaries = []
    for g, name in enumerate(roots.names):
        of = order[edges[g] : edges[g + 1]]
        if not len(of):
            continue
        duration, completion = percentiles(roots.duration[of]), percentiles(roots.completion[of])
        assert duration is not None
        assert completion is not None
        sums = [int(s) for s in budget[:, of].sum(axis=1)]
        summaries.append(
            OperationSummary(
                name, len(of), int(roots.failed[of].sum()), duration.p50, duration.p95, duration.p99,
                Accounting(ms(sum(sums)), *[ms(s) for s in sums]), completion.p50, completion.p95,
            )
        )  # fmt: skip
    return tuple(sorted(summaries, key=lambda s: (-s.accounting.root_ms, s.name)))


def hop_summaries(frame: Frame, current: Flags, baseline: Flags | None) -> tuple[HopSummary, ...]:
    """One record per hop, by name. `current` and `baseline` choose traces."""
    honest = _same_clock(frame.hops)
    now = _stats(frame.hops, current[frame.hops.trace], honest)
    then = _stats(frame.hops, baseline[frame.hops.trace], honest) if baseline is not None else {}
    summaries = []
    for k, place in enumerate(frame.hops.places):
        if place.kind == "own" or (k not in now and k not in then):
            continue
        stats = now.get(k, HopStats(0, 0, None, None, None, None, {}))
        summaries.append(HopSummary(place.name, place.kind, stats, then.get(k)))
    return tuple(sorted(summaries, key=lambda s: (s.hop, s.kind)))


def _same_clock(hops: Hops) -> Flags:
    """Per hop: both sides of every crossing share a host, so that their legs may be told apart."""
    apart = np.bincount(hops.place[hops.has_legs & ~hops.same_host], minlength=len(hops.places))
    return np.asarray(apart == 0)


def _stats(hops: Hops, chosen: Flags, honest: Flags) -> dict[int, HopStats]:
    rows = np.flatnonzero(chosen)
    order = rows[np.argsort(hops.place[rows], kind="stable")]
    edges = np.searchsorted(hops.place[order], np.arange(len(hops.places) + 1))
    stats = {}
    for k in range(len(hops.places)):
        of = order[edges[k] : edges[k + 1]]
        if len(of):
            stats[k] = _stats_of(hops, k, of, bool(honest[k]))
    return stats


def _stats_of(hops: Hops, k: int, of: Ints, honest: bool) -> HopStats:
    tally = np.bincount(hops.failure[of], minlength=len(FAILURES))
    failures = {FAILURES[f]: int(tally[f]) for f in range(1, len(FAILURES)) if tally[f]}
    answered = of[hops.answered[of]]
    waited = percentiles(hops.waited[answered])
    legs = answered[hops.has_legs[answered]] if honest and hops.places[k].kind == "call" else answered[:0]
    message = hops.places[k].kind == "message"
    return HopStats(
        len(of), int(tally[1:].sum()), None if message else waited,
        percentiles(hops.request[legs]), percentiles(hops.response[legs]), waited if message else None,
        failures, int((hops.attempt[of] > 0).sum()),
    )  # fmt: skip
