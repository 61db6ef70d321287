"""The protobuf messages of each signal's export service."""

from __future__ import annotations

from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

from collector.admission import Admitted
from collector.receiver import Signal

__all__ = ["SERVICES", "request_for", "response_for"]

SERVICES = {
    "opentelemetry.proto.collector.trace.v1.TraceService": Signal.TRACES,
    "opentelemetry.proto.collector.logs.v1.LogsService": Signal.LOGS,
    "opentelemetry.proto.collector.metrics.v1.MetricsService": Signal.METRICS,
}
"""gRPC service name to signal; the method is always Export."""

_REQUESTS: dict[Signal, type[Message]] = {
    Signal.TRACES: trace_service_pb2.ExportTraceServiceRequest,
    Signal.LOGS: logs_service_pb2.ExportLogsServiceRequest,
    Signal.METRICS: metrics_service_pb2.ExportMetricsServiceRequest,
}
_RESPONSES: dict[Signal, type[Message]] = {
    Signal.TRACES: trace_service_pb2.ExportTraceServiceResponse,
    Signal.LOGS: logs_service_pb2.ExportLogsServiceResponse,
    Signal.METRICS: metrics_service_pb2.ExportMetricsServiceResponse,
}


def request_for(signal: Signal) -> Message:
    return _REQUESTS[signal]()


def response_for(signal: Signal, admitted: Admitted) -> Message:
    """Empty when all was taken: OTLP asks to leave partial_success out then."""
    if admitted.rejected:
        partial = trace_service_pb2.ExportTracePartialSuccess(
            rejected_spans=admitted.rejected, error_message=admitted.reason
        )
        return trace_service_pb2.ExportTraceServiceResponse(partial_success=partial)
    return _RESPONSES[signal]()
