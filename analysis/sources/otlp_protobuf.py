"""OTLP protobuf messages, read with the protobuf library: the reference for the compiled walk, and what it leaves."""

from __future__ import annotations

from collections.abc import Iterable

from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogsData
from opentelemetry.proto.trace.v1.trace_pb2 import Span, TracesData

from analysis.sources.log_rows import LogRows
from analysis.sources.otlp_values import EXCEPTION_EVENT, Pairs, with_extras
from analysis.sources.raw_spans import SpanRows
from analysis.sources.text import NO_TRACE, bytes_text, double_text, json_text

__all__ = ["DecodeError", "add_logs", "add_spans", "pairs", "text"]


def add_spans(message: bytes | memoryview, rows: SpanRows) -> None:
    """Every span of a TracesData, which is also an ExportTraceServiceRequest. Raises DecodeError."""
    for resource_spans in TracesData.FromString(bytes(message)).resource_spans:
        process = rows.process(dict(pairs(resource_spans.resource.attributes)))
        for scope_spans in resource_spans.scope_spans:
            for span in scope_spans.spans:
                _add_span(span, process, rows)


def _add_span(span: Span, process: int, rows: SpanRows) -> None:
    exception = next((event for event in span.events if event.name == EXCEPTION_EVENT), None)
    rows.add(
        trace_id=_trace_id(span.trace_id),
        span_id=_span_id(span.span_id),
        parent_span_id=_span_id(span.parent_span_id),
        name=span.name,
        kind=span.kind,
        start_ns=span.start_time_unix_nano,
        end_ns=span.end_time_unix_nano,
        status=span.status.code,
        process=process,
        attributes=with_extras(
            pairs(span.attributes), pairs(exception.attributes) if exception else (), span.status.message
        ),
        links=[(_trace_id(link.trace_id), _span_id(link.span_id)) for link in span.links],
    )


def add_logs(message: bytes | memoryview, rows: LogRows) -> None:
    """Every record of a LogsData, which is also an ExportLogsServiceRequest. Raises DecodeError."""
    for resource_logs in LogsData.FromString(bytes(message)).resource_logs:
        process = rows.process(dict(pairs(resource_logs.resource.attributes)))
        for scope_logs in resource_logs.scope_logs:
            for record in scope_logs.log_records:
                rows.add(
                    time_ns=record.time_unix_nano or record.observed_time_unix_nano,
                    trace_id=_trace_id(record.trace_id),
                    span_id=_span_id(record.span_id),
                    service=process,
                    severity=record.severity_number,
                    body=text(record.body) if record.HasField("body") else None,
                    attributes=pairs(record.attributes),
                )


def _trace_id(raw: bytes) -> bytes:
    return raw if len(raw) == 16 else NO_TRACE


def _span_id(raw: bytes) -> int:
    return int.from_bytes(raw, "big") if len(raw) == 8 else 0


def pairs(attributes: Iterable[KeyValue]) -> Pairs:
    """Attributes as texts."""
    return [(attribute.key, text(attribute.value)) for attribute in attributes]


def text(value: AnyValue) -> str:
    """A value as the table holds it."""
    kind = value.WhichOneof("value")
    if kind == "string_value":
        return value.string_value
    if kind == "int_value":
        return str(value.int_value)
    if kind == "bool_value":
        return "true" if value.bool_value else "false"
    if kind == "double_value":
        return double_text(value.double_value)
    if kind == "bytes_value":
        return bytes_text(value.bytes_value)
    return json_text(_plain(value))


def _plain(value: AnyValue) -> object:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_plain(item) for item in value.array_value.values]
    if kind == "kvlist_value":
        return {item.key: _plain(item.value) for item in value.kvlist_value.values}
    if kind == "bytes_value":
        return bytes_text(value.bytes_value)
    return getattr(value, kind) if kind else None
