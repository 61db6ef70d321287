"""The span table and the log table: what every reader produces and every analysis starts from.

Arrow in memory, Parquet on disk. A column that a source has no value for is null, never invented.
Spans of one trace need not stand together, and no order is promised.
"""

from __future__ import annotations

import pyarrow as pa

__all__ = [
    "KIND_CLIENT",
    "KIND_CONSUMER",
    "KIND_INTERNAL",
    "KIND_PRODUCER",
    "KIND_SERVER",
    "LINK",
    "LOG_SCHEMA",
    "SPAN_SCHEMA",
    "STATUS_ERROR",
    "STATUS_OK",
    "STATUS_UNSET",
]

# OTLP numbering (opentelemetry/proto/trace/v1/trace.proto). An unspecified kind is null.
KIND_INTERNAL, KIND_SERVER, KIND_CLIENT, KIND_PRODUCER, KIND_CONSUMER = 1, 2, 3, 4, 5
STATUS_UNSET, STATUS_OK, STATUS_ERROR = 0, 1, 2

_WORD = pa.dictionary(pa.int32(), pa.string())
_ID = pa.binary(16)
LINK = pa.struct([pa.field("trace_id", _ID, nullable=False), pa.field("span_id", pa.uint64(), nullable=False)])

SPAN_SCHEMA = pa.schema(
    [
        pa.field("trace_id", _ID, nullable=False),
        pa.field("span_id", pa.uint64(), nullable=False),
        pa.field("parent_span_id", pa.uint64(), nullable=False),  # 0 = none
        pa.field("service", _WORD),  # service.name
        pa.field("name", _WORD),
        pa.field("kind", pa.int8()),
        pa.field("start_ns", pa.int64(), nullable=False),  # since 1970, raw: no reader moves a span
        pa.field("end_ns", pa.int64(), nullable=False),
        pa.field("status", pa.int8()),
        pa.field("error_type", _WORD),  # error.type, else the type of a recorded exception
        pa.field(
            "http_status", pa.int16()
        ),  # also gRPC's code where the span is a gRPC one and rpc.* says so: see `attributes`
        pa.field(
            "peer", _WORD
        ),  # peer.service, else db/messaging system name: what a hop without callee spans is named after
        pa.field("address", _WORD),  # server.address[:server.port] that a CLIENT or PRODUCER span went to
        pa.field("destination", _WORD),  # messaging destination (subject, topic, queue)
        pa.field("payload_bytes", pa.int64()),  # request plus response body size, or message body size
        pa.field("host", _WORD),  # host.id or host.name
        pa.field("instance", _WORD),  # service.instance.id, else k8s.pod.name or container.id, else host:pid
        pa.field("links", pa.list_(LINK)),
        # Span attributes as text (numbers and booleans as JSON writes them, arrays and maps as JSON). A recorded
        # exception adds exception.type and exception.message, a status message adds otel.status_description.
        pa.field("attributes", pa.map_(pa.string(), pa.string())),
    ]
)

LOG_SCHEMA = pa.schema(
    [
        pa.field("time_ns", pa.int64(), nullable=False),
        pa.field("trace_id", _ID),
        pa.field("span_id", pa.uint64()),
        pa.field("service", _WORD),
        pa.field("severity", pa.int8()),  # OTLP SeverityNumber
        pa.field("body", pa.string()),
        pa.field("attributes", pa.map_(pa.string(), pa.string())),
    ]
)
