"""One trace as JSON, for tools and tests: its critical path, its rows as the reports draw them, its logs."""

from __future__ import annotations

import orjson

from analysis.report.exemplar import Exemplar, Row

__all__ = ["SCHEMA", "critical_path_of", "render"]

SCHEMA = "tracegap.trace/1"
OF_A_HOP = frozenset({"wire", "peer", "queue"})


def render(exemplar: Exemplar) -> str:
    """Indented JSON with a final line break."""
    document = {
        "schema": SCHEMA,
        "trace_id": exemplar.trace_id,
        "name": exemplar.title,
        "start_ns": exemplar.start_ns,
        "end_ns": exemplar.root_end_ns,
        "critical_path": critical_path_of(exemplar),
        "rows": [_row(row) for row in exemplar.rows],
        "logs": [
            {
                "time_ns": line.time_ns,
                "service": line.service,
                "severity": line.severity,
                "body": line.body,
                "span_id": None if line.span_id is None else _span_id(line.span_id),
            }
            for line in exemplar.logs
        ],
        "warnings": exemplar.warnings,
    }
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()


def critical_path_of(exemplar: Exemplar) -> list[dict[str, object]]:
    """The segments of the root's duration in time order, without holes. `hop` is null for a span's own time."""
    segments = [(stretch, row) for row in exemplar.rows for stretch in row.stretches]
    segments.sort(key=lambda pair: (pair[0].start_ns, pair[0].end_ns))
    return [
        {
            "span_id": _span_id(row.span_id),
            "start_ns": stretch.start_ns,
            "end_ns": stretch.end_ns,
            "category": stretch.category,
            "hop": row.hop or None if stretch.category in OF_A_HOP else None,
        }
        for stretch, row in segments
    ]


def _row(row: Row) -> dict[str, object]:
    return {
        "part": row.part,
        "depth": row.depth,
        "span_id": _span_id(row.span_id),
        "service": row.service,
        "name": row.name,
        "start_ns": row.start_ns,
        "end_ns": row.end_ns,
        "hop": row.hop or None,
        "failure": row.failure or None,
        "critical_path_ns": row.budget_ns,
    }


def _span_id(span_id: int) -> str:
    return f"{span_id:016x}"
