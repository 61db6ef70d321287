"""What a fault should do to a probe's conversation, and whether it did. Pure.

What was asked and what was measured are in one unit: added milliseconds (`ms`), throughput (`bytes/s`), or how much
passed before the connection ended (`bytes`). Where a conversation shows only that a fault is there, there is no number.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from faults.probe import Exchange

__all__ = ["Demand", "Effect", "Injected", "demand", "judge"]

MOST_VOLUME_BYTES = 64 * 1024
"""Most that a probe sends or fetches at once: feeling a fault must not load the system under test."""

LEAST_VISIBLE_MS = 3.0
"""A delay that should be shorter than this drowns in the noise of a few conversations."""

BANDWIDTH_PROBE_S = 0.25
SLICER_PIECES = 20
SILENCE_S = 1.0
"""Without an answer for this long, beyond what the fault should add, a link counts as silent."""


@dataclass(frozen=True, slots=True)
class Injected:
    """A fault as Toxiproxy has it: a toxic's type or `cut`, and attributes in Toxiproxy's units."""

    kind: str
    stream: str = "downstream"
    attributes: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Demand:
    """The conversation that shows a fault: how much should flow, and whether to wait for the connection's end.

    `invisible` says why no conversation can show it.
    """

    volume_bytes: int = 1
    until_closed: bool = False
    invisible: str | None = None


@dataclass(frozen=True, slots=True)
class Effect:
    """What a series of conversations showed; `measured` and `asked` are in `unit`."""

    felt: int = 0  # conversations that showed the fault
    asked: float | None = None
    measured: float | None = None
    unit: str | None = None


def demand(injected: Injected) -> Demand:
    """The smallest conversation that shows this fault."""
    attributes = injected.attributes
    match injected.kind:
        case "bandwidth":
            return Demand(min(MOST_VOLUME_BYTES, max(512, round(attributes["rate"] * 1000 * BANDWIDTH_PROBE_S))))
        case "slicer" if attributes["delay"] == 0:
            return Demand(invisible="pieces without a pause between them arrive as if they were whole")
        case "slicer":
            return Demand(min(MOST_VOLUME_BYTES, attributes["average_size"] * SLICER_PIECES))
        case "slow_close":
            return Demand(until_closed=True)
        case "limit_data" if attributes["bytes"] >= MOST_VOLUME_BYTES:
            return Demand(invisible=f"the limit is above the {MOST_VOLUME_BYTES} bytes that a probe sends at most")
        case "limit_data":
            # Answers may be shorter than their questions; four times the limit passes it both ways.
            return Demand(min(MOST_VOLUME_BYTES, 4 * attributes["bytes"] + 512))
        case _:
            return Demand()


def asked_for(injected: Injected, before: Exchange) -> tuple[float | None, str | None]:
    """The effect that this fault should have on a conversation that went like `before`, and its unit."""
    attributes = injected.attributes
    match injected.kind:
        case "latency":
            return _mean_delay_ms(attributes["latency"], attributes["jitter"]), "ms"
        case "bandwidth":
            return attributes["rate"] * 1000.0, "bytes/s"
        case "slicer":
            return _volume_bytes(injected, before) / attributes["average_size"] * attributes["delay"] / 1000, "ms"
        case "slow_close":
            return float(attributes["delay"]), "ms"
        case "timeout" if attributes["timeout"] == 0:
            return None, None
        case "timeout" | "reset_peer":
            return float(attributes["timeout"]), "ms"
        case "limit_data":
            return float(attributes["bytes"]), "bytes"
        case _:
            return None, None


def expected_ms(injected: Injected, before: Exchange) -> float:
    """How much longer than `before` a conversation should take, at most."""
    match injected.kind:
        case "latency":
            return float(injected.attributes["latency"] + injected.attributes["jitter"])
        case "bandwidth":
            return _volume_bytes(injected, before) / injected.attributes["rate"]  # kB/s are bytes per millisecond
        case _:
            asked, unit = asked_for(injected, before)
            return asked if asked is not None and unit == "ms" else 0.0


def deadline_s(injected: Injected, before: Exchange) -> float:
    """When to give a conversation up; what greets first is delayed as well, so twice what should be added."""
    return (2.5 * expected_ms(injected, before) + 2 * before.ended_ms) / 1000 + SILENCE_S


def invisible(injected: Injected, before: Exchange) -> str | None:
    """Why no conversation can show this fault, or None where one can."""
    known = demand(injected).invisible
    if known is not None or injected.kind in ("cut", "timeout", "reset_peer", "limit_data"):
        return known
    expected = expected_ms(injected, before)
    if expected >= LEAST_VISIBLE_MS:
        return None
    return f"it should add {expected:.1f} ms to the probe's conversation, too little to tell from noise"


def judge(injected: Injected, before: Sequence[Exchange], during: Sequence[Exchange]) -> Effect:
    """Hold conversations against what went before.

    Args:
        before: conversations without the fault, all answered; at least one.
        during: conversations of the same form, with the fault perhaps there.
    """
    usual = _typical(before)
    felt = [one for one in during if is_felt(injected, usual, one)]
    asked, unit = asked_for(injected, usual)
    if not felt:
        return Effect(0, asked, None, unit)
    # Jitter also shortens: where it is asked for, the conversations that show little of it belong to the mean.
    counted = [one for one in during if one.outcome == "answered"] if _jitter_ms(injected) else felt
    values = [value for one in counted if (value := _measure(injected, usual, one)) is not None]
    average = statistics.fmean if _jitter_ms(injected) else statistics.median
    return Effect(len(felt), asked, average(values) if values else None, unit)


def is_felt(injected: Injected, usual: Exchange, now: Exchange) -> bool:
    """Whether one conversation shows the fault."""
    match injected.kind:
        case "cut":
            return now.outcome in ("refused", "reset", "closed")
        case "timeout":
            return now.outcome in ("silent", "reset", "closed")
        case "reset_peer" | "limit_data":
            return now.outcome in ("reset", "closed")
        case _:
            added = _added_ms(injected, usual, now)
            return added is not None and added >= _least_ms(injected, usual)


def _measure(injected: Injected, usual: Exchange, now: Exchange) -> float | None:
    match injected.kind:
        case "latency" | "slicer" | "slow_close":
            return _added_ms(injected, usual, now)
        case "bandwidth":
            # The callee works while the data trickles: what the conversation took without the limit is not taken off.
            return _volume_bytes(injected, now) / (now.answer_ms / 1000) if now.answer_ms else None
        case "timeout" | "reset_peer":
            return now.ended_ms if now.outcome != "silent" else None
        case "limit_data" if injected.stream == "downstream":
            return float(now.greeting_bytes + now.received_bytes)
        case _:
            return None  # a cut has no size, and what passed upstream only the callee knows


def _added_ms(injected: Injected, usual: Exchange, now: Exchange) -> float | None:
    then_ms, now_ms = (
        (usual.close_ms, now.close_ms) if injected.kind == "slow_close" else (usual.answer_ms, now.answer_ms)
    )
    return None if then_ms is None or now_ms is None else now_ms - then_ms


def _least_ms(injected: Injected, usual: Exchange) -> float:
    """Half of what should be added; with jitter, of the least that should be, or a quarter of the most."""
    expected, jitter = expected_ms(injected, usual), _jitter_ms(injected)
    return max(expected - 2 * jitter, expected / 4) / 2 if jitter else expected / 2


def _mean_delay_ms(latency_ms: float, jitter_ms: float) -> float:
    """Mean of a uniform delay in latency ± jitter, of which the part below zero counts as zero."""
    if jitter_ms <= latency_ms:
        return float(latency_ms)
    return (latency_ms + jitter_ms) ** 2 / (4 * jitter_ms)


def _jitter_ms(injected: Injected) -> float:
    return float(injected.attributes.get("jitter", 0)) if injected.kind == "latency" else 0.0


def _volume_bytes(injected: Injected, one: Exchange) -> int:
    return one.sent_bytes if injected.stream == "upstream" else one.received_bytes


def _typical(exchanges: Sequence[Exchange]) -> Exchange:
    """The one with the median answer time."""
    ordered = sorted(exchanges, key=lambda one: one.answer_ms or 0.0)
    return ordered[len(ordered) // 2]
