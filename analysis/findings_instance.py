"""When one instance of a service changed and the others did not, the finding is about that instance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.compare_frame import Codes, Floats
from analysis.compare_samples import Comparison, Samples
from analysis.effects import LatencyEffect

__all__ = ["BlamedInstance", "instance_of_failures", "instance_to_blame"]

ALONE = 4.0
"""How much more than the next instance one must have changed to be the one to blame."""
FEWEST_ROWS = 3
FAILED_THERE = 0.9
TRAFFIC_THERE = 0.7


@dataclass(frozen=True, slots=True)
class BlamedInstance:
    name: str
    base: Floats  # usual times of the place, in ns
    current: Floats  # of this instance


def instance_to_blame(comparison: Comparison, samples: Samples, effect: LatencyEffect) -> BlamedInstance | None:
    """The only callee (or else caller) instance that became slower, of two or more; None if that cannot be said."""
    rows = samples.of(effect.index)
    current = samples.current[rows]
    if effect.place.kind == "own":
        own = comparison.frame.own
        place = effect.index - len(comparison.frame.hops.places)
        of_trace = np.zeros(len(comparison.side), dtype=np.int32)
        at = np.flatnonzero(own.place == place)
        of_trace[own.trace[at]] = own.instance[at]
        candidates = [(of_trace[samples.trace[rows]], own.instances)]
    else:
        hops, crossing = comparison.frame.hops, samples.row[rows]
        callee, caller = hops.callee_instance[crossing], hops.caller_instance[crossing]
        candidates = [(callee, hops.instances), (caller, hops.instances)]
    for codes, names in candidates:
        blamed = _only_one(codes, current, samples.value_ns[rows])
        if blamed is not None:
            value = samples.value_ns[rows]
            return BlamedInstance(names[blamed], value[~current], value[current & (codes == blamed)])
    return None


def _only_one(codes: Codes, current: NDArray[np.bool_], value: Floats) -> int | None:
    present = [int(c) for c in np.unique(codes[current]) if c and (codes[current] == c).sum() >= FEWEST_ROWS]
    if len(present) < 2:
        return None
    usual = float(np.median(value[~current]))
    changes = sorted((float(np.median(value[current & (codes == c)])) - usual, c) for c in present)
    (next_change, _), (largest, instance) = changes[-2], changes[-1]
    noise = 1.4826 * float(np.median(np.abs(value[~current] - usual)))
    return instance if largest > max(ALONE * abs(next_change), 2 * noise) else None


def instance_of_failures(failed: Codes, every: Codes, names: tuple[str, ...]) -> str | None:
    """The instance with nearly all failures but not nearly all crossings."""
    known, of_all = failed[failed > 0], every[every > 0]
    if len(known) < FEWEST_ROWS or not len(of_all):
        return None
    code = int(np.bincount(known).argmax())
    alone = (known == code).mean() >= FAILED_THERE and (of_all == code).mean() <= TRAFFIC_THERE
    return names[code] if alone else None
