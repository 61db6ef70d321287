"""Traces torn apart, and services that fell silent: what was done, but nobody can see it any more."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from analysis.compare_frame import Ints, Place
from analysis.compare_samples import BASELINE, CURRENT, Comparison
from analysis.effects import StructureEffect
from analysis.observations import FAILURES
from analysis.statistics_rates import fisher_greater

__all__ = ["broken_contexts", "silent_consumers", "silent_loggers", "silent_tracers"]

SIGNIFICANCE = 1e-3
LEAST_RATE = 0.01
USUALLY_CALLED = 0.5
FEWEST_LOGS = 10.0
QUIET = 0.02
"""A service that logs less than this part of what its traffic lets expect has stopped logging."""
_LOST = FAILURES.index("lost_message")


def broken_contexts(comparison: Comparison) -> list[StructureEffect]:
    """Services that begin traces of their own although they have callers: somebody lost the trace context."""
    frame = comparison.frame
    roots, hops = frame.roots, frame.hops
    torn_by: dict[str, Ints] = {}
    for service in sorted({roots.services[r] for r in np.unique(roots.root[frame.lost_context])}):
        of_service = np.array([s == service for s in roots.services], dtype=bool)
        torn_by[service] = frame.lost_context[of_service[roots.root[frame.lost_context]]].astype(np.int64)
    effects = []
    for service, torn in torn_by.items():
        into = np.array([p.callee == service for p in hops.places], dtype=bool)
        arrivals = hops.trace[np.flatnonzero(into[hops.place] & hops.arrived)]
        arrived = [int((comparison.side[arrivals] == s).sum()) for s in (BASELINE, CURRENT)]
        lost = [int((comparison.side[torn] == s).sum()) for s in (BASELINE, CURRENT)]
        called = (arrived[0] / max(arrived[0] + lost[0], 1)) if sum(lost[:1] + arrived[:1]) else None
        if called is None:
            called = arrived[1] / max(arrived[1] + lost[1], 1)
        total = lost[1] + arrived[1]
        if called < USUALLY_CALLED or not lost[1] or lost[1] < LEAST_RATE * total:
            continue
        alone = not (comparison.side == BASELINE).any()
        p = 0.0 if alone else fisher_greater(lost[0], lost[0] + arrived[0], lost[1], total)
        if p > SIGNIFICANCE:
            continue
        place = _likely_hop(comparison, service)
        text = (
            f"{lost[1]:,} of {total:,} requests that {service} served began a trace of their own: the context that "
            f"{place.caller} sent was lost on {place.name}."
        )
        traces = torn[comparison.side[torn] == CURRENT]
        effects.append(StructureEffect(place, "broken_context", np.sort(traces), total, p, text))
    return effects


def _likely_hop(comparison: Comparison, service: str) -> Place:
    """The hop into the service that lacks most arrivals now."""
    hops = comparison.frame.hops
    missing = np.bincount(
        hops.place[(comparison.side[hops.trace] == CURRENT) & ~hops.arrived], minlength=len(hops.places)
    )
    into = [k for k, p in enumerate(hops.places) if p.callee == service]
    best = max(into, key=lambda k: (missing[k], hops.places[k].name))
    return hops.places[best]


def silent_tracers(comparison: Comparison) -> list[StructureEffect]:
    """Services whose callers get good answers and whose spans are gone."""
    hops = comparison.frame.hops
    side = comparison.side[hops.trace]
    fine = (hops.failure == 0) & (side > 0)
    n = len(hops.places)
    effects = []
    counts = {
        (s, seen): np.bincount(hops.place[fine & (side == s) & (hops.arrived == seen)], minlength=n)
        for s in (BASELINE, CURRENT)
        for seen in (False, True)
    }
    for k, place in enumerate(hops.places):
        base_unseen, base_seen = int(counts[BASELINE, False][k]), int(counts[BASELINE, True][k])
        unseen, seen = int(counts[CURRENT, False][k]), int(counts[CURRENT, True][k])
        if place.kind != "call" or not base_seen or unseen < LEAST_RATE * (unseen + seen):
            continue
        p = fisher_greater(base_unseen, base_unseen + base_seen, unseen, unseen + seen)
        if p > SIGNIFICANCE or unseen < 0.5 * (unseen + seen):
            continue
        rows = np.flatnonzero((hops.place == k) & fine & (side == CURRENT) & ~hops.arrived)
        text = (
            f"{place.callee} stopped tracing: {unseen:,} of {unseen + seen:,} calls on {place.name} were answered "
            f"well, and its spans are missing."
        )
        callee = Place("own", place.callee, place.callee)
        effects.append(StructureEffect(callee, "silent", np.unique(hops.trace[rows]), unseen + seen, p, text))
    return effects


def silent_loggers(comparison: Comparison, logs: pa.Table) -> list[StructureEffect]:
    """Services that do their work as before and no longer log it. `logs` has LOG_SCHEMA.

    A log record belongs to the side of its trace; records without one to nobody.
    """
    own = comparison.frame.own
    counted = _logs_per_service(comparison, logs)
    effects = []
    for service in sorted(counted):
        of_service = np.array([p.callee == service for p in own.places], dtype=bool)
        rows = np.flatnonzero(of_service[own.place]) if len(own.places) else np.empty(0, np.int64)
        worked = [np.unique(own.trace[rows[comparison.side[own.trace[rows]] == s]]) for s in (BASELINE, CURRENT)]
        if not len(worked[0]) or not len(worked[1]):
            continue
        expected = counted[service][0] / len(worked[0]) * len(worked[1])
        if expected < FEWEST_LOGS or counted[service][1] > QUIET * expected:
            continue
        text = (
            f"{service} stopped logging: {counted[service][1]:,} records in {len(worked[1]):,} traces, where the "
            f"baseline lets expect {expected:,.0f}."
        )
        place = Place("own", service, service)
        effects.append(StructureEffect(place, "silent", worked[1], len(worked[1]), float(np.exp(-expected)), text))
    return effects


def silent_consumers(comparison: Comparison, logs: pa.Table) -> list[StructureEffect]:
    """Services that log about the messages which no span of theirs shows: not lost, only unseen. `logs` has LOG_SCHEMA.

    A tracer whose export broke still puts its trace ids into the log records.
    """
    hops = comparison.frame.hops
    lost = np.flatnonzero((hops.failure == _LOST) & (comparison.side[hops.trace] == CURRENT))
    effects = []
    for k in np.unique(hops.place[lost]):
        place = hops.places[k]
        rows = lost[hops.place[lost] == k]
        of_place = (hops.place == k) & (comparison.side[hops.trace] == CURRENT)
        worked = np.intersect1d(hops.trace[rows], _traces_logged_by(comparison, logs, place.callee))
        if len(worked) < max(USUALLY_CALLED * len(rows), LEAST_RATE * of_place.sum()):
            continue
        text = (
            f"{place.callee} stopped tracing: {len(rows):,} of {int(of_place.sum()):,} messages on {place.name} have "
            f"no span of it, and it logged its work on {len(worked):,} of them."
        )
        callee = Place("own", place.callee, place.callee)
        effects.append(StructureEffect(callee, "silent", worked, int(of_place.sum()), 0.0, text))
    return effects


def _traces_logged_by(comparison: Comparison, logs: pa.Table, service: str) -> Ints:
    import pyarrow.compute as pc

    own = pc.and_(pc.is_valid(logs["trace_id"]), pc.equal(logs["service"].cast(pa.string()), service))
    row = pc.index_in(logs.filter(own)["trace_id"].combine_chunks(), value_set=comparison.frame.roots.ids)
    row = row.combine_chunks() if isinstance(row, pa.ChunkedArray) else row
    return np.unique(np.asarray(row.drop_null().to_numpy(zero_copy_only=False), dtype=np.int64))


def _logs_per_service(comparison: Comparison, logs: pa.Table) -> dict[str, tuple[int, int]]:
    """Records with a trace id per service, in the baseline and now."""
    import pyarrow.compute as pc

    ids = comparison.frame.roots.ids
    known = logs.filter(pc.is_valid(logs["trace_id"]))
    row = pc.index_in(known["trace_id"].combine_chunks(), value_set=ids)
    row = row.combine_chunks() if isinstance(row, pa.ChunkedArray) else row
    trace = np.asarray(row.fill_null(-1).to_numpy(zero_copy_only=False), dtype=np.int64)
    side = np.where(trace >= 0, comparison.side[trace], 0)
    service = known["service"].cast(pa.string()).combine_chunks()
    words = service.dictionary_encode()
    words = words.combine_chunks() if isinstance(words, pa.ChunkedArray) else words
    codes = np.asarray(words.indices.fill_null(-1).to_numpy(zero_copy_only=False), dtype=np.int64)
    return {
        name: (int(((codes == i) & (side == BASELINE)).sum()), int(((codes == i) & (side == CURRENT)).sum()))
        for i, name in enumerate(words.dictionary.to_pylist())
    }
