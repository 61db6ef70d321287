"""The critical path: which span a trace is waiting for, at every nanosecond.

Backwards from the root's end: the child that ends last, then the one that ended before it began, and so on; what no
child on the path takes is the span's own. A child is cut at its parent's ends. CRISP and Jaeger UI walk the same way
(Zhang et al., "CRISP: Critical Path Analysis of Large-Scale Microservice Architectures", USENIX ATC 2022).
The completion path begins at the end of the last message callee and goes back through the messages to the root's start.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from analysis.hops import Crossings
from analysis.kernel import kernel
from analysis.tree import Forest
from analysis.tree_columns import Int8s, Int64s

__all__ = ["OWN", "QUEUE", "WAIT", "Path", "walk_completion", "walk_root"]

OWN, QUEUE, WAIT = 0, 1, 2
"""What a piece of path is: a span's own time; a message in its queue (the span is the consumer); time after a span's
end in which a child that it left behind had not begun (the span is the parent)."""


@dataclass(frozen=True)
class Path:
    """Pieces of the paths of all traces, latest first in each trace; and the part of each visited span on it."""

    span: Int64s
    begin_ns: Int64s
    end_ns: Int64s
    what: Int8s
    low_ns: Int64s  # per span: its time on the path is low_ns..high_ns; -1 where it is not on the path
    high_ns: Int64s
    own_ns: Int64s  # per span: sum of its OWN pieces


def _walk(forest: Forest, crossings: Crossings, begin: Int64s, completion: bool) -> Path:
    count, most = len(forest), 4 * len(forest) + 4 * forest.traces
    span, begin_ns, end_ns = (np.zeros(most, np.int64) for _ in range(3))
    what = np.zeros(most, np.int8)
    low, high, own = np.full(count, -1, np.int64), np.full(count, -1, np.int64), np.zeros(count, np.int64)
    stack, cursor, next_kid = (np.zeros(count + 1, np.int64) for _ in range(3))
    pieces = walk.run(
        count,
        (
            begin, forest.root, forest.columns.start_ns, forest.end_ns, forest.up, forest.kid_first, forest.kids_by_end,
            crossings.asynchronous, crossings.via, crossings.caller, 1 if completion else 0,
        ),
        (stack, cursor, next_kid, low, high, own, span, begin_ns, end_ns, what),
    )  # fmt: skip
    return Path(span[:pieces], begin_ns[:pieces], end_ns[:pieces], what[:pieces], low, high, own)


def walk_root(forest: Forest, crossings: Crossings) -> Path:
    """Each root's own time budget."""
    return _walk(forest, crossings, forest.root, completion=False)


def walk_completion(forest: Forest, crossings: Crossings, root_path: Path) -> Path:
    """The budget up to the last message callee. Traces that have none ending after their root keep what `root_path`
    says of their spans, and have no pieces here."""
    path = _walk(forest, crossings, crossings.last, completion=True)
    longer = (crossings.last >= 0)[forest.trace]
    return replace(
        path,
        low_ns=np.where(longer, path.low_ns, root_path.low_ns),
        high_ns=np.where(longer, path.high_ns, root_path.high_ns),
        own_ns=np.where(longer, path.own_ns, root_path.own_ns),
    )


@kernel
def walk(  # type: ignore[no-untyped-def]
    begin, root, start, end, up, kid_first, kids_by_end, asynchronous, via, caller, completion,
    stack, cursor, next_kid, low, high, own, span, begin_ns, end_ns, what,
):  # fmt: skip
    """Walk backwards from the end of each `begin` span to its trace's root's start. Returns the number of pieces."""
    pieces = 0
    for trace in range(len(begin)):
        p = begin[trace]
        if p < 0:
            continue
        floor = start[root[trace]]
        low[p], high[p] = max(start[p], floor), max(end[p], floor)
        at = high[p]
        while True:
            stack[0], cursor[0], next_kid[0] = p, at, kid_first[p]
            depth = 1
            while depth > 0:
                s = stack[depth - 1]
                c = cursor[depth - 1]
                kid = next_kid[depth - 1]
                taken = -1
                while kid < kid_first[s + 1]:
                    x = kids_by_end[kid]
                    kid += 1
                    x_end, x_start = min(end[x], high[s]), max(start[x], low[s])
                    if x_start > x_end or x_end > c or (completion != 0 and asynchronous[x] != 0):
                        continue
                    if low[x] >= 0:
                        # The span that the walk came up from begins where this window ends.
                        continue
                    taken = x
                    low[x], high[x] = x_start, x_end
                    break
                next_kid[depth - 1] = kid
                until = high[taken] if taken >= 0 else low[s]
                if c > until:
                    span[pieces], begin_ns[pieces], end_ns[pieces], what[pieces] = s, until, c, OWN
                    pieces += 1
                    own[s] += c - until
                if taken >= 0:
                    cursor[depth - 1] = low[taken]
                    stack[depth], cursor[depth], next_kid[depth] = taken, high[taken], kid_first[taken]
                    depth += 1
                else:
                    depth -= 1
            at = low[p]
            if p == root[trace]:
                break
            kind = WAIT
            owner = up[p]
            q = up[p]
            if asynchronous[p] != 0 and via[p] >= 0:
                kind, owner, q = QUEUE, p, caller[via[p]]
            q_end = at if q < 0 else max(floor, min(at, end[q]))
            if q_end < at:
                span[pieces], begin_ns[pieces], end_ns[pieces], what[pieces] = owner, q_end, at, kind
                pieces += 1
                at = q_end
            p = q
            low[p], high[p] = min(at, max(start[p], floor)), at
    return pieces
