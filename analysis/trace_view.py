"""One trace as records for drawing: spans in tree order, the stretches between them in their places, and warnings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import pyarrow as pa

from analysis.critical_path import BUDGETS, path_parts
from analysis.hops import CONTINUATION
from analysis.hops_names import hop_names
from analysis.observations import CATEGORIES, DEFECTS, FAILURES
from analysis.observe_measure import Measured, measure
from analysis.observe_tables import defects_table, hops_table, trace_ids
from analysis.tree import plant
from analysis.tree_columns import Words, read_columns
from analysis.tree_order import order_by_trace

__all__ = ["HopView", "Segment", "SpanView", "TraceView", "trace_view"]

ALL_BITS = 0xFFFF_FFFF_FFFF_FFFF
KINDS = ("", "internal", "server", "client", "producer", "consumer")


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of a path that a span owns; one of `CATEGORIES`, and the hop of wire, peer and queue time."""

    start_ns: int
    end_ns: int
    category: str
    hop: str | None


@dataclass(frozen=True, slots=True)
class HopView:
    """A crossing whose caller this span is. Unknown numbers are None."""

    name: str
    kind: Literal["call", "message", "peer"]
    request_leg_ns: int | None
    response_leg_ns: int | None
    wire_ns: int | None
    queue_ns: int | None
    failure: str | None
    symptom: str | None
    origin: bool
    attempt: int
    wasted_ns: int
    callee_span_id: int  # 0 = none


@dataclass(frozen=True, slots=True)
class SpanView:
    """One span, in tree order. `row` is its row in the span table, for attributes and everything else."""

    row: int
    span_id: int
    parent_span_id: int
    depth: int
    service: str | None
    name: str | None
    kind: str
    start_ns: int
    end_ns: int
    error: bool
    asynchronous: bool  # outlives its parent, or was reached by a message: nobody above waits for all of it
    orphan: bool  # its parent is not in the trace
    on_path: bool
    on_completion_path: bool
    hops: tuple[HopView, ...]
    path: tuple[Segment, ...]  # what it owns of the root's path, in time order
    completion_path: tuple[Segment, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TraceView:
    trace_id: bytes
    root: int  # index of the root span in `spans`
    start_ns: int
    duration_ns: int
    completion_ns: int
    spans: tuple[SpanView, ...]
    warnings: tuple[str, ...] = field(default=())


def trace_view(spans: pa.Table) -> TraceView:
    """The view of the one trace in `spans`. Raises ValueError where there is none or more than one."""
    columns, links = read_columns(spans)
    order = order_by_trace(columns)
    if len(order.first) != 2:
        raise ValueError(f"expected the spans of one trace, got {len(order.first) - 1} traces")
    found = measure(plant(columns, order, links), spans)
    forest = found.forest
    last = int(found.crossings.last[0]) if found.crossings.last[0] >= 0 else int(forest.root[0])
    root, start = int(forest.root[0]), int(forest.columns.start_ns[forest.root[0]])
    drawn = _tree_order(found)
    return TraceView(
        trace_id=trace_ids(forest)[0].as_py(),
        root=[p for p, _ in drawn].index(root),
        start_ns=start,
        duration_ns=int(forest.end_ns[root]) - start,
        completion_ns=int(forest.end_ns[last]) - start,
        spans=tuple(_span_views(found, drawn)),
        warnings=_trace_warnings(found),
    )


def _span_views(found: Measured, order: list[tuple[int, int]]) -> Iterator[SpanView]:
    forest, columns = found.forest, found.forest.columns
    hops, owned, defects = _hops(found), _segments(found), _defects(found)
    services, names = _text(columns.service), _text(columns.name)
    for p, depth in order:
        span_id, above = int(columns.span_id[p]) & ALL_BITS, int(forest.up[p])
        outlives = above >= 0 and int(forest.end_ns[p]) > int(forest.end_ns[above])
        yield SpanView(
            row=int(forest.rows[p]),
            span_id=span_id,
            parent_span_id=int(columns.parent_id[p]) & ALL_BITS,
            depth=depth,
            service=services[p],
            name=names[p],
            kind=KINDS[columns.kind[p]] if 0 <= columns.kind[p] < len(KINDS) else "",
            start_ns=int(columns.start_ns[p]),
            end_ns=int(columns.end_ns[p]),
            error=bool(found.errors.failed[p]),
            asynchronous=bool(found.crossings.asynchronous[p]) or outlives,
            orphan=bool(forest.orphan[p]),
            on_path=int(found.path.low_ns[p]) >= 0,
            on_completion_path=int(found.completion.low_ns[p]) >= 0,
            hops=tuple(hops[p]),
            path=tuple(owned["root", p]),
            completion_path=tuple(owned["completion", p]),
            warnings=tuple(defects[span_id]),
        )


def _text(words: Words) -> list[str | None]:
    values = [*words.values.to_pylist(), None]
    return [values[code] for code in words.codes.tolist()]


def _tree_order(found: Measured) -> list[tuple[int, int]]:
    """Positions with depths, depth first; the root's tree stands first, linked consumers under what they link to."""
    forest, crossings = found.forest, found.crossings
    under: defaultdict[int, list[int]] = defaultdict(list)
    root = int(forest.root[0])
    for p in range(len(forest)):
        parent = int(forest.parent[p])
        if parent < 0 and crossings.via[p] >= 0:
            parent = int(crossings.caller[crossings.via[p]])
        under[-1 if p == root else parent].append(p)
    under[-1].sort(key=lambda p: p != root)
    ordered: list[tuple[int, int]] = []
    stack = [(p, 0) for p in reversed(under[-1])]
    while stack:
        p, depth = stack.pop()
        ordered.append((p, depth))
        stack += [(child, depth + 1) for child in reversed(under[p])]
    return ordered


def _hops(found: Measured) -> defaultdict[int, list[HopView]]:
    """Crossings by the position of their caller; an inferred one stands with the span that it hangs under."""
    table = hops_table(found)
    names = hop_names(table).to_pylist()
    caller = found.crossings.caller[found.crossings.kind != CONTINUATION].tolist()
    views: defaultdict[int, list[HopView]] = defaultdict(list)
    kinds: tuple[Literal["call", "message", "peer"], ...] = ("call", "message", "peer")
    for p, name, row in zip(caller, names, table.to_pylist(), strict=True):
        views[p].append(
            HopView(
                name=name,
                kind=kinds[row["kind"]],
                failure=FAILURES[row["failure"]] if row["failure"] else None,
                symptom=FAILURES[row["symptom"]] if row["symptom"] else None,
                **{
                    key: row[key]
                    for key in (
                        "request_leg_ns",
                        "response_leg_ns",
                        "wire_ns",
                        "queue_ns",
                        "origin",
                        "attempt",
                        "wasted_ns",
                        "callee_span_id",
                    )
                },
            )
        )
    return views


def _segments(found: Measured) -> defaultdict[tuple[str, int], list[Segment]]:
    """Segments by budget and span."""
    parts = path_parts(found)
    owned: defaultdict[tuple[str, int], list[Segment]] = defaultdict(list)
    columns = (parts.budget, parts.span, parts.begin_ns, parts.end_ns, parts.category)
    listed = zip(*(column.tolist() for column in columns), parts.hop.to_pylist(), strict=True)
    for budget, span, begin, end, category, hop in listed:
        owned[BUDGETS[budget], span].append(Segment(begin, end, CATEGORIES[category], hop))
    return owned


def _defects(found: Measured) -> defaultdict[int, list[str]]:
    by_span: defaultdict[int, list[str]] = defaultdict(list)
    for row in defects_table(found).to_pylist():
        by_span[row["span_id"]].append(DEFECTS[row["kind"]])
    return by_span


def _trace_warnings(found: Measured) -> tuple[str, ...]:
    forest = found.forest
    tops = int(((forest.parent < 0) & (found.crossings.via < 0)).sum())
    warnings = []
    if forest.orphan[forest.root[0]]:
        warnings.append("the root span is missing: the earliest orphan stands in for it")
    if tops > 1:
        warnings.append(f"{tops} separate trees: spans or parents are missing")
    return tuple(warnings)
