"""Compile the walks of all forms ahead of their first use, by letting each read one trace of its form."""

from __future__ import annotations

import tempfile
from pathlib import Path

import orjson
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from analysis.sources.json_units import walkable_units
from analysis.sources.noticed import Warnings
from analysis.sources.small_files import walk_small_files
from analysis.sources.walked_forms import OTLP_PROTOBUF
from analysis.sources.walking import as_bytes, walk_units

__all__ = ["warm_walks"]

_TRACE_ID, _SPAN_ID = "0123456789abcdef0123456789abcdef", "0123456789abcdef"
_JAEGER_SPAN = {
    "traceID": _TRACE_ID, "spanID": _SPAN_ID, "operationName": "a", "references": [], "startTime": 1, "duration": 1,
    "tags": [{"key": "k", "type": "string", "value": "v"}], "logs": [], "processID": "p1",
}  # fmt: skip
_PROCESSES = {"p1": {"serviceName": "s", "tags": []}}
_JAEGER = {"data": [{"traceID": _TRACE_ID, "spans": [_JAEGER_SPAN], "processes": _PROCESSES}]}
_OTLP_SPAN = {
    "traceId": _TRACE_ID, "spanId": _SPAN_ID, "name": "a", "startTimeUnixNano": "1", "endTimeUnixNano": "2",
    "attributes": [{"key": "k", "value": {"stringValue": "v"}}],
}  # fmt: skip
_OTLP = {"resourceSpans": [{"resource": {"attributes": []}, "scopeSpans": [{"spans": [_OTLP_SPAN]}]}]}


def warm_walks() -> int:
    """Read one span in each of the walked forms; how many were read."""
    read = 0
    for document in (_JAEGER, _OTLP):
        data = as_bytes(orjson.dumps(document))
        walkable = walkable_units(data)
        if walkable is not None:
            form, units = walkable
            read += sum(len(tables.spans) for tables in walk_units(data, units, form, Warnings("")))
    message = as_bytes(_message())
    walked = walk_units(message, [(0, len(message))], OTLP_PROTOBUF, Warnings(""))
    read += sum(len(tables.spans) for tables in walked)
    with tempfile.TemporaryDirectory(prefix="tracegap-") as directory:
        file = Path(directory) / "trace.json"
        file.write_bytes(orjson.dumps(_JAEGER))
        read += sum(len(piece.tables.spans) for piece in walk_small_files([str(file)], 0))
    return read


def _message() -> bytes:
    data = TracesData()
    span = data.resource_spans.add().scope_spans.add().spans.add()
    span.trace_id, span.span_id, span.name = bytes.fromhex(_TRACE_ID), bytes.fromhex(_SPAN_ID), "a"
    span.start_time_unix_nano, span.end_time_unix_nano = 1, 2
    attribute = span.attributes.add()
    attribute.key, attribute.value.string_value = "k", "v"
    return data.SerializeToString()
