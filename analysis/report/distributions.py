"""How long a finding's place took before and after, as histograms over the same bins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from analysis.diagnosis import Diagnosis, Finding, PhaseSummary
from analysis.observations import Observations

__all__ = ["Distribution", "Series", "distributions"]

BINS = 44
# Samples that spread over more than this ratio are shown on a logarithmic axis.
LOGARITHMIC_FROM = 8.0

Samples = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Series:
    """One sample: `shares[i]` is the part of it between `edges_ms[i]` and `edges_ms[i + 1]`; they add up to 1."""

    name: str
    samples: int
    p50_ms: float
    p95_ms: float
    shares: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Distribution:
    """What the finding of this rank measured; the baseline is the first of two series, or absent."""

    rank: int
    quantity: str
    logarithmic: bool
    edges_ms: tuple[float, ...]
    series: tuple[Series, ...]


def distributions(
    diagnosis: Diagnosis, observations: Observations, baseline: Observations | None = None
) -> tuple[Distribution, ...]:
    """One distribution for every latency finding that has samples, in the order of the findings."""
    found = (_distribution(finding, diagnosis.phases, observations, baseline) for finding in diagnosis.findings)
    return tuple(distribution for distribution in found if distribution is not None)


def _distribution(
    finding: Finding, phases: Sequence[PhaseSummary], observations: Observations, baseline: Observations | None
) -> Distribution | None:
    if finding.kind != "latency":
        return None
    quantity, columns = _quantity(finding)
    after = [phase for phase in phases if phase.name == finding.phase]
    before = [phase for phase in phases if phase.baseline]
    named: list[tuple[str, Samples]] = []
    if baseline is not None:
        named.append(("baseline", _samples(finding, columns, baseline, ())))
    elif after and before:
        named.append(("baseline", _samples(finding, columns, observations, before)))
    named.append((finding.phase or "analysed", _samples(finding, columns, observations, after)))
    return _histogram(finding.rank, quantity, [(name, sample) for name, sample in named if sample.size])


def _quantity(finding: Finding) -> tuple[str, tuple[str, ...]]:
    """What was measured, and the columns that hold it: the first that is not null counts."""
    if finding.hop is None:
        return f"own time of {finding.culprit}, per trace", ("own_ns",)
    if finding.leg is not None:
        return f"{finding.leg} leg of {finding.hop}", (f"{finding.leg}_leg_ns",)
    return f"wire or queue time of {finding.hop}", ("wire_ns", "queue_ns")


def _samples(
    finding: Finding, columns: tuple[str, ...], observations: Observations, phases: Sequence[PhaseSummary]
) -> Samples:
    if finding.hop is None:
        table = observations.own.filter(pc.equal(observations.own["service"], finding.culprit))
        table = _within(table, observations.traces, phases)
        values = table.group_by("trace").aggregate([("own_ns", "sum")])["own_ns_sum"]
    else:
        caller, _, callee = finding.hop.partition("->")
        hops = observations.hops
        table = hops.filter(pc.and_(pc.equal(hops["caller"], caller), pc.equal(hops["callee"], callee)))
        table = _within(table, observations.traces, phases)
        values = pc.coalesce(*(table[column] for column in columns))
    return np.asarray(pc.drop_null(values).to_numpy(), dtype=np.float64) / 1e6


def _within(table: pa.Table, traces: pa.Table, phases: Sequence[PhaseSummary]) -> pa.Table:
    """Rows of traces whose root started in one of the phases; all rows when none is named."""
    if not phases:
        return table
    starts = traces["start_ns"].take(table["trace"]).to_numpy()
    keep = np.zeros(len(starts), dtype=bool)
    for phase in phases:
        keep |= (starts >= phase.start_ns) & (starts < phase.end_ns)
    return table.filter(pa.array(keep))


def _histogram(rank: int, quantity: str, named: Sequence[tuple[str, Samples]]) -> Distribution | None:
    if not named:
        return None
    # A handful of outliers must not squeeze everything else into one bin: the last bin holds what is beyond p99.9.
    low = min(float(sample.min()) for _, sample in named)
    high = max(float(np.quantile(sample, 0.999)) for _, sample in named)
    positive = max(low, 1e-3)
    logarithmic = high > positive * LOGARITHMIC_FROM
    if logarithmic:
        edges = np.geomspace(positive, high, BINS + 1)
    else:
        edges = np.linspace(low, max(high, low + 1e-3), BINS + 1)
    series = tuple(
        Series(
            name,
            int(sample.size),
            float(np.quantile(sample, 0.5)),
            float(np.quantile(sample, 0.95)),
            tuple(float(share) for share in _shares(sample, edges)),
        )
        for name, sample in named
    )
    return Distribution(rank, quantity, logarithmic, tuple(float(edge) for edge in edges), series)


def _shares(sample: Samples, edges: Samples) -> Samples:
    counts, _ = np.histogram(np.clip(sample, edges[0], edges[-1]), bins=edges)
    return counts / sample.size
