"""Span tables as other people's tracers would export them: OTLP, and Zipkin v2 JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, TracesData

from analysis.span_table import STATUS_ERROR

__all__ = ["otlp_of", "zipkin_of"]

Row = dict[str, Any]

ZIPKIN_KINDS = {2: "SERVER", 3: "CLIENT", 4: "PRODUCER", 5: "CONSUMER"}


def otlp_of(spans: pa.Table, rows_per_message: int = 1_000) -> Iterator[TracesData]:
    """Messages that hold all spans, with a resource for each process."""
    for first in range(0, len(spans), rows_per_message):
        message = TracesData()
        processes: dict[tuple[str | None, ...], ResourceSpans] = {}
        for row in spans.slice(first, rows_per_message).to_pylist():
            process = (row["service"], row["host"], row["instance"])
            if process not in processes:
                processes[process] = _resource(message, *process)
            _add(processes[process], row)
        yield message


def _resource(message: TracesData, service: str | None, host: str | None, instance: str | None) -> ResourceSpans:
    made = message.resource_spans.add()
    made.scope_spans.add()
    for key, value in (("service.name", service), ("host.name", host), ("service.instance.id", instance)):
        if value is not None:
            made.resource.attributes.add(key=key).value.string_value = value
    return made


def _add(process: ResourceSpans, row: Row) -> None:
    span = process.scope_spans[0].spans.add(
        trace_id=row["trace_id"], span_id=row["span_id"].to_bytes(8), name=row["name"] or "", kind=row["kind"] or 0,
        start_time_unix_nano=row["start_ns"], end_time_unix_nano=row["end_ns"],
    )  # fmt: skip
    if row["parent_span_id"]:
        span.parent_span_id = row["parent_span_id"].to_bytes(8)
    if row["status"]:
        span.status.code = row["status"]
    for link in row["links"] or ():
        span.links.add(trace_id=link["trace_id"], span_id=link["span_id"].to_bytes(8))
    for key, value in _attributes(row).items():
        span.attributes.add(key=key).value.string_value = value


def zipkin_of(row: Row) -> dict[str, Any]:
    """A span as the exporters that follow OpenTelemetry's rules for Zipkin send it, resource attributes as tags."""
    local = {"serviceName": row["service"] or ""}
    tags = _attributes(row)
    for key, value in (("host.name", row["host"]), ("service.instance.id", row["instance"])):
        if value is not None:
            tags[key] = value
    if row["status"] == STATUS_ERROR:
        tags["error"] = ""
    span = {
        "traceId": row["trace_id"].hex(),
        "id": f"{row['span_id']:016x}",
        "name": row["name"] or "",
        "timestamp": row["start_ns"] // 1000,
        "duration": (row["end_ns"] - row["start_ns"]) // 1000,
        "localEndpoint": local,
        "tags": tags,
    }
    if row["parent_span_id"]:
        span["parentId"] = f"{row['parent_span_id']:016x}"
    if row["kind"] in ZIPKIN_KINDS:
        span["kind"] = ZIPKIN_KINDS[row["kind"]]
    return span


def _attributes(row: Row) -> dict[str, str]:
    """Its attributes, and those that its other columns were read from."""
    host, _, port = (row["address"] or "").rpartition(":")
    messaging = row["destination"] is not None
    derived = {
        "server.address": host,
        "server.port": port,
        "messaging.destination.name": row["destination"],
        "messaging.system" if messaging else "db.system.name": row["peer"],
        "error.type": row["error_type"],
        "http.response.status_code": row["http_status"],
        "messaging.message.body.size" if messaging else "http.request.body.size": row["payload_bytes"],
    }
    return {key: str(value) for key, value in derived.items() if value} | dict(row["attributes"] or ())
