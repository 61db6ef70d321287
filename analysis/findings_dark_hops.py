"""Services that fail because they cannot reach a callee, where the attempt itself leaves no span.

A database driver's instrumentation draws spans around statements. Where no connection can be had there is no statement,
and the only trace of the cut link is a service that fails "by itself". It gives itself away by its other hops: it goes
on working up to the call that never comes.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np

from analysis.compare_frame import Flags, Ints, Place
from analysis.compare_samples import BASELINE, CURRENT, Comparison
from analysis.findings import Draft

__all__ = ["blamed_on_dark_hops"]

EDGE = 0.05
"""Of the failures at either end of their time that do not say from when to when it lasted."""
FEWEST_EXPECTED = 10.0
DARK = 0.1
ALIVE = 0.5


def blamed_on_dark_hops(comparison: Comparison, drafts: Sequence[Draft]) -> list[Draft]:
    """Drafts, with the errors of a service as its dark hop's failure where one hop of it alone went dark."""
    kept = [d for d in drafts if not _is_error(d)]
    for draft in [d for d in drafts if _is_error(d)]:
        failing = {d.place for d in kept if d.finding.kind == "failure" and d.place.caller == draft.place.callee}
        hop = _dark_hop(comparison, draft.place.callee, draft.affected, failing)
        at = next((i for i, d in enumerate(kept) if d.place == hop and d.finding.kind == "failure"), None)
        if hop is None:
            kept.append(draft)
        elif at is None:
            kept.append(_moved(draft, hop))
        else:
            kept[at] = _joined(kept[at], draft)
    return kept


def _is_error(draft: Draft) -> bool:
    return draft.finding.kind == "failure" and draft.finding.cause == "error"


def _dark_hop(comparison: Comparison, service: str, failed: Ints, failing: Collection[Place]) -> Place | None:
    """The only hop out of the service that nothing crossed well while the service failed, if that hop was seen to fail
    (`failing`), or the service's others went on."""
    hops = comparison.frame.hops
    out = [k for k, p in enumerate(hops.places) if p.caller == service and p.kind != "message"]
    if not out or not len(failed):
        return None
    began = comparison.frame.roots.start[failed]
    low, high = np.quantile(began, [EDGE, 1 - EDGE])
    meanwhile = (comparison.side[hops.trace] == CURRENT) & (hops.start >= low) & (hops.start <= high)
    before = comparison.side[hops.trace] == BASELINE
    into = np.array([p.callee == service for p in hops.places], dtype=bool)[hops.place] & hops.arrived
    requests = int((into & before).sum()), int((into & meanwhile).sum())
    if not requests[0]:
        return None
    dark, alive = [], False
    for k in out:
        good = (hops.place == k) & (hops.failure == 0)
        expected = float((good & before).sum()) * requests[1] / requests[0]
        seen = int((good & meanwhile).sum())
        if expected >= FEWEST_EXPECTED and seen <= DARK * expected:
            dark.append(k)
        elif _shows_in(hops.trace[good & meanwhile], failed):
            alive = True
    seen_to_fail = [hops.places[k] for k in dark if hops.places[k] in failing]
    if len(seen_to_fail) == 1:
        return seen_to_fail[0]
    return hops.places[dark[0]] if len(dark) == 1 and alive else None


def _shows_in(traces: Ints, failed: Ints) -> bool:
    found: Flags = np.isin(failed, traces)
    return bool(found.mean() >= ALIVE)


def _moved(draft: Draft, hop: Place) -> Draft:
    finding = draft.finding
    summary = (
        f"{hop.caller} failed in {finding.count:,} traces without a single call on {hop.name}, while its other calls "
        f"went on: it got no connection."
    )
    moved = replace(
        finding, culprit=hop.name, service=hop.callee, hop=hop.name, cause="refused", leg=None, summary=summary,
        instance=None,
    )  # fmt: skip
    return replace(
        draft.explaining(), finding=moved, place=hop, folded=tuple(sorted({*draft.folded, draft.place.name}))
    )


def _joined(cause: Draft, errors: Draft) -> Draft:
    service = errors.place.callee
    note = f" {service} failed in {len(errors.affected):,} traces for it."
    if note in cause.finding.summary or cause.finding.summary.startswith(f"{service} failed in"):
        note = ""
    affected = np.union1d(cause.affected, errors.affected)
    finding = replace(cause.finding, summary=cause.finding.summary + note)
    cost = max(cause.cost_ms, errors.cost_ms) * len(affected) / max(len(cause.affected), len(errors.affected), 1)
    return replace(cause.explaining(errors), finding=finding, affected=affected, cost_ms=cost)
