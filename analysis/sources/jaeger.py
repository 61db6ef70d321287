"""Jaeger JSON: what its query API and its web page's export give. Times are microseconds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from analysis.sources.noticed import Warnings
from analysis.sources.otlp_values import Pairs, with_extras
from analysis.sources.raw_spans import Link, SpanRows
from analysis.sources.text import span_id_of, trace_id_of, value_text
from analysis.span_table import STATUS_ERROR, STATUS_OK, STATUS_UNSET

__all__ = ["KINDS", "add_span", "add_trace", "exception", "is_true", "process"]

Object = dict[str, Any]

KINDS = {"internal": 1, "server": 2, "client": 3, "producer": 4, "consumer": 5}


def add_trace(trace: Object, rows: SpanRows, warnings: Warnings) -> None:
    """A trace: spans, and processes by their ids."""
    described = trace.get("processes")
    processes = (
        {key: rows.process(process(value)) for key, value in described.items()} if isinstance(described, dict) else {}
    )
    for span in _objects(trace.get("spans")):
        add_span(span, processes, rows, warnings)


def add_span(span: Object, processes: dict[str, int], rows: SpanRows, warnings: Warnings) -> None:
    """One span, with a process of its own or the number of one of its trace's."""
    number = processes.get(_string(span.get("processID")))
    if number is None:
        number = rows.process(process(span.get("process")))
    tags = _pairs(span.get("tags"))
    first = dict(reversed(tags))  # of tags with the same key the first counts
    trace_id = trace_id_of(span.get("traceID"), warnings)
    parent, links = _references(span, trace_id, warnings)
    start_ns = _micros(span.get("startTime"))
    rows.add(
        trace_id=trace_id,
        span_id=span_id_of(span.get("spanID"), warnings),
        parent_span_id=parent,
        name=_string(span.get("operationName")),
        kind=KINDS.get(first.get("span.kind", "").lower(), 0),
        start_ns=start_ns,
        end_ns=start_ns + _micros(span.get("duration")),
        status=_status(first),
        process=number,
        attributes=with_extras(tags, exception(span.get("logs")), ""),
        links=links,
    )


def process(value: object) -> dict[str, str]:
    """A process as OpenTelemetry's resource attributes."""
    described = value if isinstance(value, dict) else {}
    attributes = dict(reversed(_pairs(described.get("tags"))))
    return attributes | {"service.name": _string(described.get("serviceName"))}


def _references(span: Object, trace_id: bytes, warnings: Warnings) -> tuple[int, list[Link]]:
    """The first CHILD_OF within the trace is the parent; every other reference, FOLLOWS_FROM above all, is a link."""
    parent, links = 0, []
    for reference in _objects(span.get("references")):
        referred = trace_id_of(reference.get("traceID"), warnings)
        span_id = span_id_of(reference.get("spanID"), warnings)
        if parent == 0 and reference.get("refType") == "CHILD_OF" and referred == trace_id:
            parent = span_id
        else:
            links.append((referred, span_id))
    return parent or span_id_of(span.get("parentSpanID"), warnings), links


def _status(tags: dict[str, str]) -> int:
    code = tags.get("otel.status_code", "").upper()
    if code == "ERROR" or is_true(tags.get("error", "")):
        return STATUS_ERROR
    return STATUS_OK if code == "OK" else STATUS_UNSET


def is_true(text: str) -> bool:
    """An `error` tag: set, and not set to false."""
    return text.lower() not in ("", "false", "0")


def exception(logs: object) -> Pairs:
    """Fields of the first log that records an exception, under OpenTelemetry's names or OpenTracing's."""
    for log in _objects(logs):
        fields = dict(reversed(_pairs(log.get("fields"))))
        event = fields.get("event", "")
        if event == "exception" or "exception.type" in fields:
            return list(fields.items())
        if event == "error" and "error.kind" in fields:
            return [("exception.type", fields["error.kind"]), ("exception.message", fields.get("message", ""))]
    return []


def _objects(items: object) -> Iterator[Object]:
    return (item for item in items if isinstance(item, dict)) if isinstance(items, list) else iter(())


def _string(value: object) -> str:
    return value if isinstance(value, str) else ""


def _pairs(tags: object) -> Pairs:
    return [
        (_string(tag.get("key")), value_text(tag["value"])) for tag in _objects(tags) if tag.get("value") is not None
    ]


def _micros(value: object) -> int:
    """Microseconds as nanoseconds."""
    if isinstance(value, int):
        return value * 1000
    return int(value * 1000) if isinstance(value, float) and abs(value) < 1e25 else 0
