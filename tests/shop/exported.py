"""What services exported, decoded with OpenTelemetry's own messages and none of the project's readers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

SERVER, CLIENT, PRODUCER, CONSUMER = 2, 3, 4, 5
ERROR = 2


@dataclass(frozen=True)
class ExportedSpan:
    service: str
    name: str
    kind: int
    trace_id: str
    span_id: str
    parent_id: str
    duration_ms: float
    status: int
    attributes: dict[str, Any]


@dataclass(frozen=True)
class ExportedLog:
    service: str
    message: str
    severity: str
    trace_id: str
    attributes: dict[str, Any]


def exported_spans(folder: Path) -> list[ExportedSpan]:
    return [
        ExportedSpan(
            service=_attributes(resource.resource.attributes)["service.name"],
            name=span.name,
            kind=span.kind,
            trace_id=span.trace_id.hex(),
            span_id=span.span_id.hex(),
            parent_id=span.parent_span_id.hex(),
            duration_ms=(span.end_time_unix_nano - span.start_time_unix_nano) / 1e6,
            status=span.status.code,
            attributes=_attributes(span.attributes),
        )
        for frame in _frames(folder, "traces")
        for resource in ExportTraceServiceRequest.FromString(frame).resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def exported_logs(folder: Path) -> list[ExportedLog]:
    return [
        ExportedLog(
            service=_attributes(resource.resource.attributes)["service.name"],
            message=record.body.string_value,
            severity=record.severity_text,
            trace_id=record.trace_id.hex(),
            attributes=_attributes(record.attributes),
        )
        for frame in _frames(folder, "logs")
        for resource in ExportLogsServiceRequest.FromString(frame).resource_logs
        for scope in resource.scope_logs
        for record in scope.log_records
    ]


def _frames(folder: Path, signal: str) -> Iterator[bytes]:
    for file in sorted(folder.glob(f"{signal}-*.binpb")):
        data = file.read_bytes()
        at = 0
        while at + 4 <= len(data):
            length = int.from_bytes(data[at : at + 4])
            if at + 4 + length > len(data):
                return  # the collector is writing this one
            yield data[at + 4 : at + 4 + length]
            at += 4 + length


def _attributes(pairs: Any) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(item) for item in value.array_value.values]
    return getattr(value, kind) if kind else None
