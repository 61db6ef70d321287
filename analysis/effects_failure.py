"""On which hops, and in which services, more fails than before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from analysis.compare_frame import Flags, Ints, Place
from analysis.compare_samples import BASELINE, CURRENT, Comparison
from analysis.effects import FailureEffect
from analysis.observations import FAILURES
from analysis.statistics_rates import benjamini_hochberg, fisher_greater

__all__ = ["failure_effects"]

FALSE_DISCOVERIES = 0.02
_CALLER_DOES_NOT_SEE = tuple(FAILURES.index(kind) for kind in ("lost_message", "consumer_error", "duplicate"))


def failure_effects(comparison: Comparison) -> list[FailureEffect]:
    """Hops with failures that started there, and services with errors of their own, more often than in the baseline.

    Without a baseline every failure counts. Fisher's exact test over the places that show any failure; places
    without one carry no information and cost no power (Tarone 1990).
    """
    candidates = [*_hop_failures(comparison), *_own_errors(comparison)]
    adjusted = benjamini_hochberg(np.array([effect.p for effect in candidates]))
    found = []
    for effect, q in zip(candidates, adjusted, strict=True):
        alone = not comparison.traces(BASELINE).any()
        if effect.failed and (alone or (q <= FALSE_DISCOVERIES and effect.rate > effect.base_rate)):
            found.append(
                FailureEffect(
                    effect.place, effect.index, effect.failed, effect.total, effect.base_failed, effect.base_total,
                    effect.p, float(q), effect.kinds, effect.rows,
                )
            )  # fmt: skip
    return found


def _hop_failures(comparison: Comparison) -> list[FailureEffect]:
    hops = comparison.frame.hops
    n = len(hops.places)
    side = comparison.side[hops.trace]
    failed = (hops.failure > 0) & hops.origin & (side > 0)
    failed_rows = np.flatnonzero(failed)
    totals = [np.bincount(hops.place[side == s], minlength=n) for s in (BASELINE, CURRENT)]
    counts = [np.bincount(hops.place[failed_rows[side[failed_rows] == s]], minlength=n) for s in (BASELINE, CURRENT)]
    effects = []
    for k in np.flatnonzero(counts[0] + counts[1]):
        rows = failed_rows[(hops.place[failed_rows] == k) & (side[failed_rows] == CURRENT)]
        rows = rows[np.lexsort((hops.duration[rows], hops.start[rows]))]
        tally = np.bincount(hops.failure[rows], minlength=len(FAILURES))
        kinds = {FAILURES[f]: int(tally[f]) for f in np.argsort(-tally, kind="stable") if tally[f]}
        numbers = int(counts[1][k]), int(totals[1][k]), int(counts[0][k]), int(totals[0][k])
        effects.append(_effect(hops.places[k], int(k), numbers, kinds, rows))
    return effects


def _own_errors(comparison: Comparison) -> list[FailureEffect]:
    """Errors that began inside a service, per trace. A request refused with a 4xx is its caller's error, not the
    service's; and where a call of the service failed, what it says of its own answer afterwards is an echo."""
    own = comparison.frame.own
    services = sorted({p.callee for p in own.places})
    number = {name: i for i, name in enumerate(services)}
    service_of_place = np.array([number[p.callee] for p in own.places], dtype=np.int64)
    if not services or not own.errors.any():
        return []
    service = service_of_place[own.place]
    width = len(comparison.side)
    erroneous = (own.errors > 0) & ~comparison.frame.roots.refused[own.trace]
    erroneous &= ~_echoes(comparison, number, service)
    effects = []
    for s in np.unique(service[erroneous]):
        of_service = np.flatnonzero(service == s)
        present, failed = np.zeros(width, dtype=bool), np.zeros(width, dtype=bool)
        present[own.trace[of_service]] = True
        bad = of_service[erroneous[of_service]]
        failed[own.trace[bad]] = True
        numbers = tuple(
            int((flags & comparison.traces(side)).sum()) for side in (CURRENT, BASELINE) for flags in (failed, present)
        )
        rows = bad[comparison.side[own.trace[bad]] == CURRENT]
        rows = rows[np.lexsort((own.place[rows], own.trace[rows], own.start[rows]))]
        if len(rows) or numbers[2]:
            place = own.places[own.place[rows[0]]] if len(rows) else Place("own", services[s], services[s])
            effects.append(_effect(place, -1, numbers, {"error": len(rows)}, rows))
    return effects


def _echoes(comparison: Comparison, number: Mapping[str, int], service: Ints) -> Flags:
    """OWN rows of services that made a failed call in that trace. `service`: of each row, by `number`."""
    hops = comparison.frame.hops
    failed = np.flatnonzero((hops.failure > 0) & ~np.isin(hops.failure, _CALLER_DOES_NOT_SEE))
    caller = np.array([number.get(p.caller, -1) for p in hops.places], dtype=np.int64)[hops.place[failed]]
    width = len(number)
    seen = hops.trace[failed[caller >= 0]].astype(np.int64) * width + caller[caller >= 0]
    return np.isin(comparison.frame.own.trace.astype(np.int64) * width + service, seen)


def _effect(place: Place, index: int, numbers: Sequence[int], kinds: dict[str, int], rows: Ints) -> FailureEffect:
    failed, total, base_failed, base_total = numbers
    p = fisher_greater(base_failed, base_total, failed, total) if base_total else 0.0
    return FailureEffect(place, index, failed, total, base_failed, base_total, p, p, kinds, rows)
