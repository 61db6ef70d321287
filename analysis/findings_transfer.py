"""Own time that is really the wire's: a server that waits for the bytes of its caller.

Python's ASGI instrumentation gives the reading of a request's body and the writing of the answer spans of their own
inside the SERVER span. A thin link makes those long, and no client's span sees it on its legs.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np

from analysis.compare_frame import Place
from analysis.compare_samples import Comparison, Samples
from analysis.effects import LatencyEffect
from analysis.effects_latency import residuals
from analysis.findings import Draft
from analysis.shape import network_shape

__all__ = ["moved_to_the_wire"]

_LEGS: dict[str, Literal["request", "response"]] = {" http receive": "request", " http send": "response"}


def moved_to_the_wire(comparison: Comparison, samples: Samples, effect: LatencyEffect, draft: Draft) -> Draft:
    """The draft, about the hop into the service where its own time was spent in moving bytes."""
    place = effect.place
    leg = next((leg for ending, leg in _LEGS.items() if place.operation.endswith(ending)), None)
    hop = _hop_into(comparison, place.callee) if place.kind == "own" and leg else None
    if hop is None:
        return draft
    base, current = residuals(samples, effect.index)
    what = "arrival of requests" if leg == "request" else "sending of answers"
    summary = draft.finding.summary.replace(
        f"{place.callee} itself ({place.operation}) takes", f"The {what} on {hop.name} takes"
    )
    finding = replace(
        draft.finding,
        culprit=hop.name,
        service=hop.callee,
        hop=hop.name,
        leg=leg,
        cause=network_shape(base, current).cause,
        summary=summary,
    )
    return replace(draft, finding=finding, place=hop)


def _hop_into(comparison: Comparison, service: str) -> Place | None:
    """The call hop by which most requests reach the service."""
    hops = comparison.frame.hops
    crossings = np.bincount(hops.place, minlength=len(hops.places))
    into = [
        (int(crossings[k]), p.name, k) for k, p in enumerate(hops.places) if (p.kind, p.callee) == ("call", service)
    ]
    return hops.places[max(into)[2]] if into else None
