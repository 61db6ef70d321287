"""What a picture of one trace cannot show: that the legs of a hop were measured by two clocks."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analysis.clock_skew import clock_offsets, request_leg_bounds
from analysis.observations import Observations
from analysis.report import words

__all__ = ["clock_notes"]

MAX_NOTES = 3
WORTH_SAYING = 0.05
"""Part of the wire time by which the split has to be uncertain."""
VISIBLE = 0.01
"""Part of the trace's duration below which nobody would see the difference."""


def clock_notes(trace: int, observations: Observations) -> tuple[str, ...]:
    """A sentence per hop of this trace (row in TRACES) whose split into legs is not certain, the widest first."""
    hops = observations.hops
    between_hosts = pc.and_(pc.equal(hops["trace"], trace), pc.not_equal(hops["caller_host"], hops["callee_host"]))
    rows = np.flatnonzero(pc.fill_null(pc.and_(between_hosts, hops["wire_ns"].is_valid()), fill_value=False).to_numpy())
    if not len(rows):
        return ()
    # Only now: the bounds come from all crossings between the two hosts, in all traces.
    bounds = request_leg_bounds(observations, clock_offsets(observations))
    visible_ns = VISIBLE * observations.traces["duration_ns"][trace].as_py()
    notes: list[tuple[int, str]] = []
    for row, hop in zip(rows.tolist(), hops.take(pa.array(rows)).to_pylist(), strict=True):
        low, high = max(int(bounds.low_ns[row]), 0), min(int(bounds.high_ns[row]), hop["wire_ns"])
        if bounds.known[row] and high - low > max(WORTH_SAYING * hop["wire_ns"], visible_ns):
            legs = f"{words.milliseconds(low / 1e6)} and {words.milliseconds(high / 1e6)}"
            notes.append(
                (
                    high - low,
                    f"{hop['caller']}->{hop['callee']}: two clocks; its request leg took between {legs}, its response "
                    f"leg the rest of {words.milliseconds(hop['wire_ns'] / 1e6)}.",
                )
            )
    return tuple(note for _, note in sorted(notes, reverse=True)[:MAX_NOTES])
