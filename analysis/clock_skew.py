"""Clocks: what all calls between two hosts say about the difference of their clocks.

No call arrives before it was sent, and no answer before it was given. So each call bounds the offset from both sides,
and the bounds of all calls together give an interval (Cristian's argument, turned round: measured legs, no probe).
Spans are never moved; the interval says how far a leg may be off.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from analysis.observations import HOP_KINDS, Observations
from analysis.tree_columns import Int64s, one_chunk

__all__ = ["ClockOffset", "LegBounds", "clock_offsets", "request_leg_bounds"]

UNBOUNDED = np.iinfo(np.int64).max // 4
"""Stands for no bound: far beyond any offset, and safe to add a timestamp to."""


@dataclass(frozen=True, slots=True)
class ClockOffset:
    """`low_ns <= clock of host_b - clock of host_a <= high_ns`, from `crossings` calls and messages.

    None is no bound on that side. Where the bounds contradict each other (a clock that was set, a wrong span)
    `consistent` is False and the interval spans both.
    """

    host_a: str
    host_b: str
    low_ns: int | None
    high_ns: int | None
    crossings: int
    consistent: bool


@dataclass(frozen=True)
class LegBounds:
    """Per row of HOPS the request leg's bounds: a value where both are equal, `known` where there are any."""

    low_ns: Int64s
    high_ns: Int64s
    known: npt.NDArray[np.bool_]


def clock_offsets(observations: Observations) -> tuple[ClockOffset, ...]:
    """One interval per pair of different hosts that any crossing connects, in the order of their names."""
    hops = observations.hops
    caller, callee, names = _hosts(hops)
    low, high, bounded = _bounds(hops)
    rows = np.flatnonzero(bounded & (caller >= 0) & (callee >= 0) & (caller != callee))
    # A pair is written once, in the order of the names; the other direction's offset is the negative one.
    turned = caller[rows] > callee[rows]
    a, b = np.minimum(caller[rows], callee[rows]), np.maximum(caller[rows], callee[rows])
    low_ab = np.where(turned, -high[rows], low[rows])
    high_ab = np.where(turned, -low[rows], high[rows])
    pairs, pair_of, counts = np.unique(a * len(names) + b, return_inverse=True, return_counts=True)
    lowest, highest = np.full(len(pairs), -UNBOUNDED), np.full(len(pairs), UNBOUNDED)
    np.maximum.at(lowest, pair_of, low_ab)
    np.minimum.at(highest, pair_of, high_ab)
    offsets = []
    for pair, lo, hi, count in zip(pairs.tolist(), lowest.tolist(), highest.tolist(), counts.tolist(), strict=True):
        first, last = min(lo, hi), max(lo, hi)
        offsets.append(
            ClockOffset(
                names[pair // len(names)],
                names[pair % len(names)],
                None if first == -UNBOUNDED else first,
                None if last == UNBOUNDED else last,
                count,
                lo <= hi,
            )
        )
    return tuple(offsets)


def request_leg_bounds(observations: Observations, offsets: tuple[ClockOffset, ...]) -> LegBounds:
    """The request leg of each call, as a value where both sides share a host (or name none), else as an interval.

    The response leg's bounds are the wire time less these, turned round: the sum does not depend on clocks.
    """
    hops = observations.hops
    caller, callee, names = _hosts(hops)
    request = pc.fill_null(hops["request_leg_ns"], 0).to_numpy()
    known = hops["request_leg_ns"].is_valid().to_numpy()
    low, high = request.copy(), request.copy()
    code = {name: place for place, name in enumerate(names)}
    for offset in offsets:
        lo = -UNBOUNDED if offset.low_ns is None else offset.low_ns
        hi = UNBOUNDED if offset.high_ns is None else offset.high_ns
        a, b = code.get(offset.host_a, -2), code.get(offset.host_b, -2)
        ahead, back = (caller == a) & (callee == b), (caller == b) & (callee == a)
        low[ahead], high[ahead] = request[ahead] - hi, request[ahead] - lo
        low[back], high[back] = request[back] + lo, request[back] + hi
    # A leg takes no negative time, whatever the clocks say.
    return LegBounds(np.where(low != high, np.maximum(low, 0), low), high, known)


def _hosts(hops: pa.Table) -> tuple[Int64s, Int64s, list[str]]:
    """Codes of both hosts into one alphabetical list, -1 where unknown."""
    columns = [one_chunk(hops[name]).cast(pa.string()) for name in ("caller_host", "callee_host")]
    names = sorted({word for column in columns for word in pc.unique(column).to_pylist() if word is not None})
    values = pa.array(names, pa.string())
    codes = [pc.fill_null(pc.index_in(column, values), -1).to_numpy().astype(np.int64) for column in columns]
    return codes[0], codes[1], names


def _bounds(hops: pa.Table) -> tuple[Int64s, Int64s, npt.NDArray[np.bool_]]:
    """Per crossing the bounds on (callee's clock - caller's clock), and whether it has any."""
    request, response, queue = (
        (pc.fill_null(hops[name], 0).to_numpy(), hops[name].is_valid().to_numpy())
        for name in ("request_leg_ns", "response_leg_ns", "queue_ns")
    )
    sending = hops["duration_ns"].to_numpy()
    message = hops["kind"].to_numpy() == HOP_KINDS.index("message")
    # A message may arrive while its send still runs: it bounds from the send's start.
    arrival = np.where(queue[0] >= 0, queue[0] + sending, queue[0])
    high = np.where(message & queue[1], arrival, np.where(request[1], request[0], UNBOUNDED))
    low = np.where(response[1] & ~message, -response[0], -UNBOUNDED)
    return low, high, request[1] | (message & queue[1])
