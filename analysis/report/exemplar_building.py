"""Draws one trace: its spans in tree order, with legs, gaps and queues where the closed budget says they are.

Every place and number comes from the trace view, which is made of the same paths and hops as the findings: the picture
cannot disagree with the report.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from analysis.observations import FAILURES, HOP_KINDS, Observations
from analysis.report.clock_notes import clock_notes
from analysis.report.exemplar import Exemplar, LogLine, Part, Row, Stretch
from analysis.span_table import LOG_SCHEMA
from analysis.trace_view import SpanView, TraceView, trace_view

__all__ = ["draw_trace", "logs_of", "spans_of"]

BETWEEN = frozenset({"wire", "queue", "gap"})
"""Categories that get rows of their own: time in which no span worked."""

UNKNOWN = "unknown"
NO_FAILURE = FAILURES[0]


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
    trace: int = pc.index(observations.traces["trace_id"], pa.scalar(trace_id, pa.binary(16))).as_py()
    rows = tuple(_rows(view, _resolve(view, trace, observations)))
    root = view.spans[view.root]
    return Exemplar(
        trace_id=trace_id.hex(),
        title=f"{root.service or UNKNOWN} {root.name or ''}".rstrip(),
        start_ns=view.start_ns,
        root_end_ns=view.start_ns + view.duration_ns,
        end_ns=max(row.end_ns for row in rows),
        rows=rows,
        logs=logs_of(logs, trace_id) if logs is not None else (),
        warnings=(*view.warnings, *clock_notes(trace, observations)),
        findings=findings,
    )


@dataclass(frozen=True, slots=True)
class _Hop:
    """A hop as it is once other traces have told whose an address is and who took a message."""

    name: str
    kind: str
    callee_span_id: int  # 0 = none; of a message, it may be in another trace
    failure: str  # one of FAILURES
    symptom: str
    attempt: int
    queue_ns: int | None


@dataclass(frozen=True, slots=True)
class _Resolved:
    hops: Mapping[int, Sequence[_Hop]]  # by the span that began them
    names: Mapping[str, str]  # what the trace alone would call a hop, to what it is called


def _resolve(view: TraceView, trace: int, observations: Observations) -> _Resolved:
    table = observations.hops.filter(pc.equal(observations.hops["trace"], trace))
    columns = ["span_id", "callee_span_id", "kind", "caller", "callee", "failure", "symptom", "attempt", "queue_ns"]
    hops: defaultdict[int, list[_Hop]] = defaultdict(list)
    for row in table.select(columns).to_pylist():
        hop = _Hop(
            f"{row['caller'] or UNKNOWN}->{row['callee'] or UNKNOWN}",
            HOP_KINDS[row["kind"]],
            row["callee_span_id"],
            FAILURES[row["failure"]],
            FAILURES[row["symptom"]],
            row["attempt"],
            row["queue_ns"],
        )
        hops[row["span_id"]].append(hop)
    names: dict[str, str] = {}
    for span in view.spans:
        found = hops.get(span.span_id, ())
        first = {hop.callee_span_id: hop for hop in reversed(found)}
        for seen in span.hops:
            same = first.get(seen.callee_span_id) or next(iter(found), None)
            names[seen.name] = same.name if same else seen.name
    return _Resolved(hops, names)


def _rows(view: TraceView, resolved: _Resolved) -> Iterator[Row]:
    """Depth first, everything under a span in the order of its start. No recursion: traces may be deep."""
    children = _children(view.spans)
    present = {span.span_id for span in view.spans}
    took = {hop.callee_span_id: hop.name for span in view.spans for hop in resolved.hops.get(span.span_id, ())}
    tops = [index for index, span in enumerate(view.spans) if span.depth == 0]
    pending: list[int | Row] = list(reversed(tops))
    while pending:
        item = pending.pop()
        if isinstance(item, Row):
            yield item
            continue
        span = view.spans[item]
        hops = resolved.hops.get(span.span_id, ())
        below = [view.spans[child] for child in children[item]]
        pieces = [
            replace(piece, hop=resolved.names.get(piece.hop, piece.hop) if piece.hop else took.get(span.span_id))
            for piece in _pieces(span)
        ]
        # A message waits before its consumer begins; everything else lies inside its span, between its children.
        waits, between, own = _sorted_out(span, pieces, parent=bool(below))
        reach = _reach(below)
        yield from (_between(span, reach, span.depth, piece) for piece in waits)
        yield _span_row(span, own, hops)
        inside: list[tuple[int, int | Row]] = [(view.spans[child].start_ns, child) for child in children[item]]
        inside += [(piece.start_ns, _between(span, reach, span.depth + 1, piece)) for piece in between]
        inside += [(span.end_ns, row) for hop in hops for row in _beyond(span, hop, present)]
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


@dataclass(frozen=True, slots=True)
class _Piece:
    """A segment of the root's budget, or (not `of_root`) one that only the completion has."""

    start_ns: int
    end_ns: int
    category: str
    hop: str | None
    of_root: bool


def _pieces(span: SpanView) -> list[_Piece]:
    """The span's part of the root's budget, and the stretches between spans that only the completion has."""
    own = [_Piece(p.start_ns, p.end_ns, p.category, p.hop, of_root=True) for p in span.path]
    known = {(piece.start_ns, piece.end_ns) for piece in own}
    later = [p for p in span.completion_path if p.category in BETWEEN and (p.start_ns, p.end_ns) not in known]
    return own + [_Piece(p.start_ns, p.end_ns, p.category, p.hop, of_root=False) for p in later]


def _sorted_out(
    span: SpanView, pieces: Sequence[_Piece], *, parent: bool
) -> tuple[list[_Piece], list[_Piece], list[_Piece]]:
    """What lies before the span as a wait, what lies between its children, and what of the root's budget is its own."""
    waits: list[_Piece] = []
    between: list[_Piece] = []
    own: list[_Piece] = []
    for piece in pieces:
        if piece.category == "queue" and piece.end_ns <= span.start_ns:
            waits.append(piece)
        elif parent and piece.category in BETWEEN:
            between.append(piece)
        elif piece.of_root:
            own.append(piece)
    return waits, between, own


def _reach(below: Sequence[SpanView]) -> tuple[int, int]:
    """Start of the first and end of the last child; nothing where there is none."""
    if not below:
        return (0, 0)
    return min(child.start_ns for child in below), max(child.end_ns for child in below)


def _span_row(span: SpanView, own: Iterable[_Piece], hops: Sequence[_Hop]) -> Row:
    failed = next((hop for hop in hops if hop.failure != NO_FAILURE), None)
    hop = failed or next(iter(hops), None)
    return Row(
        "span", span.depth, span.service or UNKNOWN, span.name or "", span.start_ns, max(span.end_ns, span.start_ns),
        span.span_id,
        hop=hop.name if hop else "",
        failure=_failure(span, failed),
        stretches=tuple(Stretch(piece.start_ns, piece.end_ns, piece.category) for piece in own),
    )  # fmt: skip


def _failure(span: SpanView, failed: _Hop | None) -> str:
    """How the hop failed; of a span that is no hop, that it ended in an error."""
    if failed is None:
        return "error" if span.error else ""
    words = failed.failure.replace("_", " ")
    if failed.symptom not in (NO_FAILURE, failed.failure):
        words += f" ({failed.symptom.replace('_', ' ')})"
    return f"{words}, retry {failed.attempt}" if failed.attempt else words


def _between(span: SpanView, reach: tuple[int, int], depth: int, piece: _Piece) -> Row:
    """A stretch in which no span worked: a leg where it lies before or after the callee, a queue, a gap."""
    part: Part = "gap"
    if piece.category == "queue":
        part = "queue"
    elif piece.category == "wire":
        first, last = reach
        part = "request_leg" if piece.end_ns <= first else "response_leg" if piece.start_ns >= last else "wire"
    return Row(
        part, depth, span.service or UNKNOWN, "", piece.start_ns, piece.end_ns, span.span_id,
        hop=piece.hop or "" if part != "gap" else "",
        stretches=(Stretch(piece.start_ns, piece.end_ns, piece.category),) if piece.of_root else (),
    )  # fmt: skip


def _beyond(span: SpanView, hop: _Hop, present: Set[int]) -> Iterator[Row]:
    """What became of a message outside this trace: lost (of no length: nobody knows when it should have arrived), or
    taken by a consumer that began a trace of its own."""
    callee = hop.name.rpartition("->")[2]
    if hop.failure == "lost_message":
        yield Row("lost", span.depth + 1, callee, "", span.end_ns, span.end_ns, span.span_id, hop.name, "lost message")
    elif hop.kind == "message" and hop.callee_span_id and hop.callee_span_id not in present:
        taken_ns = span.end_ns + max(hop.queue_ns or 0, 0)
        yield Row("elsewhere", span.depth + 1, callee, "", span.end_ns, taken_ns, span.span_id, hop.name)
