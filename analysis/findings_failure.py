"""From failed crossings to a finding: how they fail, where the blame goes, how many, how sure."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np

from analysis.compare_frame import Hops
from analysis.compare_samples import CURRENT, Comparison
from analysis.diagnosis import Finding
from analysis.effects import FailureEffect, ms
from analysis.findings import FAILURE_COST_MS, Draft, exemplars, percent
from analysis.findings_instance import instance_of_failures
from analysis.observations import FAILURES
from analysis.statistics_rates import clopper_pearson

__all__ = ["cause_of_kind", "failure_draft"]

_INSIDE = ("server_error", "consumer_error", "error")
_CAUSES = {"server_error": "error", "consumer_error": "error", "client_error": "error"}
_HANGS = (FAILURES.index("timeout"), FAILURES.index("late"))
_SAME_DEADLINE = 0.1
FEWEST_HANGS = 3
_PLAIN = {
    "refused": "were refused",
    "reset": "were reset",
    "timeout": "timed out",
    "stall": "hung until the caller's deadline",
    "truncated": "were cut short",
    "late": "were answered after the caller had given up",
    "lost_response": "did their work, but the answer was lost",
    "lost_message": "were never consumed",
    "duplicate": "were consumed more than once",
    "error": "failed with an error",
}


def failure_draft(comparison: Comparison, effect: FailureEffect) -> Draft:
    """The finding about one failing hop or service."""
    frame = comparison.frame
    inside = effect.main_kind in _INSIDE
    if effect.index < 0:
        traces, duration, start = frame.own.trace[effect.rows], frame.own.own[effect.rows], frame.own.start[effect.rows]
    else:
        hops = frame.hops
        traces, duration, start = hops.trace[effect.rows], hops.duration[effect.rows], hops.start[effect.rows]
    cause = _cause(effect, frame.hops)
    interval = clopper_pearson(effect.failed, effect.total)
    affected = np.unique(traces)
    delta, delta_interval = _extra_wait(comparison, effect)
    of_root = np.bincount(frame.roots.root[affected], minlength=len(frame.roots.names))
    current = max(int(comparison.traces(CURRENT).sum()), 1)
    finding = Finding(
        rank=0,
        kind="failure",
        culprit=effect.place.callee if inside else effect.place.name,
        service=effect.place.callee,
        hop=None if effect.index < 0 else effect.place.name,
        cause=cause,
        leg=_leg(effect, frame.hops),
        delta_ms=delta,
        interval_ms=delta_interval,
        share=None,
        rate=effect.rate,
        confidence=min(0.999, 1.0 - effect.adjusted_p),
        traces=exemplars(frame, traces, duration),
        summary=_summary(effect, cause, interval),
        count=effect.failed,
        since_ns=int(start.min()) if len(start) else None,
        operation=frame.roots.names[int(np.argmax(of_root))] if len(affected) else None,
        instance=_instance(comparison, effect),
    )
    place = effect.place if effect.index >= 0 else replace(effect.place, operation="")
    return Draft(finding, FAILURE_COST_MS * len(affected) / current, place, affected)


def cause_of_kind(kind: str) -> str:
    """The cause that a kind of failure (FAILURES) stands for."""
    return _CAUSES.get(kind, kind)


def _cause(effect: FailureEffect, hops: Hops) -> str:
    """A hop that hangs shows the same duration again and again: the caller's deadline."""
    kind = effect.main_kind
    if kind not in ("timeout", "late", "lost_response") or effect.index < 0 or len(effect.rows) < FEWEST_HANGS:
        return cause_of_kind(kind)
    saw_timeout = np.isin(hops.failure[effect.rows], _HANGS) | (hops.symptom[effect.rows] == FAILURES.index("timeout"))
    waits = hops.duration[effect.rows].astype(np.float64)
    low, middle, high = np.quantile(waits, [0.1, 0.5, 0.9])
    return "stall" if saw_timeout.mean() > 0.5 and high - low < _SAME_DEADLINE * middle else kind


def _leg(effect: FailureEffect, hops: Hops) -> Literal["request", "response"] | None:
    """A callee that never began missed the request; one that finished well lost its answer."""
    if effect.place.kind != "call" or effect.index < 0 or effect.main_kind in _INSIDE:
        return None
    arrived = float(hops.arrived[effect.rows].mean()) if len(effect.rows) else 0.5
    if arrived >= 0.9 and effect.main_kind in ("late", "lost_response", "truncated", "timeout", "reset"):
        return "response"
    return "request" if arrived <= 0.1 else None


def _instance(comparison: Comparison, effect: FailureEffect) -> str | None:
    hops = comparison.frame.hops
    if effect.index < 0:
        return None
    every = np.flatnonzero((hops.place == effect.index) & (comparison.side[hops.trace] == CURRENT))
    for codes in (hops.callee_instance, hops.caller_instance):
        name = instance_of_failures(codes[effect.rows], codes[every], hops.instances)
        if name is not None:
            return name
    return None


def _extra_wait(comparison: Comparison, effect: FailureEffect) -> tuple[float | None, tuple[float, float] | None]:
    """How much longer a hanging crossing kept its caller waiting than a good one usually takes."""
    if effect.index < 0 or effect.main_kind not in ("timeout", "late", "lost_response"):
        return None, None
    hops = comparison.frame.hops
    good = np.flatnonzero((hops.place == effect.index) & (hops.failure == FAILURES.index("none")) & hops.answered)
    good = good[comparison.side[hops.trace[good]] > 0]
    if not len(good) or not len(effect.rows):
        return None, None
    waits = hops.duration[effect.rows] - float(np.median(hops.duration[good]))
    low, middle, high = np.quantile(waits, [0.025, 0.5, 0.975])
    return ms(float(middle)), (ms(float(low)), ms(float(high)))


def _summary(effect: FailureEffect, cause: str, interval: tuple[float, float]) -> str:
    rates = f"({percent(effect.rate)}, at 95 % between {percent(interval[0])} and {percent(interval[1])})"
    before = f"; in the baseline {effect.base_failed:,} of {effect.base_total:,}" if effect.base_total else ""
    counts = f"{effect.failed:,} of {effect.total:,}"
    plain = _PLAIN.get(cause, f"failed ({cause})")
    if effect.index < 0:
        return f"{effect.place.callee} failed by itself in {counts} traces {rates}{before}."
    what = "messages" if effect.place.kind == "message" else "calls"
    if effect.main_kind in _INSIDE:
        return f"{effect.place.callee} failed in {counts} {what} on {effect.place.name} {rates}{before}."
    return f"{counts} {what} on {effect.place.name} {plain} {rates}{before}."
