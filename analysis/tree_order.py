"""Bring spans into the order that everything else relies on: by trace, in a trace by start, each span once.

The order inside a trace depends on the spans alone and not on how they came in, so that permuting or repeating
rows changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.kernel import kernel
from analysis.tree_columns import Int64s, SpanColumns

__all__ = ["CONFLICT", "TraceOrder", "order_by_trace", "order_spans", "slots_for"]

HASH_A, HASH_B = 0x1E3779B97F4A7C15, 0x3F58476D1CE4E5B9
"""Odd and below 2**63, so that plain Python and 64-bit machine arithmetic agree on bits 32 to 63 of a product."""

EXACT, CONFLICT = 1, 2
"""Why a row was left out: the same span again, or another span under an id that is taken."""

CLIENT, SERVER, PRODUCER, CONSUMER = 3, 2, 4, 5


@dataclass(frozen=True)
class TraceOrder:
    """`rows[first[t]:first[t + 1]]` are the table rows of trace t; traces stand in the order of their first starts."""

    rows: Int64s
    first: Int64s

    def part(self, begin: int, end: int) -> TraceOrder:
        """The traces from `begin` up to `end`."""
        low, high = self.first[begin], self.first[end]
        return TraceOrder(self.rows[low:high], self.first[begin : end + 1] - low)


def slots_for(items: int) -> int:
    """Size of a hash table for so many keys: a power of two, at most half full."""
    return 1 << max(3, (2 * int(items) - 1).bit_length())


def order_by_trace(columns: SpanColumns) -> TraceOrder:
    """Group rows by trace id. O(rows); no sort over rows, traces alone are sorted.

    Traces stand by time and not by id: rows of neighbours in time are neighbours in most tables, and memory is read
    in the order in which it lies.
    """
    trace_hi, trace_lo = columns.trace_hi, columns.trace_lo
    count = len(trace_hi)
    if not count:
        return TraceOrder(np.empty(0, np.int64), np.zeros(1, np.int64))
    runs = 1 + int(np.count_nonzero((trace_hi[1:] != trace_hi[:-1]) | (trace_lo[1:] != trace_lo[:-1])))
    code, leader, earliest = np.empty(count, np.int32), np.empty(runs, np.int64), np.empty(runs, np.int64)
    slots = np.full(slots_for(runs), -1, np.int32)
    traces = number_traces.run(count, (trace_hi, trace_lo, columns.start_ns), (slots, code, leader, earliest))
    del slots
    leader = leader[:traces]
    by_time = np.lexsort((trace_lo[leader].view(np.uint64), trace_hi[leader].view(np.uint64), earliest[:traces]))
    rank = np.empty(traces, np.int32)
    rank[by_time] = np.arange(traces)
    code = rank[code]
    first = np.zeros(traces + 1, np.int64)
    np.cumsum(np.bincount(code, minlength=traces), out=first[1:])
    rows = np.empty(count, np.int64)
    scatter.run(count, (code,), (first[:-1].copy(), rows))
    return TraceOrder(rows, first)


@kernel
def number_traces(hi, lo, start, slots, code, leader, earliest):  # type: ignore[no-untyped-def]
    """Number trace ids in order of appearance; `leader[t]` is the first row of t. Returns how many there are."""
    mask = len(slots) - 1
    count = 0
    for row in range(len(hi)):
        if row > 0 and hi[row] == hi[row - 1] and lo[row] == lo[row - 1]:
            trace = code[row - 1]
            code[row] = trace
            earliest[trace] = min(earliest[trace], start[row])
            continue
        place = ((hi[row] * HASH_A + lo[row] * HASH_B) >> 32) & mask
        while True:
            trace = slots[place]
            if trace < 0:
                trace = count
                slots[place] = trace
                leader[trace] = row
                earliest[trace] = start[row]
                count += 1
                break
            if hi[leader[trace]] == hi[row] and lo[leader[trace]] == lo[row]:
                break
            place = (place + 1) & mask
        code[row] = trace
        earliest[trace] = min(earliest[trace], start[row])
    return count


@kernel
def scatter(code, position, rows):  # type: ignore[no-untyped-def]
    for row in range(len(code)):
        rows[position[code[row]]] = row
        position[code[row]] += 1


def order_spans(columns: SpanColumns, traces: TraceOrder) -> tuple[TraceOrder, Int64s]:
    """Order the spans of each trace and drop repeated ones.

    Returns the order that remains, and the rows left out because another span of their trace has their id.
    """
    rows, first = traces.rows, traces.first
    count = len(rows)
    order = np.arange(count, dtype=np.int64)
    keys = [
        np.take(key, rows)
        for key in (
            columns.start_ns, columns.end_ns, columns.span_id, columns.parent_id, columns.kind, columns.status,
            columns.service.ranks, columns.name.ranks,
        )
    ]  # fmt: skip
    sort_spans.run(count, (first, *keys), (order,))
    longest = int(np.diff(first).max(initial=0))
    dropped = np.zeros(count, np.int8)
    slots, partner = np.full(slots_for(longest), -1, np.int64), np.full(count, -1, np.int64)
    if not find_repeated.run(count, (first, order, *keys), (slots, partner, dropped)):
        return TraceOrder(rows[order], first), np.empty(0, np.int64)
    kept = dropped[order] == 0
    before = np.concatenate([[0], np.cumsum(kept)])
    return TraceOrder(rows[order[kept]], before[first]), rows[dropped == CONFLICT]


@kernel
def stands_before(a, b, start, end, span_id, parent_id, kind, status, service, name):  # type: ignore[no-untyped-def]
    """Earlier start first; then the longer span, so that a parent stands before a child that starts with it."""
    if start[a] != start[b]:
        return start[a] < start[b]
    if end[a] != end[b]:
        return end[a] > end[b]
    if span_id[a] != span_id[b]:
        return span_id[a] < span_id[b]
    if parent_id[a] != parent_id[b]:
        return parent_id[a] < parent_id[b]
    if kind[a] != kind[b]:
        return kind[a] < kind[b]
    if service[a] != service[b]:
        return service[a] < service[b]
    if name[a] != name[b]:
        return name[a] < name[b]
    return status[a] > status[b]


@kernel
def sort_spans(first, start, end, span_id, parent_id, kind, status, service, name, order):  # type: ignore[no-untyped-def]
    """Sort each trace: by insertion where it is short or already sorted, else by heap: no recursion, no memory."""
    for trace in range(len(first) - 1):
        low, high = first[trace], first[trace + 1]
        moves, limit = 0, 12 * (high - low)
        for i in range(low + 1, high):
            item = order[i]
            j = i
            earliest = start[item]
            while j > low and earliest <= start[order[j - 1]]:
                if earliest == start[order[j - 1]] and not stands_before(
                    item, order[j - 1], start, end, span_id, parent_id, kind, status, service, name
                ):
                    break
                order[j] = order[j - 1]
                j -= 1
            order[j] = item
            moves += i - j
            if moves > limit:
                break
        if moves <= limit:
            continue
        size = high - low
        for step in range(size // 2 + size):
            # First build the heap from the middle down, then move the last-standing span behind it again and again.
            if step < size // 2:
                root, end_of_heap = size // 2 - 1 - step, size
            else:
                end_of_heap = size - 1 - (step - size // 2)
                order[low], order[low + end_of_heap] = order[low + end_of_heap], order[low]
                root = 0
            while True:
                child = 2 * root + 1
                if child >= end_of_heap:
                    break
                if child + 1 < end_of_heap and stands_before(
                    order[low + child], order[low + child + 1],
                    start, end, span_id, parent_id, kind, status, service, name,
                ):  # fmt: skip
                    child += 1
                if not stands_before(
                    order[low + root], order[low + child],
                    start, end, span_id, parent_id, kind, status, service, name,
                ):  # fmt: skip
                    break
                order[low + root], order[low + child] = order[low + child], order[low + root]
                root = child


@kernel
def same_span(a, b, start, end, parent_id, kind, status, service, name):  # type: ignore[no-untyped-def]
    return (
        start[a] == start[b]
        and end[a] == end[b]
        and parent_id[a] == parent_id[b]
        and kind[a] == kind[b]
        and status[a] == status[b]
        and service[a] == service[b]
        and name[a] == name[b]
    )


@kernel
def two_sides(kind_a, kind_b):  # type: ignore[no-untyped-def]
    """Zipkin's B3 form: caller and callee report one crossing under one span id."""
    low, high = min(kind_a, kind_b), max(kind_a, kind_b)
    return (low == SERVER and high == CLIENT) or (low == PRODUCER and high == CONSUMER)


@kernel
def find_repeated(  # type: ignore[no-untyped-def]
    first, order, start, end, span_id, parent_id, kind, status, service, name, slots, partner, dropped
):
    """Mark the later of two spans with one id, unless they are the two sides of a crossing. Returns how many."""
    found = 0
    for trace in range(len(first) - 1):
        low, high = first[trace], first[trace + 1]
        size = 8
        while size < 2 * (high - low):
            size *= 2
        for place in range(size):
            slots[place] = -1
        for i in range(low, high):
            span = order[i]
            place = ((span_id[span] * HASH_A) >> 32) & (size - 1)
            while slots[place] >= 0 and span_id[slots[place]] != span_id[span]:
                place = (place + 1) & (size - 1)
            other = slots[place]
            if other < 0:
                slots[place] = span
                continue
            former = order[i - 1]
            repeats_former = span_id[former] == span_id[span] and same_span(
                span, former, start, end, parent_id, kind, status, service, name
            )
            if repeats_former or same_span(span, other, start, end, parent_id, kind, status, service, name):
                dropped[span] = EXACT
            elif partner[other] >= 0:
                again = same_span(span, partner[other], start, end, parent_id, kind, status, service, name)
                dropped[span] = EXACT if again else CONFLICT
            elif two_sides(kind[span], kind[other]):
                partner[other] = span
                continue
            else:
                dropped[span] = CONFLICT
            found += 1
    return found
