"""Draws one trace: its spans in tree order, with legs, gaps and queues where the closed budget says they are.

The tree is what the spans say about their parents; every number comes from the same observations and the same critical
path as the findings, so the picture cannot disagree with the report.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from analysis.critical_path import critical_path
from analysis.observations import FAILURES, HOP_KINDS, Observations
from analysis.report.exemplar import Exemplar, LogLine, Part, Row, Stretch
from analysis.span_table import LOG_SCHEMA

__all__ = ["draw_trace", "logs_of", "spans_of"]

BETWEEN = frozenset({"wire", "queue", "gap"})
"""Categories that get rows of their own: time in which no span worked."""

UNKNOWN = "unknown"


@dataclass(slots=True)
class _Span:
    span_id: int
    parent_id: int
    service: str
    name: str
    start_ns: int
    end_ns: int
    children: list[_Span] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Crossing:
    """What the observations say about the hop that a span began."""

    hop: str
    kind: str
    failure: str
    callee: str
    callee_span_id: int
    lost: bool


@dataclass(frozen=True, slots=True)
class _Segment:
    start_ns: int
    end_ns: int
    category: str
    of_root: bool
    hop: str


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
    roots, warnings = _plant(own)
    crossings = _crossings(observations, trace_id)
    segments = _segments(own)
    rows = tuple(_rows(roots, crossings, segments))
    first = roots[0]
    return Exemplar(
        trace_id=trace_id.hex(),
        title=f"{first.service} {first.name}".rstrip(),
        start_ns=first.start_ns,
        root_end_ns=max(first.end_ns, first.start_ns),
        end_ns=max(row.end_ns for row in rows),
        rows=rows,
        logs=logs_of(logs, trace_id) if logs is not None else (),
        warnings=tuple(warnings),
        findings=findings,
    )


def _plant(spans: pa.Table) -> tuple[list[_Span], list[str]]:
    """The trees of one trace, the one with the real root first. A second span with the same id does not count, and
    neither does a parent that is the span's own descendant."""
    by_id: dict[int, _Span] = {}
    links: dict[int, list[int]] = {}
    columns = ["span_id", "parent_span_id", "service", "name", "start_ns", "end_ns", "links", "trace_id"]
    for row in spans.select(columns).to_pylist():
        if row["span_id"] not in by_id:
            by_id[row["span_id"]] = _Span(
                row["span_id"], row["parent_span_id"], row["service"] or UNKNOWN, row["name"] or "", row["start_ns"],
                max(row["end_ns"], row["start_ns"]),
            )  # fmt: skip
            inside = (link["span_id"] for link in row["links"] or () if link["trace_id"] == row["trace_id"])
            links[row["span_id"]] = list(inside)
    orphans = 0
    roots: list[_Span] = []
    for span in sorted(by_id.values(), key=lambda s: (s.start_ns, -s.end_ns, s.span_id)):
        parent_id = span.parent_id or next((link for link in links[span.span_id] if link in by_id), 0)
        parent = by_id.get(parent_id)
        orphans += parent is None and span.parent_id != 0
        if parent is None or parent is span:
            roots.append(span)
        else:
            parent.children.append(span)
    cut = _cut_cycles(roots, by_id)
    roots.sort(key=lambda span: (span.parent_id != 0, span.start_ns))
    warnings = []
    if orphans:
        warnings.append(f"{orphans} of its {len(by_id)} spans have a parent that never arrived; each begins a tree.")
    if cut:
        warnings.append("Some of its spans are each other's parents; the circle is cut open.")
    return roots, warnings


def _cut_cycles(roots: list[_Span], by_id: Mapping[int, _Span]) -> bool:
    """Make a root of the earliest span of every circle. Says whether there was one."""
    reached: set[int] = set()

    def reach(start: _Span) -> None:
        pending = [start]
        while pending:
            span = pending.pop()
            reached.add(span.span_id)
            pending += [child for child in span.children if child.span_id not in reached]

    for root in roots:
        reach(root)
    if len(reached) == len(by_id):
        return False
    for span in sorted(by_id.values(), key=lambda s: (s.start_ns, s.span_id)):
        if span.span_id not in reached:
            parent = by_id[span.parent_id]
            parent.children = [child for child in parent.children if child is not span]
            roots.append(span)
            reach(span)
    return True


def _rows(
    roots: Sequence[_Span], crossings: Mapping[int, _Crossing], segments: Mapping[int, Sequence[_Segment]]
) -> Iterable[Row]:
    """Depth first, everything under a span in the order of its start. No recursion: traces may be deep."""
    queued = {crossing.callee_span_id: crossing.hop for crossing in crossings.values() if crossing.kind == "message"}
    pending: list[tuple[_Span | Row, int]] = [(root, 0) for root in reversed(roots)]
    while pending:
        item, depth = pending.pop()
        if isinstance(item, Row):
            yield item
            continue
        crossing = crossings.get(item.span_id)
        own = segments.get(item.span_id, ())
        # A message waits before its consumer begins; everything else lies inside its span, between its children.
        waits = [piece for piece in own if piece.category == "queue" and piece.end_ns <= item.start_ns]
        between = [piece for piece in own if item.children and piece.category in BETWEEN and piece not in waits]
        yield from (_between(item, depth, piece, queued.get(item.span_id, piece.hop)) for piece in waits)
        yield _span_row(item, depth, crossing, [p for p in own if p.of_root and p not in between and p not in waits])
        inside: list[_Span | Row] = list(item.children)
        inside += [_between(item, depth + 1, piece, crossing.hop if crossing else piece.hop) for piece in between]
        if crossing and crossing.lost:
            inside.append(_lost(item, depth + 1, crossing))
        inside.sort(key=lambda child: (child.start_ns, child.end_ns))
        pending += [(child, depth + 1) for child in reversed(inside)]


def _span_row(span: _Span, depth: int, crossing: _Crossing | None, own: Sequence[_Segment]) -> Row:
    return Row(
        "span", depth, span.service, span.name, span.start_ns, span.end_ns, span.span_id,
        hop=crossing.hop if crossing else "",
        failure=crossing.failure if crossing else "",
        stretches=tuple(Stretch(piece.start_ns, piece.end_ns, piece.category) for piece in own),
    )  # fmt: skip


def _between(span: _Span, depth: int, piece: _Segment, hop: str) -> Row:
    """A stretch in which no span worked: a leg where it lies before or after the callee, a queue, a gap."""
    part: Part = "gap"
    if piece.category == "queue":
        part = "queue"
    elif piece.category == "wire" and span.children:
        first = min(child.start_ns for child in span.children)
        last = max(child.end_ns for child in span.children)
        part = "request_leg" if piece.end_ns <= first else "response_leg" if piece.start_ns >= last else "wire"
    stretches = (Stretch(piece.start_ns, piece.end_ns, piece.category),) if piece.of_root else ()
    return Row(
        part, depth, span.service, "", piece.start_ns, piece.end_ns, span.span_id, hop=hop if part != "gap" else "",
        stretches=stretches,
    )  # fmt: skip


def _lost(span: _Span, depth: int, crossing: _Crossing) -> Row:
    return Row(
        "lost", depth, crossing.callee, "", span.end_ns, span.end_ns, span.span_id, crossing.hop, crossing.failure
    )


def _crossings(observations: Observations, trace_id: bytes) -> dict[int, _Crossing]:
    """By the span that began each hop; a failed crossing goes before others of the same span."""
    trace = pc.index(observations.traces["trace_id"], pa.scalar(trace_id, pa.binary(16))).as_py()
    hops = observations.hops.filter(pc.equal(observations.hops["trace"], trace))
    columns = ["span_id", "callee_span_id", "kind", "caller", "callee", "failure", "error_type", "http_status"]
    found: dict[int, _Crossing] = {}
    for row in hops.select(columns).to_pylist():
        failure = FAILURES[row["failure"]]
        words = "" if failure == "none" else failure.replace("_", " ")
        detail = row["http_status"] or row["error_type"]
        crossing = _Crossing(
            hop=f"{row['caller'] or UNKNOWN}->{row['callee'] or UNKNOWN}",
            kind=HOP_KINDS[row["kind"]],
            failure=f"{words} ({detail})" if words and detail else words,
            callee=row["callee"] or UNKNOWN,
            callee_span_id=row["callee_span_id"],
            lost=failure == "lost_message",
        )
        if crossing.failure or row["span_id"] not in found:
            found[row["span_id"]] = crossing
    return found


def _segments(spans: pa.Table) -> dict[int, list[_Segment]]:
    """The closed budget of the trace by span, and the stretches between spans that only its completion has."""
    found: dict[int, list[_Segment]] = {}
    seen: set[tuple[int, int, int]] = set()
    rows = critical_path(spans).to_pylist()
    for row in sorted(rows, key=lambda row: row["budget"] != "root"):
        of_root = row["budget"] == "root"
        key = (row["span_id"], row["start_ns"], row["end_ns"])
        if key in seen or not (of_root or row["category"] in BETWEEN):
            continue
        seen.add(key)
        piece = _Segment(row["start_ns"], row["end_ns"], row["category"], of_root, row["hop"] or "")
        found.setdefault(row["span_id"], []).append(piece)
    return found
