"""What the traces cannot tell, and what to instrument so that they can."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analysis.compare_frame import Flags, Frame
from analysis.compare_samples import BASELINE, CURRENT, Comparison
from analysis.findings import percent

__all__ = ["joined", "thin_comparison", "thin_input", "traces"]

FEWEST_TRACES = 8
MOST_INCOMPLETE = 0.2
MOST_UNCOMPARED = 0.5
DARK_TIME = 0.3
NAMED = 3


def thin_input(frame: Frame, chosen: Flags) -> list[str]:
    """Reasons why these traces, whatever they are compared with, do not show enough."""
    total = int(chosen.sum())
    if not total:
        return ["There are no traces."]
    reasons = []
    incomplete = chosen & ~frame.roots.complete
    if incomplete.sum() > MOST_INCOMPLETE * total:
        reasons.append(
            f"{int(incomplete.sum()):,} of {total:,} traces are incomplete: spans name parents that never came. "
            f"Look for dropped exports or for sampling that services decide on their "
            f"own{_missing_callers(frame, incomplete)}."
        )
    rows = chosen[frame.hops.trace]
    if not rows.any():
        reasons.append(
            "No trace crosses from one service to another: instrument the clients of the services and pass the trace "
            "context (traceparent) along."
        )
    return reasons + _dark_hops(frame, chosen)


def _missing_callers(frame: Frame, incomplete: Flags) -> str:
    names = [frame.roots.services[r] for r in np.unique(frame.roots.root[incomplete])]
    shown = sorted({name for name in names if name})[:NAMED]
    return f" (seen below {', '.join(shown)})" if shown else ""


def _dark_hops(frame: Frame, chosen: Flags) -> list[str]:
    """Callees that take much of the time and send no spans, although nothing says that they cannot."""
    hops = frame.hops
    rows = chosen[hops.trace]
    spent = np.bincount(hops.place[rows], weights=hops.path[rows], minlength=len(hops.places))
    whole = float(frame.roots.duration[chosen].sum())
    reasons = []
    for k in np.argsort(-spent, kind="stable"):
        place = hops.places[k]
        # A name with a port is a server that nobody has named: a database or cache has its system's name.
        unknown = place.kind == "peer" and (":" in place.callee or place.callee in ("unknown", "?"))
        if unknown and spent[k] > DARK_TIME * whole:
            reasons.append(
                f"{percent(spent[k] / whole)} of the time is spent in {place.callee}, called by {place.caller}, which "
                f"sends no spans: instrument it, or name it with --peer."
            )
    return reasons[:NAMED]


def thin_comparison(comparison: Comparison, name: str | None, minimum: int = FEWEST_TRACES) -> list[str]:
    """Reasons why this comparison cannot find what it should find."""
    where = f"Phase {name}" if name else "The input"
    base, current = comparison.traces(BASELINE), comparison.traces(CURRENT)
    reasons = []
    if current.sum() < minimum:
        reasons.append(f"{where} has {traces(int(current.sum()))}: too few to compare ({minimum} are the least).")
    if base.sum() < minimum:
        reasons.append(
            f"The baseline has {traces(int(base.sum()))}: too few to compare with ({minimum} are the least)."
        )
    if reasons:
        return reasons
    root = comparison.frame.roots.root
    known = np.bincount(root[base], minlength=len(comparison.frame.roots.names)) > 0
    uncompared = current & ~known[root]
    torn = np.zeros(len(root), dtype=bool)
    torn[comparison.frame.lost_context] = True
    uncompared &= ~torn
    if uncompared.sum() > MOST_UNCOMPARED * current.sum():
        counts = np.bincount(root[uncompared], minlength=len(known))
        names = [comparison.frame.roots.names[r] for r in np.argsort(-counts, kind="stable")[:NAMED] if counts[r]]
        reasons.append(
            f"{where} has {int(uncompared.sum()):,} of {int(current.sum()):,} traces of operations that the baseline "
            f"lacks ({', '.join(names)}): take a baseline of the same traffic."
        )
    return reasons


def traces(count: int) -> str:
    return "1 trace" if count == 1 else f"{count:,} traces"


def joined(reasons: Sequence[str]) -> tuple[str, ...]:
    """Each reason once, in order."""
    return tuple(dict.fromkeys(reasons))
