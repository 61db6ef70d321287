"""One side of the traces against the other: from samples to drafts of findings."""

from __future__ import annotations

from analysis.compare_samples import Comparison, samples
from analysis.effects_failure import failure_effects
from analysis.effects_latency import latency_effects, path_costs
from analysis.findings import Draft
from analysis.findings_failure import failure_draft
from analysis.findings_latency import latency_draft

__all__ = ["compare"]


def compare(comparison: Comparison) -> list[Draft]:
    """Everything that is worse on the current side, each cause once."""
    failures = failure_effects(comparison)
    measured = samples(comparison)
    slower = latency_effects(comparison, measured, path_costs(comparison))
    drafts = [failure_draft(comparison, effect) for effect in failures]
    drafts += [latency_draft(comparison, measured, effect) for effect in slower]
    return drafts
