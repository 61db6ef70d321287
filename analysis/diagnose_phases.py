"""Findings that reach over the end of their phase."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from analysis.compare_frame import Ints
from analysis.diagnosis import Phase
from analysis.findings import Draft

__all__ = ["continued"]

AFTERMATH_NS = 5_000_000_000
AFTERMATH_PART = 0.25


def continued(drafts: Sequence[Draft], phases: Sequence[Phase], start_ns: Ints) -> list[Draft]:
    """One finding for what begins in one phase and dies away early in the next.

    A consumer that reconnects two seconds after its link came back loses messages in a phase without any fault:
    that is the end of the old story, not a new one. `start_ns`: of each trace.
    """
    ordered = sorted(phases, key=lambda p: p.start_ns)
    kept = {phase.name: [d for d in drafts if d.finding.phase == phase.name] for phase in ordered}
    for earlier, later in pairwise(ordered):
        end = later.start_ns + max(AFTERMATH_NS, int(AFTERMATH_PART * (later.end_ns - later.start_ns)))
        for draft in list(kept[later.name]):
            same = [d for d in kept[earlier.name] if _same(d, draft)]
            if same and len(draft.affected) and int(start_ns[draft.affected].max()) < end:
                kept[later.name].remove(draft)
                first = kept[earlier.name].index(same[0])
                kept[earlier.name][first] = _joined(same[0], draft, later)
    rest = [d for d in drafts if d.finding.phase not in kept]
    return rest + [d for of_phase in kept.values() for d in of_phase]


def _same(one: Draft, other: Draft) -> bool:
    return (one.finding.culprit, one.finding.cause) == (other.finding.culprit, other.finding.cause)


def _joined(cause: Draft, aftermath: Draft, phase: Phase) -> Draft:
    more = aftermath.finding.count or 0
    summary = f"{cause.finding.summary} It went on into {phase.name} for a moment ({more:,} more)."
    return replace(cause, finding=replace(cause.finding, summary=summary))
