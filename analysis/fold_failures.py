"""Folding rules about failures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from analysis.findings import Draft

if TYPE_CHECKING:
    from analysis.fold import System

__all__ = [
    "errors_of_one_service",
    "failures_of_unfinished_work",
    "hangs_of_slow_places",
    "overlap",
    "side_effects_of_failures",
    "torn_messages",
    "unseen_messages",
    "work_done_before",
]

_HANGS = ("stall", "timeout", "late", "lost_response")
_UNANSWERED = (*_HANGS, "reset", "truncated")
_STRUCTURE = ("missing_hop", "new_hop", "early_return", "broken_context", "silent")
MOST = 0.8
HALF = 0.5
MINOR = 0.1


def overlap(part: Draft, whole: Draft) -> float:
    """Share of the first one's traces in which the second shows too."""
    if not len(part.affected):
        return 0.0
    return float(np.isin(part.affected, whole.affected).mean())


def errors_of_one_service(drafts: Sequence[Draft], system: System) -> list[Draft]:
    """A service that fails is one finding, however many callers see it fail."""
    del system
    errors = [d for d in drafts if d.finding.kind == "failure" and d.finding.cause == "error"]
    kept = [d for d in drafts if d not in errors]
    by_culprit: dict[str, list[Draft]] = {}
    for draft in errors:
        by_culprit.setdefault(draft.finding.culprit, []).append(draft)
    for of_service in by_culprit.values():
        # The hop is worth more than the bare service: it says who suffers.
        main = max(of_service, key=lambda d: (d.hop is not None, d.finding.count or 0, d.place.name))
        kept.append(main.explaining(*(d for d in of_service if d is not main)))
    return _by_cost(kept)


def torn_messages(drafts: Sequence[Draft], system: System) -> list[Draft]:
    """A message whose consumer began a trace of its own is not lost, and its callee is not silent."""
    del system
    torn = {d.place.callee: d for d in drafts if d.finding.cause == "broken_context"}
    kept: list[Draft] = []
    for draft in drafts:
        cause = torn.get(draft.place.callee)
        lost = draft.finding.cause in ("lost_message", "silent") and draft is not cause
        if cause is not None and lost and (cause.finding.count or 0) >= HALF * (draft.finding.count or 0):
            torn[draft.place.callee] = cause.explaining(draft)
        else:
            kept.append(draft)
    return _by_cost([torn[d.place.callee] if d.finding.cause == "broken_context" else d for d in kept])


def unseen_messages(drafts: Sequence[Draft], system: System) -> list[Draft]:
    """A message whose consumer works on it without sending spans is not lost."""
    del system
    silent = {d.place.callee: d for d in drafts if d.finding.cause == "silent"}
    kept: list[Draft] = []
    for draft in drafts:
        cause = silent.get(draft.place.callee)
        if cause is not None and draft.finding.cause == "lost_message" and overlap(draft, cause) >= HALF:
            silent[draft.place.callee] = cause.explaining(draft)
        else:
            kept.append(draft)
    return _by_cost([silent[d.place.callee] if d.finding.cause == "silent" else d for d in kept])


def failures_of_unfinished_work(drafts: Sequence[Draft], system: System) -> list[Draft]:
    """Who fails because a callee answered without doing its work is not to blame."""
    unfinished = [d for d in drafts if d.finding.cause in ("early_return", "missing_hop")]
    kept = []
    for draft in drafts:
        causes = [
            u
            for u in unfinished
            if u is not draft
            and draft.finding.kind == "failure"
            and draft.finding.cause not in _STRUCTURE
            and u.finding.service in system.below(draft.finding.service)
            and overlap(draft, u) >= MOST
        ]
        if not causes:
            kept.append(draft)
    return kept


def work_done_before(drafts: Sequence[Draft], system: System) -> list[Draft]:
    """Who is asked again, because its first answer was lost, knows it already: that is no early return."""
    del system
    causes = {id(d): d for d in drafts if d.hop is not None and d.finding.cause in _UNANSWERED}
    kept = []
    for draft in drafts:
        early = draft.finding.cause in ("early_return", "missing_hop")
        into = [
            key
            for key, cause in causes.items()
            if early and cause.place.callee == draft.finding.service and cause.cost_ms > draft.cost_ms
        ]
        if into:
            causes[into[0]] = causes[into[0]].explaining(draft)
        else:
            kept.append(draft)
    return _by_cost([causes.get(id(d), d) for d in kept])


def hangs_of_slow_places(drafts: Sequence[Draft], system: System) -> list[Draft]:
    """Calls that time out because they, or something below them, became slow.

    Of one hop's slowness and hangs the one that most crossings show stays, and that costs more; hangs above a slow
    place are its symptom.
    """
    slow = [d for d in drafts if d.finding.kind == "latency"]
    gone: list[Draft] = []
    grown: dict[int, Draft] = {}
    for draft in drafts:
        if draft.finding.kind != "failure" or draft.hop is None:
            continue
        same = [s for s in slow if s.place == draft.place]
        below = [
            s
            for s in slow
            if s.place != draft.place
            and s.place.caller in system.below(draft.place.callee)
            and (s.finding.delta_ms or 0) >= MINOR * (draft.finding.delta_ms or 0)
        ]
        hangs = draft.finding.cause in _HANGS
        if hangs and below:
            cause = max(below, key=lambda s: s.cost_ms)
        elif same and hangs and (draft.finding.rate or 0) < HALF and same[0].cost_ms >= MINOR * draft.cost_ms:
            cause = same[0]
        elif same:
            gone.append(same[0])
            grown[id(draft)] = draft.explaining(same[0])
            continue
        else:
            continue
        gone.append(draft)
        note = f" {draft.finding.count:,} calls on {draft.place.name} failed for it ({draft.finding.cause})."
        current = grown.get(id(cause), cause)
        finding = replace(
            current.finding,
            rate=draft.finding.rate if draft.place == cause.place else current.finding.rate,
            summary=current.finding.summary + note,
        )
        grown[id(cause)] = replace(current.explaining(draft), finding=finding, cost_ms=current.cost_ms + draft.cost_ms)
    return _by_cost([grown.get(id(d), d) for d in drafts if not any(d is g for g in gone)])


def side_effects_of_failures(drafts: Sequence[Draft], system: System) -> list[Draft]:
    """What changes only in traces where something failed, or is small beside it, follows from the failure."""
    del system
    failures = [d for d in drafts if d.finding.kind == "failure" and d.finding.cause not in ("new_hop", "silent")]
    kept = []
    for draft in drafts:
        causes = [
            f
            for f in failures
            if f is not draft
            and f.cost_ms > draft.cost_ms
            and (draft.finding.kind == "latency" or draft.finding.cause in ("new_hop", "missing_hop"))
            and ((overlap(draft, f) >= MOST and draft.cost_ms < MINOR * f.cost_ms) or draft.finding.cause == "new_hop")
        ]
        if not causes:
            kept.append(draft)
    return kept


def _by_cost(drafts: Sequence[Draft]) -> list[Draft]:
    return sorted(drafts, key=lambda d: (-d.cost_ms, d.place.name, d.finding.cause))
