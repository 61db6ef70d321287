"""When the crossings of a failing hop failed: counts over time, beside those that did not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow.compute as pc

from analysis.diagnosis import Diagnosis, Finding
from analysis.observations import FAILURES, Observations

__all__ = ["FailureBin", "FailureRate", "failure_rates"]

BINS = 50
NO_FAILURE = FAILURES.index("none")


@dataclass(frozen=True, slots=True)
class FailureBin:
    """Crossings that began in this stretch of time."""

    start_ns: int
    end_ns: int
    well: int
    failed: int


@dataclass(frozen=True, slots=True)
class FailureRate:
    """The hop of the finding of this rank, over equal stretches without holes."""

    rank: int
    hop: str
    bins: tuple[FailureBin, ...]


def failure_rates(diagnosis: Diagnosis, observations: Observations, bins: int = BINS) -> tuple[FailureRate, ...]:
    """One for every failure finding about a hop that had failures at more than one moment."""
    found = (_rate(finding, observations, bins) for finding in diagnosis.findings if finding.kind == "failure")
    return tuple(rate for rate in found if rate is not None)


def _rate(finding: Finding, observations: Observations, bins: int) -> FailureRate | None:
    if finding.hop is None:
        return None
    caller, _, callee = finding.hop.partition("->")
    hops = observations.hops
    rows = hops.filter(pc.and_(pc.equal(hops["caller"], caller), pc.equal(hops["callee"], callee)))
    starts, failed = rows["start_ns"].to_numpy(), rows["failure"].to_numpy() != NO_FAILURE
    if not failed.any() or starts.min() == starts.max():
        return None
    # Integers: at 1e18 ns a float no longer tells two milliseconds apart.
    first, last = int(starts.min()), int(starts.max())
    edges = np.array([first + (last - first) * index // bins for index in range(bins)] + [last + 1])
    place = np.searchsorted(edges, starts, side="right") - 1
    total, bad = np.bincount(place, minlength=bins), np.bincount(place[failed], minlength=bins)
    return FailureRate(
        finding.rank,
        finding.hop,
        tuple(
            FailureBin(int(edges[index]), int(edges[index + 1]), int(total[index] - bad[index]), int(bad[index]))
            for index in range(bins)
        ),
    )
