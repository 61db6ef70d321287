"""The diagnosis: one record per object of report.json, in its order and with its names.

Numbers that people read are milliseconds as float; times are nanoseconds since 1970 as int.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

__all__ = [
    "Accounting",
    "Diagnosis",
    "Finding",
    "HopStats",
    "HopSummary",
    "InputSummary",
    "OperationSummary",
    "Percentiles",
    "Phase",
    "PhaseSummary",
    "Verdict",
]

Verdict = Literal["ok", "degraded", "failing", "inconclusive"]


@dataclass(frozen=True, slots=True)
class Phase:
    """A named window of a run. A trace belongs to the phase in which its root started."""

    name: str
    start_ns: int
    end_ns: int
    baseline: bool = False


@dataclass(frozen=True, slots=True)
class Percentiles:
    p50: float
    p95: float
    p99: float


@dataclass(frozen=True, slots=True)
class Accounting:
    """Sums over traces; `root_ms` is the sum of the others."""

    root_ms: float
    self_ms: float
    wire_ms: float
    peer_ms: float
    queue_ms: float
    overlap_ms: float
    gap_ms: float


@dataclass(frozen=True, slots=True)
class InputSummary:
    traces: int
    spans: int
    incomplete_traces: int
    services: tuple[str, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OperationSummary:
    name: str  # "service operation" of the root
    traces: int
    failed: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    accounting: Accounting
    completion_p50_ms: float
    completion_p95_ms: float


@dataclass(frozen=True, slots=True)
class HopStats:
    calls: int
    failed: int
    wire_ms: Percentiles | None
    request_leg_ms: Percentiles | None  # null where the clocks do not allow the split
    response_leg_ms: Percentiles | None
    queue_ms: Percentiles | None
    failures: dict[str, int]
    retries: int = 0


@dataclass(frozen=True, slots=True)
class HopSummary:
    """In report.json the fields of `stats` stand beside `hop` and `kind`."""

    hop: str
    kind: Literal["call", "message", "peer"]
    stats: HopStats
    baseline: HopStats | None


@dataclass(frozen=True, slots=True)
class Finding:
    rank: int
    kind: Literal["latency", "failure"]
    culprit: str  # a hop or a service
    service: str
    hop: str | None
    cause: str
    leg: Literal["request", "response"] | None
    delta_ms: float | None
    interval_ms: tuple[float, float] | None  # 95 %
    share: float | None  # of the end-to-end change, 0..1
    rate: float | None  # failed crossings per crossing, 0..1
    confidence: float  # 0..1
    traces: tuple[str, ...]  # exemplar trace ids, hex, worst first
    summary: str  # one plain sentence
    count: int | None = None  # failed crossings, lost messages, affected traces
    phase: str | None = None
    since_ns: int | None = None  # start of the first affected trace
    operation: str | None = None  # root operation that pays for it
    instance: str | None = None  # when one instance alone changed


@dataclass(frozen=True, slots=True)
class PhaseSummary:
    name: str
    start_ns: int
    end_ns: int
    baseline: bool
    verdict: Verdict
    operations: tuple[OperationSummary, ...]
    findings: tuple[int, ...]  # ranks


@dataclass(frozen=True, slots=True)
class Diagnosis:
    input: InputSummary
    verdict: Verdict
    accounting: Accounting
    operations: tuple[OperationSummary, ...]
    hops: tuple[HopSummary, ...]
    findings: tuple[Finding, ...]
    phases: tuple[PhaseSummary, ...] = ()
    logs: dict[str, int] | None = None  # log records per service that carry a trace id
    reasons: tuple[str, ...] = field(default=())  # why the verdict is inconclusive, what to instrument
