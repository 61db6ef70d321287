"""The two samples of every place: which traces are compared, and the times that each place took in them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from analysis.compare_frame import Flags, Floats, Frame, Ints, Place, dense, pack
from analysis.observations import FAILURES

__all__ = ["BASELINE", "CURRENT", "Comparison", "Samples", "samples"]

BASELINE, CURRENT = 1, 2
ROWS_PER_PLACE = 8_000
"""Rows of one side of a place that enter its tests; of more, the traces with the smallest hashes are taken."""

_STRATUM_ROWS = 3
_OFF_PATH = (FAILURES.index("none"), FAILURES.index("lost_message"), FAILURES.index("duplicate"))


@dataclass(frozen=True)
class Comparison:
    """One side of the traces against the other. `side` has one entry per trace: 0 is in neither."""

    frame: Frame
    side: NDArray[np.int8]

    @cached_property
    def clean(self) -> Flags:
        """Traces in which nothing failed that could have changed the path. A failed call makes its trace short
        or long for a reason that the failure itself accounts for, so times are compared between clean traces."""
        hops, roots = self.frame.hops, self.frame.roots
        broken = (hops.failure[:, None] != np.array(_OFF_PATH, dtype=np.int8)).all(axis=1)
        clean = ~roots.failed
        clean[hops.trace[broken]] = False
        return clean

    @cached_property
    def places(self) -> tuple[Place, ...]:
        """Hops first, then operations."""
        return self.frame.hops.places + self.frame.own.places

    @cached_property
    def mixed_hash(self) -> NDArray[np.uint64]:
        """A number per trace that looks random and depends on its id alone."""
        raw = b"".join(self.frame.roots.ids.to_pylist()) if self.frame.roots.ids.offset else None
        buffer = raw if raw is not None else self.frame.roots.ids.buffers()[1]
        halves = np.frombuffer(buffer, dtype=np.uint64)[: 2 * len(self.side)].reshape(-1, 2)
        mixed: NDArray[np.uint64] = (halves[:, 0] ^ (halves[:, 1] * np.uint64(0x9E3779B97F4A7C15))) * np.uint64(
            0xD6E8FEB86659FD93
        )
        return mixed ^ (mixed >> np.uint64(32))

    def traces(self, side: int) -> Flags:
        return np.asarray(self.side == side)


@dataclass(frozen=True)
class Samples:
    """Rows grouped by place: those of place k are `slice(first[k], first[k + 1])`, in time order within each side."""

    places: tuple[Place, ...]
    first: Ints
    place: Ints
    trace: Ints
    stratum: Ints
    current: Flags
    value_ns: Floats
    time_ns: Ints
    row: Ints  # in HOPS; -1 for operations

    def of(self, place: int) -> slice:
        return slice(int(self.first[place]), int(self.first[place + 1]))


def samples(comparison: Comparison) -> Samples:
    """Waiting time of every good crossing, and own time of every operation per trace. O(rows log rows).

    A service whose call failed, or that failed itself, may wait before a retry or give up early: its own time in that
    trace tells about the failure, not about the service, and is left out.
    """
    frame = comparison.frame
    hops, own = frame.hops, frame.own
    compared = comparison.side > 0
    hop_rows: Ints = np.flatnonzero(compared[hops.trace] & hops.answered & (hops.failure == 0))
    hop_rows = _capped(comparison, hop_rows, hops.place[hop_rows], hops.trace[hop_rows])
    # Of the spans that send a message (its creation, its publishing) either may be the one that its consumer names.
    message = np.array([p.kind == "message" for p in hops.places], dtype=bool)[hops.place[hop_rows]]
    sender = np.where(message, 0, hops.caller_operation[hop_rows])
    _, edge = pack(sender, hops.callee_operation[hop_rows])
    own_rows: Ints = np.flatnonzero(compared[own.trace] & ~_beside_failures(comparison))
    own_rows = _capped(comparison, own_rows, own.place[own_rows], own.trace[own_rows])
    group_first, group = pack(own.place[own_rows], own.trace[own_rows])
    own_sum = np.bincount(group, weights=own.own[own_rows].astype(np.float64), minlength=len(group_first))
    of_group = own_rows[group_first] if len(own_rows) else own_rows

    place = np.concatenate((hops.place[hop_rows], own.place[of_group] + len(hops.places))).astype(np.int64)
    trace = np.concatenate((hops.trace[hop_rows], own.trace[of_group])).astype(np.int64)
    value = np.concatenate((hops.waited[hop_rows], own_sum)).astype(np.float64)
    time: Ints = np.concatenate((hops.start[hop_rows], frame.roots.start[own.trace[of_group]]))
    operation = np.concatenate((edge, np.zeros(len(of_group), dtype=np.int64)))
    row = np.concatenate((hop_rows, np.full(len(of_group), -1, dtype=np.int64)))
    current = comparison.side[trace] == CURRENT
    stratum = _strata(place, frame.roots.root[trace], frame.roots.refused[trace], operation, current)
    order = np.lexsort((value, time, current, place))
    count = np.bincount(place, minlength=len(comparison.places))
    first = np.concatenate(([0], np.cumsum(count)))
    return Samples(
        comparison.places, first, place[order], trace[order], stratum[order], current[order], value[order], time[order],
        row[order],
    )  # fmt: skip


def _beside_failures(comparison: Comparison) -> Flags:
    """OWN rows of services that made a failed call, or failed, in that trace."""
    hops, own = comparison.frame.hops, comparison.frame.own
    failed = np.flatnonzero(~np.isin(hops.failure, _OFF_PATH))
    if not len(failed) or not len(own.places):
        return np.zeros(len(own.trace), dtype=bool)
    number = {name: i for i, name in enumerate(sorted({p.callee for p in own.places}))}
    services = len(number)
    service = np.array([number[p.callee] for p in own.places], dtype=np.int64)[own.place]
    marked = []
    for ends in ([p.caller for p in hops.places], [p.callee for p in hops.places]):
        of_place = np.array([number.get(name, -1) for name in ends], dtype=np.int64)
        ended = of_place[hops.place[failed]]
        marked.append(hops.trace[failed[ended >= 0]].astype(np.int64) * services + ended[ended >= 0])
    return np.isin(own.trace.astype(np.int64) * services + service, np.concatenate(marked))


def _capped(comparison: Comparison, rows: Ints, place: Ints, trace: Ints) -> Ints:
    """At most about ROWS_PER_PLACE rows a side of each place, chosen by trace id: the choice knows no order."""
    cell = place.astype(np.int64) * 2 + (comparison.side[trace] == CURRENT)
    count = np.bincount(cell)
    if not len(rows) or count.max() <= ROWS_PER_PLACE:
        return rows
    keep = np.minimum(1.0, ROWS_PER_PLACE / np.maximum(count, 1))
    dice = comparison.mixed_hash.astype(np.float64) / 2.0**64
    return np.asarray(rows[dice[trace] <= keep[cell]])


def _strata(place: Ints, root: Ints, refused: Flags, operation: Ints, current: Flags) -> Ints:
    """Rows are compared with rows of the same root operation and statement, where both sides have such rows.

    Where names are as many as rows (a path with an id in it), a place would have no comparable rows left: it becomes
    one stratum.
    """
    _, fine = pack(place, root, refused.astype(np.int64), operation)
    total = int(fine.max()) + 1 if len(fine) else 0
    after = np.bincount(fine[current], minlength=total)
    before = np.bincount(fine[~current], minlength=total)
    comparable = (np.minimum(before, after) >= _STRATUM_ROWS)[fine]
    places = int(place.max()) + 1 if len(place) else 0
    rows = np.bincount(place, minlength=places)
    kept = np.bincount(place[comparable], minlength=places)
    whole = (kept * 2 < rows)[place]
    # Rows of an operation that only one side has stay in a stratum of their own, which the rank test ignores.
    _, stratum = dense(np.where(whole, total + place, fine))
    return stratum
