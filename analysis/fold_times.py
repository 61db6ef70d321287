"""Folding rules about time: a busy service and the hops around it, a slow hop and the service that waits on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from analysis.findings import Draft

if TYPE_CHECKING:
    from analysis.fold import System

__all__ = ["backlogs", "hops_around_a_busy_service", "one_finding_per_hop", "own_time_around_a_slow_hop"]

OWN_BESIDE_HOP = 0.25
"""A service that itself became slower by this part of what the hops into it did is busy: they wait for it."""


def _slow(drafts: Sequence[Draft]) -> list[Draft]:
    return [d for d in drafts if d.finding.kind == "latency"]


def _own(drafts: Sequence[Draft]) -> dict[str, list[Draft]]:
    found: dict[str, list[Draft]] = {}
    for draft in _slow(drafts):
        if draft.place.kind == "own":
            found.setdefault(draft.place.callee, []).append(draft)
    return found


def one_finding_per_hop(drafts: Sequence[Draft], system: System) -> list[Draft]:
    """The legs of a hop and the transfer of its bytes are one story: the dearest tells it."""
    del system
    kept: list[Draft] = []
    for draft in drafts:
        same = [d for d in _slow(kept) if draft.finding.kind == "latency" and d.hop and d.hop == draft.hop]
        if same:
            at = kept.index(same[0])
            kept[at] = same[0].explaining(draft)
        else:
            kept.append(draft)
    return kept


def backlogs(drafts: Sequence[Draft], system: System) -> list[Draft]:
    """Messages wait while their consumer is busy: with itself, or with a slow hop of its own."""
    slow = _slow(drafts)
    kept = list(drafts)
    for queue in [d for d in slow if d.place.kind == "message"]:
        causes = [d for d in slow if d.place.caller == queue.place.callee and d.place.kind != "message"]
        # A consumer that is cut off for a while has a backlog to work through: it is busy because of the queue.
        causes = [c for c in causes if queue.finding.cause != "stall" and c in kept]
        if causes:
            cause = max(causes, key=lambda c: c.cost_ms)
            kept[kept.index(cause)] = cause.explaining(queue)
            kept.remove(queue)
    return _without_floods(kept)


def _without_floods(drafts: list[Draft]) -> list[Draft]:
    """What had stood still comes all at once: its consumer is flooded, and so are the queues behind it."""
    stalled = [d for d in _slow(drafts) if d.place.kind == "message" and d.finding.cause == "stall"]
    kept = list(drafts)
    for queue in [d for d in _slow(drafts) if d.place.kind == "message"]:
        before = [s for s in stalled if s.place.callee == queue.place.caller and s.cost_ms > queue.cost_ms]
        if before:
            at = next(i for i, d in enumerate(kept) if d.place == before[0].place)
            kept[at] = kept[at].explaining(queue)
            kept.remove(queue)
    return kept


def hops_around_a_busy_service(drafts: Sequence[Draft], system: System) -> list[Draft]:
    """Several slow operations of a service are one finding, and so are the hops that wait for it.

    A busy event loop takes requests late and reads answers late, so hops into and out of it look slow as well.
    """
    kept = list(drafts)
    for service, of_service in sorted(_own(drafts).items()):
        main, *others = sorted(of_service, key=lambda d: (-d.cost_ms, d.place.name))
        for other in others:
            kept.remove(other)
        total = sum(d.cost_ms for d in of_service)
        into = [d for d in _slow(kept) if d.place.kind == "call" and d.place.callee == service]
        out = [d for d in _slow(kept) if d.place.caller == service and d.place.kind in ("call", "peer")]
        callees = {d.place.callee for d in out}
        has_callees = len(system.callees.get(service, set()))
        waits_for_one = len(callees) == 1 and not into
        symptoms = [d for d in into if total >= OWN_BESIDE_HOP * d.cost_ms]
        if not waits_for_one or (has_callees == 1 and total >= sum(d.cost_ms for d in out)):
            symptoms += [d for d in out if total >= OWN_BESIDE_HOP * d.cost_ms]
        for symptom in symptoms:
            kept.remove(symptom)
        kept[kept.index(main)] = main.explaining(*others, *symptoms)
    return kept


def own_time_around_a_slow_hop(drafts: Sequence[Draft], system: System) -> list[Draft]:
    """Statements without spans (BEGIN, COMMIT, a pool's reset) go over the same slow link: the service waits for it
    in what looks like its own time."""
    del system
    kept = list(drafts)
    for service, of_service in sorted(_own(drafts).items()):
        for own in of_service:
            if own not in kept:
                continue
            beside = [d for d in _slow(kept) if d.place.kind != "own" and service in (d.place.caller, d.place.callee)]
            into = [d for d in beside if d.place.callee == service and own.cost_ms < OWN_BESIDE_HOP * d.cost_ms]
            out = [d for d in beside if d.place.caller == service and d.place.kind != "message"]
            causes = into + [d for d in out if own.cost_ms <= 3 * d.cost_ms]
            if causes:
                cause = max(causes, key=lambda c: c.cost_ms)
                kept[kept.index(cause)] = cause.explaining(own)
                kept.remove(own)
    return kept
