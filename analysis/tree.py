"""Span trees: parents, orphans, cycles, links, children. No recursion: a chain of any depth works.

Defects of the data become values here (an orphan, a cut cycle), never errors.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.kernel import kernel
from analysis.span_table import KIND_CLIENT, KIND_CONSUMER, KIND_PRODUCER, KIND_SERVER
from analysis.tree_columns import Int8s, Int64s, Links, SpanColumns
from analysis.tree_order import HASH_A, TraceOrder, order_spans, slots_for

__all__ = ["Forest", "LinkTargets", "plant"]

CLIENT, SERVER, PRODUCER, CONSUMER = KIND_CLIENT, KIND_SERVER, KIND_PRODUCER, KIND_CONSUMER


@dataclass(frozen=True)
class LinkTargets:
    """Links whose both ends are in one trace: span `source[i]` links to span `target[i]`; in the order of both."""

    source: Int64s
    target: Int64s


@dataclass(frozen=True)
class ForeignLinks:
    """Links of consumers to spans of other traces: from position `source` to a span by its ids."""

    source: Int64s
    trace_hi: Int64s
    trace_lo: Int64s
    span_id: Int64s


@dataclass(frozen=True)
class Forest:
    """The spans of a batch of traces as trees. Positions are indices into `columns`; -1 means none.

    Spans of trace t are first[t]..first[t+1], sorted by start.
    """

    columns: SpanColumns
    rows: Int64s  # row of the span table
    first: Int64s
    trace: Int64s  # of each span
    end_ns: Int64s  # as recorded, but never before the start
    parent: Int64s
    up: Int64s  # the parent on paths: differs where a message's sends follow one another as parent and child
    orphan: Int8s  # 1: has a parent id that is not in the trace
    cut: Int8s  # 1: its parent was cut off because the chain of parents came back to it
    top_down: Int64s  # all spans, parents before children
    kid_first: Int64s  # children of p on paths: kids[kid_first[p]:kid_first[p + 1]], by start
    kids: Int64s
    kids_by_end: Int64s  # the same, last end first
    root: Int64s  # of each trace
    conflicts: SpanColumns  # spans left out because another span of their trace has their id
    conflict_trace: Int64s
    links: LinkTargets
    foreign: ForeignLinks
    linked: Int8s  # 1: has a link, also one to another trace

    def __len__(self) -> int:
        return len(self.parent)

    @property
    def traces(self) -> int:
        return len(self.first) - 1


def plant(table: SpanColumns, traces: TraceOrder, links: Links) -> Forest:
    """Grow the trees of these traces of the span table; `links` are all of the table's."""
    kept, left_out = order_spans(table, traces)
    conflicts = table.take(left_out)
    conflict_trace = _trace_of(left_out, traces)
    rows, first = kept.rows, kept.first
    columns = table.take(rows)
    count = len(columns)
    trace = np.repeat(np.arange(len(first) - 1), np.diff(first))
    end_ns = np.maximum(columns.end_ns, columns.start_ns)
    slots = np.full(slots_for(np.diff(first).max(initial=0)), -1, np.int64)
    partner, parent, up = (np.full(count, -1, np.int64) for _ in range(3))
    orphan, cut = np.zeros(count, np.int8), np.zeros(count, np.int8)
    find_parents.run(
        count,
        (first, columns.span_id, columns.parent_id, columns.kind, columns.service.codes),
        (slots, partner, parent, orphan),
    )
    stack, top_down, mark = (np.zeros(count, np.int64) for _ in range(3))
    order_top_down.run(count, (), (parent, cut, mark, stack, top_down))
    choose_path_parents.run(count, (columns.start_ns, end_ns, columns.kind, columns.service.codes, parent), (up,))
    kid_first = np.zeros(count + 2, np.int64)
    kids, kids_by_end = np.zeros(count, np.int64), np.zeros(count, np.int64)
    list_children.run(count, (columns.start_ns, end_ns, up), (kid_first, kids, kids_by_end))
    root = np.full(len(first) - 1, -1, np.int64)
    choose_roots.run(count, (first, parent, orphan, cut), (root,))
    inside, foreign = _find_links(columns, rows, first, trace, links)
    return Forest(
        columns=columns, rows=rows, first=first, trace=trace, end_ns=end_ns, parent=parent, up=up, orphan=orphan,
        cut=cut, top_down=top_down, kid_first=kid_first[:-1], kids=kids, kids_by_end=kids_by_end, root=root,
        conflicts=conflicts, conflict_trace=conflict_trace, links=inside, foreign=foreign,
        linked=np.isin(rows, links.row).astype(np.int8),
    )  # fmt: skip


def _trace_of(rows: Int64s, traces: TraceOrder) -> Int64s:
    if not len(rows):
        return rows
    by_row = np.argsort(traces.rows)
    place = by_row[np.searchsorted(traces.rows, rows, sorter=by_row)]
    return np.searchsorted(traces.first, place, side="right") - 1


def _find_links(
    columns: SpanColumns, rows: Int64s, first: Int64s, trace: Int64s, links: Links
) -> tuple[LinkTargets, ForeignLinks]:
    """The links of these spans that stay inside a trace, and those of consumers that leave it."""
    nothing = np.empty(0, np.int64)
    if not len(links.row):
        return LinkTargets(nothing, nothing), ForeignLinks(nothing, nothing, nothing, nothing)
    position = np.full(max(int(rows.max(initial=-1)), int(links.row.max())) + 1, -1, np.int64)
    position[rows] = np.arange(len(rows))
    source = position[links.row]
    here = np.flatnonzero(source >= 0)
    source, hi, lo, span_id = source[here], links.trace_hi[here], links.trace_lo[here], links.span_id[here]
    inside = (columns.trace_hi[source] == hi) & (columns.trace_lo[source] == lo)
    leaves = ~inside & (columns.kind[source] == CONSUMER)
    foreign = np.unique(np.stack([source[leaves], hi[leaves], lo[leaves], span_id[leaves]], axis=1), axis=0)
    source, span_id = source[inside], span_id[inside]
    order = np.lexsort((span_id, source))
    source, span_id = source[order], span_id[order]
    slots = np.full(slots_for(np.diff(first).max(initial=0)), -1, np.int64)
    target = np.full(len(source), -1, np.int64)
    find_link_targets.run(len(rows), (first, columns.span_id, trace[source], span_id), (slots, target))
    found = (target >= 0) & (target != source)
    pairs = np.unique(np.stack([source[found], target[found]], axis=1), axis=0)
    return LinkTargets(pairs[:, 0], pairs[:, 1]), ForeignLinks(*(foreign[:, column] for column in range(4)))


@kernel
def find_parents(first, span_id, parent_id, kind, service, slots, partner, parent, orphan):  # type: ignore[no-untyped-def]
    """Look up every span's parent by id inside its trace."""
    for trace in range(len(first) - 1):
        low, high = first[trace], first[trace + 1]
        size = 8
        while size < 2 * (high - low):
            size *= 2
        for place in range(size):
            slots[place] = -1
        for p in range(low, high):
            place = ((span_id[p] * HASH_A) >> 32) & (size - 1)
            while slots[place] >= 0 and span_id[slots[place]] != span_id[p]:
                place = (place + 1) & (size - 1)
            if slots[place] >= 0:
                partner[slots[place]] = p
                partner[p] = slots[place]
            else:
                slots[place] = p
        for p in range(low, high):
            q = partner[p]
            if q >= 0 and (kind[p] == SERVER or kind[p] == CONSUMER):
                parent[p] = q
                continue
            if parent_id[p] == 0:
                continue
            place = ((parent_id[p] * HASH_A) >> 32) & (size - 1)
            while slots[place] >= 0 and span_id[slots[place]] != parent_id[p]:
                place = (place + 1) & (size - 1)
            found = slots[place]
            if found < 0:
                orphan[p] = 1
                continue
            other = partner[found]
            if other >= 0:
                # Two sides share the id: children belong to the callee, but for those of the caller's own service.
                if kind[found] == SERVER or kind[found] == CONSUMER:
                    callee, caller = found, other
                else:
                    callee, caller = other, found
                own = service[p] == service[caller] and service[p] != service[callee]
                found = caller if own else callee
            parent[p] = found


@kernel
def find_link_targets(first, span_id, link_trace, link_span_id, slots, target):  # type: ignore[no-untyped-def]
    link = 0
    while link < len(link_trace):
        trace = link_trace[link]
        low, high = first[trace], first[trace + 1]
        size = 8
        while size < 2 * (high - low):
            size *= 2
        for place in range(size):
            slots[place] = -1
        for p in range(low, high):
            place = ((span_id[p] * HASH_A) >> 32) & (size - 1)
            while slots[place] >= 0 and span_id[slots[place]] != span_id[p]:
                place = (place + 1) & (size - 1)
            if slots[place] < 0:
                slots[place] = p
        while link < len(link_trace) and link_trace[link] == trace:
            place = ((link_span_id[link] * HASH_A) >> 32) & (size - 1)
            while slots[place] >= 0 and span_id[slots[place]] != link_span_id[link]:
                place = (place + 1) & (size - 1)
            target[link] = slots[place]
            link += 1


@kernel
def order_top_down(parent, cut, mark, stack, top_down):  # type: ignore[no-untyped-def]
    """Order spans with parents before children, and cut each cycle at its earliest span, which becomes a top."""
    written = 0
    for p in range(len(parent)):
        while mark[p] == 0:
            depth = 0
            q = p
            while q >= 0 and mark[q] == 0:
                mark[q] = p + 1
                stack[depth] = q
                depth += 1
                q = parent[q]
            if q >= 0 and mark[q] == p + 1:
                # The climb came back to itself. Spans are numbered by start, so the lowest number is the earliest.
                earliest, r = q, parent[q]
                while r != q:
                    earliest = min(earliest, r)
                    r = parent[r]
                parent[earliest] = -1
                cut[earliest] = 1
                for i in range(depth):
                    mark[stack[i]] = 0
                continue
            while depth > 0:
                depth -= 1
                top_down[written] = stack[depth]
                written += 1


@kernel
def choose_path_parents(start, end, kind, service, parent, up):  # type: ignore[no-untyped-def]
    """Sends of one message that follow one another (FastStream: `create`, then its child `publish`) are path siblings.

    By its recorded parent the later send lies outside of its parent's time and the path would lose it.
    """
    for p in range(len(parent)):
        q = parent[p]
        if kind[p] == PRODUCER:
            while q >= 0 and kind[q] == PRODUCER and service[q] == service[p] and start[p] >= end[q]:
                q = parent[q]
            if q < 0:
                q = parent[p]
        up[p] = q


@kernel
def ends_later(a, b, start, end):  # type: ignore[no-untyped-def]
    """Last end first, then the longer one; the number settles ties."""
    if end[a] != end[b]:
        return end[a] > end[b]
    if start[a] != start[b]:
        return start[a] < start[b]
    return a < b


@kernel
def list_children(start, end, up, kid_first, kids, kids_by_end):  # type: ignore[no-untyped-def]
    count = len(up)
    # Offsets are built one place to the right, so that filling moves them to where they belong.
    for p in range(count):
        if up[p] >= 0:
            kid_first[up[p] + 2] += 1
    for p in range(count):
        kid_first[p + 2] += kid_first[p + 1]
    for p in range(count):
        if up[p] >= 0:
            kids[kid_first[up[p] + 1]] = p
            kid_first[up[p] + 1] += 1
    for p in range(count):
        low, high = kid_first[p], kid_first[p + 1]
        size = high - low
        moves = 0
        # Children by start are nearly by end: turn them round, and few moves remain.
        for i in range(size):
            item = kids[high - 1 - i]
            j = low + i
            while j > low and ends_later(item, kids_by_end[j - 1], start, end):
                kids_by_end[j] = kids_by_end[j - 1]
                j -= 1
                moves += 1
            kids_by_end[j] = item
            if moves > 12 * size:
                break
        if moves <= 12 * size:
            continue
        for i in range(size):
            kids_by_end[low + i] = kids[low + i]
        for step in range(size // 2 + size):
            if step < size // 2:
                root, end_of_heap = size // 2 - 1 - step, size
            else:
                end_of_heap = size - 1 - (step - size // 2)
                kids_by_end[low], kids_by_end[low + end_of_heap] = kids_by_end[low + end_of_heap], kids_by_end[low]
                root = 0
            while True:
                child = 2 * root + 1
                if child >= end_of_heap:
                    break
                if child + 1 < end_of_heap and ends_later(
                    kids_by_end[low + child], kids_by_end[low + child + 1], start, end
                ):
                    child += 1
                if not ends_later(kids_by_end[low + root], kids_by_end[low + child], start, end):
                    break
                kids_by_end[low + root], kids_by_end[low + child] = kids_by_end[low + child], kids_by_end[low + root]
                root = child


@kernel
def choose_roots(first, parent, orphan, cut, root):  # type: ignore[no-untyped-def]
    """The earliest span without a parent id; where every top is an orphan or a cut cycle, the earliest of those."""
    for trace in range(len(first) - 1):
        best = -1
        for p in range(first[trace], first[trace + 1]):
            if parent[p] < 0:
                if orphan[p] == 0 and cut[p] == 0:
                    best = p
                    break
                if best < 0:
                    best = p
        root[trace] = best
