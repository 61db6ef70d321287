"""OTLP/JSON: protobuf's JSON mapping with hex ids, as SDKs, the collector and Tempo write it; also its older names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from analysis.sources.log_rows import LogRows
from analysis.sources.noticed import Warnings
from analysis.sources.otlp_values import EXCEPTION_EVENT, Pairs, with_extras
from analysis.sources.raw_spans import SpanRows
from analysis.sources.text import span_id_of, trace_id_of, value_text

__all__ = ["LOG_KEYS", "SPAN_KEYS", "add_logs", "add_spans", "pairs", "text"]

SPAN_KEYS = ("resourceSpans", "resource_spans", "batches")
"""Where a document keeps its spans; `batches` is Tempo's."""
LOG_KEYS = ("resourceLogs", "resource_logs")

Object = dict[str, Any]

_KINDS = {
    "SPAN_KIND_INTERNAL": 1,
    "SPAN_KIND_SERVER": 2,
    "SPAN_KIND_CLIENT": 3,
    "SPAN_KIND_PRODUCER": 4,
    "SPAN_KIND_CONSUMER": 5,
}
_STATUSES = {"STATUS_CODE_OK": 1, "STATUS_CODE_ERROR": 2}


def add_spans(document: Object, rows: SpanRows, warnings: Warnings) -> None:
    """Every span of a TracesData object."""
    for resource_spans in _objects(document, *SPAN_KEYS):
        process = rows.process(dict(pairs(_object(resource_spans, "resource"))))
        scopes = _objects(
            resource_spans, "scopeSpans", "scope_spans", "instrumentationLibrarySpans", "instrumentation_library_spans"
        )
        for scope_spans in scopes:
            for span in _objects(scope_spans, "spans"):
                _add_span(span, process, rows, warnings)


def _add_span(span: Object, process: int, rows: SpanRows, warnings: Warnings) -> None:
    status = _object(span, "status")
    exception = next((event for event in _objects(span, "events") if event.get("name") == EXCEPTION_EVENT), {})
    rows.add(
        trace_id=trace_id_of(_get(span, "traceId", "trace_id"), warnings),
        span_id=span_id_of(_get(span, "spanId", "span_id"), warnings),
        parent_span_id=span_id_of(_get(span, "parentSpanId", "parent_span_id"), warnings),
        name=_string(span.get("name")),
        kind=_enum(span.get("kind"), _KINDS),
        start_ns=_integer(_get(span, "startTimeUnixNano", "start_time_unix_nano")),
        end_ns=_integer(_get(span, "endTimeUnixNano", "end_time_unix_nano")),
        status=_enum(status.get("code"), _STATUSES),
        process=process,
        attributes=with_extras(pairs(span), pairs(exception), _string(status.get("message"))),
        links=[
            (
                trace_id_of(_get(link, "traceId", "trace_id"), warnings),
                span_id_of(_get(link, "spanId", "span_id"), warnings),
            )
            for link in _objects(span, "links")
        ],
    )


def add_logs(document: Object, rows: LogRows, warnings: Warnings) -> None:
    """Every record of a LogsData object."""
    for resource_logs in _objects(document, *LOG_KEYS):
        service = rows.process(dict(pairs(_object(resource_logs, "resource"))))
        for scope_logs in _objects(resource_logs, "scopeLogs", "scope_logs", "instrumentationLibraryLogs"):
            for record in _objects(scope_logs, "logRecords", "log_records"):
                body = record.get("body")
                time_ns = _integer(_get(record, "timeUnixNano", "time_unix_nano"))
                rows.add(
                    time_ns=time_ns or _integer(_get(record, "observedTimeUnixNano", "observed_time_unix_nano")),
                    trace_id=trace_id_of(_get(record, "traceId", "trace_id"), warnings),
                    span_id=span_id_of(_get(record, "spanId", "span_id"), warnings),
                    service=service,
                    severity=_integer(_get(record, "severityNumber", "severity_number")),
                    body=text(body) if isinstance(body, dict) else None,
                    attributes=pairs(record),
                )


def _objects(holder: Object, *keys: str) -> Iterator[Object]:
    for key in keys:
        items = holder.get(key)
        if isinstance(items, list):
            yield from (item for item in items if isinstance(item, dict))


def _object(holder: Object, key: str) -> Object:
    value = holder.get(key)
    return value if isinstance(value, dict) else {}


def _get(holder: Object, camel: str, snake: str) -> object:
    return holder[camel] if camel in holder else holder.get(snake)


def _string(value: object) -> str:
    return value if isinstance(value, str) else ""


def _integer(value: object) -> int:
    """Numbers of 64 bits come as text; anything else that is not a number counts as absent."""
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return int(value) if abs(value) < 1e30 else 0
    if isinstance(value, str) and len(value) <= 24 and value.lstrip("-").isdecimal() and value.isascii():
        return int(value)
    return 0


def _enum(value: object, names: dict[str, int]) -> int:
    return names.get(value, 0) if isinstance(value, str) else _integer(value)


def pairs(holder: Object) -> Pairs:
    """The attributes of a resource, span, event or record as texts."""
    return [
        (_string(item.get("key")), text(item["value"]))
        for item in _objects(holder, "attributes")
        if isinstance(item.get("value"), dict)
    ]


def text(value: Object) -> str:
    """A value as the table holds it."""
    plain = _plain(value)
    if isinstance(plain, int) and not isinstance(plain, bool):
        return str(plain)
    return "null" if plain is None else value_text(plain)


def _plain(value: Object) -> object:
    for key, item in value.items():
        match key:
            case "stringValue" | "string_value" | "bytesValue" | "bytes_value":
                return _string(item)
            case "intValue" | "int_value":
                return _integer(item)
            case "boolValue" | "bool_value":
                return bool(item)
            case "doubleValue" | "double_value":
                return _double(item)
            case "arrayValue" | "array_value":
                return [_plain(each) for each in _objects(item, "values")] if isinstance(item, dict) else []
            case "kvlistValue" | "kvlist_value":
                return _kvlist(item)
    return None


def _kvlist(item: object) -> Object:
    pairs = _objects(item, "values") if isinstance(item, dict) else iter(())
    return {_string(each.get("key")): _plain(_object(each, "value")) for each in pairs}


def _double(value: object) -> float | str:
    """JSON has no words for infinity and NaN: protobuf writes them as strings, which stay what they are."""
    return float(value) if isinstance(value, (int, float)) else _string(value)
