"""Findings held against what was really injected: the only place that sees both."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from analysis.diagnosis import Finding

__all__ = ["Fault", "FaultScore", "Scorecard", "score"]

_HANGS = frozenset({"stall", "timeout", "late", "lost_response"})
_CUTS = frozenset({"reset", "truncated", "refused", "lost_response", "lost_message"})
_EXPECTED: Mapping[str, frozenset[str]] = {
    "latency": frozenset({"delay", "jitter"}),
    "bandwidth": frozenset({"bandwidth", "delay"}),
    "slicer": frozenset({"delay", "jitter", "bandwidth"}),
    "timeout": _HANGS | {"reset", "truncated", "lost_message"},
    "reset_peer": frozenset({"reset", "truncated", "lost_response", "lost_message"}),
    "limit_data": _CUTS,
    "slow_close": frozenset({"delay", "stall"}),
    "cut": _CUTS | {"timeout", "stall", "delay"},
    "drop_first_connections": _CUTS,
    "burn_ms": frozenset({"self"}),
    "sleep_ms": frozenset({"self"}),
    "raise": frozenset({"error"}),
    "return_early": frozenset({"early_return", "missing_hop"}),
    "drop_message": frozenset({"missing_hop", "early_return", "lost_message"}),
    "lose_context": frozenset({"broken_context"}),
}
"""Causes that name what a fault does. A slow or silent link also shows as whatever its callers make of waiting."""

_ALL_JITTER = 0.8
_CONNECTIONS_END = frozenset({"reset_peer", "limit_data", "cut"})
_OF_ONE_SIZE = frozenset({"latency", "sleep_ms", "burn_ms"})
_LONG_MS = 1_000.0
_STREAM_LEG = {"upstream": "request", "downstream": "response"}


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault as the ledger has it. Exactly one of `link` and `service` is set."""

    name: str
    phase: str
    kind: str  # toxic type, `cut`, `drop_first_connections`, or a misbehaviour's key
    link: str | None = None
    service: str | None = None
    stream: str | None = None  # upstream, downstream
    asked_ms: float | None = None
    measured_ms: float | None = None  # by the ledger's probe
    took_effect: bool | None = True  # None: no probe can tell
    rate: float = 1.0  # toxicity, or the part of the work that is misdone
    jitter_ms: float = 0.0  # how far a latency varies either way


@dataclass(frozen=True, slots=True)
class FaultScore:
    fault: Fault
    counts: bool  # it took effect, so it should be found
    found: bool
    expected_hops: tuple[str, ...]
    expected_leg: str | None
    message: str
    rank: int | None = None  # of the best finding about it
    rank_in_phase: int | None = None
    hop_right: bool | None = None
    leg_right: bool | None = None  # None: not to be judged
    cause_right: bool | None = None
    reported_hop: str | None = None
    reported_leg: str | None = None
    reported_cause: str | None = None
    reported_ms: float | None = None
    error_ms: float | None = None  # reported less measured (less asked where nothing was measured)


@dataclass(frozen=True, slots=True)
class Scorecard:
    faults: tuple[FaultScore, ...]
    found: int
    missed: int
    false_findings: tuple[int, ...]  # ranks of findings that no fault explains
    quiet_phases: tuple[str, ...]  # phases without any fault
    false_in_quiet_phases: int


def score(
    findings: Sequence[Finding],
    faults: Sequence[Fault],
    hops_of_link: Mapping[str, Sequence[str]],
    phases: Sequence[str] = (),
    calls: Collection[str] | None = None,
) -> Scorecard:
    """Hold findings against faults. `hops_of_link`: the hops that each link carries; `phases`: all but baselines;
    `calls`: hops with spans on both sides, where these are known: only those have legs to tell apart.

    A fault is found when a finding of its phase names one of its link's hops, or the part at an end of that link,
    or for a fault inside a service that service.
    """
    explained: set[int] = set()
    scores = []
    for fault in faults:
        hops = tuple(hops_of_link.get(fault.link, ())) if fault.link else ()
        about = [f for f in findings if f.phase in (fault.phase, None) and _is_about(f, fault, hops)]
        explained.update(f.rank for f in about)
        scores.append(_score_one(fault, hops, about, findings, calls))
    faulty = {fault.phase for fault in faults if fault.took_effect is not False}
    quiet = tuple(phase for phase in phases if phase not in faulty)
    false = tuple(f.rank for f in findings if f.rank not in explained)
    counted = [s for s in scores if s.counts]
    return Scorecard(
        tuple(scores),
        sum(s.found for s in counted),
        sum(not s.found for s in counted),
        false,
        quiet,
        sum(f.rank in false and f.phase in quiet for f in findings),
    )


def _is_about(finding: Finding, fault: Fault, hops: Sequence[str]) -> bool:
    if fault.service is not None:
        return fault.service in (finding.culprit, finding.service)
    if finding.cause == "self":
        return False  # a service that is slow by itself says nothing of its links
    if finding.hop is not None and finding.hop in hops:
        return True
    ends = {end for hop in hops for end in hop.split("->")} | set((fault.link or "").split("->"))
    return finding.culprit in hops or (finding.hop is None and finding.culprit in ends)


def _score_one(
    fault: Fault,
    hops: tuple[str, ...],
    about: Sequence[Finding],
    findings: Sequence[Finding],
    calls: Collection[str] | None,
) -> FaultScore:
    counts = fault.took_effect is not False
    expected_leg = _expected_leg(fault, hops) if calls is None or fault.link in calls else None
    expected_ms = fault.measured_ms if fault.measured_ms is not None else fault.asked_ms
    if not about:
        message = f"{_plain(fault)} was missed" if counts else f"{_plain(fault)} never took effect"
        return FaultScore(fault, counts, found=False, expected_hops=hops, expected_leg=expected_leg, message=message)
    best = min(about, key=lambda f: (not (_cause_right(f, fault) or _waited_out(f, fault, calls)), f.rank))
    in_phase = sorted(f.rank for f in findings if f.phase == best.phase).index(best.rank) + 1
    comparable = expected_ms is not None and best.delta_ms is not None and _has_one_size(fault, best)
    return FaultScore(
        fault,
        counts,
        found=True,
        expected_hops=hops,
        expected_leg=expected_leg,
        message=f"{_plain(fault)} was found at rank {in_phase} of its phase: {best.culprit}, {best.cause}",
        rank=best.rank,
        rank_in_phase=in_phase,
        hop_right=best.hop in hops if fault.service is None else None,
        leg_right=best.leg == expected_leg if expected_leg and best.kind == "latency" else None,
        cause_right=_cause_right(best, fault) or _waited_out(best, fault, calls),
        reported_hop=best.hop,
        reported_leg=best.leg,
        reported_cause=best.cause,
        reported_ms=best.delta_ms,
        error_ms=best.delta_ms - expected_ms if comparable else None,  # type: ignore[operator]
    )


def _has_one_size(fault: Fault, finding: Finding) -> bool:
    """Whether the fault adds the same time to every crossing, so that a finding's milliseconds can be held against it.

    A rate below one spreads the time over all crossings; what a slicer or a bandwidth limit adds depends on the bytes
    of each crossing, and the probe's are not those of the traffic; what a failed call waits is up to its caller.
    """
    return fault.kind in _OF_ONE_SIZE and finding.kind == "latency" and fault.rate == 1.0


def _cause_right(finding: Finding, fault: Fault) -> bool:
    expected = _EXPECTED.get(fault.kind, frozenset())
    if fault.kind == "latency" and fault.asked_ms:
        clearly_jitter = fault.jitter_ms >= _ALL_JITTER * fault.asked_ms
        expected = frozenset({"jitter"}) if clearly_jitter else expected if fault.jitter_ms else frozenset({"delay"})
    if fault.kind in ("latency", "bandwidth", "slicer") and (fault.asked_ms is None or fault.asked_ms >= _LONG_MS):
        expected = expected | _HANGS
    return finding.cause in expected


def _waited_out(finding: Finding, fault: Fault, calls: Collection[str] | None) -> bool:
    """Whether messages stood still because their link was cut: a sender that buffers them while it connects anew makes
    waiting out of a reset. Calls have nobody who would do that for them."""
    buffered = calls is not None and finding.hop is not None and finding.hop not in calls
    return buffered and finding.cause == "stall" and fault.kind in _CONNECTIONS_END


def _expected_leg(fault: Fault, hops: Sequence[str]) -> str | None:
    """Only a link that is itself a hop between two traced services has legs to tell apart."""
    if fault.stream is None or fault.link is None or fault.link not in hops:
        return None
    return _STREAM_LEG.get(fault.stream)


def _plain(fault: Fault) -> str:
    where = fault.link if fault.link else fault.service
    size = f" of {fault.asked_ms:,.0f} ms" if fault.asked_ms is not None else ""
    return f"{fault.kind}{size} on {where} in {fault.phase}"
