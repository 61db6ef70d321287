"""Draws one trace: its spans in tree order, with legs, gaps and queues where the closed budget says they are.

Every place and number comes from the trace view, which is made of the same paths and hops as the findings: the picture
cannot disagree with the report.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from analysis.observations import FAILURES, Observations
from analysis.report.exemplar import Exemplar, LogLine, Part, Row, Stretch
from analysis.span_table import LOG_SCHEMA
from analysis.trace_view import HopView, Segment, SpanView, TraceView, trace_view

__all__ = ["draw_trace", "logs_of", "spans_of"]

BETWEEN = frozenset({"wire", "queue", "gap"})
"""Categories that get rows of their own: time in which no span worked."""

UNKNOWN = "unknown"


def spans_of(spans: pa.Table, trace_ids: Iterable[bytes]) -> pa.Table:
    """The rows of these traces."""
    return spans.filter(pc.is_in(spans["trace_id"], pa.array(list(trace_ids), pa.binary(16))))


def logs_of(logs: pa.Table, trace_id: bytes) -> tuple[LogLine, ...]:
    """The log records of one trace, in time order."""
    if logs.schema.names != LOG_SCHEMA.names or not len(logs):
        return ()
    rows = logs.filter(pc.equal(logs["trace_id"], pa.scalar(trace_id, pa.binary(16)))).sort_by("time_ns").to_pylist()
    return tuple(
        LogLine(row["time_ns"], row["service"] or "", row["severity"], row["body"] or "", row["span_id"])
        for row in rows
    )


def draw_trace(
    trace_id: bytes,
    spans: pa.Table,
    observations: Observations,
    logs: pa.Table | None = None,
    findings: tuple[int, ...] = (),
) -> Exemplar:
    """The trace as rows. `spans` may hold other traces too; `observations` must hold this one, with callees named.

    Raises KeyError when `spans` has no such trace.
    """
    own = spans_of(spans, [trace_id])
    if not len(own):
        raise KeyError(trace_id.hex())
    view = trace_view(own)
    rows = tuple(_rows(view, _resolve(view, trace_id, observations)))
    root = view.spans[view.root]
    return Exemplar(
        trace_id=trace_id.hex(),
        title=f"{root.service or UNKNOWN} {root.name or ''}".rstrip(),
        start_ns=view.start_ns,
        root_end_ns=view.start_ns + view.duration_ns,
        end_ns=max(row.end_ns for row in rows),
        rows=rows,
        logs=logs_of(logs, trace_id) if logs is not None else (),
        warnings=view.warnings,
        findings=findings,
    )


@dataclass(frozen=True, slots=True)
class _Resolved:
    """What only other traces can tell about the hops of this one."""

    names: Mapping[str, str]  # what the trace alone would call a hop, to what it is called
    lost: Mapping[int, tuple[str, ...]]  # by the span that sent a message: hops to the subscribers that never got it


def _resolve(view: TraceView, trace_id: bytes, observations: Observations) -> _Resolved:
    trace = pc.index(observations.traces["trace_id"], pa.scalar(trace_id, pa.binary(16))).as_py()
    hops = observations.hops.filter(pc.equal(observations.hops["trace"], trace))
    by_ends: dict[tuple[int, int], str] = {}
    lost: dict[int, tuple[str, ...]] = {}
    for row in hops.select(["span_id", "callee_span_id", "caller", "callee", "failure"]).to_pylist():
        name = f"{row['caller'] or UNKNOWN}->{row['callee'] or UNKNOWN}"
        by_ends[row["span_id"], row["callee_span_id"]] = name
        if FAILURES[row["failure"]] == "lost_message":
            lost[row["span_id"]] = (*lost.get(row["span_id"], ()), name)
    names = {
        hop.name: by_ends.get((span.span_id, hop.callee_span_id), hop.name) for span in view.spans for hop in span.hops
    }
    return _Resolved(names, lost)


def _rows(view: TraceView, resolved: _Resolved) -> Iterator[Row]:
    """Depth first, everything under a span in the order of its start. No recursion: traces may be deep."""
    children, names = _children(view.spans), resolved.names
    queued = {hop.callee_span_id: hop for span in view.spans for hop in span.hops if hop.kind == "message"}
    tops = [index for index, span in enumerate(view.spans) if span.depth == 0]
    pending: list[int | Row] = list(reversed(tops))
    while pending:
        item = pending.pop()
        if isinstance(item, Row):
            yield item
            continue
        span = view.spans[item]
        below = [view.spans[child] for child in children[item]]
        pieces = _pieces(span)
        # A message waits before its consumer begins; everything else lies inside its span, between its children.
        waits = [piece for piece in pieces if piece.category == "queue" and piece.end_ns <= span.start_ns]
        between = [p for p in pieces if below and p.category in BETWEEN and p not in waits]
        arrived = queued.get(span.span_id)
        yield from (_between(span, below, span.depth, piece, names, arrived) for piece in waits)
        yield _span_row(span, [piece for piece in span.path if piece not in between and piece not in waits], names)
        inside: list[tuple[int, int | Row]] = [(view.spans[child].start_ns, child) for child in children[item]]
        inside += [(piece.start_ns, _between(span, below, span.depth + 1, piece, names)) for piece in between]
        inside += [(span.end_ns, _lost(span, hop)) for hop in resolved.lost.get(span.span_id, ())]
        inside.sort(key=lambda pair: pair[0])
        pending += [child for _, child in reversed(inside)]


def _children(spans: Sequence[SpanView]) -> list[list[int]]:
    """Indices of the children of each span, from the depths of the spans in tree order."""
    children: list[list[int]] = [[] for _ in spans]
    way: list[int] = []
    for index, span in enumerate(spans):
        del way[span.depth :]
        if way:
            children[way[-1]].append(index)
        way.append(index)
    return children


def _pieces(span: SpanView) -> list[Segment]:
    """The span's part of the root's budget, and the stretches between spans that only the completion has."""
    known = {(piece.start_ns, piece.end_ns) for piece in span.path}
    later = [p for p in span.completion_path if p.category in BETWEEN and (p.start_ns, p.end_ns) not in known]
    return [*span.path, *later]


def _span_row(span: SpanView, own: Iterable[Segment], names: Mapping[str, str]) -> Row:
    failed = next((hop for hop in span.hops if hop.failure), None)
    hop = failed or next(iter(span.hops), None)
    return Row(
        "span", span.depth, span.service or UNKNOWN, span.name or "", span.start_ns, max(span.end_ns, span.start_ns),
        span.span_id,
        hop=names[hop.name] if hop else "",
        failure=_failure(span, failed),
        stretches=tuple(Stretch(piece.start_ns, piece.end_ns, piece.category) for piece in own),
    )  # fmt: skip


def _failure(span: SpanView, failed: HopView | None) -> str:
    """How the hop failed; of a span that is no hop, that it ended in an error."""
    if failed is None or failed.failure is None:
        return "error" if span.error else ""
    words = failed.failure.replace("_", " ")
    if failed.symptom and failed.symptom != failed.failure:
        words += f" ({failed.symptom.replace('_', ' ')})"
    return f"{words}, retry {failed.attempt}" if failed.attempt else words


def _between(
    span: SpanView,
    below: Sequence[SpanView],
    depth: int,
    piece: Segment,
    names: Mapping[str, str],
    arrived: HopView | None = None,
) -> Row:
    """A stretch in which no span worked: a leg where it lies before or after the callee, a queue, a gap."""
    part: Part = "gap"
    if piece.category == "queue":
        part = "queue"
    elif piece.category == "wire":
        first, last = min(child.start_ns for child in below), max(child.end_ns for child in below)
        part = "request_leg" if piece.end_ns <= first else "response_leg" if piece.start_ns >= last else "wire"
    hop = piece.hop or (arrived.name if arrived else None)
    return Row(
        part, depth, span.service or UNKNOWN, "", piece.start_ns, piece.end_ns, span.span_id,
        hop=names.get(hop, hop) if hop else "",
        stretches=(Stretch(piece.start_ns, piece.end_ns, piece.category),) if piece in span.path else (),
    )  # fmt: skip


def _lost(span: SpanView, hop: str) -> Row:
    """Of no length: when it should have arrived is not known."""
    return Row(
        "lost", span.depth + 1, hop.rpartition("->")[2], "", span.end_ns, span.end_ns, span.span_id, hop,
        "lost message",
    )  # fmt: skip
