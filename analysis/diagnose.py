"""From observations to a diagnosis: who is to blame for lost time and failed hops, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from analysis.compare import compare, compare_with_itself
from analysis.compare_frame import Flags, Frame, frame
from analysis.compare_samples import BASELINE, CURRENT, Comparison
from analysis.compare_self import FEWEST_TRACES
from analysis.coverage import joined, thin_comparison, thin_input, traces
from analysis.defect_warnings import defect_warnings
from analysis.diagnose_phases import continued
from analysis.diagnose_summaries import accounting, hop_summaries, operation_summaries
from analysis.diagnosis import Diagnosis, Finding, HopSummary, InputSummary, Phase, PhaseSummary, Verdict
from analysis.findings import Draft, ranked
from analysis.observations import Observations, concat

__all__ = ["diagnose"]

_UNSEEN = ("new_hop", "silent", "broken_context")
"""Causes that hide work without breaking it."""


@dataclass(frozen=True)
class _Part:
    """What is diagnosed in one go: a phase, or the whole input."""

    phase: Phase | None
    current: Flags
    baseline: Flags | None  # None: the traces are their own baseline

    @property
    def side(self) -> NDArray[np.int8]:
        base = self.baseline if self.baseline is not None else np.zeros(len(self.current), dtype=bool)
        return np.where(self.current, CURRENT, np.where(base, BASELINE, 0)).astype(np.int8)


def diagnose(
    observations: Observations,
    *,
    baseline: Observations | None = None,
    phases: Sequence[Phase] = (),
    logs: pa.Table | None = None,
    warnings: Sequence[str] = (),
) -> Diagnosis:
    """Findings about `observations`, dearest first.

    With `phases`, those marked as baseline are compared with each other phase; else `baseline` with all of
    `observations`; else the slow traces of each operation with its fast ones. `logs` has LOG_SCHEMA.
    Neither the order of rows nor how they were batched changes anything.
    """
    whole = observations if baseline is None else concat([baseline, observations])
    view = frame(whole)
    is_input = np.arange(len(whole.traces)) >= (0 if baseline is None else len(baseline.traces))
    parts = _parts(view, is_input, baseline is not None, phases)
    drafts: list[Draft] = []
    reasons: dict[str | None, list[str]] = {None: thin_input(view, is_input)}
    for part in parts:
        name = part.phase.name if part.phase else None
        found, thin = _examine(view, part, logs)
        drafts += [replace(d, finding=replace(d.finding, phase=name)) for d in found]
        reasons.setdefault(name, []).extend(thin)
    findings = ranked(continued(drafts, [p.phase for p in parts if p.phase], view.roots.start))
    return Diagnosis(
        input=_input(view, observations, warnings),
        verdict=_verdict(findings, [r for of in reasons.values() for r in of]),
        accounting=accounting(whole.traces, is_input),
        operations=operation_summaries(view, whole.traces, is_input),
        hops=_hops(view, parts),
        findings=findings,
        phases=tuple(_phase(view, whole.traces, p, findings, reasons.get(p.name, [])) for p in phases),
        logs=_logs_with_traces(logs),
        reasons=joined([r for of in reasons.values() for r in of]),
    )


def _parts(view: Frame, is_input: Flags, has_baseline: bool, phases: Sequence[Phase]) -> list[_Part]:
    if not phases:
        return [_Part(None, is_input, ~is_input if has_baseline else None)]
    before = np.logical_or.reduce([_within(view, p) for p in phases if p.baseline] or [~is_input])
    known = any(p.baseline for p in phases) or has_baseline
    return [_Part(p, _within(view, p) & is_input, before if known else None) for p in phases if not p.baseline]


def _within(view: Frame, phase: Phase) -> Flags:
    start = view.roots.start
    inside: Flags = (start >= phase.start_ns) & (start < phase.end_ns)
    return inside


def _examine(view: Frame, part: _Part, logs: pa.Table | None) -> tuple[list[Draft], list[str]]:
    """Findings of a part, and why there may be too few of them."""
    name = part.phase.name if part.phase else None
    if part.baseline is None:
        thin = []
        if part.current.sum() < FEWEST_TRACES:
            where = f"Phase {name}" if name else "The input"
            thin = [
                f"{where} has {traces(int(part.current.sum()))} and no baseline: too few to tell slow from fast. Take "
                f"more, or give traces of a good time as the baseline."
            ]
        return compare_with_itself(view, part.current, logs).drafts, thin
    comparison = Comparison(view, part.side)
    compared = compare(comparison, logs)
    where = f"Phase {name}: " if name else ""
    return compared.drafts, [*thin_comparison(comparison, name), *(where + r for r in compared.reasons)]


def _hops(view: Frame, parts: Sequence[_Part]) -> tuple[HopSummary, ...]:
    nothing = np.zeros(len(view.roots.root), dtype=bool)
    current = np.logical_or.reduce([p.current for p in parts] or [nothing])
    known = [p.baseline for p in parts if p.baseline is not None]
    return hop_summaries(view, current, known[0] if known else None)


def _phase(
    view: Frame, traces: pa.Table, phase: Phase, findings: Sequence[Finding], reasons: Sequence[str]
) -> PhaseSummary:
    own = [f for f in findings if f.phase == phase.name]
    return PhaseSummary(
        phase.name,
        phase.start_ns,
        phase.end_ns,
        phase.baseline,
        _verdict(own, reasons),
        operation_summaries(view, traces, _within(view, phase)),
        tuple(f.rank for f in own),
    )


def _input(view: Frame, observations: Observations, warnings: Sequence[str]) -> InputSummary:
    complete = np.asarray(observations.traces["complete"].to_numpy(), dtype=bool)
    return InputSummary(
        traces=len(observations.traces),
        spans=int(observations.traces["spans"].to_numpy().sum()),
        incomplete_traces=int((~complete).sum()),
        services=view.services,
        warnings=(*warnings, *defect_warnings(observations.defects)),
    )


def _logs_with_traces(logs: pa.Table | None) -> dict[str, int] | None:
    if logs is None:
        return None
    import pyarrow.compute as pc

    services = logs.filter(pc.is_valid(logs["trace_id"]))["service"].cast(pa.string())
    counted = pc.value_counts(services.combine_chunks()).to_pylist()
    return {row["values"] or "unknown": row["counts"] for row in sorted(counted, key=lambda r: r["values"] or "")}


def _verdict(findings: Sequence[Finding], reasons: Sequence[str]) -> Verdict:
    """What was found stands even where coverage is thin; nothing found in thin data is not a clean bill."""
    if any(f.kind == "failure" and f.cause not in _UNSEEN for f in findings):
        return "failing"
    if findings:
        return "degraded"
    return "inconclusive" if reasons else "ok"
