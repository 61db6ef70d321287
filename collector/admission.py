"""What may go to disk: a request is checked just enough to promise that it can be read again.

Decoding every span would cost more than everything else the collector does. The walk below follows the protobuf
lengths down to the spans and looks at the two ids that every encoder writes first; whatever is not of that
plain form is decoded in full, and spans without valid ids are taken out and counted (OTLP's partial success).
"""

from __future__ import annotations

from dataclasses import dataclass

from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.errors import Malformed

__all__ = ["Admitted", "admit_logs", "admit_traces", "plain_spans"]


@dataclass(frozen=True, slots=True)
class Admitted:
    """What to write, how many items it holds (0 for logs: nobody asks), and what was left out."""

    body: bytes
    spans: int
    rejected: int = 0
    reason: str = ""


def admit_traces(body: bytes) -> Admitted:
    """An ExportTraceServiceRequest. Raises Malformed when it does not decode."""
    spans = plain_spans(body)
    if spans is not None:
        return Admitted(body, spans)
    request = ExportTraceServiceRequest()
    _decode(request, body)
    kept = rejected = 0
    for resource in request.resource_spans:
        for scope in resource.scope_spans:
            valid = [s for s in scope.spans if len(s.trace_id) == 16 and len(s.span_id) == 8]
            rejected += len(scope.spans) - len(valid)
            kept += len(valid)
            if len(valid) < len(scope.spans):
                del scope.spans[:]
                scope.spans.extend(valid)
    if not rejected:
        return Admitted(body, kept)
    reason = f"{rejected} spans lack a 16-byte trace id or an 8-byte span id"
    return Admitted(request.SerializeToString(), kept, rejected, reason)


def admit_logs(body: bytes) -> Admitted:
    """An ExportLogsServiceRequest. Raises Malformed when it does not decode."""
    _decode(ExportLogsServiceRequest(), body)
    return Admitted(body, 0)


def _decode(message: Message, body: bytes) -> None:
    try:
        message.ParseFromString(body)
    except DecodeError as error:
        raise Malformed(f"not an {message.DESCRIPTOR.name}: {error}") from error


def plain_spans(body: bytes) -> int | None:
    """Number of spans, when all lengths agree and each span begins with a trace id and a span id; else None.

    Tags in the walk are one byte: field number * 8 + wire type 2. resource_spans = 1, scope_spans = 2, spans = 2.
    """
    try:
        return sum(
            _spans_in_scope(body, scope_start, scope_end)
            for start, end in _fields(body, 0, len(body), 0x0A)
            for scope_start, scope_end in _fields(body, start, end, 0x12)
        )
    except (IndexError, ValueError):
        return None


def _spans_in_scope(body: bytes, at: int, end: int) -> int:
    """The innermost loop of the collector: `_fields` unrolled, for fields of up to 16 KiB."""
    spans = 0
    while at < end:
        tag = body[at]
        length = body[at + 1]
        at += 2
        if length > 0x7F:
            if body[at] > 0x7F:
                raise ValueError(at)
            length += (body[at] << 7) - 0x80
            at += 1
        if tag == 0x12:
            if length < 28 or body[at : at + 2] != b"\x0a\x10" or body[at + 18 : at + 20] != b"\x12\x08":
                raise ValueError(at)
            spans += 1
        elif tag & 0x87 != 0x02:
            raise ValueError(tag)
        at += length
    if at != end:
        raise ValueError(at)
    return spans


def _fields(body: bytes, at: int, end: int, wanted: int) -> list[tuple[int, int]]:
    """Bounds of the length-delimited fields with this tag. Raises ValueError where it is not that simple."""
    found = []
    while at < end:
        tag = body[at]
        length = body[at + 1]
        at += 2
        if tag & 0x87 != 0x02:  # another wire type, or a field number above 15
            raise ValueError(tag)
        if length & 0x80:
            shift = 7
            length &= 0x7F
            while True:
                byte = body[at]
                at += 1
                length |= (byte & 0x7F) << shift
                if byte < 0x80:
                    break
                shift += 7
        if tag == wanted:
            found.append((at, at + length))
        at += length
    if at != end:
        raise ValueError(at)
    return found
