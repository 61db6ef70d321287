"""Own time: the stretches of a span that no child covers, added up per trace by where they sit.

The stretches of carriers (CLIENT and PRODUCER spans of a crossing) are the crossing's wire or peer time instead.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.critical_path_walk import Path
from analysis.hops import Crossings
from analysis.kernel import kernel
from analysis.tree import Forest
from analysis.tree_columns import Int8s, Int64s
from analysis.tree_order import HASH_A, HASH_B, slots_for

__all__ = ["LEAF", "OwnTime", "measure_own_time"]

LEAF, FIRST, BETWEEN, LAST, ONLY = 0, 1, 2, 3, 4
"""Codes of POSITIONS. `only`: the span has children, and none of them lies inside it."""


@dataclass(frozen=True)
class OwnTime:
    """Rows of OWN as codes (`span` stands for service, operation and instance), and each span's part of the paths."""

    span: Int64s  # the first span of the row
    position: Int8s
    before: Int64s  # a child of that name, -1 none
    after: Int64s
    start_ns: Int64s
    spans: Int64s
    errors: Int64s
    own_ns: Int64s
    path_ns: Int64s
    completion_path_ns: Int64s
    uncovered_ns: Int64s  # per span: its own time on the root's path that no child covers
    completion_uncovered_ns: Int64s
    leaf: Int8s  # per span: no child inside it

    def __len__(self) -> int:
        return len(self.span)


def measure_own_time(forest: Forest, crossings: Crossings, path: Path, completion: Path, waited_ns: Int64s) -> OwnTime:
    """`waited_ns`: per span the time on the completion path between its end and the start of a child it left behind."""
    count, columns = len(forest), forest.columns
    most = 2 * count
    error = (columns.status == 2).astype(np.int8)
    explained = np.zeros(count, np.int8)
    child = np.flatnonzero((forest.parent >= 0) & (error != 0))
    explained[forest.parent[child]] = 1
    numbers = [np.zeros(most, np.int64) for _ in range(9)]
    position = np.zeros(most, np.int8)
    uncovered, completion_uncovered = np.zeros(count, np.int64), np.zeros(count, np.int64)
    leaf = np.zeros(count, np.int8)
    slots = np.full(slots_for(2 * np.diff(forest.first).max(initial=0)), -1, np.int64)
    rows = sum_stretches.run(
        count,
        (
            forest.first, columns.start_ns, forest.end_ns, forest.kid_first, forest.kids, crossings.carrier,
            columns.service.codes, columns.name.codes, columns.instance.codes, (error & ~explained).astype(np.int8),
            path.low_ns, path.high_ns, completion.low_ns, completion.high_ns, waited_ns,
        ),
        (slots, *numbers, position, uncovered, completion_uncovered, leaf),
    )  # fmt: skip
    # Copies: views would keep the memory of all rows that there might have been.
    span, before, after, start, spans, errors, own, on_path, on_completion = (array[:rows].copy() for array in numbers)
    return OwnTime(
        span=span, position=position[:rows].copy(), before=before, after=after, start_ns=start, spans=spans,
        errors=errors, own_ns=own, path_ns=on_path, completion_path_ns=on_completion,
        uncovered_ns=uncovered, completion_uncovered_ns=completion_uncovered, leaf=leaf,
    )  # fmt: skip


@kernel
def name_of(child, name):  # type: ignore[no-untyped-def]
    return name[child] if child >= 0 else -1


@kernel
def overlap_ns(begin, end, low, high):  # type: ignore[no-untyped-def]
    return max(0, min(end, high) - max(begin, low)) if low >= 0 else 0


@kernel
def sum_stretches(  # type: ignore[no-untyped-def]
    first, start, end, kid_first, kids, carrier, service, name, instance, error,
    low, high, low_c, high_c, waited,
    slots, span, before, after, begin_ns, spans, errors, own_ns, path_ns, completion_ns, position,
    uncovered, uncovered_c, leaf,
):  # fmt: skip
    """Sweep each span's children by start; each hole is a stretch. Returns the number of rows."""
    rows = 0
    for trace in range(len(first) - 1):
        size = 8
        while size < 4 * (first[trace + 1] - first[trace]):
            size *= 2
        for place in range(size):
            slots[place] = -1
        for s in range(first[trace], first[trace + 1]):
            at, last_child, inside = start[s], -1, 0
            kid, stop = kid_first[s], kid_first[s + 1]
            while True:
                # The next child that lies inside the span and reaches beyond what is covered already.
                x = -1
                while kid < stop:
                    x = kids[kid]
                    kid += 1
                    if start[x] <= end[s] and end[x] >= start[s] and (inside == 0 or end[x] >= at):
                        break
                    x = -1
                until = max(start[s], start[x]) if x >= 0 else end[s]
                if x >= 0 or inside > 0:
                    where = FIRST if inside == 0 else (BETWEEN if x >= 0 else LAST)
                else:
                    where = LEAF if kid_first[s] == stop else ONLY
                    leaf[s] = 1
                covered = max(until, at)
                length = covered - at
                if where != BETWEEN or length > 0:
                    on_path = overlap_ns(at, covered, low[s], high[s])
                    on_completion = overlap_ns(at, covered, low_c[s], high_c[s])
                    uncovered[s] += on_path
                    uncovered_c[s] += on_completion
                    if carrier[s] < 0:
                        a, b = name_of(last_child, name), name_of(x, name)
                        mixed = (
                            service[s] * HASH_A + name[s] * HASH_B + (a * 5 + where) * 0x2545F4914F6CDD1D
                            + (b * 7 + instance[s]) * 0x5851F42D4C957F2D
                        )  # fmt: skip
                        place = (mixed >> 32) & (size - 1)
                        row = slots[place]
                        while row >= 0 and not (
                            position[row] == where
                            and name[span[row]] == name[s]
                            and service[span[row]] == service[s]
                            and instance[span[row]] == instance[s]
                            and name_of(before[row], name) == a
                            and name_of(after[row], name) == b
                        ):
                            place = (place + 1) & (size - 1)
                            row = slots[place]
                        if row < 0:
                            row = rows
                            rows += 1
                            slots[place] = row
                            span[row], before[row], after[row], position[row] = s, last_child, x, where
                            begin_ns[row] = at
                        spans[row] += 1
                        own_ns[row] += length
                        path_ns[row] += on_path
                        completion_ns[row] += on_completion
                        if x < 0:
                            errors[row] += error[s]
                            completion_ns[row] += waited[s]
                if x < 0:
                    break
                if inside == 0 or end[x] >= at:
                    last_child = x
                inside += 1
                at = max(at, min(end[x], end[s]), until)
    return rows
