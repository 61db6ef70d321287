"""Folding rule about parts: hops that changed together and share a broker, a callee or a whole service."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from analysis.findings import Draft

if TYPE_CHECKING:
    from analysis.fold import System

__all__ = ["hops_of_one_part"]

TOGETHER = 3.0
"""Changes of one size (within this factor) have one cause; others only share a neighbour."""


def hops_of_one_part(drafts: Sequence[Draft], system: System) -> list[Draft]:
    """Several changed hops that share a part, all of whose hops changed, are that part's finding."""
    kept = list(drafts)
    for part, whole in _parts(system):
        changed = [d for d in kept if d.hop in whole and _is_hops_own(d)]
        groups: dict[str, list[Draft]] = {}
        for draft in changed:
            groups.setdefault(draft.finding.kind, []).append(draft)
        for of_kind in groups.values():
            if len(of_kind) < 2 or {d.hop for d in of_kind} != whole or not _together(of_kind):
                continue
            main = max(of_kind, key=lambda d: (d.cost_ms, d.place.name))
            for draft in of_kind:
                kept.remove(draft)
            kept.append(_blamed(main, of_kind, part))
    return sorted(kept, key=lambda d: (-d.cost_ms, d.place.name, d.finding.cause))


def _parts(system: System) -> list[tuple[str, set[str]]]:
    """Parts and all their hops: brokers first, then callees of several callers, then services with all around them."""
    parts = [
        (broker, {hop for hop, name in system.broker_of.items() if name == broker})
        for broker in sorted(set(system.broker_of.values()))
    ]
    services = sorted({*system.callees, *system.callers})
    called = [(s, {f"{c}->{s}" for c in system.callers.get(s, ())}) for s in services]
    parts += [(s, hops) for s, hops in called if len(hops) >= 2]
    around = [(s, hops | {f"{s}->{c}" for c in system.callees.get(s, ())}) for s, hops in called]
    parts += [(s, hops) for s, hops in around if len(hops) >= 2 and len(system.callees.get(s, ())) >= 1]
    return parts


def _is_hops_own(draft: Draft) -> bool:
    return draft.hop is not None and draft.finding.cause not in ("error", "missing_hop", "new_hop", "broken_context")


def _together(drafts: Sequence[Draft]) -> bool:
    sizes = [d.finding.delta_ms if d.finding.kind == "latency" else d.finding.rate for d in drafts]
    known = [abs(s) for s in sizes if s]
    return bool(known) and max(known) <= TOGETHER * min(known)


def _blamed(main: Draft, drafts: Sequence[Draft], part: str) -> Draft:
    names = ", ".join(sorted(d.place.name for d in drafts))
    summary = f"All hops of {part} changed together ({names}): {main.finding.summary}"
    traces = tuple(dict.fromkeys(t for d in drafts for t in d.finding.traces))[:3]
    counts = [d.finding.count for d in drafts if d.finding.count is not None]
    shares = [d.finding.share for d in drafts if d.finding.share is not None]
    finding = replace(
        main.finding,
        culprit=part,
        service=part,
        hop=None,
        leg=None,
        summary=summary,
        traces=traces,
        count=max(counts) if counts else None,
        share=min(1.0, sum(shares)) if shares else None,
    )
    cost = sum(d.cost_ms for d in drafts)
    return replace(main.explaining(*drafts), finding=finding, cost_ms=cost)
