"""One side of the traces against the other: from samples to drafts of findings."""

from __future__ import annotations

import pyarrow as pa

from analysis.compare_samples import Comparison, samples
from analysis.effects_failure import failure_effects
from analysis.effects_latency import latency_effects, path_costs
from analysis.findings import Draft
from analysis.findings_failure import failure_draft
from analysis.findings_latency import latency_draft
from analysis.findings_structure import structure_draft
from analysis.fold import System, fold
from analysis.structure import structure_effects
from analysis.structure_context import broken_contexts, silent_loggers, silent_tracers

__all__ = ["compare"]


def compare(comparison: Comparison, logs: pa.Table | None = None) -> list[Draft]:
    """Everything that is worse on the current side, each cause once. `logs` has LOG_SCHEMA."""
    measured = samples(comparison)
    drafts = [failure_draft(comparison, effect) for effect in failure_effects(comparison)]
    slower = latency_effects(comparison, measured, path_costs(comparison))
    drafts += [latency_draft(comparison, measured, effect) for effect in slower]
    changed = [*structure_effects(comparison), *broken_contexts(comparison), *silent_tracers(comparison)]
    if logs is not None and len(logs):
        changed += silent_loggers(comparison, logs)
    drafts += [structure_draft(comparison, effect) for effect in changed]
    return fold(drafts, System(comparison.frame.hops))
