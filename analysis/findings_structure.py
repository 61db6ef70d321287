"""From changes of structure to findings."""

from __future__ import annotations

import numpy as np

from analysis.compare_samples import CURRENT, Comparison
from analysis.diagnosis import Finding
from analysis.effects import StructureEffect
from analysis.findings import FAILURE_COST_MS, Draft, exemplars

__all__ = ["SEVERITY", "structure_draft"]

SEVERITY = {"missing_hop": 1.0, "early_return": 1.0, "broken_context": 0.2, "silent": 0.2, "new_hop": 0.1}
"""Against a failed request: work that was not done is as bad; work that nobody sees, or more of it, is less."""


def structure_draft(comparison: Comparison, effect: StructureEffect) -> Draft:
    """The finding about traces that are built otherwise."""
    frame = comparison.frame
    place = effect.place
    inside = place.kind == "own"
    # Who left a hop out is its caller; who lost the context or fell silent is the callee.
    service = place.caller if effect.kind in ("missing_hop", "new_hop") else place.callee
    of_root = np.bincount(frame.roots.root[effect.traces], minlength=len(frame.roots.names))
    current = max(int(comparison.traces(CURRENT).sum()), 1)
    finding = Finding(
        rank=0,
        kind="failure",
        culprit=service if inside else place.name,
        service=service,
        hop=None if inside else place.name,
        cause=effect.kind,
        leg=None,
        delta_ms=None,
        interval_ms=None,
        share=None,
        rate=len(effect.traces) / max(effect.total, 1),
        confidence=min(0.999, 1.0 - effect.p),
        traces=exemplars(frame, effect.traces, frame.roots.duration[effect.traces]),
        summary=effect.summary,
        count=len(effect.traces),
        since_ns=int(frame.roots.start[effect.traces].min()) if len(effect.traces) else None,
        operation=frame.roots.names[int(np.argmax(of_root))] if len(effect.traces) else None,
    )
    cost = FAILURE_COST_MS * SEVERITY[effect.kind] * len(effect.traces) / current
    return Draft(finding, cost, place, effect.traces)
