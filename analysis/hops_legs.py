"""Legs, wire time and queue time of crossings, from raw timestamps; nothing here moves a span.

A leg between two hosts carries the difference of their clocks; `clock_offsets` says afterwards within which bounds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analysis.hops import CALL, MESSAGE, PEER, Crossings
from analysis.observations import FAILURES
from analysis.tree import Forest
from analysis.tree_columns import Int8s, Int64s

__all__ = ["Legs", "measure_legs"]

Flags = npt.NDArray[np.bool_]
LATE = FAILURES.index("late")


@dataclass(frozen=True)
class Legs:
    """One entry per crossing, nanoseconds; a value is known only where its flag is set."""

    request_ns: Int64s
    has_request: Flags
    response_ns: Int64s
    has_response: Flags
    wire_ns: Int64s
    has_wire: Flags
    queue_ns: Int64s
    has_queue: Flags


def measure_legs(forest: Forest, crossings: Crossings, failure: Int8s) -> Legs:
    start, end = forest.columns.start_ns, forest.end_ns
    caller, callee = crossings.caller, crossings.callee
    carried = (crossings.kind == CALL) & (crossings.inferred == 0)
    request = np.where(carried, start[callee] - start[caller], 0)
    response = np.where(carried, end[caller] - end[callee], 0)
    _split_between_callees(forest, crossings, carried, request, response)
    # A callee that outlives its caller's span (gave up, or a stream) leaves no response leg to measure.
    outlived = carried & ((failure == LATE) | (end[callee] - start[callee] > end[caller] - start[caller]))
    has_response = carried & ~outlived
    peer = crossings.kind == PEER
    wire = np.where(peer, end[caller] - start[caller], request + np.where(has_response, response, 0))
    queue, has_queue = _queue(forest, crossings)
    return Legs(
        request,
        carried,
        response,
        has_response,
        wire,
        peer | has_response | (outlived & (request >= 0)),
        queue,
        has_queue,
    )


def _split_between_callees(
    forest: Forest, crossings: Crossings, carried: Flags, request: Int64s, response: Int64s
) -> None:
    """Where one CLIENT span reached several callees, one after the other, each leg is counted once."""
    rows = np.flatnonzero(carried)
    rows = rows[np.lexsort((crossings.callee[rows], crossings.caller[rows]))]
    follows = np.flatnonzero(crossings.caller[rows][1:] == crossings.caller[rows][:-1])
    if not len(follows):
        return
    former, later = rows[follows], rows[follows + 1]
    pause = forest.columns.start_ns[crossings.callee[later]] - forest.end_ns[crossings.callee[former]]
    request[later] = np.maximum(0, pause)
    response[former] = 0


def _queue(forest: Forest, crossings: Crossings) -> tuple[Int64s, Flags]:
    """From the end of the send to the start of the consumer: 0 while the send still ran, negative before it began."""
    start, end = forest.columns.start_ns, forest.end_ns
    arrived = start[crossings.callee]
    waited = arrived - end[crossings.caller]
    early = np.minimum(0, arrived - start[crossings.caller])
    known = (crossings.kind == MESSAGE) & (crossings.callee >= 0)
    # A sender that is not a PRODUCER span may have gone on working after it sent: only a wait after its end is known.
    known &= (crossings.inferred == 0) | (waited >= 0)
    return np.where(known, np.where(waited >= 0, waited, early), 0), known
