"""One side of the traces against the other: from samples to drafts of findings."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from analysis.compare_frame import Flags, Frame
from analysis.compare_samples import CURRENT, Comparison, samples
from analysis.compare_self import self_baseline
from analysis.effects_failure import failure_effects
from analysis.effects_latency import CommonSlowdown, latency_effects, path_costs
from analysis.findings import Draft
from analysis.findings_dark_hops import blamed_on_dark_hops
from analysis.findings_failure import failure_draft
from analysis.findings_latency import latency_draft
from analysis.findings_structure import structure_draft
from analysis.findings_transfer import moved_to_the_wire
from analysis.fold import System, fold
from analysis.structure import structure_effects
from analysis.structure_context import broken_contexts, silent_consumers, silent_loggers, silent_tracers

__all__ = ["Compared", "compare", "compare_with_itself"]

BUSY_FACTOR = 1.5
CERTAIN_FRACTION = 0.25
SELF_SHARE = 0.15
"""Slow traces were chosen for being slow, so every place on their path leans their way: one must stand out."""


@dataclass(frozen=True, slots=True)
class Compared:
    drafts: list[Draft]
    reasons: tuple[str, ...] = ()  # why there may be more than was found


def compare(comparison: Comparison, logs: pa.Table | None = None) -> Compared:
    """Everything that is worse on the current side, each cause once. `logs` has LOG_SCHEMA."""
    slower, common = _slower(comparison)
    drafts = [draft for draft in slower if _is_certain(draft)]
    failures = [failure_draft(comparison, effect) for effect in failure_effects(comparison)]
    drafts += blamed_on_dark_hops(comparison, failures)
    changed = [*structure_effects(comparison), *broken_contexts(comparison), *silent_tracers(comparison)]
    if logs is not None and len(logs):
        changed += [*silent_loggers(comparison, logs), *silent_consumers(comparison, logs)]
    drafts += [structure_draft(comparison, effect) for effect in changed]
    reasons = [] if common.factor < BUSY_FACTOR else [
        f"Everything became slower at once (the place in the middle by a factor of {common.factor:.1f}): a busy "
        f"machine or more load. Only what stands out from that is a finding."
    ]  # fmt: skip
    return Compared(fold(drafts, System(comparison.frame.hops)), tuple(reasons))


def compare_with_itself(frame: Frame, chosen: Flags, logs: pa.Table | None = None) -> Compared:
    """Slow against fast traces of each operation, and every failure there is. `logs` has LOG_SCHEMA."""
    whole = Comparison(frame, np.where(chosen, CURRENT, 0).astype(np.int8))
    halves = Comparison(frame, self_baseline(frame, chosen))
    drafts = [failure_draft(whole, effect) for effect in failure_effects(whole)]
    unseen = silent_consumers(whole, logs) if logs is not None and len(logs) else []
    drafts += [structure_draft(whole, effect) for effect in (*broken_contexts(whole), *unseen)]
    # What slow traces cost is spread over all traces, so that it ranks beside failures of all traces.
    part = float((halves.side == CURRENT).sum()) / max(int(chosen.sum()), 1)
    drafts += [replace(draft, cost_ms=draft.cost_ms * part) for draft in _slower(halves, SELF_SHARE)[0]]
    return Compared(fold(drafts, System(frame.hops)))


def _is_certain(draft: Draft) -> bool:
    """The size is known well enough to be told: a handful of outliers proves a difference, and no size."""
    delta, interval = draft.finding.delta_ms, draft.finding.interval_ms
    return delta is None or interval is None or interval[0] >= CERTAIN_FRACTION * delta


def _slower(comparison: Comparison, *least_share: float) -> tuple[list[Draft], CommonSlowdown]:
    measured = samples(comparison)
    effects, common = latency_effects(measured, path_costs(comparison), *least_share)
    drafts = [
        moved_to_the_wire(comparison, measured, effect, latency_draft(comparison, measured, effect))
        for effect in effects
    ]
    return drafts, common
