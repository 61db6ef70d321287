"""The critical path of traces as segments: who, from when to when, doing what."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from analysis.closed_budget import CODE, category_of
from analysis.critical_path_walk import OWN, QUEUE, Path
from analysis.hops import CONTINUATION
from analysis.hops_names import hop_names
from analysis.kernel import kernel
from analysis.observations import CATEGORIES
from analysis.observe_measure import Measured, measure
from analysis.observe_tables import hops_table, trace_ids
from analysis.tree import plant
from analysis.tree_columns import Int64s, read_columns
from analysis.tree_order import order_by_trace

__all__ = ["BUDGETS", "SEGMENTS_SCHEMA", "PathParts", "critical_path", "path_parts", "segments"]

BUDGETS = ("root", "completion")

_WORD = pa.dictionary(pa.int32(), pa.string())
SEGMENTS_SCHEMA = pa.schema(
    [
        pa.field("trace_id", pa.binary(16), nullable=False),
        pa.field("span_id", pa.uint64(), nullable=False),
        pa.field("start_ns", pa.int64(), nullable=False),
        pa.field("end_ns", pa.int64(), nullable=False),
        pa.field("category", _WORD, nullable=False),  # CATEGORIES
        pa.field("hop", _WORD),  # the hop that a wire, peer or queue segment belongs to
        pa.field("budget", _WORD, nullable=False),  # BUDGETS; completion only where it ends after the root
    ]
)


def critical_path(spans: pa.Table) -> pa.Table:
    """SEGMENTS of every trace in `spans`, by trace, budget and time, without holes.

    The segments of `root` add up to the root span's duration, those of `completion` to the time from the root's start
    to the end of the last span reached through messages.
    """
    columns, links = read_columns(spans)
    order = order_by_trace(columns)
    return segments(measure(plant(columns, order, links), spans))


def segments(found: Measured) -> pa.Table:
    """The segments of traces that have been measured."""
    parts = path_parts(found)
    columns = found.forest.columns
    return pa.table(
        [
            trace_ids(found.forest).take(pa.array(found.forest.trace[parts.span])),
            pa.array(columns.span_id[parts.span].view(np.uint64)),
            pa.array(parts.begin_ns),
            pa.array(parts.end_ns),
            pa.DictionaryArray.from_arrays(pa.array(parts.category, pa.int32()), pa.array(CATEGORIES)),
            parts.hop.dictionary_encode(),
            pa.DictionaryArray.from_arrays(pa.array(parts.budget, pa.int32()), pa.array(BUDGETS)),
        ],
        schema=SEGMENTS_SCHEMA,
    )


@dataclass(frozen=True)
class PathParts:
    """Segments as arrays, by trace, budget and time. `span` is a position in the forest."""

    span: Int64s
    begin_ns: Int64s
    end_ns: Int64s
    category: Int64s  # codes of CATEGORIES
    hop: pa.Array
    budget: Int64s  # codes of BUDGETS


def path_parts(found: Measured) -> PathParts:
    both = [_segments(found, path, budget) for budget, path in enumerate((found.path, found.completion))]
    span, begin, end, category, hop, budget = (np.concatenate(column) for column in zip(*both, strict=True))
    order = np.lexsort((end, begin, budget, found.forest.trace[span]))
    # Crossings that are no hops have no row in HOPS.
    is_hop = found.crossings.kind != CONTINUATION
    row = np.append(np.where(is_hop, np.cumsum(is_hop) - 1, -1), -1)
    hops = row[hop[order]]
    names = hop_names(hops_table(found)).take(pa.array(hops, mask=hops < 0))
    return PathParts(span[order], begin[order], end[order], category[order], names, budget[order])


def _segments(found: Measured, path: Path, budget: int) -> tuple[Int64s, ...]:
    """Span, begin, end, category, crossing (-1 none) and budget of each segment of one kind of path."""
    forest, crossings = found.forest, found.crossings
    own = np.flatnonzero(path.what == OWN)
    own = own[np.lexsort((path.begin_ns[own], path.span[own]))]
    most = 3 * len(own) + 2 * len(forest)
    span, begin, end, covered = (np.zeros(most, np.int64) for _ in range(4))
    count = split_by_cover.run(
        len(forest),
        (
            path.span[own], path.begin_ns[own], path.end_ns[own],
            forest.columns.start_ns, forest.end_ns, forest.kid_first, forest.kids,
        ),
        (span, begin, end, covered),
    )  # fmt: skip
    span, begin, end, covered = span[:count], begin[:count], end[:count], covered[:count]
    category = np.where(covered != 0, CODE["overlap"], category_of(crossings, found.own.leaf)[span])
    carrier = np.where(covered != 0, -1, crossings.carrier[span])
    hop = np.where(carrier >= 0, crossings.hop[carrier], -1)

    other = np.flatnonzero(path.what != OWN)
    queued = path.what[other] == QUEUE
    waiting = path.span[other]
    span, begin, end = (
        np.concatenate(pair) for pair in ((span, waiting), (begin, path.begin_ns[other]), (end, path.end_ns[other]))
    )
    category = np.concatenate([category, np.where(queued, CODE["queue"], CODE["gap"])])
    hop = np.concatenate([hop, np.where(queued, crossings.via[waiting], -1)])
    return span, begin, end, category, hop, np.full(len(span), budget)


@kernel
def split_by_cover(piece_span, piece_begin, piece_end, start, end, kid_first, kids, span, begin_ns, end_ns, covered):  # type: ignore[no-untyped-def]
    """Split own pieces, sorted by span and time, where a child that is not on the path runs. Returns the count."""
    count = 0
    kid, at, former = 0, 0, -1
    for i in range(len(piece_span)):
        s = piece_span[i]
        if s != former:
            kid, at, former = kid_first[s], start[s], s
        position, stop = piece_begin[i], piece_end[i]
        while position < stop:
            while kid < kid_first[s + 1] and start[kids[kid]] <= position:
                at = max(at, end[kids[kid]])
                kid += 1
            if at > position:
                until, under = min(at, stop), 1
            else:
                until = min(stop, start[kids[kid]]) if kid < kid_first[s + 1] else stop
                under = 0
            span[count], begin_ns[count], end_ns[count], covered[count] = s, position, until, under
            count += 1
            position = until
    return count
