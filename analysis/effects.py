"""What changed at a place, before anybody is blamed for it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.compare_frame import Ints, Place

__all__ = ["Costs", "FailureEffect", "LatencyEffect", "ms"]


def ms(nanoseconds: float) -> float:
    return float(nanoseconds) / 1e6


@dataclass(frozen=True, slots=True)
class Costs:
    """What a place costs the traces of the root operation that pays most for its change, in ns per trace."""

    root: int  # index of the root operation; -1 = nobody pays
    change_ns: float  # of the place's time on the path, per trace of that root operation
    root_change_ns: float  # of the root operation's own mean duration
    root_median_ns: float  # of the root operation in the baseline
    total_ns: float  # per trace over all root operations
    completion: bool  # paid after the answer: on the completion path only

    @property
    def share(self) -> float | None:
        """Part of the slowdown that this place explains; None where nothing became slower."""
        if self.root_change_ns <= 0 or self.root < 0:
            return None
        return float(np.clip(self.change_ns / self.root_change_ns, 0.0, 1.0))


@dataclass(frozen=True, slots=True)
class LatencyEffect:
    """A place that became slower (or, with `delta_ns` < 0, faster)."""

    place: Place
    index: int  # in Samples.places
    p: float
    adjusted_p: float
    delta_ns: float  # per crossing, or per trace for own time
    noise_ns: float
    error_ns: float  # standard error of a shift of the median, from the noise and the number of rows
    base_median_ns: float
    base_floor_ns: float  # what the fastest tenth usually takes
    floor_shift_ns: float  # of the fastest tenth
    partial: bool  # a part of the crossings changed, not all of them
    costs: Costs


@dataclass(frozen=True, slots=True)
class FailureEffect:
    """A hop on which crossings failed for a reason that started there."""

    place: Place
    index: int  # in Frame.hops.places; -1 for a service's own errors
    failed: int
    total: int
    base_failed: int
    base_total: int
    p: float
    adjusted_p: float
    kinds: dict[str, int]  # failures by kind, most frequent first
    rows: Ints  # failed rows of the current side in HOPS (in OWN for a service's own errors), in time order

    @property
    def rate(self) -> float:
        return self.failed / self.total if self.total else 0.0

    @property
    def base_rate(self) -> float:
        return self.base_failed / self.base_total if self.base_total else 0.0

    @property
    def main_kind(self) -> str:
        return next(iter(self.kinds), "none")


@dataclass(frozen=True, slots=True)
class StructureEffect:
    """Traces are built otherwise than they used to be."""

    place: Place
    kind: str  # missing_hop, new_hop, early_return, broken_context, silent
    traces: Ints  # affected traces in time order
    total: int  # traces that could have been affected
    p: float
    summary: str
