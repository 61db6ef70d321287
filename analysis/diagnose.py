"""From observations to a diagnosis: who is to blame for lost time and failed hops, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from analysis.compare import compare
from analysis.compare_frame import Frame, frame
from analysis.compare_samples import BASELINE, CURRENT, Comparison
from analysis.diagnose_summaries import accounting, hop_summaries, operation_summaries
from analysis.diagnosis import Diagnosis, InputSummary, Phase, PhaseSummary, Verdict
from analysis.findings import Draft, ranked
from analysis.observations import Observations, concat

__all__ = ["diagnose"]

Sides = NDArray[np.int8]


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
    """
    joined = observations if baseline is None else concat([baseline, observations])
    view = frame(joined)
    is_input = np.ones(len(joined.traces), dtype=bool)
    if baseline is not None:
        is_input[: len(baseline.traces)] = False
    drafts: list[Draft] = []
    sides = _sides(view, is_input, baseline is not None, phases)
    for phase, side in sides:
        found = compare(Comparison(view, side))
        drafts += [replace(d, finding=replace(d.finding, phase=phase.name if phase else None)) for d in found]
    findings = ranked(drafts)
    reference = _reference(sides)
    current = is_input if reference is None else np.logical_or.reduce([side == CURRENT for _, side in sides])
    honest = np.ones(len(view.hops.places), dtype=bool)
    phase_rank = {p.name: tuple(f.rank for f in findings if f.phase == p.name) for p in phases}
    return Diagnosis(
        input=_input(view, observations, warnings),
        verdict=_verdict([f.kind for f in findings]),
        accounting=accounting(joined.traces, is_input),
        operations=operation_summaries(view, joined.traces, is_input),
        hops=hop_summaries(view, current, reference, honest),
        findings=findings,
        phases=tuple(
            PhaseSummary(
                p.name, p.start_ns, p.end_ns, p.baseline,
                _verdict([f.kind for f in findings if f.phase == p.name]),
                operation_summaries(view, joined.traces, _within(view, p)), phase_rank[p.name],
            )
            for p in phases
        ),
    )  # fmt: skip


def _within(view: Frame, phase: Phase) -> NDArray[np.bool_]:
    start = view.roots.start
    return (start >= phase.start_ns) & (start < phase.end_ns)


def _sides(
    view: Frame, is_input: NDArray[np.bool_], has_baseline: bool, phases: Sequence[Phase]
) -> list[tuple[Phase | None, Sides]]:
    if phases:
        before = np.zeros(len(is_input), dtype=bool)
        for phase in phases:
            if phase.baseline:
                before |= _within(view, phase)
        return [
            (p, np.where(before, BASELINE, np.where(_within(view, p), CURRENT, 0)).astype(np.int8))
            for p in phases
            if not p.baseline
        ]
    if has_baseline:
        return [(None, np.where(is_input, CURRENT, BASELINE).astype(np.int8))]
    return [(None, np.full(len(is_input), CURRENT, dtype=np.int8))]


def _reference(sides: Sequence[tuple[Phase | None, Sides]]) -> NDArray[np.bool_] | None:
    for _, side in sides:
        if (side == BASELINE).any():
            found: NDArray[np.bool_] = side == BASELINE
            return found
    return None


def _input(view: Frame, observations: Observations, warnings: Sequence[str]) -> InputSummary:
    complete = observations.traces["complete"].to_numpy()
    return InputSummary(
        traces=len(observations.traces),
        spans=int(observations.traces["spans"].to_numpy().sum()),
        incomplete_traces=int((~complete.astype(bool)).sum()),
        services=view.services,
        warnings=tuple(warnings),
    )


def _verdict(kinds: Sequence[str]) -> Verdict:
    if "failure" in kinds:
        return "failing"
    return "degraded" if kinds else "ok"
